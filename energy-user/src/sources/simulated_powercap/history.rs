//! When a simulated machine's counters were brought up to date and what had run by then, as a file
//! beside them: the truth of any stretch of time, and whether the simulation itself was on time.

use std::fs;
use std::path::Path;

use super::{SimulationError, file_error};
use crate::units::{MonotonicTime, Nanoseconds};

/// The file's name.
const FILE: &str = "history.csv";

/// One update of all counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Before the clocks were read.
    pub from: MonotonicTime,
    /// When the counters began to show this.
    pub to: MonotonicTime,
    /// CPU time of each load since it was added, in the order of the layout.
    pub load_cpu: Vec<Nanoseconds>,
    /// CPU time of all that ran, since the start.
    pub machine_cpu: Nanoseconds,
}

/// Every update, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The updates.
    pub updates: Vec<Update>,
}

impl History {
    /// The history that a simulation left in `directory` when it ended.
    pub fn read(directory: &Path) -> Result<Self, SimulationError> {
        let path = directory.join(FILE);
        let text = fs::read_to_string(&path).map_err(|cause| file_error("read", &path, cause))?;
        let not_ours = || {
            let cause = std::io::Error::new(std::io::ErrorKind::InvalidData, "not a history");
            file_error("understand", &path, cause)
        };
        let updates = text.lines().skip(1).map(|line| parse(line).ok_or_else(not_ours));
        Ok(Self { updates: updates.collect::<Result<_, _>>()? })
    }

    /// Leaves it in `directory`.
    pub(super) fn write(&self, directory: &Path) -> Result<(), SimulationError> {
        let path = directory.join(FILE);
        let mut text = "from_ns,to_ns,machine_cpu_ns,load_cpu_ns…\n".to_owned();
        for update in &self.updates {
            let (from, to) = (update.from.nanos(), update.to.nanos());
            text.push_str(&format!("{from},{to},{}", update.machine_cpu.get()));
            for cpu in &update.load_cpu {
                text.push_str(&format!(",{}", cpu.get()));
            }
            text.push('\n');
        }
        fs::write(&path, text).map_err(|cause| file_error("write", &path, cause))
    }
}

fn parse(line: &str) -> Option<Update> {
    let numbers: Vec<u64> = line.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [from, to, machine, loads @ ..] = numbers.as_slice() else { return None };
    Some(Update {
        from: MonotonicTime::from_nanos(*from),
        to: MonotonicTime::from_nanos(*to),
        load_cpu: loads.iter().copied().map(Nanoseconds::new).collect(),
        machine_cpu: Nanoseconds::new(*machine),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_read_as_it_was_written() {
        let root = tempfile::tempdir().unwrap();
        let update = |at, loads: &[u64]| Update {
            from: MonotonicTime::from_nanos(at),
            to: MonotonicTime::from_nanos(at + 10),
            load_cpu: loads.iter().copied().map(Nanoseconds::new).collect(),
            machine_cpu: Nanoseconds::new(7),
        };
        let history = History { updates: vec![update(100, &[1, 2]), update(200, &[3, 4, 5])] };
        history.write(root.path()).unwrap();
        assert_eq!(History::read(root.path()).unwrap(), history);
    }
}
