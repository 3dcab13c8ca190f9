//! A thread of the recorder's priority that wakes up every millisecond and does nothing: how late it is and
//! what it costs is the machine's doing.

use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::unistd::gettid;

use super::process;
use crate::command;

const PERIOD: Duration = Duration::from_millis(1);
/// Later than this is late, as of the recorder.
const PUNCTUAL: Duration = Duration::from_millis(2);
/// The recorder's own niceness.
const NICENESS: &str = "-10";

/// What became of it.
pub(super) struct Slept {
    /// How many of its wake-ups were late.
    pub(super) late_percent: f64,
    /// Its CPU time, of one CPU.
    pub(super) cpu_percent: f64,
}

/// Lets it sleep for so long.
pub(super) fn sleep_for(length: Duration) -> anyhow::Result<Slept> {
    let (tell_tid, tid) = mpsc::channel();
    let (tell_start, start) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        // Whoever hears of neither has failed by then.
        let _ = tell_tid.send(gettid().as_raw());
        let _ = start.recv();
        late_wake_ups(length).and_then(|late| Ok((late, process::own_cpu_time(gettid().as_raw())?)))
    });
    let tid = tid.recv().context("the sleeping thread has ended")?;
    let _said =
        command::read(Command::new("renice").args(["-n", NICENESS, "-p", &tid.to_string()]))?;
    tell_start.send(()).context("the sleeping thread has ended")?;
    let slept = sleeper.join().ok().context("the sleeping thread has failed")?;
    let (late_percent, cpu) = slept?;
    Ok(Slept { late_percent, cpu_percent: 100.0 * cpu.as_secs_f64() / length.as_secs_f64() })
}

/// In percent of all.
#[expect(clippy::cast_precision_loss, reason = "nothing counted here comes near 2^53")]
fn late_wake_ups(length: Duration) -> anyhow::Result<f64> {
    let all = u32::try_from(length.as_millis()).context("too long to sleep")?.max(1);
    let mut late = 0_u64;
    let mut next = Instant::now();
    for _ in 0..all {
        next += PERIOD;
        thread::sleep(next.saturating_duration_since(Instant::now()));
        late += u64::from(next.elapsed() > PUNCTUAL);
    }
    Ok(100.0 * late as f64 / f64::from(all))
}
