//! How a program of one's own reads a trace: `cpu_time DIR` prints the ten threads that ran longest.
//! `cargo xtask bench read` measures it beside `DuckDB`.

use std::path::PathBuf;

use anyhow::Context;
use energy_prof::model::ThreadId;
use energy_prof::trace::TraceReader;
use energy_prof::units::Nanoseconds;

fn main() -> anyhow::Result<()> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let trace = TraceReader::open(&directory.context("usage: cpu_time DIR")?)?;
    let mut ran: Vec<Nanoseconds> = Vec::new();
    for rows in trace.residency()? {
        for row in rows? {
            let thread = row.thread.0 as usize;
            if thread >= ran.len() {
                ran.resize(thread + 1, Nanoseconds::ZERO);
            }
            ran[thread] += row.oncpu;
        }
    }
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
