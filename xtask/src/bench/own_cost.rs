//! The recorder's own CPU time and memory at ten windows a second, beside loads that do little.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::figure::Figure;
use super::recording::Recording;
use super::{Setting, process};

/// The CPU time is taken over stretches of this length, in each of which the trace is sealed five
/// times, and over half a minute at least.
const STRETCH: Duration = Duration::from_secs(5);
const LEAST_STRETCHES: usize = 6;

/// Percent of one CPU.
const CPU_GOAL: f64 = 0.5;

/// MiB, with two thousand threads alive.
const MEMORY_GOAL: f64 = 32.0;

const THREADS: usize = 2_000;

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    measure("no load of ours", setting, &mut figures)?;
    for (pause, name) in [
        (Duration::from_hours(1), "2,000 threads asleep"),
        (Duration::from_secs(1), "2,000 threads awake once a second"),
    ] {
        let threads = Threads::start(pause)?;
        measure(name, setting, &mut figures)?;
        threads.finish();
    }
    Ok(figures)
}

fn measure(load: &str, setting: &Setting, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let recording = Recording::start(setting)?;
    let pid = recording.pid();
    let starting = process::cpu_time(pid)?.as_secs_f64() * 1e3;
    let mut shares = Vec::new();
    for _ in 0..setting.rounds.max(LEAST_STRETCHES) {
        let (started, before) = (Instant::now(), process::cpu_time(pid)?);
        thread::sleep(STRETCH);
        let used = process::cpu_time(pid)?.saturating_sub(before);
        shares.push(100.0 * used.as_secs_f64() / started.elapsed().as_secs_f64());
    }
    let memory = process::memory(pid).context("energy-prof has ended")?;
    recording.finish()?;
    figures.extend([
        Figure::of_rounds(format!("{load}: CPU"), "% of one", shares).at_most(CPU_GOAL),
        Figure::once(format!("{load}: CPU of start and first second"), "ms", starting),
        Figure::once(format!("{load}: resident memory"), "MiB", memory.now).at_most(MEMORY_GOAL),
        Figure::once(format!("{load}: the most it was"), "MiB", memory.peak).at_most(MEMORY_GOAL),
    ]);
    Ok(())
}

/// Threads that sleep, each for `pause` at a time.
struct Threads {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    fn start(pause: Duration) -> anyhow::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for _ in 0..THREADS {
            let over = Arc::clone(&over);
            let thread = thread::Builder::new().stack_size(64 << 10).spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    thread::park_timeout(pause);
                }
            });
            threads.push(thread.context("cannot start 2,000 threads")?);
        }
        Ok(Self { over, threads })
    }

    fn finish(self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.thread().unpark();
            // A thread that only sleeps does not panic.
            let _ = thread.join();
        }
    }
}
