//! A flame graph of ten million rows of samples, which the example `synthetic_trace` of energy-prof
//! writes: 2,000 windows in each of which 1,000 threads ran, each at five of its process's two hundred stacks.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::bail;

use super::Setting;
use super::figure::Figure;
use crate::{command, workspace};

const RESIDENCY_ROWS: &str = "2000000";
const SAMPLES_OF_ROW: &str = "5";

/// Seconds.
const GOAL: f64 = 2.0;

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let trace = setting.place.join("synthetic.trace");
    let mut cargo = Command::new(workspace::cargo());
    cargo.current_dir(workspace::root());
    cargo.args(["run", "--release", "--quiet", "--package", "energy-prof"]);
    cargo.args(["--example", "synthetic_trace", "--"]).arg(&trace);
    command::run(cargo.args([RESIDENCY_ROWS, SAMPLES_OF_ROW]))?;
    let mut times = Vec::new();
    // The first finds the trace in the page cache too: it was just written.
    for _ in 0..setting.rounds {
        let started = Instant::now();
        let mut program = Command::new(&setting.program);
        program.arg("flamegraph").arg(&trace).args(["-o", "-"]).stdout(Stdio::null());
        let status = program.stderr(Stdio::null()).status()?;
        times.push(started.elapsed().as_secs_f64());
        if !status.success() {
            bail!("`energy-prof flamegraph` failed: {status}");
        }
    }
    Ok(vec![Figure::of_rounds("flame graph of 10^7 samples, wall time", "s", times).at_most(GOAL)])
}
