//! The load that does nothing but switch: two threads on one CPU hand a byte to and fro.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// The CPU that the threads share.
const CPU: usize = 0;

/// Makes `switches` context switches as fast as they go, and gives the time they took.
pub(super) fn switch(switches: u64) -> anyhow::Result<Duration> {
    let (here, there) = (std::io::pipe(), std::io::pipe());
    let (read_here, write_here) = here.context("cannot make a pipe")?;
    let (read_there, write_there) = there.context("cannot make a pipe")?;
    let turns = switches / 2;
    thread::scope(|scope| {
        let partner = scope.spawn(move || answer(read_there, write_here));
        let caller = scope.spawn(move || call(write_there, read_here, turns));
        let took = caller.join().expect("the calling thread does not panic")?;
        partner.join().expect("the answering thread does not panic")?;
        Ok(took)
    })
}

fn call(mut to: PipeWriter, mut from: PipeReader, turns: u64) -> anyhow::Result<Duration> {
    stay_on(CPU)?;
    let mut byte = [0];
    let mut turn = || to.write_all(&byte).and_then(|()| from.read_exact(&mut byte));
    // The first turns bring both threads to the CPU.
    (0..100).try_for_each(|_| turn()).context("cannot warm up")?;
    let started = Instant::now();
    (0..turns).try_for_each(|_| turn()).context("the partner is gone")?;
    Ok(started.elapsed())
}

/// Answers until the caller has closed its end.
fn answer(mut from: PipeReader, mut to: PipeWriter) -> anyhow::Result<()> {
    stay_on(CPU)?;
    let mut byte = [0];
    while from.read(&mut byte).context("cannot read from a pipe")? > 0 {
        to.write_all(&byte).context("the caller is gone")?;
    }
    Ok(())
}

/// Keeps the calling thread on one CPU.
fn stay_on(cpu: usize) -> anyhow::Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &cpus))
        .with_context(|| format!("cannot move a thread to CPU {cpu}"))
}

#[cfg(test)]
mod tests {
    use super::switch;

    #[test]
    fn the_threads_hand_the_byte_to_and_fro() {
        assert!(switch(200).unwrap() > std::time::Duration::ZERO);
    }
}
