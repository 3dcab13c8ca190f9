//! Processes: which threads belong together, and who launched whom.
//! A process is its id and its leader's start, so that a process id used again is another process.

use std::collections::BTreeMap;

use super::account::{Profile, ThreadAccount};
use super::name;
use crate::model::{ThreadId, ThreadInfo};
use crate::units::MonotonicTime;

/// A process as outputs name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessIdentity {
    /// Process id.
    pub pid: u32,
    /// When its leader was created; `None` where the trace has no leader of it.
    pub start: Option<MonotonicTime>,
    /// What it is called: its command line, or the best that is known.
    pub name: String,
    /// Whether it is a target of the recording or descends from one.
    pub target: bool,
}

impl Profile {
    /// The process each thread belongs to.
    pub fn process_of_each_thread(&self) -> BTreeMap<ThreadId, ProcessIdentity> {
        let processes = Processes::new(&self.threads);
        let identity = |info: &ThreadInfo| {
            let key = processes.of(info);
            let leader = processes.leader(key).unwrap_or(info);
            ProcessIdentity {
                pid: key.tgid,
                start: key.start,
                name: name::of_process(leader),
                target: leader.target,
            }
        };
        self.threads.iter().map(|(thread, account)| (*thread, identity(&account.info))).collect()
    }
}

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ProcessKey {
    /// Process id.
    pub tgid: u32,
    /// When its leader was created; `None` where the trace has no leader of it.
    pub start: Option<MonotonicTime>,
}

/// The processes of a trace.
#[derive(Debug)]
pub(super) struct Processes<'a> {
    /// Per process id, the leaders that had it, in order of their start, each as its last program.
    leaders: BTreeMap<u32, BTreeMap<MonotonicTime, &'a ThreadInfo>>,
}

impl<'a> Processes<'a> {
    /// The processes these threads make up.
    pub(super) fn new(threads: &'a BTreeMap<ThreadId, ThreadAccount>) -> Self {
        let mut leaders: BTreeMap<u32, BTreeMap<MonotonicTime, &'a ThreadInfo>> = BTreeMap::new();
        for info in threads.values().map(|account| &account.info) {
            if info.tid == info.tgid && info.tgid != 0 {
                let program = leaders.entry(info.tgid).or_default().entry(info.start);
                let last = program.or_insert(info);
                if info.exec >= last.exec {
                    *last = info;
                }
            }
        }
        Self { leaders }
    }

    /// The process a thread belongs to: the last of its id that began no later than the thread.
    pub(super) fn of(&self, info: &ThreadInfo) -> ProcessKey {
        self.alive_at(info.tgid, info.start).unwrap_or(ProcessKey { tgid: info.tgid, start: None })
    }

    /// The leader of a process, as its last program.
    pub(super) fn leader(&self, process: ProcessKey) -> Option<&'a ThreadInfo> {
        self.leaders.get(&process.tgid)?.get(&process.start?).copied()
    }

    /// The process that created this one, where the trace knows it.
    pub(super) fn parent(&self, process: ProcessKey) -> Option<ProcessKey> {
        let parent = self.leader(process)?.parent_tgid?;
        self.alive_at(parent, process.start?).filter(|parent| *parent != process)
    }

    /// The process that had id `tgid` at that instant.
    fn alive_at(&self, tgid: u32, at: MonotonicTime) -> Option<ProcessKey> {
        let (start, _) = self.leaders.get(&tgid)?.range(..=at).next_back()?;
        Some(ProcessKey { tgid, start: Some(*start) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(process: u32, tid: u32, start: u64, exec: u32, parent: u32) -> ThreadAccount {
        let info = ThreadInfo {
            tgid: process,
            tid,
            start: MonotonicTime::from_nanos(start),
            exec,
            parent_tgid: Some(parent),
            comm: format!("{process}.{exec}"),
            ..ThreadInfo::default()
        };
        ThreadAccount { info, ..ThreadAccount::default() }
    }

    #[test]
    fn a_process_id_used_again_is_another_process() {
        let threads = (2..)
            .map(ThreadId)
            .zip([
                thread(10, 10, 100, 0, 1),
                thread(10, 11, 150, 0, 1),
                thread(10, 10, 900, 0, 1),
                thread(10, 12, 950, 0, 1),
                thread(10, 13, 50, 0, 1),
            ])
            .collect();
        let processes = Processes::new(&threads);
        let start = |thread| processes.of(&threads[&ThreadId(thread)].info).start;
        assert_eq!(start(3), Some(MonotonicTime::from_nanos(100)));
        assert_eq!(start(5), Some(MonotonicTime::from_nanos(900)));
        assert_eq!(start(6), None, "older than any leader we know of");
    }

    #[test]
    fn a_process_is_led_by_its_last_program_and_knows_its_parent() {
        let threads = (2..)
            .map(ThreadId)
            .zip([thread(1, 1, 0, 0, 0), thread(10, 10, 100, 1, 1), thread(10, 10, 100, 0, 1)])
            .collect();
        let processes = Processes::new(&threads);
        let ten = processes.of(&threads[&ThreadId(3)].info);
        assert_eq!(processes.leader(ten).unwrap().comm, "10.1");
        assert_eq!(processes.parent(ten).unwrap().tgid, 1);
    }
}
