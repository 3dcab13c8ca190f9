//! What sampling costs a program that only computes: its time alone, with residency recorded, with
//! stacks besides, and with perf's.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};

use super::Setting;
use super::figure::Figure;
use crate::command;

/// A fixed amount of work of two to three seconds.
const WORK: &str = "i=0; while [ $i -lt 4000000 ]; do i=$((i+1)); done";

/// How much longer it may take with stacks than with residency alone.
const GOAL: f64 = 1.01;

const FREQUENCY: &str = "997";

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let perf = command::find("perf").is_some();
    let mut names = vec!["bare", "--no-stacks", "-F 997", "-F 997 --call-graph dwarf"];
    names.extend(perf.then_some("perf record -F 997 -g"));
    let mut times = vec![Vec::new(); names.len()];
    for round in 0..setting.rounds {
        for step in 0..names.len() {
            // In turn, so that none is always the first.
            let which = (round + step) % names.len();
            times[which].push(work(setting, which)?);
        }
    }
    let against = |one: usize, other: usize| -> Vec<f64> {
        times[one].iter().zip(&times[other]).map(|(one, other)| one / other).collect()
    };
    let mut figures: Vec<Figure> = names
        .iter()
        .zip(&times)
        .map(|(name, times)| Figure::of_rounds(*name, "s", times.clone()))
        .collect();
    figures.push(Figure::of_rounds("--no-stacks, against bare", "×", against(1, 0)));
    let with = "-F 997, against --no-stacks";
    figures.push(Figure::of_rounds(with, "×", against(2, 1)).at_most(GOAL));
    figures.push(Figure::of_rounds("… --call-graph dwarf, against it", "×", against(3, 1)));
    if perf {
        figures.push(Figure::of_rounds("perf record -F 997 -g, against bare", "×", against(4, 0)));
    }
    Ok(figures)
}

/// Seconds that the work takes: of the whole command's, what is spent between its own clock's marks.
fn work(setting: &Setting, which: usize) -> anyhow::Result<f64> {
    let script = format!("date +%s.%N; {WORK}; date +%s.%N");
    let trace = setting.place.join("sampled.trace");
    let record = |options: &[&str]| {
        let mut command = Command::new(&setting.program);
        command.args(["record", "--quiet", "--force", "-o"]).arg(&trace).args(options).arg("--");
        command
    };
    let mut command = match which {
        0 => Command::new("env"),
        1 => record(&["--no-stacks"]),
        2 => record(&["-F", FREQUENCY]),
        3 => record(&["-F", FREQUENCY, "--call-graph", "dwarf"]),
        _ => {
            let mut perf = Command::new("perf");
            perf.args(["record", "-q", "-F", FREQUENCY, "-g", "-o"]);
            perf.arg(setting.place.join("perf.data")).arg("--");
            perf
        }
    };
    let started = Instant::now();
    let output = command.args(["sh", "-c", &script]).stderr(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("{command:?} failed: {} after {:?}", output.status, started.elapsed());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let marks: Vec<f64> = said.lines().filter_map(|line| line.parse().ok()).collect();
    let [began, ended] = marks[..] else { bail!("`date` does not tell nanoseconds: {said}") };
    Some(ended - began).filter(|time| *time > 0.0).context("the clock went back")
}
