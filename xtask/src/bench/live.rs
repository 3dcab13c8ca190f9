//! How far each model's shares are from the truth on a live machine: real programs on the real scheduler, under a
//! simulated package whose power follows their CPU clocks, in watts that each is given. Scaphandre beside it
//! where it is installed.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::Setting;
use super::background::Background;
use super::figure::Figure;
use super::load::{Load, Shape};
use super::recording::Recording;
use super::scaphandre::Scaphandre;
use crate::command;

/// What the package draws whatever runs.
const STATIC_WATTS: &str = "20";

/// What the tools that look on draw for a CPU second. All else draws nothing: its CPU time is known to a timer
/// tick only, which would be an error of the counter that no counter has.
const TOOL_WATTS: &str = "12";

/// Programs with less of what all of them drew are not looked at.
const LEAST_SHARE: f64 = 0.05;

/// Percent of a share.
const MEAN_GOAL: f64 = 3.0;
const WORST_GOAL: f64 = 8.0;
/// Percentage points that `regress` may be worse than time share where all programs draw the same.
const EQUAL_GOAL: f64 = 0.2;

/// Programs that run beside each other.
struct Scene {
    name: &'static str,
    /// How each uses CPU time, and its watts per CPU second.
    programs: &'static [(Shape, f64)],
    /// Whether reports are told what the package draws without load.
    idle_given: bool,
    are_equal: bool,
}

const SCENES: &[Scene] = &[
    Scene {
        name: "equal watts",
        programs: &[
            (Shape::Bursts, 15.0),
            (Shape::Periodic, 15.0),
            (Shape::Requests, 15.0),
            (Shape::Wandering, 15.0),
        ],
        idle_given: true,
        are_equal: true,
    },
    Scene {
        name: "9 to 41 W",
        programs: &[
            (Shape::Bursts, 9.0),
            (Shape::Periodic, 41.0),
            (Shape::Requests, 20.0),
            (Shape::Wandering, 30.0),
        ],
        idle_given: false,
        are_equal: false,
    },
    Scene {
        name: "10, 10 and 30 W, one always on",
        programs: &[(Shape::Bursts, 10.0), (Shape::Always, 10.0), (Shape::Wandering, 30.0)],
        idle_given: true,
        are_equal: false,
    },
];

const MODELS: [&str; 2] = ["time", "regress"];

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    if command::find("scaphandre").is_none() {
        println!("  without Scaphandre: it is not installed (cargo install scaphandre)");
    }
    let mut figures = Vec::new();
    for scene in SCENES {
        let seeds = (1..).take(setting.rounds);
        let rounds: Vec<_> = seeds
            .map(|seed| scene.play(seed, setting).context(scene.name))
            .collect::<anyhow::Result<_>>()?;
        figures.extend(scene.figures(&rounds));
    }
    Ok(figures)
}

/// What one tool said of the programs of a round.
#[derive(Clone, Debug, Default)]
struct Errors {
    /// In percent of each program's share.
    of_shares: Vec<f64>,
    /// How many intervals hold the true joules; `None` where the tool gives none.
    held: Option<usize>,
}

impl Errors {
    #[expect(clippy::cast_precision_loss, reason = "a handful of programs")]
    fn mean(&self) -> f64 {
        self.of_shares.iter().sum::<f64>() / self.of_shares.len() as f64
    }

    fn worst(&self) -> f64 {
        self.of_shares.iter().copied().fold(0.0, f64::max)
    }
}

