//! Powercap trees of real machines' shapes, in a temporary directory, with counters that tests set.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What Xeons and client parts show as the range of a package.
pub(crate) const PACKAGE_RANGE_UJ: u64 = 262_143_328_850;
/// What Xeons show as the range of a memory zone.
pub(crate) const DRAM_RANGE_UJ: u64 = 65_712_999_613;

/// A tree that looks like `/sys/class/powercap`.
pub(crate) struct FakePowercap {
    root: TempDir,
}

impl FakePowercap {
    /// A tree without zones.
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a temporary directory") }
    }

    /// A client: psys, one package with cores and graphics, and the package's memory-mapped twin.
    pub(crate) fn client() -> Self {
        let tree = Self::new();
        tree.zone("intel-rapl:0", "package-0", PACKAGE_RANGE_UJ, 1_000_000);
        tree.zone("intel-rapl:0/intel-rapl:0:0", "core", PACKAGE_RANGE_UJ, 2_000_000);
        tree.zone("intel-rapl:0/intel-rapl:0:1", "uncore", PACKAGE_RANGE_UJ, 3_000_000);
        tree.zone("intel-rapl:1", "psys", PACKAGE_RANGE_UJ, 4_000_000);
        tree.zone("intel-rapl-mmio:0", "package-0", PACKAGE_RANGE_UJ, 1_000_000);
        // The class directory shows nested zones a second time.
        tree.link("intel-rapl:0/intel-rapl:0:0", "intel-rapl:0:0");
        tree.link("intel-rapl:0/intel-rapl:0:1", "intel-rapl:0:1");
        fs::create_dir(tree.root().join("dtpm")).expect("another control type");
        tree
    }

    /// A server of two sockets with memory zones; the second socket has the first index.
    pub(crate) fn two_socket_server() -> Self {
        let tree = Self::new();
        for (index, socket) in [(0, 1), (1, 0)] {
            let package = format!("intel-rapl:{index}");
            let dram = format!("{package}/{package}:0");
            tree.zone(&package, &format!("package-{socket}"), PACKAGE_RANGE_UJ, 10 + socket);
            tree.zone(&dram, "dram", DRAM_RANGE_UJ, 20 + socket);
        }
        tree
    }

    /// One socket of two dies, each with its own zone (Cascade Lake AP).
    pub(crate) fn two_dies() -> Self {
        let tree = Self::new();
        for die in 0..2 {
            let package = format!("intel-rapl:{die}");
            tree.zone(&package, &format!("package-0-die-{die}"), PACKAGE_RANGE_UJ, die);
            tree.zone(&format!("{package}/{package}:0"), "dram", DRAM_RANGE_UJ, die);
        }
        tree
    }

    /// One package of AMD, whose core zone counts the first core only.
    pub(crate) fn amd() -> Self {
        let tree = Self::new();
        tree.zone("intel-rapl:0", "package-0", 65_532_610_987, 7);
        tree.zone("intel-rapl:0/intel-rapl:0:0", "core", 65_532_610_987, 1);
        tree
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Adds a zone, or replaces one.
    pub(crate) fn zone(&self, directory: &str, name: &str, range_uj: u64, value_uj: u64) {
        let path = self.root().join(directory);
        fs::create_dir_all(&path).expect("a zone");
        fs::write(path.join("name"), format!("{name}\n")).expect("its name");
        fs::write(path.join("max_energy_range_uj"), format!("{range_uj}\n")).expect("its range");
        self.show(directory, &format!("{value_uj}\n"));
    }

    /// What the zone's counter shows from now on, also in files held open.
    pub(crate) fn show(&self, directory: &str, text: &str) {
        fs::write(self.counter(directory), text).expect("a counter");
    }

    pub(crate) fn counter(&self, directory: &str) -> PathBuf {
        self.root().join(directory).join("energy_uj")
    }

    fn link(&self, to: &str, name: &str) {
        std::os::unix::fs::symlink(self.root().join(to), self.root().join(name)).expect("a link");
    }
}
