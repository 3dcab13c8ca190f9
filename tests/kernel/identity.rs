//! Who a thread was: named however short its life, and never taken for another.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use energy_prof::model::{Losses, ThreadInfo};

use crate::support::energy_prof::Place;
use crate::support::load::{Program, Worker, children_cpu_time, spin, thread_cpu_time, tid};
use crate::support::recorded::{Recorded, skipped, stop};

const NO_TIME: Duration = Duration::ZERO;

/// Waits for a child and gives its CPU time, as the kernel tells it.
fn finish(mut child: Child) -> Duration {
    let before = children_cpu_time();
    assert!(child.wait().unwrap().success());
    children_cpu_time().checked_sub(before).unwrap()
}

fn runs(program: &Program) -> impl Fn(&ThreadInfo) -> bool {
    |info| info.exe.as_deref() == Some(program.path())
}

/// That `charged` has 99.9 % of `used`. It may have a little more: the kernel closes its account
/// of a process a little before the process leaves its CPU for the last time. It may have less where
/// the kernel told of no switch to a process that ran for milliseconds, nor of that from it, which
/// happens a few times a second at most, and seldom to one of these.
fn assert_charged(charged: Duration, used: Duration, losses: &Losses) {
    let hidden = Duration::from_millis(4) * u32::from(losses.unseen_switches > 0);
    assert!(
        charged + hidden >= used.mul_f64(0.999) && charged <= used.mul_f64(1.2),
        "{charged:?} charged of {used:?}; {losses:?}"
    );
}

/// That a few milliseconds are those of the right one, who did not get 20 ms of somebody else's.
/// They are not compared more closely, as the kernel's own account is not: a process that was
/// pulled over from another CPU pays some microseconds of the search for it.
fn assert_not_mixed_up(charged: Duration, used: Duration) {
    assert!(
        charged >= used.mul_f64(0.95) && charged < used + Duration::from_millis(12),
        "{charged:?} charged of {used:?}"
    );
}

#[test]
fn a_storm_of_short_processes_is_charged_to_the_right_programs() {
    let place = Place::new();
    let programs = ["storm-of-one", "storm-of-two"].map(|name| Program::new(place.root(), name));
    let recording = place.recording(&["-q"], &["-a"]);
    let mut used = [NO_TIME; 2];
    let mut pids = [BTreeSet::new(), BTreeSet::new()];
    for round in 0..250 {
        let cpu_time = Duration::from_millis(round % 4);
        let spawn = |program: &Program| program.spinning(cpu_time).spawn().unwrap();
        let children: Vec<Child> = (0..4).map(|number| spawn(&programs[number % 2])).collect();
        for (number, child) in children.into_iter().enumerate() {
            pids[number % 2].insert(child.id());
            used[number % 2] += finish(child);
        }
    }
    stop(recording);
    let recorded = Recorded::of(&place);
    recorded.assert_time_closes();
    let losses = recorded.session.losses;
    assert_eq!((losses.events, losses.unnamed_threads), (0, 0), "{losses:?}");
    for ((program, pids), used) in programs.iter().zip(&pids).zip(used) {
        let leaders = recorded.threads_where(|info| info.tid == info.tgid && runs(program)(info));
        let seen: BTreeSet<u32> = leaders.iter().map(|(_, info)| info.tgid).collect();
        assert_eq!(&seen, pids);
        assert_eq!(leaders.len(), pids.len(), "a process is there twice");
        let name = program.path().rsplit('/').next();
        assert!(leaders.iter().all(|(_, info)| Some(info.comm.as_str()) == name));
        assert!(leaders.iter().all(|(_, info)| info.exit.is_some()));
        let charged = recorded.spent_by(|_, info| runs(program)(info)).oncpu;
        assert_charged(charged, used, &losses);
    }
}

