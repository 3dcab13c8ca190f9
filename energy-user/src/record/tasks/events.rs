//! What task events change: forks, execs, exits, new names and moves between cgroups.

use super::super::procfs::ProcessFacts;
use super::super::programs::with_programs;
use super::{LAUNCH, LAUNCH_BY_CLOCK, Process, Tasks};
use crate::probes::{TaskChange, TaskEvent};
use crate::units::{MonotonicTime, Nanoseconds};

impl Tasks {
    /// Takes note of all events that there are; `noted` is told of each afterwards.
    pub(in crate::record) fn apply_all(
        &mut self,
        next: impl FnMut() -> Option<TaskEvent>,
        mut noted: impl FnMut(&TaskEvent, &Self),
    ) {
        for (event, program) in with_programs(&self.procfs, next) {
            self.apply(event.clone(), program);
            noted(&event, self);
        }
    }

    /// Takes note of an event; of an exec with the program's real path, where known.
    pub(super) fn apply(&mut self, event: TaskEvent, program: Option<String>) {
        let at = event.at;
        match event.change {
            TaskChange::Fork { address, tid, tgid, start, parent_tgid, comm } => {
                self.fork(address, tid, tgid, start.unwrap_or(at), parent_tgid, comm, at);
            }
            TaskChange::Exec {
                address,
                tid,
                tgid,
                path,
                cmdline,
                start,
                cpu_time,
                comm,
                uid,
                cgroup,
            } => {
                let seen = Seen { address, tid, tgid, start, comm, uid, cgroup };
                let exe = self.program(program, path);
                self.exec(seen, exe, cmdline, cpu_time, at);
            }
            TaskChange::Exit { address, tid, tgid, start, comm, uid, cgroup } => {
                self.exit(Seen { address, tid, tgid, start, comm, uid, cgroup }, at);
            }
            TaskChange::Rename { address, comm } => self.rename(address, comm),
            TaskChange::CgroupCreated { id, path } => {
                self.cgroups.insert(id, path);
            }
            TaskChange::CgroupAttached { tgid, path } => self.move_to_cgroup(tgid, &path),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one event")]
    fn fork(
        &mut self,
        address: u64,
        tid: u32,
        tgid: u32,
        start: MonotonicTime,
        parent_tgid: u32,
        comm: String,
        at: MonotonicTime,
    ) {
        if tid == tgid {
            let parent = self.process(parent_tgid).cloned().unwrap_or_default();
            let target = self.roots.tgids.contains(&tgid) || (parent.target && self.roots.inherit);
            let facts = ProcessFacts { parent_tgid, ..parent.facts };
            let process = Process {
                facts,
                has_parent: true,
                target,
                exec: 0,
                forked: Some(at),
                exited: None,
            };
            self.processes.insert(tgid, process);
        }
        self.resting.remove(&tid);
        self.unbound.remove(&tid);
        let info = self.describe(tgid, tid, start, comm);
        self.begin(address, tid, at, info);
    }

    fn exec(
        &mut self,
        seen: Seen,
        exe: Option<String>,
        cmdline: Option<String>,
        cpu_time: Option<Nanoseconds>,
        at: MonotonicTime,
    ) {
        if self.resting.remove(&seen.tid).is_some() {
            // It has run since recording began, as the program it was.
            let comm = self.processes.get(&seen.tgid).map(|process| process.facts.comm.clone());
            let start = seen.start.unwrap_or(at);
            let info = self.describe(seen.tgid, seen.tid, start, comm.unwrap_or_default());
            self.begin(seen.address, seen.tid, MonotonicTime::default(), info);
        }
        let cmdline = cmdline.or_else(|| self.procfs.cmdline(seen.tgid));
        let cgroup = self.cgroup(seen.cgroup, seen.tgid);
        self.ensure_process(seen.tgid);
        let process = self.processes.entry(seen.tgid).or_default();
        let launch = process.exec == 0
            && process.forked.is_some_and(|forked| match cpu_time {
                Some(cpu_time) => cpu_time <= LAUNCH,
                None => at.since(forked) <= LAUNCH_BY_CLOCK,
            });
        process.exec += 1;
        process.exited = None;
        process.facts.exe = exe.or(process.facts.exe.take());
        process.facts.cmdline = cmdline;
        process.facts.uid = Some(seen.uid);
        process.facts.cgroup = cgroup.or(process.facts.cgroup.take());
        let known =
            self.by_address.get(&seen.address).and_then(|task| task.incarnations.last().copied());
        let start = known
            .and_then(|known| self.threads.get(&known.thread))
            .map_or(seen.start.unwrap_or(at), |info| info.start);
        self.undo_rename(seen.address);
        let info = self.describe(seen.tgid, seen.tid, start, seen.comm);
        match known {
            Some(known) if launch && known.tid == seen.tid => self.add(known.thread, info),
            _ => {
                self.begin(seen.address, seen.tid, at, info);
            }
        }
    }

    fn exit(&mut self, seen: Seen, at: MonotonicTime) {
        self.resting.remove(&seen.tid);
        let cgroup = self.cgroup(seen.cgroup, seen.tgid);
        self.ensure_process(seen.tgid);
        let process = self.processes.entry(seen.tgid).or_default();
        process.facts.uid.get_or_insert(seen.uid);
        if process.facts.cgroup.is_none() {
            process.facts.cgroup = cgroup;
        }
        if seen.tid == seen.tgid {
            process.exited = Some(at);
        }
        if self.tid_at(seen.address) != Some(seen.tid) {
            let start = seen.start.unwrap_or(at);
            let info = self.describe(seen.tgid, seen.tid, start, seen.comm.clone());
            self.begin(seen.address, seen.tid, MonotonicTime::default(), info);
        }
        let Some(task) = self.by_address.get_mut(&seen.address) else { return };
        task.exited = Some(at);
        let Some(last) = task.incarnations.last() else { return };
        let (thread, comm) = (last.thread, seen.comm);
        if let Some(info) = self.threads.get_mut(&thread) {
            info.exit = Some(at);
            info.comm = comm;
            self.changed.insert(thread);
        }
    }

    fn rename(&mut self, address: u64, comm: String) {
        let Some(task) = self.by_address.get_mut(&address) else { return };
        let Some(thread) = task.incarnations.last().map(|last| last.thread) else { return };
        if let Some(info) = self.threads.get_mut(&thread) {
            task.former_comm = Some(std::mem::replace(&mut info.comm, comm));
            self.changed.insert(thread);
        }
    }

    /// An exec gives the task its new name just before it tells of itself; the program that was
    /// there before has its old one back.
    fn undo_rename(&mut self, address: u64) {
        let Some(task) = self.by_address.get_mut(&address) else { return };
        let Some(thread) = task.incarnations.last().map(|last| last.thread) else { return };
        if let (Some(comm), Some(info)) = (task.former_comm.take(), self.threads.get_mut(&thread)) {
            info.comm = comm;
            self.changed.insert(thread);
        }
    }

    fn move_to_cgroup(&mut self, tgid: u32, path: &str) {
        if let Some(process) = self.processes.get_mut(&tgid) {
            process.facts.cgroup = Some(path.to_owned());
        }
        for (thread, info) in &mut self.threads {
            if info.tgid == tgid && info.exit.is_none() {
                info.cgroup = Some(path.to_owned());
                self.changed.insert(*thread);
            }
        }
    }
}

/// The current task of an event.
struct Seen {
    address: u64,
    tid: u32,
    tgid: u32,
    start: Option<MonotonicTime>,
    comm: String,
    uid: u32,
    cgroup: u64,
}
