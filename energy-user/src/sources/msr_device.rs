//! Model-specific registers of one CPU, by the device files of the kernel's module `msr`.
//!
//! Opening needs CAP_SYS_RAWIO besides the file's permissions; reading an open file needs nothing, and
//! kernel lockdown forbids writing only. A reading interrupts the CPU.
//! Reference: Linux v6.12, arch/x86/kernel/msr.c; msr(4)

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::SourceError;

/// An open `/dev/cpu/N/msr`.
#[derive(Debug)]
pub(super) struct MsrDevice {
    path: PathBuf,
    file: File,
}

impl MsrDevice {
    /// Where the device of a CPU is under a `/dev`.
    pub(super) fn path_of(dev: &Path, cpu: u16) -> PathBuf {
        dev.join(format!("cpu/{cpu}/msr"))
    }

    /// Opens the registers of a CPU.
    pub(super) fn open(dev: &Path, cpu: u16) -> Result<Self, SourceError> {
        let path = Self::path_of(dev, cpu);
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(cause) => Err(SourceError::Registers { path, cause }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The register at `address`. One that the processor does not have, or a CPU that is off, is an error.
    pub(super) fn read(&self, address: u32) -> Result<u64, SourceError> {
        let mut value = [0; 8];
        match self.file.read_exact_at(&mut value, address.into()) {
            Ok(()) => Ok(u64::from_le_bytes(value)),
            Err(cause) => Err(SourceError::Register { path: self.path.clone(), address, cause }),
        }
    }
}