#[test]
fn a_process_of_two_milliseconds_has_all_its_names() {
    const NOBODY: u32 = 65_534;
    let place = Place::new();
    let program = Program::new(place.root(), "a-program-with-a-long-name");
    let recording = place.recording(&["-q"], &["-a"]);
    let mut command = program.spinning(Duration::from_millis(1));
    let child = command.arg("--nocapture").uid(NOBODY).gid(NOBODY).spawn().unwrap();
    let pid = child.id();
    let used = finish(child);
    stop(recording);
    let recorded = Recorded::of(&place);
    let (_, info) = recorded.thread(pid);
    assert_eq!(info.tgid, pid);
    assert_eq!(info.comm, "a-program-with-");
    assert_eq!(info.exe.as_deref(), Some(program.path()));
    let cmdline = info.cmdline.as_deref().unwrap();
    assert!(cmdline.starts_with(program.path()) && cmdline.ends_with(" --nocapture"), "{cmdline}");
    assert_eq!(info.uid, Some(NOBODY));
    assert_eq!(info.parent_tgid, Some(std::process::id()));
    assert_eq!(info.exec, 1);
    assert!(info.exit.unwrap() > info.start);
    assert!(recorded.session.clock.monotonic_start_ns < info.start.nanos());
    assert!(!info.target);
    assert_not_mixed_up(recorded.spent_by(|_, info| info.tgid == pid).oncpu, used);
}

#[test]
fn threads_share_their_program_and_keep_their_own_names() {
    let place = Place::new();
    let recording = place.recording(&["-q"], &["-a"]);
    let work = || spin(Duration::from_millis(2));
    let renamed_at_once = || {
        fs::write("/proc/thread-self/comm", "its-second-name").unwrap();
        spin(Duration::from_millis(2));
    };
    // Two that go on living, and one that does not.
    let plain = Worker::new("its-first-name", work);
    let renamed = Worker::new("its-first-name", renamed_at_once);
    for worker in [&plain, &renamed] {
        worker.begin();
        worker.wait();
    }
    let short = Worker::new("its-first-name", renamed_at_once);
    short.begin();
    short.wait();
    let short = short.end();
    stop(recording);
    let recorded = Recorded::of(&place);
    let me = std::process::id();
    let exe = std::env::current_exe().unwrap();
    for (tid, name, lives) in [
        (plain.tid(), "its-first-name", true),
        (renamed.tid(), "its-second-name", true),
        (short, "its-second-name", false),
    ] {
        let (_, info) = recorded.thread(tid);
        assert_eq!((info.tgid, info.comm.as_str(), info.exit.is_none()), (me, name, lives));
    }
    let threads = recorded.threads_where(|info| info.tgid == me);
    assert!(threads.iter().all(|(_, info)| info.exe.as_deref() == exe.to_str()), "{threads:#?}");
}

/// Tells the kernel which id comes next; whoever forks first on this machine gets it.
fn next_id_is(id: u32) -> bool {
    fs::write("/proc/sys/kernel/ns_last_pid", (id - 1).to_string()).is_ok()
}

const NO_NS_LAST_PID: &str =
    "this kernel has no /proc/sys/kernel/ns_last_pid (CONFIG_CHECKPOINT_RESTORE)";

#[test]
fn a_process_id_used_again_at_once_is_two_processes() {
    if !next_id_is(std::process::id()) {
        return skipped(NO_NS_LAST_PID);
    }
    let place = Place::new();
    let first = Program::new(place.root(), "first");
    let second = Program::new(place.root(), "second");
    let recording = place.recording(&["-q"], &["-a"]);
    let mut pairs = Vec::new();
    for _ in 0..200 {
        let child = first.spinning(Duration::from_millis(3)).spawn().unwrap();
        let pid = child.id();
        let used_first = finish(child);
        next_id_is(pid);
        let child = second.spinning(Duration::from_millis(20)).spawn().unwrap();
        let same = child.id() == pid;
        let used_second = finish(child);
        if same {
            pairs.push((pid, used_first, used_second));
        }
        if pairs.len() == 20 {
            break;
        }
    }
    stop(recording);
    assert!(!pairs.is_empty(), "others were always faster");
    let recorded = Recorded::of(&place);
    let me = std::process::id();
    for (pid, used_first, used_second) in pairs {
        let is_meant = |info: &ThreadInfo| info.tid == pid && info.parent_tgid == Some(me);
        let leaders = recorded.threads_where(is_meant);
        let programs: Vec<_> = leaders.iter().map(|(_, info)| info.exe.as_deref()).collect();
        assert_eq!(programs, [Some(first.path()), Some(second.path())], "{leaders:#?}");
        let names: Vec<_> = leaders.iter().map(|(_, info)| info.comm.as_str()).collect();
        assert_eq!(names, ["first", "second"]);
        let (one, other) = (leaders[0].1, leaders[1].1);
        assert!(one.exit.unwrap() <= other.start, "{leaders:#?}");
        for (program, used) in [(&first, used_first), (&second, used_second)] {
            let charged = recorded.spent_by(|_, info| info.tgid == pid && runs(program)(info));
            assert_not_mixed_up(charged.oncpu, used);
        }
    }
}

