//! How a program of one's own reads a trace: `cpu_time DIR` prints the ten threads that ran longest.
//! `cargo xtask bench read` measures it beside `DuckDB`.

use std::path::PathBuf;
use std::sync::Mutex;
use std::{iter, thread};

use anyhow::Context;
use energy_prof::model::ThreadId;
use energy_prof::trace::{TraceError, TraceReader};
use energy_prof::units::Nanoseconds;

fn main() -> anyhow::Result<()> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let trace = TraceReader::open(&directory.context("usage: cpu_time DIR")?)?;
    let ran = ran(&trace)?;
    let threads = trace.threads()?;
    let mut longest: Vec<(Nanoseconds, ThreadId)> =
        ran.into_iter().zip((0..).map(ThreadId)).collect();
    longest.retain(|(_, thread)| *thread >= ThreadId::FIRST);
    longest.sort_unstable_by(|one, other| other.cmp(one));
    for (ran, thread) in longest.into_iter().take(10) {
        let comm = threads.get(&thread).map_or("?", |info| info.comm.as_str());
        println!("{:>12.3} s  {comm}", ran.seconds());
    }
    Ok(())
}

/// How long each thread ran, by its number. Every CPU reads parts of the trace and adds up what is in them.
fn ran(trace: &TraceReader) -> anyhow::Result<Vec<Nanoseconds>> {
    let parts = Mutex::new(trace.residency_parts()?.into_iter());
    let read = || -> Result<Vec<Nanoseconds>, TraceError> {
        let mut ran = Vec::new();
        for part in iter::from_fn(|| parts.lock().expect("no thread panics").next()) {
            for rows in part {
                rows?.iter().for_each(|row| *at(&mut ran, row.thread.0) += row.oncpu);
            }
        }
        Ok(ran)
    };
    let readers = thread::available_parallelism()?.get();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..readers).map(|_| scope.spawn(read)).collect();
        let mut all = Vec::new();
        for reader in readers {
            let ran = reader.join().expect("no thread panics")?;
            (0..).zip(ran).for_each(|(thread, ran)| *at(&mut all, thread) += ran);
        }
        Ok(all)
    })
}

/// How long that thread ran so far.
fn at(ran: &mut Vec<Nanoseconds>, thread: u32) -> &mut Nanoseconds {
    let thread = thread as usize;
    if thread >= ran.len() {
        ran.resize(thread + 1, Nanoseconds::ZERO);
    }
    &mut ran[thread]
}
