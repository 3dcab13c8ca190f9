//! The switch hook's own time, as the kernel counts it. Two clock reads of the counting are in it:
//! an empty program reads about 50 ns on the machine of docs/benchmarks.md.
//! Reference: Linux v6.12, Documentation/admin-guide/sysctl/kernel.rst (`bpf_stats_enabled`).

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::figure::Figure;
use super::recording::Recording;
use super::{Setting, switching};

const SWITCHES: u64 = 200_000;

/// Nanoseconds.
const GOAL: f64 = 200.0;

const SETTING: &str = "/proc/sys/kernel/bpf_stats_enabled";

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let _counting = Counting::begin()?;
    let (mut saturated, mut resting) = (Vec::new(), Vec::new());
    for _ in 0..setting.rounds {
        let recording = Recording::start(setting)?;
        switching::switch(SWITCHES)?;
        saturated.push(recording.finish()?.hook()?);
        let recording = Recording::start(setting)?;
        thread::sleep(Duration::from_secs(2));
        resting.push(recording.finish()?.hook()?);
    }
    Ok(vec![
        Figure::of_rounds("mean time of a run, ping-pong on one CPU", "ns", saturated)
            .at_most(GOAL),
        Figure::of_rounds("mean time of a run, no load of ours", "ns", resting),
    ])
}

/// The kernel counts runs of BPF programs while this lives; then as it did before.
struct Counting {
    before: String,
}

impl Counting {
    fn begin() -> anyhow::Result<Self> {
        let before =
            fs::read_to_string(SETTING).with_context(|| format!("cannot read {SETTING}"))?;
        fs::write(SETTING, "1").with_context(|| format!("cannot write {SETTING}"))?;
        Ok(Self { before })
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Err(error) = fs::write(SETTING, self.before.trim()) {
            eprintln!("cannot set {SETTING} back to {}: {error}", self.before.trim());
        }
    }
}
