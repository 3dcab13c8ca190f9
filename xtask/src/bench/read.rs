//! A report on traces of a hundred million residency rows, which the example `synthetic_trace` of energy-prof
//! writes: windows of 100 ms in each of which 1,000 rows are, and windows of 1 ms with 104. Beside it the CPU time of
//! each thread alone, by the example `cpu_time`, and both by `DuckDB`.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::bail;

use super::background::Background;
use super::figure::Figure;
use super::{Setting, duckdb, process};
use crate::{command, workspace};

const ROWS: &str = "100000000";
const WINDOWS_MS: [&str; 2] = ["100", "1"];

/// Seconds, for a report, and for the CPU time of each thread alone.
const TIME_GOAL: f64 = 2.0;
const GROUP_GOAL: f64 = 0.55;

/// MiB.
const MEMORY_GOAL: f64 = 512.0;

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let has_duckdb = duckdb::is_there();
    if !has_duckdb {
        println!("  without DuckDB: its package for Python is not installed");
    }
    let [synthetic_trace, cpu_time] = ["synthetic_trace", "cpu_time"].map(example);
    let (synthetic_trace, cpu_time) = (synthetic_trace?, cpu_time?);
    let mut figures = Vec::new();
    for window_ms in WINDOWS_MS {
        let trace = setting.place.join(format!("synthetic-{window_ms}.trace"));
        let mut write = Command::new(&synthetic_trace);
        command::run(write.arg(&trace).args([ROWS, "0", window_ms]))?;
        let mut rounds = Rounds::default();
        // The first report finds the trace in the page cache too: it was just written.
        for _ in 0..setting.rounds {
            let mut report = Command::new(&setting.program);
            rounds.report(&Used::by(report.arg("report").arg(&trace))?);
            let grouped = Used::by(Command::new(&cpu_time).arg(&trace))?;
            rounds.grouped.push(grouped.wall_time);
            if has_duckdb {
                rounds.queries.push(duckdb::divide(&trace)?.as_secs_f64());
                rounds.group_queries.push(duckdb::group(&trace)?.as_secs_f64());
            }
        }
        figures.append(&mut rounds.figures(window_ms));
        fs::remove_dir_all(&trace)?;
    }
    Ok(figures)
}

/// Builds an example of energy-prof and gives its path.
fn example(name: &str) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new(workspace::cargo());
    cargo.current_dir(workspace::root());
    cargo.args(["build", "--release", "--quiet", "--package", "energy-prof", "--example", name]);
    command::run(&mut cargo)?;
    Ok(workspace::target().join("release/examples").join(name))
}

/// What a program that came to its end used, in seconds and MiB.
struct Used {
    wall_time: f64,
    cpu_time: f64,
    peak_memory: f64,
}

impl Used {
    fn by(program: &mut Command) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut running = Background::start(program)?;
        let (mut peak_memory, mut cpu_time) = (0.0, Duration::ZERO);
        let status = loop {
            if let Some(status) = running.ended()? {
                break status;
            }
            // What it uses after the last look, a few milliseconds at most, is missed.
            if let Some(memory) = process::memory(running.pid()) {
                peak_memory = memory.peak;
                cpu_time = process::cpu_time(running.pid()).unwrap_or_default().max(cpu_time);
            }
            thread::sleep(Duration::from_millis(2));
        };
        let wall_time = started.elapsed().as_secs_f64();
        if !status.success() {
            bail!("{} failed: {status}", program.get_program().display());
        }
        Ok(Self { wall_time, cpu_time: cpu_time.as_secs_f64(), peak_memory })
    }
}

/// What all rounds with one trace came to, in seconds and MiB.
#[derive(Default)]
struct Rounds {
    wall_times: Vec<f64>,
    cpu_times: Vec<f64>,
    peaks: Vec<f64>,
    grouped: Vec<f64>,
    queries: Vec<f64>,
    group_queries: Vec<f64>,
}

impl Rounds {
    fn report(&mut self, used: &Used) {
        self.wall_times.push(used.wall_time);
        self.cpu_times.push(used.cpu_time);
        self.peaks.push(used.peak_memory);
    }

    fn figures(self, window_ms: &str) -> Vec<Figure> {
        let figure = |what: &str, unit, rounds| {
            Figure::of_rounds(format!("{what}, windows of {window_ms} ms"), unit, rounds)
        };
        let mut figures = vec![
            figure("report on 10^8 rows, wall time", "s", self.wall_times).at_most(TIME_GOAL),
            figure("report on 10^8 rows, CPU time", "s", self.cpu_times),
            figure("report on 10^8 rows, peak memory", "MiB", self.peaks).at_most(MEMORY_GOAL),
            figure("CPU time of each thread", "s", self.grouped).at_most(GROUP_GOAL),
        ];
        if !self.queries.is_empty() {
            figures.push(figure("DuckDB's query of time shares", "s", self.queries));
            figures.push(figure("DuckDB's query of CPU time", "s", self.group_queries));
        }
        figures
    }
}
