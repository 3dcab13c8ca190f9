//! What recording adds where nothing but switching goes on, and what perf adds there.

use anyhow::Context;

use super::figure::Figure;
use super::perf::{Perf, Tracefs};
use super::recording::Recording;
use super::{Setting, switching};

const SWITCHES: u64 = 200_000;

/// How much longer a switch may take under energy-prof.
const GOAL: f64 = 1.10;

/// What watches the switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watcher {
    Nobody,
    EnergyProf,
    PerfTracepoint,
    PerfSched,
}

impl Watcher {
    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "bare",
            Self::EnergyProf => "energy-prof record -a",
            Self::PerfTracepoint => "perf record -e sched:sched_switch -a",
            Self::PerfSched => "perf sched record",
        }
    }
}

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mut watchers = vec![Watcher::Nobody, Watcher::EnergyProf];
    let tracefs = Tracefs::find();
    match &tracefs {
        Ok(_) => watchers.extend([Watcher::PerfTracepoint, Watcher::PerfSched]),
        Err(error) => println!("  without perf: {error:#}"),
    }
    let mut times = vec![Vec::new(); watchers.len()];
    let mut lost = 0;
    for round in 0..setting.rounds {
        // Each round begins with another one, so that none always has the cooler machine.
        for turn in 0..watchers.len() {
            let watcher = (round + turn) % watchers.len();
            let (time, lost_here) = measure(watchers[watcher], setting)?;
            times[watcher].push(time);
            lost += lost_here;
        }
    }
    let bare = times[0].clone();
    let mut figures = Vec::new();
    for (watcher, times) in watchers.iter().zip(&times) {
        figures.push(Figure::of_rounds(watcher.name(), "ns a switch", times.clone()));
    }
    for (watcher, times) in watchers.iter().zip(&times).skip(1) {
        let ratios = times.iter().zip(&bare).map(|(with, without)| with / without).collect();
        let ratio = Figure::of_rounds(format!("{}, against bare", watcher.name()), "×", ratios);
        figures.push(if *watcher == Watcher::EnergyProf { ratio.at_most(GOAL) } else { ratio });
    }
    figures.push(Figure::count("switches lost by energy-prof", lost).at_most(0.0));
    Ok(figures)
}

/// Nanoseconds a switch, and how many switches were lost.
fn measure(watcher: Watcher, setting: &Setting) -> anyhow::Result<(f64, u64)> {
    let switch = || -> anyhow::Result<f64> {
        let took = switching::switch(SWITCHES)?;
        Ok(took.as_secs_f64() * 1e9 / f64::from(u32::try_from(SWITCHES)?))
    };
    match watcher {
        Watcher::Nobody => Ok((switch()?, 0)),
        Watcher::EnergyProf => {
            let recording = Recording::start(setting)?;
            let time = switch()?;
            Ok((time, recording.finish()?.lost_switches()?))
        }
        Watcher::PerfTracepoint | Watcher::PerfSched => {
            let arguments: &[&str] = match watcher {
                Watcher::PerfSched => &["sched", "record"],
                _ => &["record", "-e", "sched:sched_switch", "-a"],
            };
            let perf = Perf::start(arguments, setting)?;
            let time = switch()?;
            let bytes = perf.finish().context(watcher.name())?;
            // Without its records, its time would say nothing.
            anyhow::ensure!(bytes > 8 * SWITCHES, "{} recorded {bytes} bytes", watcher.name());
            Ok((time, 0))
        }
    }
}
