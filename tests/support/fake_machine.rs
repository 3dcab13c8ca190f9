//! A sysfs of a machine's shape, in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};

use energy_prof::model::CpuPlace;
use energy_prof::sources::{CpuVendor, HostFacts};
use tempfile::TempDir;

use super::fake_powercap::FakePowercap;

/// What the kernel says an energy event's count is worth: 2⁻³² J.
pub(crate) const RAPL_SCALE: &str = "2.3283064365386962890625e-10";

/// A directory that looks like `/sys`.
pub(crate) struct FakeMachine {
    root: TempDir,
}

impl FakeMachine {
    /// A sysfs without anything that measures.
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a temporary directory") }
    }

    pub(crate) fn sysfs(&self) -> &Path {
        self.root.path()
    }

    /// Writes a file of sysfs.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, format!("{text}\n")).expect("a file");
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.sysfs().join(path)
    }

    /// Puts a powercap tree where this sysfs has its own.
    pub(crate) fn with_powercap(self, tree: &FakePowercap) -> Self {
        fs::create_dir_all(self.path("class")).expect("a directory");
        copy(tree.root(), &self.path("class/powercap"));
        self
    }

    /// A PMU with number 9 and these energy events, each with its code.
    pub(crate) fn with_pmu(self, name: &str, cpumask: &str, events: &[(&str, u64)]) -> Self {
        let pmu = format!("bus/event_source/devices/{name}");
        self.write(&format!("{pmu}/type"), "9");
        self.write(&format!("{pmu}/cpumask"), cpumask);
        for (event, code) in events {
            let file = format!("{pmu}/events/{event}");
            self.write(&file, &format!("event=0x{code:02x}"));
            self.write(&format!("{file}.scale"), RAPL_SCALE);
            self.write(&format!("{file}.unit"), "Joules");
        }
        self
    }
}

/// A machine of these places: socket, die and core of each CPU.
pub(crate) fn facts(vendor: CpuVendor, places: &[(u16, u16, u16)]) -> HostFacts {
    let mut facts = HostFacts { vendor, kernel: "6.12.0".to_owned(), ..HostFacts::default() };
    for (cpu, (socket, die, core)) in (0..).zip(places) {
        let place = CpuPlace { socket: *socket, die: *die, core: *core };
        facts.topology.cpus.insert(cpu, place);
    }
    facts
}

/// Copies a tree; links become what they point to.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let (path, name) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &name);
        } else {
            fs::copy(path, name).expect("a file");
        }
    }
}
