//! Naming some 10^5 addresses of a large program: `energy-prof symbolize`, which finds functions, files
//! and lines and writes the stacks anew, beside `perf report`, which finds functions.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context;

use super::Setting;
use super::figure::Figure;
use crate::command;

/// Functions of the program. Each is a few instructions long, so that most samples are of a place of
/// their own.
const FUNCTIONS: usize = 100_000;
const SECONDS: &str = "20";
const FREQUENCY: &str = "9999";

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let place = &setting.place;
    let (whole, stripped, debug) =
        (place.join("many"), place.join("stripped"), place.join("debug"));
    build(place, &whole)?;
    split(&whole, &stripped, &debug)?;
    let trace = place.join("many.trace");
    let mut record = Command::new(&setting.program);
    record.args(["record", "--quiet", "--source", "model", "-F", FREQUENCY, "-o"]).arg(&trace);
    command::run(record.arg("--").arg(&stripped).arg(SECONDS))?;
    let data = place.join("perf.data");
    let has_perf = command::find("perf").is_some();
    if has_perf {
        let mut perf = Command::new("perf");
        perf.args(["record", "-q", "-g", "-F", FREQUENCY, "-o"]).arg(&data);
        command::run(perf.arg("--").arg(&whole).arg(SECONDS).stderr(Stdio::null()))?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..setting.rounds {
        // Each time from the stacks without names.
        let fresh = place.join("fresh.trace");
        command::run(Command::new("cp").arg("-rT").args([&trace, &fresh]))?;
        let mut symbolize = Command::new(&setting.program);
        symbolize.arg("symbolize").arg(&fresh).arg("--debug-dir").arg(&debug);
        ours.push(seconds(&mut symbolize)?);
        if has_perf {
            let mut report = Command::new("perf");
            report.args(["report", "--stdio", "--no-children", "-g", "none", "-i"]).arg(&data);
            theirs.push(seconds(&mut report)?);
        }
    }
    let mut figures = vec![
        Figure::of_rounds("energy-prof symbolize, wall time", "s", ours),
        Figure::count("addresses", addresses_of_trace(setting, &trace)?),
    ];
    if has_perf {
        figures.push(Figure::of_rounds("perf report, wall time", "s", theirs));
        figures.push(Figure::count("addresses", addresses_of_perf(&data)?));
    }
    Ok(figures)
}

/// Compiles a program that calls its functions in no order, for as many seconds as it is told.
fn build(place: &Path, program: &Path) -> anyhow::Result<()> {
    let mut source =
        "#include <stdlib.h>\n#include <time.h>\nstatic volatile unsigned sink;\n".to_owned();
    for number in 0..FUNCTIONS {
        writeln!(
            source,
            "static void work{number}(void) {{ for (int i = 0; i < 300; i++) sink = sink * 3u + {number}u; }}"
        )?;
    }
    source.push_str("static void (*const all[])(void) = {\n");
    for number in 0..FUNCTIONS {
        writeln!(source, "work{number},")?;
    }
    source.push_str(
        "};\nint main(int argc, char **argv) {\n    time_t end = time(NULL) + atoi(argv[1]);\n    \
         unsigned chance = 1;\n    while (time(NULL) < end) for (int i = 0; i < 1000; i++) {\n        \
         chance = chance * 1664525u + 1013904223u;\n        \
         all[(chance >> 8) % (sizeof all / sizeof *all)]();\n    }\n}\n",
    );
    let path = place.join("many.c");
    fs::write(&path, source).with_context(|| format!("cannot write {}", path.display()))?;
    let mut compiler = Command::new("gcc");
    command::run(compiler.args(["-O0", "-g", "-Wl,--build-id"]).arg(path).arg("-o").arg(program))
}

/// The program without its symbols, and a folder with them by its build id.
fn split(whole: &Path, stripped: &Path, debug: &Path) -> anyhow::Result<()> {
    let notes = command::read(Command::new("readelf").arg("-n").arg(whole))?;
    let id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "));
    let (folder, file) = id.and_then(|id| id.split_at_checked(2)).context("it has no build id")?;
    let folder = debug.join(".build-id").join(folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut keep = Command::new("objcopy");
    let file = folder.join(format!("{file}.debug"));
    command::run(keep.arg("--only-keep-debug").arg(whole).arg(file))?;
    command::run(Command::new("strip").arg("-o").args([stripped, whole]))
}

fn seconds(program: &mut Command) -> anyhow::Result<f64> {
    let started = Instant::now();
    command::run(program.stdout(Stdio::null()).stderr(Stdio::null()))?;
    Ok(started.elapsed().as_secs_f64())
}

/// How many different places of the program are in the trace.
fn addresses_of_trace(setting: &Setting, trace: &Path) -> anyhow::Result<u64> {
    let mut folded = Command::new(&setting.program);
    folded.args(["export", "--format", "folded", "-o", "-"]).arg(trace).stderr(Stdio::null());
    let text = command::read(&mut folded)?;
    let frames = text
        .lines()
        .filter_map(|line| Some(line.rsplit_once(' ')?.0))
        .flat_map(|stack| stack.split(';'));
    let places: HashSet<&str> = frames.filter(|frame| frame.starts_with("stripped+0x")).collect();
    Ok(u64::try_from(places.len())?)
}

/// How many different addresses perf sampled.
fn addresses_of_perf(data: &Path) -> anyhow::Result<u64> {
    let mut script = Command::new("perf");
    script.args(["script", "-F", "ip", "-i"]).arg(data).stderr(Stdio::null());
    let text = command::read(&mut script)?;
    let addresses: HashSet<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(u64::try_from(addresses.len())?)
}
