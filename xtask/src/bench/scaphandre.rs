//! Scaphandre beside energy-prof, where it is installed: it reads the same simulated counters, which a small
//! library shows it in place of the kernel's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::background::Background;
use crate::command;

/// What it looks for in the kernel's list of modules.
const MODULES: &str = "intel_rapl_msr 20480 0 - Live 0x0\nintel_rapl_common 45056 1 - Live 0x0\n";

/// As often as it may reasonably be asked to look.
const STEP_SECONDS: &str = "1";

/// More processes than there are.
const ALL_PROCESSES: &str = "10000";

/// It is at work.
pub(super) struct Scaphandre {
    program: Background,
    output: PathBuf,
}

impl Scaphandre {
    /// Starts it on the zones under `powercap`; `None` where it, or a compiler for the library, is not installed.
    pub(super) fn start(powercap: &Path, place: &Path) -> anyhow::Result<Option<Self>> {
        let (Some(scaphandre), Some(compiler)) =
            (command::find("scaphandre"), command::find("gcc"))
        else {
            return Ok(None);
        };
        let (source, library) = (place.join("scaphandre.c"), place.join("scaphandre.so"));
        let (modules, output) = (place.join("modules"), place.join("scaphandre.json"));
        write(&source, include_str!("scaphandre.c"))?;
        write(&modules, MODULES)?;
        let mut compile = Command::new(compiler);
        command::run(compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source))?;
        let mut start = Command::new(scaphandre);
        start.args(["--no-header", "--sensor", "powercap_rapl", "json", "--step", STEP_SECONDS]);
        start.args(["--max-top-consumers", ALL_PROCESSES, "--file"]).arg(&output);
        start.env("FAKE_POWERCAP", powercap).env("FAKE_MODULES", &modules);
        // It complains of what it does not find, and goes on.
        start.env("LD_PRELOAD", &library).stderr(Stdio::null());
        let program = Background::start(&mut start)?;
        Ok(Some(Self { program, output }))
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Ends it, and gives what it says that each process drew, in the mean and in microwatts times the steps.
    pub(super) fn finish(mut self) -> anyhow::Result<BTreeMap<u32, f64>> {
        self.program.end_by(Signal::SIGTERM)?;
        let text = fs::read_to_string(&self.output)
            .with_context(|| format!("cannot read {}", self.output.display()))?;
        let mut drawn = BTreeMap::new();
        for report in reports(&text)? {
            for consumer in report["consumers"].as_array().into_iter().flatten() {
                let pid = consumer["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
                let power = consumer["consumption"].as_f64();
                let (pid, power) = pid.zip(power).context("scaphandre says pid and consumption")?;
                *drawn.entry(pid).or_default() += power;
            }
        }
        Ok(drawn)
    }
}

/// One report for each step, one after the other or in a list that may lack its end.
fn reports(text: &str) -> anyhow::Result<Vec<Value>> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    let mut reports = Vec::new();
    let mut rest = text.trim_start_matches([',', '\n', ' ']);
    while !rest.is_empty() {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(report)) => reports.push(report),
            Some(Err(error)) if error.is_eof() => break,
            Some(Err(error)) => return Err(error).context("scaphandre's output is no JSON"),
            None => break,
        }
        rest = rest[stream.byte_offset()..].trim_start_matches([',', '\n', ' ']);
    }
    Ok(reports)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_in_a_list_or_without_and_the_last_may_be_cut_off() {
        for text in
            ["{\"a\":1}{\"a\":2}", "[{\"a\":1},\n{\"a\":2},{\"a\"", "[{\"a\":1},{\"a\":2}]\n"]
        {
            let numbers: Vec<_> = reports(text).unwrap().iter().map(|it| it["a"].clone()).collect();
            assert_eq!(numbers, [1, 2], "{text}");
        }
        assert!(reports("{\"a\":1} nonsense").is_err());
    }
}