#[test]
fn a_thread_id_used_again_at_once_is_two_threads() {
    if !next_id_is(std::process::id()) {
        return skipped(NO_NS_LAST_PID);
    }
    let place = Place::new();
    let recording = place.recording(&["-q"], &["-a"]);
    let named = |name: &str, milliseconds: u64| {
        let life = move || {
            spin(Duration::from_millis(milliseconds));
            (tid(), thread_cpu_time())
        };
        thread::Builder::new().name(name.to_owned()).spawn(life).unwrap().join().unwrap()
    };
    let mut found = None;
    for _ in 0..1_000 {
        let first = named("first", 2);
        next_id_is(first.0);
        let second = named("second", 20);
        if first.0 == second.0 {
            found = Some((first.0, first.1, second.1));
            break;
        }
    }
    stop(recording);
    let (tid, used_first, used_second) = found.expect("one of many attempts meets nobody else");
    let recorded = Recorded::of(&place);
    let me = std::process::id();
    let threads = recorded.threads_where(|info| info.tid == tid && info.tgid == me);
    let last_two = &threads[threads.len().saturating_sub(2)..];
    let names: Vec<_> = last_two.iter().map(|(_, info)| info.comm.as_str()).collect();
    assert_eq!(names, ["first", "second"], "{threads:#?}");
    for ((thread, _), used) in last_two.iter().zip([used_first, used_second]) {
        let charged = recorded.spent(*thread).oncpu;
        assert_not_mixed_up(charged, used);
    }
}

/// The entries of a process's first thread, with the CPU time charged to all threads of the
/// process while it ran the same program.
fn lives(recorded: &Recorded, pid: u32) -> Vec<(&ThreadInfo, Duration)> {
    let leaders = recorded.threads_where(|info| info.tid == pid);
    let charged = |exec| recorded.spent_by(|_, info| info.tgid == pid && info.exec == exec).oncpu;
    leaders.into_iter().map(|(_, info)| (info, charged(info.exec))).collect()
}

/// The name and the number of execs of each.
fn names<'a>(lives: &[(&'a ThreadInfo, Duration)]) -> Vec<(&'a str, u32)> {
    lives.iter().map(|(info, _)| (info.comm.as_str(), info.exec)).collect()
}

#[test]
fn a_process_that_becomes_another_program_is_two_entries() {
    let place = Place::new();
    let first = Program::new(place.root(), "caterpillar");
    let second = Program::new(place.root(), "butterfly");
    let recording = place.recording(&["-q"], &["-a"]);
    let half = Duration::from_millis(150);
    let child = first.spinning_then(half, &second, half).spawn().unwrap();
    let pid = child.id();
    let used = finish(child);
    stop(recording);
    let recorded = Recorded::of(&place);
    let lives = lives(&recorded, pid);
    let [(before, charged_before), (after, charged_after)] = lives[..] else {
        panic!("{lives:#?}");
    };
    assert_eq!((before.comm.as_str(), after.comm.as_str()), ("caterpillar", "butterfly"));
    assert_eq!(before.exe.as_deref(), Some(first.path()));
    assert_eq!(after.exe.as_deref(), Some(second.path()));
    assert_eq!(after.exec, before.exec + 1);
    assert!(after.cmdline.as_deref().unwrap().starts_with(second.path()));
    assert_charged(charged_before + charged_after, used, &Losses::default());
    for charged in [charged_before, charged_after] {
        assert!(charged >= half && charged <= half.mul_f64(1.2), "{charged:?} of {half:?}");
    }
}