impl Scene {
    /// Runs the programs for the setting's length, and asks each tool who drew how much.
    fn play(&self, seed: u64, setting: &Setting) -> anyhow::Result<BTreeMap<&'static str, Errors>> {
        let start = |(number, (shape, _)): (u64, &(Shape, f64))| {
            Load::start(*shape, 100 * seed + number, setting.length)
        };
        let mut loads: Vec<Load> = (0..).zip(self.programs).map(start).collect::<Result<_, _>>()?;
        let watts = loads.iter().zip(self.programs);
        let watts: Vec<_> =
            watts.map(|(load, (_, watts))| format!("{}={watts}", load.pid())).collect();
        let simulation = Simulation::start(&watts.join(","), seed, setting)?;
        let root = simulation.root.to_str().context("the target directory's name is no UTF-8")?;
        let scaphandre = Scaphandre::start(&simulation.root, &setting.place)?;
        let recording = Recording::start_with(setting, &["--no-stacks", "--powercap-root", root])?;
        for pid in scaphandre.iter().map(Scaphandre::pid).chain([recording.pid()]) {
            simulation.command(&format!("load {pid} {TOOL_WATTS}\n"))?;
        }
        for load in &mut loads {
            load.begin()?;
        }
        for load in &mut loads {
            load.done()?;
        }
        // Its last step, and the last window.
        thread::sleep(Duration::from_millis(1_500));
        let scaphandre = scaphandre.map(Scaphandre::finish).transpose()?;
        let trace = recording.trace().to_owned();
        recording.finish()?;
        let mut truth = simulation.finish()?;
        truth.retain(|pid, _| loads.iter().any(|load| load.pid() == *pid));
        let mut told = BTreeMap::new();
        for model in MODELS {
            told.insert(model, self.errors_of(model, &trace, &truth, setting)?);
        }
        if let Some(drawn) = scaphandre {
            told.insert("Scaphandre", Errors { of_shares: errors(&truth, &drawn), held: None });
        }
        Ok(told)
    }

    fn errors_of(
        &self,
        model: &str,
        trace: &Path,
        truth: &BTreeMap<u32, f64>,
        setting: &Setting,
    ) -> anyhow::Result<Errors> {
        let mut report = Command::new(&setting.program);
        report.args(["report", "--json", "--all", "--top", "0", "--model", model]);
        if self.idle_given {
            report.arg(format!("--idle-watts=package-0={STATIC_WATTS}"));
        }
        let report: Value = serde_json::from_str(&command::read(report.arg(trace))?)?;
        let (mut drawn, mut held) = (BTreeMap::new(), 0);
        for row in report["rows"].as_array().context("the report has rows")? {
            let pid = row["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
            let Some((pid, truth)) = pid.and_then(|pid| Some((pid, truth.get(&pid)?))) else {
                continue;
            };
            let energy = row["energy_uj"].as_f64().context("rows have energy_uj")?;
            let error = row["error_95_joules"].as_f64().context("rows have error_95_joules")?;
            held += usize::from((energy - truth).abs() <= error * 1e6);
            drawn.insert(pid, energy);
        }
        ensure!(drawn.len() == truth.len(), "the report has not all of the programs");
        Ok(Errors { of_shares: errors(truth, &drawn), held: Some(held) })
    }

    fn figures(&self, rounds: &[BTreeMap<&'static str, Errors>]) -> Vec<Figure> {
        let mut figures = Vec::new();
        let names = rounds.first().into_iter().flat_map(BTreeMap::keys);
        for name in names {
            let errors = || rounds.iter().map(|round| &round[name]);
            let figure = |what: &str, unit, values: Vec<f64>| {
                Figure::of_rounds(format!("{}, {name}: {what}", self.name), unit, values)
            };
            let mean = figure("mean error", "% of the share", errors().map(Errors::mean).collect());
            let worst =
                figure("worst error", "% of the share", errors().map(Errors::worst).collect());
            if *name == "regress" && !self.are_equal {
                figures.extend([mean.at_most(MEAN_GOAL), worst.at_most(WORST_GOAL)]);
            } else {
                figures.extend([mean, worst]);
            }
            let held: Option<usize> = errors().map(|errors| errors.held).sum();
            if let Some(held) = held {
                let all = rounds.len() * self.programs.len();
                let what = format!("{}, {name}: intervals of {all} that hold the truth", self.name);
                figures.push(Figure::count(what, held as u64));
            }
        }
        if self.are_equal {
            let more = rounds.iter().map(|round| round["regress"].mean() - round["time"].mean());
            let what = format!("{}: regress above time share", self.name);
            let figure = Figure::of_rounds(what, "percentage points", more.collect());
            figures.push(figure.at_most(EQUAL_GOAL));
        }
        figures
    }
}

/// How far each program's share of what all of them drew is from the truth, in percent of the true share.
fn errors(truth: &BTreeMap<u32, f64>, drawn: &BTreeMap<u32, f64>) -> Vec<f64> {
    let told = |pid: &u32| drawn.get(pid).copied().unwrap_or_default();
    let all: f64 = truth.values().sum();
    let all_told: f64 = truth.keys().map(told).sum();
    truth
        .iter()
        .map(|(pid, energy)| (energy / all, told(pid) / all_told))
        .filter(|(share, _)| *share >= LEAST_SHARE)
        .map(|(share, told)| 100.0 * (told - share).abs() / share)
        .collect()
}

/// A package whose power follows the programs' clocks.
struct Simulation {
    program: Background,
    root: PathBuf,
}

impl Simulation {
    fn start(watts: &str, seed: u64, setting: &Setting) -> anyhow::Result<Self> {
        let root = setting.place.join("powercap");
        if root.exists() {
            fs::remove_dir_all(&root)
                .with_context(|| format!("cannot remove {}", root.display()))?;
        }
        let mut simulate = Command::new(&setting.program);
        simulate.arg("simulate-powercap").arg(&root).args(["--watts", watts]);
        simulate.args(["--static-watts", STATIC_WATTS]);
        simulate.args(["--seed", &seed.to_string()]);
        let mut program = Background::start(&mut simulate)?;
        // Counters of real machines are on time however busy the machine is.
        let pid = program.pid().to_string();
        command::run(Command::new("chrt").args(["-f", "-p", "50", &pid]))?;
        let counter = root.join("intel-rapl:0/energy_uj");
        let started = Instant::now();
        while !counter.exists() {
            if let Some(status) = program.ended()? {
                bail!("`energy-prof simulate-powercap` ended at once: {status}");
            }
            ensure!(started.elapsed() < Duration::from_secs(10), "no counter within 10 s");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { program, root })
    }

    /// Has it do something.
    fn command(&self, line: &str) -> anyhow::Result<()> {
        let path = self.root.join("control");
        let write = || OpenOptions::new().append(true).open(&path)?.write_all(line.as_bytes());
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Ends it, and gives what each process of known watts truly drew, in microjoules.
    fn finish(mut self) -> anyhow::Result<BTreeMap<u32, f64>> {
        self.program.interrupt()?;
        let path = self.root.join("truth.json");
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let truth: Value = serde_json::from_str(&text).context("truth.json is no JSON")?;
        let loads = truth["loads"].as_array().context("truth.json has loads")?;
        let load = |load: &Value| {
            let pid = u32::try_from(load["pid"].as_u64()?).ok()?;
            Some((pid, load["microjoules"].as_f64()?))
        };
        loads.iter().map(load).collect::<Option<_>>().context("loads have pid and microjoules")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_compared_and_small_ones_left_out() {
        let truth = [(1, 50.0), (2, 48.0), (3, 2.0)].into();
        let drawn = [(1, 100.0), (2, 90.0), (3, 10.0)].into();
        let errors = errors(&truth, &drawn);
        assert_eq!(errors.len(), 2);
        assert!(errors[0] < 1e-9 && (errors[1] - 6.25).abs() < 1e-9, "{errors:?}");
    }

    #[test]
    fn a_program_that_is_not_told_of_is_wholly_wrong() {
        assert_eq!(errors(&[(1, 50.0), (2, 50.0)].into(), &[(1, 7.0)].into()), [100.0, 100.0]);
    }
}
