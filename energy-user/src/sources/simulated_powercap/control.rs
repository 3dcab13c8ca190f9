//! Commands to a running simulation: lines appended to the file `control` in its directory.
//!
//! ```text
//! load PID WATTS [PACKAGE]      count a process from now on
//! stale ZONE TIME               e.g. `stale package-0 500ms`: the counter stands still, then catches up
//! backwards ZONE                the counter begins again at 0: a reset
//! jump ZONE JOULES              the counter leaps ahead of the truth
//! garbage ZONE                  the file holds no number
//! missing ZONE                  the file is emptied and removed
//! eacces ZONE                   the file's mode is 000 (root, and files already open, still read it)
//! restore ZONE                  the file is as it should be again
//! ```
//!
//! A zone is called as in a trace: `package-0`, `dram-1`, `core-0-die-1`, `psys`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Load, SimulationError, file_error};
use crate::units::Nanoseconds;

/// What can be wrong with a counter's file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    Stale(Nanoseconds),
    Backwards,
    Jump { joules: u64 },
    Garbage,
    Missing,
    NoAccess,
    Restore,
}

/// A line of the control file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Fault { zone: String, fault: Fault },
    Load(Load),
}

/// The control file, read as it grows.
#[derive(Debug)]
pub(super) struct ControlFile {
    path: PathBuf,
    obeyed_bytes: usize,
    refused: Vec<String>,
}

impl ControlFile {
    pub(super) fn create(directory: &Path) -> Result<Self, SimulationError> {
        let path = directory.join("control");
        fs::write(&path, "").map_err(|cause| file_error("make", &path, cause))?;
        Ok(Self { path, obeyed_bytes: 0, refused: Vec::new() })
    }

    /// The commands of whole lines added since the last look; all of them where the file was replaced
    /// by a shorter one. Lines that are no command are refused.
    pub(super) fn new_commands(&mut self) -> Result<Vec<Command>, SimulationError> {
        let length =
            fs::metadata(&self.path).map_err(|cause| file_error("read", &self.path, cause))?.len();
        if usize::try_from(length).is_ok_and(|length| length == self.obeyed_bytes) {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&self.path)
            .map_err(|cause| file_error("read", &self.path, cause))?;
        if text.len() < self.obeyed_bytes {
            self.obeyed_bytes = 0;
        }
        let new = text.get(self.obeyed_bytes..).unwrap_or_default();
        let whole_lines = new.rfind('\n').map_or(0, |end| end + 1);
        self.obeyed_bytes += whole_lines;
        let mut commands = Vec::new();
        for line in new[..whole_lines].lines().filter(|line| !line.trim().is_empty()) {
            match parse(line) {
                Some(command) => commands.push(command),
                None => self.refuse(&format!("{line:?} is no command")),
            }
        }
        Ok(commands)
    }

    pub(super) fn refuse(&mut self, reason: &str) {
        self.refused.push(reason.to_owned());
    }

    pub(super) fn refused(&self) -> &[String] {
        &self.refused
    }
}

fn parse(line: &str) -> Option<Command> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let fault = |zone: &str, fault| Some(Command::Fault { zone: zone.to_owned(), fault });
    match *words.as_slice() {
        ["load", pid, watts] => Load::checked(pid, watts, "0").map(Command::Load),
        ["load", pid, watts, package] => Load::checked(pid, watts, package).map(Command::Load),
        ["stale", zone, time] => {
            let milliseconds = time.strip_suffix("ms").unwrap_or(time).parse().ok()?;
            fault(zone, Fault::Stale(Nanoseconds::from_millis(milliseconds)))
        }
        ["jump", zone, joules] => fault(zone, Fault::Jump { joules: joules.parse().ok()? }),
        ["backwards", zone] => fault(zone, Fault::Backwards),
        ["garbage", zone] => fault(zone, Fault::Garbage),
        ["missing", zone] => fault(zone, Fault::Missing),
        ["eacces", zone] => fault(zone, Fault::NoAccess),
        ["restore", zone] => fault(zone, Fault::Restore),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_words() {
        let stale = Fault::Stale(Nanoseconds::from_millis(500));
        assert_eq!(
            parse("stale package-0 500ms"),
            Some(Command::Fault { zone: "package-0".to_owned(), fault: stale })
        );
        let load = Load { pid: 12, watts: 7.5, package: 1 };
        assert_eq!(parse("load 12 7.5 1"), Some(Command::Load(load)));
        for wrong in ["load x 7", "load 1 -7", "load 1 NaN", "stale package-0", "burn package-0"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
