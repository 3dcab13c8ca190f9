//! Who is who: from task events, `/proc` and the switch log's names of tasks to the threads of the
//! trace. A thread is an incarnation of a tid between two execs; nothing is ever merged by number.
//!
//! One rule of our own: a process whose first exec comes within [`LAUNCH`] of CPU time after its fork
//! was being launched, so its time since the fork belongs to the program it became. A later exec
//! begins a new thread.

mod events;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::procfs::{ProcessFacts, Procfs};
use crate::model::{ThreadId, ThreadInfo};
use crate::units::{MonotonicTime, Nanoseconds};

/// How little CPU time before its first exec makes that a process's launch.
const LAUNCH: Nanoseconds = Nanoseconds::from_millis(10);

/// How soon after its fork that exec has to come where CPU time cannot be told.
const LAUNCH_BY_CLOCK: Nanoseconds = Nanoseconds::from_millis(50);

/// The id of the unified hierarchy's root: Linux v6.12, kernel/cgroup/cgroup.c
/// (`cgroup_setup_root`). Every task has it on a machine that uses version 1 only.
const ROOT_CGROUP: u64 = 1;

/// How long a thread that has exited is kept: it leaves its CPU once more after its exit event, at
/// once or, where others take the CPU first, a little later.
const AFTERLIFE: Nanoseconds = Nanoseconds::from_millis(2_000);

/// Which processes the recording is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Roots {
    /// Process ids.
    pub(super) tgids: HashSet<u32>,
    /// Whether their descendants belong to them.
    pub(super) inherit: bool,
}

/// A task's current and former incarnations, by its address.
#[derive(Debug)]
struct Task {
    /// Oldest first; each is valid from its time until the next one's.
    incarnations: Vec<Incarnation>,
    exited: Option<MonotonicTime>,
    /// What it was called before its last change of name.
    former_comm: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Incarnation {
    from: MonotonicTime,
    tid: u32,
    thread: ThreadId,
}

/// What all threads of a process share.
#[derive(Clone, Debug, Default)]
struct Process {
    facts: ProcessFacts,
    /// Whether the parent is known.
    has_parent: bool,
    target: bool,
    exec: u32,
    forked: Option<MonotonicTime>,
    exited: Option<MonotonicTime>,
}

/// The threads seen so far that still matter.
#[derive(Debug)]
pub(super) struct Tasks {
    procfs: Procfs,
    roots: Roots,
    by_address: HashMap<u64, Task>,
    processes: HashMap<u32, Process>,
    /// Threads that lived before recording, and have not run since: tid to process.
    resting: HashMap<u32, u32>,
    /// Leaders of processes whose other threads have run, and that have not run themselves.
    unbound: HashMap<u32, ThreadId>,
    threads: BTreeMap<ThreadId, ThreadInfo>,
    changed: HashSet<ThreadId>,
    cgroups: HashMap<u64, String>,
    /// Program paths as given to exec, and what they turned out to be.
    programs: HashMap<String, String>,
    next: ThreadId,
    unnamed: u64,
}

impl Tasks {
    /// The processes that live now, and which of them are targets.
    pub(super) fn scan(procfs: Procfs, roots: Roots, cgroups: Vec<(u64, String)>) -> Self {
        let mut tasks = Self {
            procfs,
            roots,
            by_address: HashMap::new(),
            processes: HashMap::new(),
            resting: HashMap::new(),
            unbound: HashMap::new(),
            threads: BTreeMap::new(),
            changed: HashSet::new(),
            cgroups: cgroups.into_iter().collect(),
            programs: HashMap::new(),
            next: ThreadId::FIRST,
            unnamed: 0,
        };
        for tgid in tasks.procfs.processes() {
            let Some(facts) = tasks.procfs.process(tgid) else { continue };
            for tid in tasks.procfs.threads(tgid) {
                tasks.resting.insert(tid, tgid);
            }
            tasks.processes.insert(tgid, Process { facts, has_parent: true, ..Process::default() });
        }
        tasks.mark_targets();
        for (thread, comm) in [(ThreadId::IDLE, "idle"), (ThreadId::LOST, "[lost]")] {
            tasks.add(thread, ThreadInfo { comm: comm.to_owned(), ..ThreadInfo::default() });
        }
        tasks
    }

    /// Makes a process a target that was started after the scan.
    pub(super) fn add_root(&mut self, tgid: u32) {
        self.roots.tgids.insert(tgid);
    }

