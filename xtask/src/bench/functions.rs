//! How far functions' shares of the joules are from the truth: programs of tests/workloads spend known
//! parts of their CPU time in four functions, and say at the end what each truly had. Energy is a
//! model's, so that a thread's joules are in proportion to its time.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::Setting;
use super::figure::Figure;
use crate::{command, workspace};

/// CPU time of each program: a minute, whatever the rounds, as its samples are repetition enough.
const MILLISECONDS: &str = "60000";

const FREQUENCY: &str = "997";

/// Shares below this are not looked at.
const LEAST_SHARE: f64 = 0.05;

/// Percent of a share, in the mean and at worst.
const MEAN_GOAL: f64 = 2.0;
const WORST_GOAL: f64 = 6.0;

/// A language that programs of known duties are written in.
struct Language {
    name: &'static str,
    source: &'static str,
    /// What compiles it, or runs it as it is.
    tool: &'static str,
    options: &'static [&'static str],
    is_compiled: bool,
    /// Whether a function's name in the report is that of duty `a`, `b`, `c` or `d`.
    is_duty: fn(&str, &str) -> bool,
}

const LANGUAGES: &[Language] = &[
    Language {
        name: "C",
        source: "duty.c",
        tool: "gcc",
        options: &["-O1", "-g", "-fno-omit-frame-pointer"],
        is_compiled: true,
        is_duty: |duty, function| function == duty,
    },
    Language {
        name: "C++",
        source: "duty.cpp",
        tool: "g++",
        options: &["-O1", "-g", "-fno-omit-frame-pointer"],
        is_compiled: true,
        is_duty: |duty, function| {
            let factor = duty.bytes().map(|letter| 2 * (letter - b'a') + 3).sum::<u8>();
            function.starts_with(&format!("void duty::spin<{factor}>("))
        },
    },
    Language {
        name: "Rust",
        source: "duty.rs",
        tool: "rustc",
        options: &[
            "--edition=2021",
            "-O",
            "-g",
            "-Cforce-frame-pointers=yes",
            "-Csymbol-mangling-version=v0",
        ],
        is_compiled: true,
        is_duty: |duty, function| {
            let factor = ["3", "5", "7", "8"][usize::from(duty.as_bytes()[0] - b'a')];
            function.starts_with(&format!("<duty::Factor<{factor}>"))
        },
    },
    Language {
        name: "Go",
        source: "duty.go",
        tool: "go",
        options: &["build"],
        is_compiled: true,
        is_duty: |duty, function| function.strip_prefix("main.") == Some(duty),
    },
    Language {
        name: "JavaScript",
        source: "duty.js",
        tool: "node",
        options: &["--perf-basic-prof", "--interpreted-frames-native-stack", "--no-turbo-inlining"],
        is_compiled: false,
        is_duty: |duty, function| {
            let name = function.strip_prefix("JS:").and_then(|name| name.split_once(' '));
            // Before its name stands a sign of which of node's compilers made it.
            let signs = ['~', '^', '+', '*', '\'', 'o'];
            name.is_some_and(|(name, place)| {
                name.trim_start_matches(signs) == duty && place.contains("/duty.js")
            })
        },
    },
];

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for language in LANGUAGES {
        if command::find(language.tool).is_none() {
            println!("  without {}: {} is not installed", language.name, language.tool);
            continue;
        }
        let errors = errors(language, setting).context(language.name)?;
        let of_share = || errors.iter().map(|error| 100.0 * error.points.abs() / error.share);
        let count = f64::from(u32::try_from(errors.len())?);
        let mean = of_share().sum::<f64>() / count;
        let points = errors.iter().map(|error| 100.0 * error.points.abs());
        let figure = |what: &str, unit, value| {
            Figure::once(format!("{}: {what}", language.name), unit, value)
        };
        figures.extend([
            figure("mean error", "% of the share", mean).at_most(MEAN_GOAL),
            figure("worst error", "% of the share", of_share().fold(0.0, f64::max))
                .at_most(WORST_GOAL),
            figure("worst error", "percentage points", points.fold(0.0, f64::max)),
        ]);
    }
    Ok(figures)
}

/// What is wrong about one function's share.
struct ShareError {
    /// The true share.
    share: f64,
    /// The share that was measured, less the true one.
    points: f64,
}

/// Records a program, and compares.
fn errors(language: &Language, setting: &Setting) -> anyhow::Result<Vec<ShareError>> {
    let source = workspace::root().join("tests/workloads").join(language.source);
    let trace = setting.place.join("duty.trace");
    let mut record = Command::new(&setting.program);
    record.args(["record", "--quiet", "--force", "--source", "model", "-F", FREQUENCY, "-o"]);
    // Node leaves a file where it runs.
    record.arg(&trace).arg("--").current_dir(&setting.place);
    if language.is_compiled {
        let program = setting.place.join("duty");
        let mut compiler = Command::new(language.tool);
        compiler.args(language.options).arg("-o").arg(&program).arg(&source);
        // Of Go, which else wants a module around the file.
        command::run(compiler.env("GO111MODULE", "off"))?;
        record.arg(program);
    } else {
        record.arg(language.tool).args(language.options).arg(&source);
    }
    let said = command::read(record.arg(MILLISECONDS))?;
    let measured = totals(setting, &trace)?;
    let truth = said.lines().map(|line| {
        let (duty, time) = line.split_once(' ').context("the program says `a 123` and so on")?;
        let energy = measured.iter().filter(|(name, _)| (language.is_duty)(duty, name));
        Ok((time.parse::<f64>()?, energy.map(|(_, energy)| energy).sum::<f64>()))
    });
    let truth = truth.collect::<anyhow::Result<Vec<(f64, f64)>>>()?;
    let (time, energy) = truth.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    ensure!(energy > 0.0, "none of its functions are in the report: {measured:?}");
    let errors: Vec<ShareError> = truth
        .iter()
        .map(|it| ShareError { share: it.0 / time, points: it.1 / energy - it.0 / time })
        .filter(|error| error.share >= LEAST_SHARE)
        .collect();
    ensure!(!errors.is_empty(), "it said nothing of what it did");
    Ok(errors)
}

/// Each function with the microjoules of all it did.
fn totals(setting: &Setting, trace: &Path) -> anyhow::Result<Vec<(String, f64)>> {
    let mut report = Command::new(&setting.program);
    report.arg("report").arg(trace).args(["--by", "function", "--top", "0", "--json"]);
    let report: Value = serde_json::from_str(&command::read(report.stderr(Stdio::null()))?)?;
    let Some(rows) = report["rows"].as_array() else { bail!("the report has no rows") };
    let total =
        |row: &Value| Some((row["name"].as_str()?.to_owned(), row["total_energy_uj"].as_f64()?));
    Ok(rows.iter().filter_map(total).collect())
}
