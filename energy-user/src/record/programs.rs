//! Which file a process runs. `/proc` knows, but speaks of the present: between an exec and the
//! look at it the process may have become yet another program, or its id another process.

use std::collections::HashMap;

use super::procfs::Procfs;
use crate::probes::{TaskChange, TaskEvent};

/// How often to look again because programs went on changing. A look takes microseconds, so that
/// more than a few thousand execs a second are needed to come this far.
const ROUNDS: usize = 8;

/// All events that there are, each exec with the real path of its program if that can be told: if
/// neither an exec nor the end of the process came between it and the look into `/proc`.
pub(super) fn with_programs(
    procfs: &Procfs,
    mut next: impl FnMut() -> Option<TaskEvent>,
) -> Vec<(TaskEvent, Option<String>)> {
    let mut events: Vec<(TaskEvent, Option<String>)> = Vec::new();
    // The last exec of every process that goes on.
    let mut running: HashMap<u32, usize> = HashMap::new();
    for round in 0..=ROUNDS {
        let mut outdated = Vec::new();
        let mut new = Vec::new();
        while let Some(event) = next() {
            match &event.change {
                TaskChange::Exec { tgid, .. } => {
                    outdated.extend(running.insert(*tgid, events.len()));
                    new.push(*tgid);
                }
                TaskChange::Exit { tid, tgid, .. } if tid == tgid => {
                    outdated.extend(running.remove(tgid));
                }
                _ => {}
            }
            events.push((event, None));
        }
        for index in outdated {
            events[index].1 = None;
        }
        if new.is_empty() || round == ROUNDS {
            break;
        }
        for tgid in new {
            if let Some(index) = running.get(&tgid) {
                events[*index].1 = procfs.exe(tgid);
            }
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;
    use crate::units::MonotonicTime;

    fn exec(tgid: u32) -> TaskEvent {
        let change = TaskChange::Exec {
            address: 0,
            tid: tgid,
            tgid,
            path: None,
            cmdline: None,
            start: None,
            cpu_time: None,
            comm: String::new(),
            uid: 0,
            cgroup: 0,
        };
        TaskEvent { at: MonotonicTime::default(), change }
    }

    fn exit(tgid: u32) -> TaskEvent {
        let change = TaskChange::Exit {
            address: 0,
            tid: tgid,
            tgid,
            start: None,
            comm: String::new(),
            uid: 0,
            cgroup: 0,
        };
        TaskEvent { at: MonotonicTime::default(), change }
    }

    /// The programs found where process 7 runs `/bin/second` now, and events come in these bursts.
    fn found(bursts: &[&[TaskEvent]]) -> Vec<Option<String>> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("7")).unwrap();
        symlink(Path::new("/bin/second"), root.path().join("7/exe")).unwrap();
        let procfs = Procfs::new(root.path(), crate::units::Nanoseconds::ZERO);
        let mut waiting: VecDeque<Option<TaskEvent>> =
            bursts.iter().flat_map(|burst| burst.iter().cloned().map(Some).chain([None])).collect();
        let events = with_programs(&procfs, || waiting.pop_front().flatten());
        events.into_iter().map(|(_, program)| program).collect()
    }

    #[test]
    fn the_last_exec_of_a_running_process_is_looked_up() {
        let second = Some("/bin/second".to_owned());
        assert_eq!(found(&[&[exec(7)]]), std::slice::from_ref(&second));
        assert_eq!(found(&[&[exec(7), exec(8), exec(7)]]), [None, None, second]);
    }

    #[test]
    fn a_process_that_has_ended_is_not_looked_up_under_its_number() {
        assert_eq!(found(&[&[exec(7), exit(7)]]), [None, None]);
    }

    #[test]
    fn what_was_found_is_dropped_when_the_process_went_on_meanwhile() {
        let second = Some("/bin/second".to_owned());
        assert_eq!(found(&[&[exec(7)], &[exec(7)]]), [None, second]);
        assert_eq!(found(&[&[exec(7)], &[exit(7)]]), [None, None]);
    }
}
