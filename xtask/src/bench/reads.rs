//! Counters read at 1 kHz: whether every microjoule arrives, how punctually, and at what cost.
//!
//! The counter is the simulator's, which moves 1024 times a second. It is held still around the recording's
//! start and end, so that what it advanced in between is known exactly, and the windows must add up to it. A
//! thread that only sleeps from millisecond to millisecond says what the machine allows.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::background::Background;
use super::figure::Figure;
use super::recording::Recording;
use super::{Setting, process, sleeper};

/// Percent of one CPU.
const CPU_GOAL: f64 = 1.0;
/// Percent of the reads that may be later than 2 ms.
const LATE_GOAL: f64 = 0.1;

/// How long a thread that only sleeps is watched, at most.
const SLEEP: Duration = Duration::from_secs(20);
/// Longer than a recording takes to start.
const START: Duration = Duration::from_secs(5);
/// Longer than a recording takes to end, in which it writes its tables anew.
const END: Duration = Duration::from_mins(5);
/// In which the simulator takes notice of a command; it looks every 10 ms.
const NOTICE: Duration = Duration::from_millis(200);

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let bare = sleeper::sleep_for(setting.length.min(SLEEP))?;
    let counter = Counter::start(setting)?;
    let before = counter.hold(START)?;
    let recording = Recording::start_with(setting, &counter.options()?)?;
    counter.check_still(before)?;
    let (started, cpu_before) = (Instant::now(), process::cpu_time(recording.pid())?);
    thread::sleep(setting.length);
    let cpu = process::cpu_time(recording.pid())?.saturating_sub(cpu_before);
    let cpu = 100.0 * cpu.as_secs_f64() / started.elapsed().as_secs_f64();
    let after = counter.hold(END)?;
    let trace = recording.trace().to_owned();
    let session = recording.finish()?;
    counter.check_still(after)?;
    let advance = after.checked_sub(before).context("the counter went back")?;
    let recorded = recorded_uj(setting, &trace)?;
    let reads = session.reads()?;
    Ok(vec![
        Figure::count("edges of windows at which the counter was read", reads.edges),
        Figure::count("microjoules that the counter advanced", advance),
        Figure::count("microjoules lost or invented", advance.abs_diff(recorded)).at_most(0.0),
        Figure::count("windows without energy", session.windows_without_energy()?).at_most(0.0),
        Figure::once("reads later than 2 ms", "%", reads.late_percent).at_most(LATE_GOAL),
        Figure::once("the same of a thread that only sleeps", "%", bare.late_percent),
        Figure::once("the latest read", "ms", reads.latest_ms),
        Figure::once("CPU of the recorder", "% of one", cpu).at_most(CPU_GOAL),
        Figure::once("the same of that thread", "% of one", bare.cpu_percent),
    ])
}

/// The simulator's counter of a package that draws 5 W.
struct Counter {
    /// Ends the simulation when dropped.
    _simulator: Background,
    root: PathBuf,
}

impl Counter {
    fn start(setting: &Setting) -> anyhow::Result<Self> {
        let root = setting.place.join("powercap");
        let mut simulate = Command::new(&setting.program);
        simulate.arg("simulate-powercap").arg(&root);
        let mut simulator = Background::start(&mut simulate)?;
        let counter = root.join("intel-rapl:0/energy_uj");
        for _ in 0..1_000 {
            if counter.exists() {
                return Ok(Self { _simulator: simulator, root });
            }
            if let Some(status) = simulator.ended()? {
                bail!("`energy-prof simulate-powercap` ended at once: {status}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("`energy-prof simulate-powercap` made no counter within 10 s");
    }

    /// How a recording reads it in windows of a millisecond.
    fn options(&self) -> anyhow::Result<[&str; 4]> {
        let root = self.root.to_str().context("the target directory's name is no UTF-8")?;
        Ok(["--window", "1ms", "--powercap-root", root])
    }

    /// Keeps it still for a while, and gives what it shows then.
    fn hold(&self, length: Duration) -> anyhow::Result<u64> {
        let path = self.root.join("control");
        let line = format!("stale package-0 {}ms\n", length.as_millis());
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut control| control.write_all(line.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        thread::sleep(NOTICE);
        self.shown_uj()
    }

    /// That it was held long enough.
    fn check_still(&self, shown_uj: u64) -> anyhow::Result<()> {
        if self.shown_uj()? != shown_uj {
            bail!(
                "the recording took longer than {START:?} to start, or {END:?} to end: the machine is too busy"
            );
        }
        Ok(())
    }

    fn shown_uj(&self) -> anyhow::Result<u64> {
        let path = self.root.join("intel-rapl:0/energy_uj");
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        text.trim().parse().with_context(|| format!("{text:?} is no number of microjoules"))
    }
}

/// What all windows of the trace add up to.
fn recorded_uj(setting: &Setting, trace: &Path) -> anyhow::Result<u64> {
    let output = Command::new(&setting.program)
        .args(["report", "--json"])
        .arg(trace)
        .output()
        .context("cannot start energy-prof report")?;
    if !output.status.success() {
        bail!("energy-prof report failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let report: Value = serde_json::from_slice(&output.stdout).context("the report is no JSON")?;
    let measured = report["total"]["measured_uj"].as_u64();
    measured.context("the report has no total.measured_uj")
}
