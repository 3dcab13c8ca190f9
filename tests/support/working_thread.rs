//! Threads that always work, and know how much CPU time they have had at every line of a grid.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use energy_prof::model::Grid;
use energy_prof::probes::monotonic_now;
use energy_prof::units::{MonotonicTime, Nanoseconds};
use nix::time::{ClockId, clock_gettime};
use rustix::process::{Pid, setpriority_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// What a thread knows of itself at a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crossing {
    pub(crate) line: MonotonicTime,
    /// CPU time by its own clock, at least and at most.
    pub(crate) least: Nanoseconds,
    pub(crate) most: Nanoseconds,
    /// Time since it began in which it neither ran by its own clock nor waited for its turn: a
    /// hypervisor gave its CPU to another machine. By this machine's switches it ran then.
    pub(crate) stolen: Nanoseconds,
}

/// A thread of the test's own that works on one CPU until it is told to end.
pub(crate) struct WorkingThread {
    pub(crate) tid: u32,
    stop: Arc<AtomicBool>,
    handle: JoinHandle<Vec<Crossing>>,
}

impl WorkingThread {
    /// Starts it on `cpu`; the nicer it is, the less of that it gets beside others.
    pub(crate) fn start(cpu: usize, nice: i32, grid: Grid) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = std::sync::mpsc::channel();
        let stopped = Arc::clone(&stop);
        let work = move || {
            let tid = nix::unistd::gettid().as_raw();
            let mut only = CpuSet::new();
            only.set(cpu);
            sched_setaffinity(None, &only).unwrap();
            setpriority_process(Pid::from_raw(tid), nice).unwrap();
            tell.send(tid.try_into().unwrap()).unwrap();
            work(tid, grid, &stopped)
        };
        let handle = std::thread::spawn(work);
        Self { tid: told.recv().unwrap(), stop, handle }
    }

    /// Ends it, and gives what it knows of every line since it began.
    pub(crate) fn finish(self) -> Vec<Crossing> {
        self.stop.store(true, Ordering::Relaxed);
        self.handle.join().unwrap()
    }
}

/// The CPUs that this process may use.
pub(crate) fn cpus() -> Vec<usize> {
    let mine = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).filter(|cpu| mine.is_set(*cpu)).collect()
}

fn work(tid: i32, grid: Grid, stop: &AtomicBool) -> Vec<Crossing> {
    let statistics = File::open(format!("/proc/self/task/{tid}/schedstat")).unwrap();
    let begun = monotonic_now();
    let first = (cpu_time(), waited(&statistics));
    let mut crossings = Vec::new();
    let mut line = grid.line_after(begun);
    let mut least = first.0;
    while !stop.load(Ordering::Relaxed) {
        // Read in this order, so that the time was `least` at most before `now`, and `most` at
        // least after it. Without the CPU a thread's clock stands still, so that they are close.
        let before = cpu_time();
        let now = monotonic_now();
        let most = cpu_time();
        if line <= now {
            // What happens in between is too much: a bound remains one.
            let waited = waited(&statistics).saturating_sub(first.1);
            let ran = before.saturating_sub(first.0);
            let stolen = monotonic_now().since(begun).saturating_sub(waited).saturating_sub(ran);
            while line <= now {
                crossings.push(Crossing { line, least, most, stolen });
                line = grid.line_after(line);
            }
        }
        least = before;
    }
    crossings
}

/// CPU time of this thread. The kernel brings it up to date for a thread that asks for its own,
/// and only for that: the clock of another process is as old as that one's last timer tick.
fn cpu_time() -> Nanoseconds {
    Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap()).into()
}

/// How long this thread has waited for a CPU.
/// Reference: Linux v6.12, Documentation/scheduler/sched-stats.rst
fn waited(statistics: &File) -> Nanoseconds {
    let mut text = [0; 128];
    let length = statistics.read_at(&mut text, 0).unwrap();
    let text = str::from_utf8(&text[..length]).unwrap();
    Nanoseconds::new(text.split(' ').nth(1).unwrap().parse().unwrap())
}
