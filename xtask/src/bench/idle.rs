//! What sampling does to CPUs that would sleep: timer interrupts a second on the whole machine without
//! recording, with residency alone, and with stacks.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::Setting;
use super::background::Background;
use super::figure::Figure;

const STRETCH: Duration = Duration::from_secs(5);

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let cases: [(&str, Option<&[&str]>); 3] = [
        ("no recording", None),
        ("record -a --no-stacks", Some(&["--no-stacks"])),
        ("record -a, stacks at 99 Hz", Some(&[])),
    ];
    let mut rates = vec![Vec::new(); cases.len()];
    for round in 0..setting.rounds {
        for step in 0..cases.len() {
            let which = (round + step) % cases.len();
            rates[which].push(rate(setting, cases[which].1)?);
        }
    }
    let figures = cases.iter().zip(rates).map(|((name, _), rates)| {
        Figure::of_rounds(format!("timer interrupts, {name}"), "a second", rates)
    });
    Ok(figures.collect())
}

fn rate(setting: &Setting, options: Option<&[&str]>) -> anyhow::Result<f64> {
    let recording = options
        .map(|options| {
            let mut record = Command::new(&setting.program);
            record.args(["record", "-a", "--force", "--quiet"]).args(options);
            Background::start(record.arg("-o").arg(setting.place.join("idle.trace")))
        })
        .transpose()?;
    thread::sleep(Duration::from_secs(1));
    let (started, before) = (Instant::now(), interrupts()?);
    thread::sleep(STRETCH);
    let rate = (interrupts()? - before) / started.elapsed().as_secs_f64();
    if let Some(mut recording) = recording {
        recording.interrupt()?;
    }
    Ok(rate)
}

/// Local timer interrupts of all CPUs so far.
fn interrupts() -> anyhow::Result<f64> {
    let table = fs::read_to_string("/proc/interrupts").context("cannot read /proc/interrupts")?;
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix("LOC:"));
    let counts = line.context("/proc/interrupts has no local timer interrupts (LOC)")?;
    Ok(counts.split_whitespace().map_while(|count| count.parse::<f64>().ok()).sum())
}
