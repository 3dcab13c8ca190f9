//! Why a source could not be read, in words that say what to do next.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a source could not be opened or read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// A directory of zones cannot be listed.
    #[error("cannot list {}: {}{}", path.display(), in_words(cause), way_out(cause))]
    List {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file cannot be opened or read.
    #[error("cannot read {}: {}{}", path.display(), in_words(cause), way_out(cause))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file was read and is no whole number of its unit.
    #[error("{} holds {text:?}, which is no number of {unit}", path.display())]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// What it holds, cut to a few dozen bytes.
        text: String,
        /// What it should hold a whole number of.
        unit: &'static str,
    },
    /// A battery is charged, or does not say what it does: its power is not what the machine draws.
    #[error("{} says {status:?}: what the machine draws is known only while discharging", path.display())]
    NotDischarging {
        /// The battery's status file.
        path: PathBuf,
        /// What it says.
        status: String,
    },
    /// No battery gives anything.
    #[error("no battery is discharging, so none tells what the machine draws")]
    NoneDischarges,
    /// A perf event cannot be opened or read.
    #[error("cannot count {event}: {}{}", in_words(cause), way_out(cause))]
    Event {
        /// The event and its CPU, e.g. `power/energy-pkg/ on CPU 0`.
        event: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The registers of a CPU cannot be opened.
    #[error("cannot open {}: {}{}", path.display(), in_words(cause), way_to_registers(cause))]
    Registers {
        /// The device file, e.g. `/dev/cpu/0/msr`.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A register cannot be read.
    #[error("cannot read register 0x{address:x} of {}: {}", path.display(), in_words(cause))]
    Register {
        /// The device file.
        path: PathBuf,
        /// The register's address.
        address: u32,
        /// What the system said: an I/O error where the processor has no such register.
        cause: io::Error,
    },
    /// A file that describes a perf event holds something else than it should.
    #[error("{} holds {text:?}, which is no {expected}", path.display())]
    NotAnEvent {
        /// The file.
        path: PathBuf,
        /// What it holds.
        text: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// A graphics card's driver does not give a figure.
    #[error("cannot read the {what} of {card}: {why}{}", remedy.map_or_else(String::new, |way| format!("; {way}")))]
    Card {
        /// Which figure, e.g. `energy`.
        what: &'static str,
        /// The card's domain.
        card: String,
        /// The driver's reason.
        why: String,
        /// Whether more privilege would help.
        is_permission: bool,
        /// The way out, where one is known.
        remedy: Option<&'static str>,
    },
}

impl SourceError {
    pub(super) fn list(path: &Path, cause: io::Error) -> Self {
        Self::List { path: path.to_owned(), cause }
    }

    pub(super) fn read(path: &Path, cause: io::Error) -> Self {
        Self::Read { path: path.to_owned(), cause }
    }

    pub(super) fn not_a_number(path: &Path, text: &[u8], unit: &'static str) -> Self {
        let text = String::from_utf8_lossy(text).trim_end().to_owned();
        Self::NotANumber { path: path.to_owned(), text, unit }
    }

    /// Whether more privilege would help.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::List { cause, .. } | Self::Read { cause, .. } | Self::Event { cause, .. }
            | Self::Registers { cause, .. }
            if cause.kind() == io::ErrorKind::PermissionDenied)
            || matches!(self, Self::Card { is_permission: true, .. })
    }
}

/// The system's reason without its error number.
fn in_words(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => cause.to_string(),
    }
}

/// The kernel shows energy counters to root only since 5.10 (CVE-2020-8694, "PLATYPUS").
fn way_out(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => "; run as root",
        _ => "",
    }
}

/// Opening registers takes CAP_SYS_RAWIO, which root lacks in containers, and a module.
fn way_to_registers(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => "; run as root, with CAP_SYS_RAWIO",
        io::ErrorKind::NotFound => "; load the module: sudo modprobe msr",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_tried_on_what_and_the_way_out() {
        let path = Path::new("/sys/class/powercap/intel-rapl:0/energy_uj");
        let denied = SourceError::read(path, io::Error::from_raw_os_error(libc::EACCES));
        assert_eq!(
            denied.to_string(),
            "cannot read /sys/class/powercap/intel-rapl:0/energy_uj: permission denied; run as root"
        );
        assert!(denied.is_permission());
        let garbage = SourceError::not_a_number(path, b"12x4\n", "microjoules");
        assert_eq!(
            garbage.to_string(),
            "/sys/class/powercap/intel-rapl:0/energy_uj holds \"12x4\", which is no number of microjoules"
        );
    }
}
