//! Work whose CPU time the kernel tells exactly: threads of the test that rest before and after,
//! and programs that are copies of this executable, since a guest for tests has no others.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, gettid};

/// Tells a copy of this executable what to do: see [`Program`].
const TOLD: &str = "ENERGY_PROF_TEST_LOAD";

/// Where a copy begins: the test below.
const ENTRY: &str = "support::load::a_program_uses_the_cpu_time_it_is_told_to";

/// A program under a name of its own.
pub(crate) struct Program {
    path: PathBuf,
}

impl Program {
    /// A copy of this executable, which anyone may run.
    pub(crate) fn new(directory: &Path, name: &str) -> Self {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
        let path = fs::canonicalize(directory).unwrap().join(name);
        fs::copy(std::env::current_exe().unwrap(), &path).unwrap();
        Self { path }
    }

    /// Its real path.
    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Uses this much CPU time, and a millisecond or so to start, and exits.
    pub(crate) fn spinning(&self, cpu_time: Duration) -> Command {
        self.told(&cpu_time.as_micros().to_string())
    }

    /// Uses this much CPU time, and then becomes `next`, which uses its own. It is not the
    /// process's first thread that does so, as the test harness has threads of its own.
    pub(crate) fn spinning_then(&self, cpu_time: Duration, next: &Self, then: Duration) -> Command {
        self.told(&format!("{} {} {}", cpu_time.as_micros(), then.as_micros(), next.path()))
    }

    /// What a shell is to be told so that it does the same as [`Self::spinning`].
    pub(crate) fn in_shell(&self, cpu_time: Duration) -> String {
        format!("{TOLD}={} {} --exact {ENTRY}", cpu_time.as_micros(), self.path())
    }

    fn told(&self, what: &str) -> Command {
        let mut command = Command::new(&self.path);
        command.args(["--exact", ENTRY]).env(TOLD, what);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

/// The beginning of every [`Program`]. When nobody tells it anything, it is a test of them.
#[test]
fn a_program_uses_the_cpu_time_it_is_told_to() {
    if let Ok(told) = std::env::var(TOLD) {
        return follow(&told);
    }
    let directory = tempfile::tempdir().unwrap();
    let program = Program::new(directory.path(), "spinning");
    let before = children_cpu_time();
    assert!(program.spinning(Duration::from_millis(50)).status().unwrap().success());
    assert!(children_cpu_time() >= before + Duration::from_millis(50));
}

fn follow(told: &str) {
    let mut words = told.splitn(3, ' ');
    let mut next = || words.next();
    let micros = |word: &str| Duration::from_micros(word.parse().unwrap());
    spin(next().map(micros).unwrap());
    if let (Some(then), Some(path)) = (next(), next()) {
        let program = Program { path: PathBuf::from(path) };
        panic!("{}", program.spinning(micros(then)).exec());
    }
}

/// CPU time of all children that have been waited for.
pub(crate) fn children_cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    [usage.user_time(), usage.system_time()]
        .map(|time| {
            let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
            Duration::from_micros(u64::try_from(micros).unwrap())
        })
        .iter()
        .sum()
}

/// Keeps the calling thread busy for this much of its CPU time.
pub(crate) fn spin(cpu_time: Duration) {
    let until = thread_cpu_time() + cpu_time;
    while thread_cpu_time() < until {}
}

/// What the calling thread has used so far.
pub(crate) fn thread_cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// The CPUs that this process may run on.
pub(crate) fn cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap()).collect()
}

/// Keeps the calling thread on one CPU.
pub(crate) fn pin(cpu: usize) {
    let mut only = CpuSet::new();
    only.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &only).unwrap();
}

/// What the kernel says a thread has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// From `/proc/PID/task/TID/schedstat`: exact while the thread rests.
    pub(crate) cpu_time: Duration,
    /// Voluntary and involuntary together.
    pub(crate) switches: u64,
}

impl Usage {
    fn of(tid: u32) -> Self {
        let task = PathBuf::from(format!("/proc/self/task/{tid}"));
        let switches = fs::read_to_string(task.join("status"))
            .unwrap()
            .lines()
            .filter(|line| line.contains("voluntary_ctxt_switches:"))
            .map(|line| line.rsplit('\t').next().unwrap().parse::<u64>().unwrap())
            .sum();
        Self { cpu_time: cpu_time_of(&task).unwrap(), switches }
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            cpu_time: self.cpu_time.checked_sub(earlier.cpu_time).unwrap(),
            switches: self.switches - earlier.switches,
        }
    }
}

