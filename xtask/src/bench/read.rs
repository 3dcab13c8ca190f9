//! A report on a trace of ten million residency rows, which the example `synthetic_trace` of
//! energy-prof writes: 10,000 windows in each of which 1,000 threads ran.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::background::Background;
use super::figure::Figure;
use super::{Setting, duckdb, process};
use crate::{command, workspace};

const ROWS: &str = "10000000";

/// Seconds: a tenth of the 2 s that 10^8 rows may take.
const TIME_GOAL: f64 = 0.2;

/// MiB.
const MEMORY_GOAL: f64 = 512.0;

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let trace = setting.place.join("synthetic.trace");
    let mut cargo = Command::new(workspace::cargo());
    cargo.current_dir(workspace::root());
    cargo.args(["run", "--release", "--quiet", "--package", "energy-prof"]);
    command::run(cargo.args(["--example", "synthetic_trace", "--"]).arg(&trace).arg(ROWS))?;
    let (mut times, mut cpu_times, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    let mut by_query = Vec::new();
    let has_duckdb = duckdb::is_there();
    if !has_duckdb {
        println!("  without DuckDB: its package for Python is not installed");
    }
    // The first report finds the trace in the page cache too: it was just written.
    for _ in 0..setting.rounds {
        let started = Instant::now();
        let mut report = Command::new(&setting.program);
        let mut report = Background::start(report.arg("report").arg(&trace))?;
        let (mut peak, mut cpu_time) = (0.0, Duration::ZERO);
        let status = loop {
            if let Some(status) = report.ended()? {
                break status;
            }
            // What it uses after the last look, a few milliseconds at most, is missed.
            if let Some(memory) = process::memory(report.pid()) {
                peak = memory.peak;
                cpu_time = process::cpu_time(report.pid()).unwrap_or_default().max(cpu_time);
            }
            thread::sleep(Duration::from_millis(2));
        };
        times.push(started.elapsed().as_secs_f64());
        cpu_times.push(cpu_time.as_secs_f64());
        peaks.push(peak);
        if !status.success() {
            bail!("`energy-prof report` failed: {status}");
        }
        if has_duckdb {
            by_query.push(duckdb::divide(&trace)?.as_secs_f64());
        }
    }
    let mut figures = vec![
        Figure::of_rounds("report on 10^7 rows, wall time", "s", times).at_most(TIME_GOAL),
        Figure::of_rounds("report on 10^7 rows, CPU time", "s", cpu_times),
        Figure::of_rounds("report on 10^7 rows, peak memory", "MiB", peaks).at_most(MEMORY_GOAL),
    ];
    if has_duckdb {
        figures.push(Figure::of_rounds("DuckDB's query of time shares", "s", by_query));
    }
    Ok(figures)
}
