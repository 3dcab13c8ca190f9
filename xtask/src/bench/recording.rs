//! `energy-prof record -a` in the background, while something else is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::Setting;
use super::background::Background;

/// A recording under way.
pub(super) struct Recording {
    program: Background,
    trace: PathBuf,
}

impl Recording {
    /// Starts one, and waits until it has written its first second.
    pub(super) fn start(setting: &Setting) -> anyhow::Result<Self> {
        Self::start_with(setting, &[])
    }

    /// Starts one with more options.
    pub(super) fn start_with(setting: &Setting, options: &[&str]) -> anyhow::Result<Self> {
        let trace = setting.place.join("recorded.trace");
        let mut record = Command::new(&setting.program);
        record.args(["record", "-a", "--force", "--quiet", "-o"]).arg(&trace).args(options);
        // What an older recording left there would look like the first second.
        if trace.exists() {
            fs::remove_dir_all(&trace)
                .with_context(|| format!("cannot remove {}", trace.display()))?;
        }
        let mut program = Background::start(&mut record)?;
        let first = trace.join("parts/windows.000001.parquet");
        for _ in 0..3_000 {
            if first.exists() {
                return Ok(Self { program, trace });
            }
            if let Some(status) = program.ended()? {
                bail!("`energy-prof record -a` ended at once: {status}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("`energy-prof record -a` wrote nothing within 30 s");
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Where it goes.
    pub(super) fn trace(&self) -> &Path {
        &self.trace
    }

    /// Ends it, and gives what it says about itself.
    pub(super) fn finish(mut self) -> anyhow::Result<Session> {
        let status = self.program.interrupt()?;
        if !status.success() {
            bail!("`energy-prof record -a` failed: {status}");
        }
        let path = self.trace.join("session.json");
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let json = serde_json::from_slice(&text)
            .with_context(|| format!("{} is no JSON", path.display()))?;
        Ok(Session(json))
    }
}

/// How long after the windows' edges the counters had been read.
pub(super) struct Reads {
    pub(super) edges: u64,
    /// How many of them took more than 2 ms.
    pub(super) late_percent: f64,
    pub(super) latest_ms: f64,
}

/// A finished recording's `session.json`.
pub(super) struct Session(Value);

impl Session {
    /// Switches that found the log full.
    pub(super) fn lost_switches(&self) -> anyhow::Result<u64> {
        self.loss("switches")
    }

    /// Forks, execs and exits that found their buffer full.
    pub(super) fn lost_events(&self) -> anyhow::Result<u64> {
        self.loss("events")
    }

    /// Threads that ran and were gone before anything named them.
    pub(super) fn unnamed_threads(&self) -> anyhow::Result<u64> {
        self.loss("unnamed_threads")
    }

    /// Windows of which the energy is not known, counted once for each counter.
    pub(super) fn windows_without_energy(&self) -> anyhow::Result<u64> {
        self.loss("energy_gaps")
    }

    /// How punctually the counters were read.
    #[expect(clippy::cast_precision_loss, reason = "nothing counted here comes near 2^53")]
    pub(super) fn reads(&self) -> anyhow::Result<Reads> {
        let number = |name: &str| {
            let number = self.0["reads"][name].as_u64();
            number.with_context(|| format!("session.json has no reads.{name}"))
        };
        let edges = number("edges")?;
        Ok(Reads {
            edges,
            late_percent: 100.0 * number("over_2_ms")? as f64 / edges.max(1) as f64,
            latest_ms: number("longest_ns")? as f64 / 1e6,
        })
    }

    /// Mean time of the switch hook in nanoseconds, while the kernel counted it.
    pub(super) fn hook(&self) -> anyhow::Result<f64> {
        let number = |name: &str| self.0["bpf"][name].as_f64();
        let (runs, time) = number("runs").zip(number("run_time_ns")).context(
            "the kernel did not count the hook's runs; kernel.bpf_stats_enabled needs Linux 5.1",
        )?;
        Ok(time / runs)
    }

    fn loss(&self, name: &str) -> anyhow::Result<u64> {
        let lost = self.0["losses"][name].as_u64();
        lost.with_context(|| format!("session.json has no losses.{name}"))
    }
}