/// What every thread of the machine has used so far, by tid; of one that runs, up to the last time
/// the kernel looked.
pub(crate) fn everyone() -> BTreeMap<u32, Duration> {
    let entries = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let id = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let processes = entries(Path::new("/proc")).into_iter().filter(|path| id(path).is_some());
    let threads = processes.flat_map(|process| entries(&process.join("task")));
    threads.filter_map(|thread| Some((id(&thread)?, cpu_time_of(&thread)?))).collect()
}

/// The first field of a `schedstat`; `None` when the thread is gone.
fn cpu_time_of(thread: &Path) -> Option<Duration> {
    let schedstat = fs::read_to_string(thread.join("schedstat")).ok()?;
    Some(Duration::from_nanos(schedstat.split(' ').next()?.parse().ok()?))
}

/// What a hypervisor has taken of all CPUs since boot, in steps of a hundredth of a second.
pub(crate) fn stolen() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let ticks: u64 =
        stat.lines().next().unwrap().split_whitespace().nth(8).unwrap().parse().unwrap();
    Duration::from_millis(ticks * 10)
}

/// A thread that rests until it is told to work, and rests again until it is dropped.
pub(crate) struct Worker {
    tid: u32,
    work: Sender<()>,
    worked: Receiver<()>,
    leave: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn new(name: &str, work: impl FnOnce() + Send + 'static) -> Self {
        let (begin, begun) = channel();
        let (end, worked) = channel();
        let (leave, left) = channel::<()>();
        let (tell, told) = channel();
        let live = move || {
            tell.send(tid()).unwrap();
            if begun.recv().is_ok() {
                work();
                end.send(()).unwrap();
                // Nothing is ever sent: this ends when the other side is dropped.
                let _ = left.recv();
            }
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(live).unwrap();
        let tid = told.recv().unwrap();
        Self { tid, work: begin, worked, leave: Some(leave), thread: Some(thread) }
    }

    pub(crate) fn tid(&self) -> u32 {
        self.tid
    }

    /// Tells it to work.
    pub(crate) fn begin(&self) {
        self.work.send(()).unwrap();
    }

    /// Waits until it has worked.
    pub(crate) fn wait(&self) {
        self.worked.recv().unwrap();
    }

    /// Has it exit, and gives the id it had.
    pub(crate) fn end(self) -> u32 {
        self.tid
    }

    /// What it has used, once it rests.
    pub(crate) fn usage(&self) -> Usage {
        let mut last = None;
        loop {
            let usage = Usage::of(self.tid);
            if last.replace(usage) == Some(usage) && state(self.tid) == Some('S') {
                return usage;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.work = channel().0;
        self.leave = None;
        let ended = self.thread.take().unwrap().join();
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}

/// Two threads on one CPU that hand a byte to each other, again and again, until the first has used
/// this much CPU time and the other about as much. Each spends `turn` before it hands over.
pub(crate) fn ping_pong(cpu: usize, cpu_time: Duration, turn: Duration) -> [Worker; 2] {
    let (mut from_pong, mut to_ping) = std::io::pipe().unwrap();
    let (mut from_ping, mut to_pong) = std::io::pipe().unwrap();
    let ping = Worker::new("ping", move || {
        pin(cpu);
        let mut byte = [0];
        while thread_cpu_time() < cpu_time {
            spin(turn);
            to_pong.write_all(&byte).unwrap();
            from_pong.read_exact(&mut byte).unwrap();
        }
    });
    let pong = Worker::new("pong", move || {
        pin(cpu);
        let mut byte = [0];
        // Until the other closes its pipe.
        while from_ping.read_exact(&mut byte).is_ok() {
            spin(turn);
            to_ping.write_all(&byte).unwrap();
        }
    });
    [ping, pong]
}

/// The calling thread's id.
pub(crate) fn tid() -> u32 {
    u32::try_from(gettid().as_raw()).unwrap()
}

fn state(tid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/self/task/{tid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}
