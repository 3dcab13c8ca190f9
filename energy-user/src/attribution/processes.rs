//! Which process a thread belongs to, as a number: what is shared equally is shared among processes.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::model::{ThreadId, ThreadInfo};
use crate::units::MonotonicTime;

/// The processes of a recording's threads. A process id that is used again is another process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessNumbers {
    by_thread: FxHashMap<ThreadId, u32>,
}

/// A process: its id, and the start of its leader where one is known.
type Process = (u32, Option<MonotonicTime>);

impl ProcessNumbers {
    /// Of the threads that the recording names.
    pub fn new(threads: &BTreeMap<ThreadId, ThreadInfo>) -> Self {
        let mut leaders: BTreeSet<(u32, MonotonicTime)> = BTreeSet::new();
        for info in threads.values().filter(|info| info.tid == info.tgid) {
            leaders.insert((info.tgid, info.start));
        }
        let mut numbers: BTreeMap<Process, u32> = BTreeMap::new();
        let mut by_thread = FxHashMap::default();
        for (thread, info) in threads {
            let born = (info.tgid, MonotonicTime::default())..=(info.tgid, info.start);
            let leader = leaders.range(born).next_back().map(|(_, start)| *start);
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            by_thread.insert(*thread, *numbers.entry((info.tgid, leader)).or_insert(next));
        }
        Self { by_thread }
    }

    /// The process of a thread. One that the recording does not name is a process of its own.
    pub(super) fn of(&self, thread: ThreadId) -> Result<u32, ThreadId> {
        self.by_thread.get(&thread).copied().ok_or(thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_id_used_again_is_another_process() {
        let thread = |tgid, tid, start| ThreadInfo {
            tgid,
            tid,
            start: MonotonicTime::from_nanos(start),
            ..ThreadInfo::default()
        };
        let threads =
            [thread(10, 10, 5), thread(10, 11, 6), thread(10, 10, 90), thread(10, 12, 91)];
        let numbers = ProcessNumbers::new(&(2..).map(ThreadId).zip(threads).collect());
        let of = |thread| numbers.of(ThreadId(thread)).unwrap();
        assert_eq!(of(2), of(3));
        assert_ne!(of(2), of(4));
        assert_eq!(of(4), of(5));
        assert_eq!(numbers.of(ThreadId(9)), Err(ThreadId(9)));
    }
}
