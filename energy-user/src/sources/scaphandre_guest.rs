//! A virtual machine's share of its host's energy, as Scaphandre on the host exports it.
//!
//! The mounted directory (by its documentation `/var/scaphandre`) looks like powercap and is not: `intel-rapl:0`
//! has `energy_uj` and no `name`, and `intel-rapl:0:0` is empty. The counter has no range. Every 5 s or more the
//! host adds the machine's share by CPU time of what platform, or packages and memory, draw together.
//! Reference: Scaphandre v1.0.3, src/exporters/qemu.rs (`iterate`, `add_or_create`) and
//! src/sensors/powercap_rapl.rs (`read_record` of `Topology`).

use std::path::{Path, PathBuf};

use super::number_file::NumberFile;
use super::rapl_registers::ceiling;
use super::undisturbed::read_undisturbed;
use super::{ClockFn, CounterReading, CounterSpec, EnergySource, Shown, SourceError};
use crate::model::{Domain, DomainId, Provenance};
use crate::units::{Microjoules, Nanoseconds};

/// What `QemuExporter::run` sleeps between two updates.
const UPDATE_PERIOD: Nanoseconds = Nanoseconds::from_millis(5000);

/// The host empties the file before it writes it; whoever reads in between finds nothing.
const ATTEMPTS: usize = 3;

/// The counter of a guest.
#[derive(Debug)]
pub struct ScaphandreGuest {
    counters: [CounterSpec; 1],
    file: NumberFile,
}

impl ScaphandreGuest {
    /// Opens the counter under `root`; `None` where `root` does not have Scaphandre's layout.
    pub fn open(root: &Path) -> Result<Option<Self>, SourceError> {
        let Some(path) = counter_under(root) else { return Ok(None) };
        let mut file = NumberFile::open(path, "microjoules")?;
        read_written(|| file.read())?;
        let spec = CounterSpec {
            // Of all the guest's CPUs, whatever sockets it believes to have.
            domain: DomainId::of_machine(Domain::Package),
            range: None,
            quantum: Microjoules::new(1),
            update_period: UPDATE_PERIOD,
            // No more than its host draws.
            ceiling: ceiling(Domain::Psys),
            shows: Shown::Energy,
        };
        Ok(Some(Self { counters: [spec], file }))
    }

    /// The file that is read.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }
}

impl EnergySource for ScaphandreGuest {
    fn name(&self) -> &'static str {
        "scaphandre"
    }

    /// The host's figure is its energy divided by a rule, and since Scaphandre 1.0 no energy at all.
    fn provenance(&self) -> Provenance {
        Provenance::Estimated
    }

    fn note(&self) -> Option<String> {
        Some(
            "package is this virtual machine's share by CPU time of its host's packages, memory or platform, which \
             Scaphandre on the host works out every 5 s; its versions 1.0.0 to 1.0.3 add watts where joules belong, so \
             that about a fifth of the energy is shown"
                .to_owned(),
        )
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>) {
        let file = &mut self.file;
        out.push(read_undisturbed(0, clock, || read_written(|| file.read())));
    }
}

/// Where the counter is, if this is Scaphandre's layout: no tree of the kernel's has a zone without a name.
fn counter_under(root: &Path) -> Option<PathBuf> {
    let zone = root.join("intel-rapl:0");
    let counter = zone.join("energy_uj");
    let empty = root.join("intel-rapl:0:0");
    let is_like_it = counter.exists()
        && !zone.join("name").exists()
        && empty.is_dir()
        && !empty.join("energy_uj").exists();
    is_like_it.then_some(counter)
}

fn read_written(
    mut read: impl FnMut() -> Result<u64, SourceError>,
) -> Result<Microjoules, SourceError> {
    let mut value = read();
    for _ in 1..ATTEMPTS {
        if value.is_ok() {
            break;
        }
        value = read();
    }
    value.map(Microjoules::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read where the first so many readings find an empty file.
    fn after_empty(times: usize) -> Result<Microjoules, SourceError> {
        let mut readings = 0;
        read_written(|| {
            readings += 1;
            let empty = || SourceError::not_a_number(Path::new("energy_uj"), b"", "microjoules");
            if readings > times { Ok(7) } else { Err(empty()) }
        })
    }

    #[test]
    fn a_file_that_is_being_written_is_read_again() {
        assert_eq!(after_empty(2).unwrap(), Microjoules::new(7));
        assert!(after_empty(3).is_err());
    }
}