    /// Whether stacks of a process are sampled: of targets, and of all where there are none.
    pub(super) fn is_sampled(&self, tgid: u32) -> bool {
        self.roots.tgids.is_empty()
            || self.processes.get(&tgid).is_some_and(|process| process.target)
    }

    /// Threads whose name was never learnt.
    pub(super) fn unnamed(&self) -> u64 {
        self.unnamed
    }

    /// The thread that the switch log calls (`address`, `tid`), and until when it is that one: at
    /// `from` itself, and up to `until` unless it becomes another program in between.
    pub(super) fn resolve(
        &mut self,
        address: u64,
        tid: u32,
        from: MonotonicTime,
        until: MonotonicTime,
    ) -> (ThreadId, MonotonicTime) {
        if tid == 0 {
            return (ThreadId::IDLE, until);
        }
        if let Some(task) = self.by_address.get(&address) {
            match task.incarnations.as_slice() {
                [only] if only.tid == tid => return (only.thread, until),
                several => {
                    let matching = |incarnation: &&Incarnation| incarnation.tid == tid;
                    let now = several.iter().rev().filter(matching).find(|one| one.from <= from);
                    let later = several.iter().filter(matching).find(|one| one.from > from);
                    match (now, later) {
                        (Some(now), later) => {
                            return (now.thread, later.map_or(until, |one| one.from.min(until)));
                        }
                        // The tid changes just before the exec event of a thread that is not its
                        // process's first.
                        (None, Some(later)) => return (later.thread, until),
                        (None, None) => {}
                    }
                }
            }
        }
        (self.meet(address, tid, from), until)
    }

    /// The tid of the task at `address`, if it has been seen.
    pub(super) fn tid_at(&self, address: u64) -> Option<u32> {
        self.by_address.get(&address).and_then(|task| task.incarnations.last()).map(|last| last.tid)
    }

    /// The threads that are new or changed since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<(ThreadId, ThreadInfo)> {
        let mut changed: Vec<_> = self.changed.drain().collect();
        changed.sort_unstable();
        changed
            .into_iter()
            .filter_map(|thread| Some((thread, self.threads.get(&thread)?.clone())))
            .collect()
    }

    /// Forgets incarnations and threads that no interval after `now` can belong to. Call it after
    /// [`Self::take_changed`].
    pub(super) fn forget_before(&mut self, now: MonotonicTime) {
        let threads = &mut self.threads;
        self.by_address.retain(|_, task| {
            let past = task.incarnations.iter().rposition(|one| one.from + AFTERLIFE < now);
            for gone in task.incarnations.drain(..past.unwrap_or(0)) {
                threads.remove(&gone.thread);
            }
            let gone = task.exited.is_some_and(|exited| exited + AFTERLIFE < now);
            if gone {
                for one in &task.incarnations {
                    threads.remove(&one.thread);
                }
            }
            !gone
        });
        // A process outlives its first thread while it has others.
        let tasks = self.by_address.values().filter(|task| task.exited.is_none());
        let threads = tasks.filter_map(|task| threads.get(&task.incarnations.last()?.thread));
        let living: HashSet<u32> =
            threads.map(|info| info.tgid).chain(self.resting.values().copied()).collect();
        self.processes.retain(|tgid, process| {
            process.exited.is_none_or(|exited| exited + AFTERLIFE >= now) || living.contains(tgid)
        });
    }

    /// A task that the switch log shows and no event announced: it lived before recording, or its
    /// event was lost, or this kernel does not tell of forks.
    fn meet(&mut self, address: u64, tid: u32, from: MonotonicTime) -> ThreadId {
        let resting = self.resting.remove(&tid);
        let info = match (self.procfs.thread(tid), resting) {
            (Some(facts), _) => {
                self.ensure_process(facts.tgid);
                self.introduce_leader(facts.tgid);
                self.describe(facts.tgid, tid, facts.start, facts.comm)
            }
            (None, Some(tgid)) => {
                let comm = self.processes.get(&tgid).map(|process| process.facts.comm.clone());
                self.describe(tgid, tid, from, comm.unwrap_or_else(|| "?".to_owned()))
            }
            (None, None) => {
                self.unnamed += 1;
                self.describe(tid, tid, from, "?".to_owned())
            }
        };
        self.begin(address, tid, MonotonicTime::default(), info)
    }

    /// Names processes that something else than the scheduler tells of: they may not run at all while
    /// recording, and a card work for them.
    pub(super) fn introduce(&mut self, processes: impl Iterator<Item = u32>) {
        for tgid in processes {
            if self.resting.contains_key(&tgid) {
                self.ensure_process(tgid);
                self.introduce_leader(tgid);
            }
        }
    }

