//! A storm of short processes, with and without recording: how much slower it gets, and whether any
//! process goes by unseen.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail};

use super::Setting;
use super::figure::Figure;
use super::recording::Recording;

/// Processes of each round, started by [`STARTERS`] threads.
const PROCESSES: u32 = 4_000;
const STARTERS: u32 = 2;

/// How much longer the storm may last.
const GOAL: f64 = 1.10;

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let program = shortest_program(&setting.place)?;
    storm(&program)?;
    let (mut bare, mut recorded) = (Vec::new(), Vec::new());
    let (mut lost, mut unnamed) = (0, 0);
    for round in 0..setting.rounds {
        let mut with_recording = || -> anyhow::Result<()> {
            let recording = Recording::start(setting)?;
            recorded.push(storm(&program)?);
            let session = recording.finish()?;
            lost += session.lost_events()?;
            unnamed += session.unnamed_threads()?;
            Ok(())
        };
        if round % 2 == 0 {
            bare.push(storm(&program)?);
            with_recording()?;
        } else {
            with_recording()?;
            bare.push(storm(&program)?);
        }
    }
    let rate = |times: &[f64]| times.iter().map(|time| f64::from(PROCESSES) / time).collect();
    let ratios = recorded.iter().zip(&bare).map(|(with, without)| with / without).collect();
    Ok(vec![
        Figure::of_rounds("bare", "processes a second", rate(&bare)),
        Figure::of_rounds("energy-prof record -a", "processes a second", rate(&recorded)),
        Figure::of_rounds("time under energy-prof, against bare", "×", ratios).at_most(GOAL),
        Figure::count("forks, execs and exits lost", lost).at_most(0.0),
        Figure::count("threads without a name", unnamed).at_most(0.0),
    ])
}

/// Starts all processes, one after the other in each of the starting threads; gives seconds.
fn storm(program: &Path) -> anyhow::Result<f64> {
    let started = Instant::now();
    thread::scope(|scope| {
        let starters: Vec<_> = (0..STARTERS)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..PROCESSES / STARTERS {
                        let status = Command::new(program).stdin(Stdio::null()).status();
                        status.with_context(|| format!("cannot run {}", program.display()))?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        starters.into_iter().try_for_each(|it| it.join().expect("a starter does not panic"))
    })?;
    Ok(started.elapsed().as_secs_f64())
}

/// A program without libraries to load that does nothing.
fn shortest_program(place: &Path) -> anyhow::Result<PathBuf> {
    let program = place.join("nothing");
    let mut rustc = Command::new("rustc")
        .args(["--crate-name", "nothing", "--edition", "2024", "-O"])
        .args([
            "-C",
            "target-feature=+crt-static",
            "-C",
            "panic=abort",
            "-C",
            "strip=symbols",
            "-o",
        ])
        .arg(&program)
        .arg("-")
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start rustc")?;
    rustc
        .stdin
        .take()
        .expect("it was made a pipe")
        .write_all(b"fn main() {}\n")
        .context("cannot write to rustc")?;
    let status = rustc.wait().context("waiting for rustc")?;
    if !status.success() {
        bail!("rustc could not build a static program: {status}; is libc.a installed (libc6-dev)?");
    }
    Ok(program)
}