#[test]
fn a_forked_shell_that_becomes_another_program_is_an_entry_for_each() {
    let place = Place::new();
    let second = Program::new(place.root(), "butterfly");
    let recording = place.recording(&["-q"], &["-a"]);
    let half = Duration::from_millis(100);
    // A shell in brackets is forked, and no program of its own until it becomes one.
    let script = format!("( {COUNTING}; exec env {} ); :", second.in_shell(half));
    let child = Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).spawn().unwrap();
    let outer = child.id();
    let used = finish(child);
    stop(recording);
    let recorded = Recorded::of(&place);
    let inner = recorded.threads_where(|info| info.tid == info.tgid && runs(&second)(info));
    assert_eq!(inner.len(), 1, "{inner:#?}");
    let pid = inner[0].1.tgid;
    let lives = lives(&recorded, pid);
    assert_eq!(names(&lives), [("sh", 0), ("env", 1), ("butterfly", 2)], "{lives:#?}");
    assert_eq!(lives[0].0.start, lives[2].0.start);
    assert!(lives[2].1 >= half && lives[2].1 <= half.mul_f64(1.2), "{lives:#?}");
    assert_charged(
        recorded.spent_by(|_, info| [outer, pid].contains(&info.tgid)).oncpu,
        used,
        &Losses::default(),
    );
}

/// What keeps a shell busy for more than a launch may take.
const COUNTING: &str = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";

#[test]
fn a_program_that_starts_another_at_once_keeps_its_own_path() {
    let place = Place::new();
    let starter = Program::new(place.root(), "starter");
    let started = Program::new(place.root(), "started");
    let recording = place.recording(&["-q"], &["-a"]);
    // It has long become the other when its events are read; and then runs for itself, too
    // shortly to be looked at.
    let child =
        starter.spinning_then(NO_TIME, &started, Duration::from_millis(250)).spawn().unwrap();
    let chained = child.id();
    finish(child);
    let child = starter.spinning(Duration::from_millis(1)).spawn().unwrap();
    let alone = child.id();
    finish(child);
    stop(recording);
    let recorded = Recorded::of(&place);
    let exes: Vec<_> =
        lives(&recorded, chained).iter().map(|(info, _)| info.exe.as_deref()).collect();
    assert_eq!(exes, [Some(starter.path()), Some(started.path())]);
    assert_eq!(recorded.thread(alone).1.exe.as_deref(), Some(starter.path()));
}

#[test]
fn a_process_from_before_the_recording_is_what_it_was_until_its_exec() {
    let place = Place::new();
    let second = Program::new(place.root(), "butterfly");
    let mut shell = Command::new("sh");
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    let recording = place.recording(&["-q"], &["-a"]);
    let script = format!("{COUNTING}; exec env {}", second.in_shell(Duration::from_millis(5)));
    writeln!(child.stdin.take().unwrap(), "{script}").unwrap();
    finish(child);
    stop(recording);
    let recorded = Recorded::of(&place);
    let lives = lives(&recorded, pid);
    assert_eq!(names(&lives), [("sh", 0), ("env", 1), ("butterfly", 2)], "{lives:#?}");
    assert!(lives[0].0.start.nanos() < recorded.session.clock.monotonic_start_ns);
    assert!(lives[0].1 > Duration::from_millis(5), "{lives:#?}");
}

/// Where the unified hierarchy is mounted.
fn unified_hierarchy() -> Option<PathBuf> {
    fs::read_to_string("/proc/self/mountinfo").unwrap().lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup2 ").then(|| before.split(' ').nth(4).map(PathBuf::from))?
    })
}

#[test]
fn a_cgroup_that_is_gone_still_has_its_path() {
    let Some(mount) = unified_hierarchy() else {
        return skipped("no cgroup2 is mounted");
    };
    let place = Place::new();
    let program = Program::new(place.root(), "contained");
    let recording = place.recording(&["-q"], &["-a"]);
    let name = format!("energy-prof-test-{}", std::process::id());
    let cgroup = mount.join(&name);
    fs::create_dir(&cgroup).unwrap();
    let script = format!(
        "echo $$ > {}/cgroup.procs; {}; :",
        cgroup.display(),
        program.in_shell(Duration::from_millis(2))
    );
    let child = Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).spawn().unwrap();
    let shell = child.id();
    finish(child);
    // A moment after its last process is gone.
    while fs::remove_dir(&cgroup).is_err() {
        thread::sleep(Duration::from_millis(1));
    }
    stop(recording);
    let recorded = Recorded::of(&place);
    let path = format!("/{name}");
    // Moved there, and born there.
    assert_eq!(recorded.thread(shell).1.cgroup.as_deref(), Some(path.as_str()));
    let contained = recorded.threads_where(runs(&program));
    assert!(!contained.is_empty());
    for (_, info) in contained {
        assert_eq!(info.cgroup.as_deref(), Some(path.as_str()), "{info:#?}");
    }
}