    /// Names a process by its leader where another of its threads is met: the leader may sleep
    /// through the whole recording.
    fn introduce_leader(&mut self, tgid: u32) {
        if self.resting.remove(&tgid).is_none() {
            return;
        }
        let Some(facts) = self.procfs.thread(tgid) else { return };
        let thread = self.number();
        self.unbound.insert(tgid, thread);
        let info = self.describe(tgid, tgid, facts.start, facts.comm);
        self.add(thread, info);
    }

    fn number(&mut self) -> ThreadId {
        let thread = self.next;
        self.next = ThreadId(thread.0 + 1);
        thread
    }

    /// A new incarnation of the task at `address`.
    fn begin(&mut self, address: u64, tid: u32, from: MonotonicTime, info: ThreadInfo) -> ThreadId {
        let thread = match self.unbound.remove(&tid) {
            Some(leader) => leader,
            None => self.number(),
        };
        let task = self.by_address.entry(address).or_insert_with(|| Task {
            incarnations: Vec::new(),
            exited: None,
            former_comm: None,
        });
        task.exited = None;
        task.former_comm = None;
        task.incarnations.push(Incarnation { from, tid, thread });
        self.add(thread, info);
        thread
    }

    fn add(&mut self, thread: ThreadId, info: ThreadInfo) {
        self.threads.insert(thread, info);
        self.changed.insert(thread);
    }

    fn describe(&self, tgid: u32, tid: u32, start: MonotonicTime, comm: String) -> ThreadInfo {
        let process = self.processes.get(&tgid).cloned().unwrap_or_default();
        ThreadInfo {
            tgid,
            tid,
            start,
            exit: None,
            exec: process.exec,
            parent_tgid: process.has_parent.then_some(process.facts.parent_tgid),
            comm,
            exe: process.facts.exe,
            cmdline: process.facts.cmdline,
            uid: process.facts.uid,
            cgroup: process.facts.cgroup,
            target: process.target,
        }
    }

    /// The process, read from `/proc` if it has not been seen; `None` when it is gone.
    fn process(&mut self, tgid: u32) -> Option<&Process> {
        self.ensure_process(tgid);
        self.processes.get(&tgid)
    }

    fn ensure_process(&mut self, tgid: u32) {
        if self.processes.contains_key(&tgid) {
            return;
        }
        let Some(facts) = self.procfs.process(tgid) else {
            // Without type information a short-lived target is seen no sooner than at its exec.
            if self.roots.tgids.contains(&tgid) {
                self.processes.insert(tgid, Process { target: true, ..Process::default() });
            }
            return;
        };
        let inherited = self.roots.inherit
            && self.processes.get(&facts.parent_tgid).is_some_and(|parent| parent.target);
        let target = self.roots.tgids.contains(&tgid) || inherited;
        self.processes
            .insert(tgid, Process { facts, has_parent: true, target, ..Process::default() });
    }

    /// The program's real path: as just read, else what the same path was before.
    fn program(&mut self, exe: Option<String>, path: Option<String>) -> Option<String> {
        match (exe, path) {
            (Some(exe), Some(path)) => {
                if self.programs.get(&path) != Some(&exe) {
                    self.programs.insert(path, exe.clone());
                }
                Some(exe)
            }
            (Some(exe), None) => Some(exe),
            (None, Some(path)) => Some(self.programs.get(&path).cloned().unwrap_or(path)),
            (None, None) => None,
        }
    }

    /// The path of cgroup `id`; a root id says nothing where version-1 hierarchies are used.
    fn cgroup(&mut self, id: u64, tgid: u32) -> Option<String> {
        match self.cgroups.get(&id) {
            Some(path) if path != "/" => Some(path.clone()),
            Some(_) => None,
            None => {
                let path = self.procfs.cgroup(tgid)?;
                if id > ROOT_CGROUP {
                    self.cgroups.insert(id, path.clone());
                }
                Some(path)
            }
        }
    }

    /// Marks the roots and, where wanted, everything that descends from them.
    fn mark_targets(&mut self) {
        let mut pending: Vec<u32> = self.roots.tgids.iter().copied().collect();
        while let Some(tgid) = pending.pop() {
            let Some(process) = self.processes.get_mut(&tgid) else { continue };
            if std::mem::replace(&mut process.target, true) || !self.roots.inherit {
                continue;
            }
            pending.extend(
                self.processes
                    .iter()
                    .filter(|(_, child)| child.facts.parent_tgid == tgid)
                    .map(|(child, _)| *child),
            );
        }
    }
}

#[cfg(test)]
mod tests;
