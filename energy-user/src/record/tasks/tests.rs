//! Lives of tasks, told by events that a reader can follow. `/proc` is empty here.

use super::*;
use crate::probes::{TaskChange, TaskEvent};

const MAKE: u32 = 100;
const CHILD: u32 = 101;

fn at(milliseconds: u64) -> MonotonicTime {
    MonotonicTime::from_nanos(milliseconds * 1_000_000)
}

/// `make`, a target, has been there since before recording.
fn tasks() -> Tasks {
    let nowhere = tempfile::tempdir().unwrap();
    let roots = Roots { tgids: HashSet::from([MAKE]), inherit: true };
    let mut tasks = Tasks::scan(Procfs::new(nowhere.path(), Nanoseconds::ZERO), roots, Vec::new());
    let facts = ProcessFacts {
        comm: "make".to_owned(),
        exe: Some("/bin/make".to_owned()),
        ..ProcessFacts::default()
    };
    let make = Process { facts, target: true, ..Process::default() };
    tasks.processes.insert(MAKE, make);
    tasks.resting.insert(MAKE, MAKE);
    tasks
}

/// A task's address is its tid here.
fn fork(tgid: u32, tid: u32, milliseconds: u64) -> TaskEvent {
    let change = TaskChange::Fork {
        address: tid.into(),
        tid,
        tgid,
        start: Some(at(milliseconds)),
        parent_tgid: MAKE,
        comm: "make".to_owned(),
    };
    TaskEvent { at: at(milliseconds), change }
}

fn rename(address: u32, comm: &str, milliseconds: u64) -> TaskEvent {
    let change = TaskChange::Rename { address: address.into(), comm: comm.to_owned() };
    TaskEvent { at: at(milliseconds), change }
}

/// As the kernel tells it: first the new name, then the rest.
fn exec(address: u32, tgid: u32, name: &str, cpu_ms: u64, milliseconds: u64) -> [TaskEvent; 2] {
    let change = TaskChange::Exec {
        address: address.into(),
        tid: tgid,
        tgid,
        path: Some(format!("/bin/{name}")),
        cmdline: Some(name.to_owned()),
        start: None,
        cpu_time: Some(Nanoseconds::from_millis(cpu_ms)),
        comm: name.to_owned(),
        uid: 0,
        cgroup: 0,
    };
    [rename(address, name, milliseconds), TaskEvent { at: at(milliseconds), change }]
}

fn exit(address: u32, tgid: u32, comm: &str, milliseconds: u64) -> TaskEvent {
    let change = TaskChange::Exit {
        address: address.into(),
        tid: address,
        tgid,
        start: None,
        comm: comm.to_owned(),
        uid: 0,
        cgroup: 0,
    };
    TaskEvent { at: at(milliseconds), change }
}

fn apply(tasks: &mut Tasks, events: impl IntoIterator<Item = TaskEvent>) {
    let mut events = events.into_iter();
    tasks.apply_all(|| events.next(), |_, _| ());
}

/// Name, program and number of execs of every entry of a process.
fn entries(tasks: &Tasks, tgid: u32) -> Vec<(&str, &str, u32)> {
    let of_process = tasks.threads.values().filter(|info| info.tgid == tgid && tgid != 0);
    of_process
        .map(|info| (info.comm.as_str(), info.exe.as_deref().unwrap_or("?"), info.exec))
        .collect()
}

#[test]
fn an_exec_after_little_cpu_time_is_a_launch_however_long_it_waited() {
    let mut tasks = tasks();
    apply(&mut tasks, [fork(CHILD, CHILD, 10)]);
    apply(&mut tasks, exec(CHILD, CHILD, "cc", 1, 900));
    assert_eq!(entries(&tasks, CHILD), [("cc", "/bin/cc", 1)]);
}

#[test]
fn a_later_exec_is_a_new_entry_and_the_old_one_keeps_its_names() {
    let mut tasks = tasks();
    apply(&mut tasks, [fork(CHILD, CHILD, 10), rename(CHILD, "worker", 11)]);
    apply(&mut tasks, exec(CHILD, CHILD, "cc", 20, 40));
    apply(&mut tasks, exec(CHILD, CHILD, "as", 60, 90));
    assert_eq!(
        entries(&tasks, CHILD),
        [("worker", "/bin/make", 0), ("cc", "/bin/cc", 1), ("as", "/bin/as", 2)]
    );
    let (first, until) = tasks.resolve(CHILD.into(), CHILD, at(12), at(100));
    let (second, _) = tasks.resolve(CHILD.into(), CHILD, until, at(100));
    assert_eq!(until, at(40));
    assert_eq!(tasks.threads[&first].comm, "worker");
    assert_eq!(tasks.threads[&second].comm, "cc");
}

#[test]
fn a_process_from_before_is_what_it_was_until_its_exec() {
    let mut tasks = tasks();
    apply(&mut tasks, exec(MAKE, MAKE, "sh", 5000, 40));
    assert_eq!(entries(&tasks, MAKE), [("make", "/bin/make", 0), ("sh", "/bin/sh", 1)]);
    let (before, until) = tasks.resolve(MAKE.into(), MAKE, at(30), at(100));
    assert_eq!((tasks.threads[&before].comm.as_str(), until), ("make", at(40)));
}

#[test]
fn a_process_lives_on_when_its_first_thread_has_exited() {
    let mut tasks = tasks();
    apply(&mut tasks, [fork(CHILD, CHILD, 10)]);
    apply(&mut tasks, exec(CHILD, CHILD, "cc", 1, 11));
    apply(&mut tasks, [fork(CHILD, 102, 12), exit(CHILD, CHILD, "cc", 13)]);
    tasks.forget_before(at(10_000));
    apply(&mut tasks, [fork(CHILD, 103, 10_001)]);
    let last = tasks.threads.values().next_back().unwrap();
    assert_eq!((last.tid, last.exe.as_deref(), last.target), (103, Some("/bin/cc"), true));
    apply(&mut tasks, [exit(102, CHILD, "cc", 10_002), exit(103, CHILD, "cc", 10_003)]);
    tasks.forget_before(at(20_000));
    assert!(!tasks.processes.contains_key(&CHILD) && entries(&tasks, CHILD).is_empty());
}

#[test]
fn the_same_ids_again_are_other_threads() {
    let mut tasks = tasks();
    apply(&mut tasks, [fork(CHILD, CHILD, 10)]);
    apply(&mut tasks, exec(CHILD, CHILD, "cc", 1, 11));
    apply(&mut tasks, [exit(CHILD, CHILD, "cc", 20), fork(CHILD, CHILD, 30)]);
    apply(&mut tasks, exec(CHILD, CHILD, "as", 1, 31));
    assert_eq!(entries(&tasks, CHILD), [("cc", "/bin/cc", 1), ("as", "/bin/as", 1)]);
    let (first, _) = tasks.resolve(CHILD.into(), CHILD, at(15), at(21));
    let (second, _) = tasks.resolve(CHILD.into(), CHILD, at(32), at(33));
    assert_eq!(tasks.threads[&first].comm, "cc");
    assert_eq!(tasks.threads[&second].comm, "as");
}
