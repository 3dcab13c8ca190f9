//! Measures what energy-prof costs, and prints each figure beside its goal.
//!
//! The release build is measured as users run it. Whatever is compared is run in turn, round after
//! round, and the median of the rounds' ratios is shown: what else the machine does then disturbs
//! both sides. The figures of one machine are in docs/benchmarks.md, with what they are good for.
//! A new benchmark is one file and one row of [`BENCHES`].

mod accuracy;
mod background;
mod duckdb;
mod figure;
mod flamegraph;
mod functions;
mod hook;
mod idle;
mod live;
mod load;
mod machine;
mod own_cost;
mod perf;
mod pingpong;
mod process;
mod read;
mod reads;
mod recording;
mod sampling;
mod scaphandre;
mod sleeper;
mod spread;
mod storm;
mod switching;
mod symbolize;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::{command, workspace};
use figure::Figure;

/// One thing that is measured.
struct Bench {
    name: &'static str,
    summary: &'static str,
    run: fn(&Setting) -> anyhow::Result<Vec<Figure>>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "hook",
        summary: "the switch hook's own time, by the kernel's count (kernel.bpf_stats_enabled)",
        run: hook::run,
    },
    Bench {
        name: "pingpong",
        summary: "wall time per switch where nothing but switching goes on, with perf beside it",
        run: pingpong::run,
    },
    Bench {
        name: "self",
        summary: "the recorder's CPU time and memory at ten windows a second",
        run: own_cost::run,
    },
    Bench {
        name: "reads",
        summary: "counters read at 1 kHz for --seconds: what is lost, how punctually, at what cost",
        run: reads::run,
    },
    Bench {
        name: "read",
        summary: "time and memory of a report on a hundred million residency rows, with DuckDB beside it",
        run: read::run,
    },
    Bench {
        name: "flamegraph",
        summary: "time of a flame graph of ten million samples",
        run: flamegraph::run,
    },
    Bench {
        name: "symbolize",
        summary: "time to name 10^5 addresses of a large program, with perf beside it",
        run: symbolize::run,
    },
    Bench {
        name: "functions",
        summary: "how far functions' shares are from the truth, of a minute in each language",
        run: functions::run,
    },
    Bench {
        name: "sampling",
        summary: "what sampling at 997 Hz costs a program that computes, with perf beside it",
        run: sampling::run,
    },
    Bench {
        name: "idle",
        summary: "timer interrupts of a machine at rest, with and without stacks",
        run: idle::run,
    },
    Bench {
        name: "storm",
        summary: "thousands of short processes a second, with and without recording",
        run: storm::run,
    },
    Bench {
        name: "accuracy",
        summary: "how far each model's shares are from the truth, on simulated machines",
        run: accuracy::run,
    },
    Bench {
        name: "live",
        summary: "the same of real programs under a simulated package, with Scaphandre beside it",
        run: live::run,
    },
];

/// How long the one recording of a benchmark lasts if nothing else is said.
const MINUTE: Duration = Duration::from_mins(1);

/// What a benchmark is run with.
pub(crate) struct Setting {
    /// The energy-prof that is measured.
    program: PathBuf,
    /// How often each measurement is repeated.
    rounds: usize,
    /// How long a recording is, where a benchmark makes one only.
    length: Duration,
    /// A folder for traces, which each benchmark may fill and need not clean.
    place: PathBuf,
}

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    if let Some((load::LOAD, rest)) =
        arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        return load::run(rest);
    }
    let choice = Choice::parse(arguments)?;
    if !command::is_root() {
        bail!("recording needs root; run `sudo -E cargo xtask bench …`");
    }
    let program = match choice.program {
        // Some benchmarks run it elsewhere.
        Some(program) => program
            .canonicalize()
            .with_context(|| format!("there is no program {}", program.display()))?,
        None => build()?,
    };
    let place = workspace::target().join("bench");
    println!("{}\n{}", machine::line()?, program.display());
    for bench in choice.benches {
        std::fs::create_dir_all(&place)
            .with_context(|| format!("cannot make the folder {}", place.display()))?;
        let setting = Setting {
            program: program.clone(),
            rounds: choice.rounds,
            length: choice.length,
            place: place.clone(),
        };
        let seconds = choice.length.as_secs();
        println!(
            "\ncargo xtask bench {} --rounds {} --seconds {seconds}",
            bench.name, choice.rounds
        );
        let figures = (bench.run)(&setting).with_context(|| format!("bench {}", bench.name))?;
        print!("{}", figure::table(&figures));
        println!("load average at the end: {}", machine::load()?);
        std::fs::remove_dir_all(&place)
            .with_context(|| format!("cannot remove {}", place.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The benchmarks, one line each, for the usage text.
fn list() -> String {
    let lines = BENCHES.iter().map(|bench| format!("  {:10}{}\n", bench.name, bench.summary));
    lines.collect()
}

/// What the arguments ask for.
struct Choice {
    benches: Vec<&'static Bench>,
    rounds: usize,
    length: Duration,
    program: Option<PathBuf>,
}

impl Choice {
    fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let mut choice = Self { benches: Vec::new(), rounds: 7, length: MINUTE, program: None };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "all" => choice.benches.extend(BENCHES),
                "--rounds" => choice.rounds = rounds(value()?)?,
                "--seconds" => choice.length = seconds(value()?)?,
                "--program" => choice.program = Some(PathBuf::from(value()?)),
                name => match BENCHES.iter().find(|bench| bench.name == name) {
                    Some(bench) => choice.benches.push(bench),
                    None => bail!("there is no benchmark `{name}`; there are:\n{}", list()),
                },
            }
        }
        if choice.benches.is_empty() {
            bail!("which benchmark? `all`, or some of:\n{}", list());
        }
        Ok(choice)
    }
}

fn rounds(text: &str) -> anyhow::Result<usize> {
    let rounds = text.parse().ok().filter(|rounds| *rounds > 0);
    rounds.with_context(|| format!("--rounds takes a number from 1 on, not `{text}`"))
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
    seconds.with_context(|| format!("--seconds takes a whole number from 1 on, not `{text}`"))
}

/// Builds energy-prof for users, and says where it is.
fn build() -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new(workspace::cargo());
    cargo.current_dir(workspace::root());
    command::run(cargo.args(["build", "--release", "--package", "energy-prof"]))?;
    Ok(workspace::target().join("release/energy-prof"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> anyhow::Result<Choice> {
        Choice::parse(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn all_means_every_benchmark() {
        let names: Vec<_> = parse(&["all"]).unwrap().benches.iter().map(|it| it.name).collect();
        assert_eq!(
            names,
            [
                "hook",
                "pingpong",
                "self",
                "reads",
                "read",
                "flamegraph",
                "symbolize",
                "functions",
                "sampling",
                "idle",
                "storm",
                "accuracy",
                "live"
            ]
        );
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let error = parse(&["hok"]).err().unwrap().to_string();
        assert!(error.contains("`hok`") && error.contains("hook"), "{error}");
        assert!(parse(&["hook", "--rounds", "0"]).is_err());
        assert!(parse(&["reads", "--seconds", "0"]).is_err());
    }
}
