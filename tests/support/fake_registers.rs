//! Device files of CPUs' registers, in a temporary directory, with registers that tests set.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Behind the last register that tests use.
const END: u64 = 0xc001_0400;

/// A directory that looks like `/dev`.
pub(crate) struct FakeRegisters {
    root: TempDir,
}

impl FakeRegisters {
    /// Of these CPUs, whose registers all hold 0.
    pub(crate) fn of(cpus: &[u16]) -> Self {
        let registers = Self { root: tempfile::tempdir().expect("a temporary directory") };
        for cpu in cpus {
            let path = registers.path(*cpu);
            fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            // Sparse: no register takes room until it is written.
            File::create(path).and_then(|file| file.set_len(END)).expect("a file");
        }
        registers
    }

    pub(crate) fn dev(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn path(&self, cpu: u16) -> PathBuf {
        self.dev().join(format!("cpu/{cpu}/msr"))
    }

    /// What the lower half of a register holds from now on. In a file, unlike on a processor, AMD's registers
    /// overlap: the bits of one that mean something do not.
    pub(crate) fn hold(&self, cpu: u16, address: u64, value: u32) {
        self.write(cpu, address, &value.to_le_bytes());
    }

    /// The unit register, of which two bytes mean something.
    pub(crate) fn hold_unit(&self, cpu: u16, address: u64, exponent: u8) {
        self.write(cpu, address, &[0x03, exponent]);
    }

    /// A register's reserved half, which need not be 0.
    pub(crate) fn hold_above(&self, cpu: u16, address: u64, value: u32) {
        self.write(cpu, address + 4, &value.to_le_bytes());
    }

    fn write(&self, cpu: u16, address: u64, bytes: &[u8]) {
        let file = File::options().write(true).open(self.path(cpu)).expect("a file");
        file.write_all_at(bytes, address).expect("a register");
    }
}
