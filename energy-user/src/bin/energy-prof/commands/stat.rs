//! `energy-prof stat`: the energy of a command, run as often as wanted.

use anyhow::Context;
use energy_prof::model::Provenance;
use energy_prof::probes::Account;
use energy_prof::profile::{GroupBy, Profile, ViewOptions};
use energy_prof::record::{Progress, RecordOptions, Recording, TargetChoice};
use energy_prof::report;
use energy_prof::units::{Joules, Nanoseconds};
use serde::Serialize;

use super::record::{measure_options, recorded, status_of};
use super::report::profile_of;
use crate::cli::StatArguments;
use crate::exit::Status;
use crate::terminal;

/// Rises when a field changes its meaning.
const SCHEMA_VERSION: u32 = 1;

/// One run of the command.
#[derive(Clone, Debug, Serialize)]
struct Run {
    /// Energy charged to the command and its children.
    command_joules: f64,
    /// Half the width of its 95 % interval.
    command_error_95_joules: f64,
    /// CPU time of the command and its children.
    command_cpu_seconds: f64,
    /// All energy of the disjoint total.
    machine_joules: f64,
    /// The part of it that is idle.
    idle_joules: f64,
    elapsed_seconds: f64,
    exit_code: Option<i32>,
}

#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    command: Vec<String>,
    provenance: &'a str,
    notes: &'a [String],
    /// How many runs were asked for; one that fails is the last.
    repeat: u32,
    runs: &'a [Run],
    mean_command_joules: f64,
    standard_deviation_command_joules: Option<f64>,
}

pub(crate) fn run(arguments: &StatArguments) -> anyhow::Result<Status> {
    let directory = tempfile::Builder::new()
        .prefix("energy-prof-stat-")
        .tempdir()
        .context("cannot make a directory for the traces; set TMPDIR to a place with room")?;
    let account = Account::behind_sudo().filter(|_| !arguments.as_root);
    let choices = arguments.divide.choices();
    let mut runs = Vec::new();
    let mut status = Status::SUCCESS;
    let mut provenance = Provenance::Measured;
    let mut notes = Vec::new();
    let mut lost = false;
    let measure = measure_options(&arguments.measure)?;
    for number in 0..arguments.repeat {
        let options = RecordOptions {
            target: TargetChoice::Command(arguments.argv.clone()),
            account: account.clone(),
            output: directory.path().join(format!("run-{number}")),
            ..measure.clone()
        };
        let listen = |progress| {
            if let Progress::Started { notes: told } = progress {
                notes = told;
            }
        };
        let recording = if number + 1 == arguments.repeat {
            recorded(&options, listen)?
        } else {
            recorded_aside(&options, listen)?
        };
        let profile = profile_of(&options.output, &choices)?;
        provenance = provenance.and(profile.provenance().unwrap_or(Provenance::Measured));
        lost |= recording.session.losses.any();
        runs.push(of_profile(&profile, recording.session.exit_code));
        status = status_of(&recording, arguments.measure.strict);
        if recording.session.exit_code.is_none() || status != Status::SUCCESS {
            break;
        }
    }
    let report = Report {
        schema_version: SCHEMA_VERSION,
        command: arguments.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        provenance: provenance.name(),
        notes: &notes,
        repeat: arguments.repeat,
        mean_command_joules: mean(&runs, |run| run.command_joules),
        standard_deviation_command_joules: deviation(&runs, |run| run.command_joules),
        runs: &runs,
    };
    if arguments.json {
        terminal::print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        // Like `perf stat`: the command's own output keeps stdout to itself.
        terminal::say(&text(&report, lost));
    }
    Ok(status)
}

/// Records on a thread of its own. A recording gives up its thread's capabilities for good, and the
/// next one needs them again.
fn recorded_aside(
    options: &RecordOptions,
    progress: impl FnMut(Progress) + Send,
) -> anyhow::Result<Recording> {
    std::thread::scope(|scope| {
        let aside = std::thread::Builder::new()
            .name("run".to_owned())
            .spawn_scoped(scope, || recorded(options, progress))
            .context("cannot start a thread")?;
        aside.join().expect("a recording does not panic")
    })
}

fn of_profile(profile: &Profile, exit_code: Option<i32>) -> Run {
    let options = ViewOptions { by: GroupBy::Process, ..ViewOptions::default() };
    let view = profile.view(&options, &|_| None);
    let (energy, error) = view.targets.unwrap_or_default();
    let oncpu: Nanoseconds = profile
        .threads
        .values()
        .filter(|thread| thread.info.target)
        .map(|thread| thread.oncpu)
        .sum();
    Run {
        command_joules: energy.joules().get(),
        command_error_95_joules: error.half_width_95().get(),
        command_cpu_seconds: oncpu.seconds(),
        machine_joules: profile.total().measured.joules().get(),
        idle_joules: profile.total().idle.joules().get(),
        elapsed_seconds: profile.span.duration.seconds(),
        exit_code,
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 10,000 runs")]
fn mean(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    runs.iter().map(of).sum::<f64>() / runs.len().max(1) as f64
}

/// The sample standard deviation; `None` for fewer than two runs.
#[expect(clippy::cast_precision_loss, reason = "at most 10,000 runs")]
fn deviation(runs: &[Run], of: impl Fn(&Run) -> f64) -> Option<f64> {
    let centre = mean(runs, &of);
    let squares: f64 = runs.iter().map(|run| (of(run) - centre).powi(2)).sum();
    (runs.len() > 1).then(|| (squares / (runs.len() - 1) as f64).sqrt())
}

fn text(report: &Report<'_>, lost: bool) -> String {
    use std::fmt::Write;

    let joules = |value: f64| report::energy(Joules::new(value).to_microjoules());
    let mut out = String::new();
    let _ = writeln!(out, "\n Energy of '{}':\n", report.command.join(" "));
    for note in report.notes {
        let _ = writeln!(out, " {note}\n");
    }
    let kind = if report.provenance == "estimated" { "ESTIMATED" } else { report.provenance };
    let mut row = |of: &dyn Fn(&Run) -> f64, unit: &str, label: &str| {
        let centre = mean(report.runs, of);
        let shown = if unit == "J" { joules(centre) } else { format!("{centre:.3} s") };
        let spread = deviation(report.runs, of).map(|deviation| {
            let shown = if unit == "J" { joules(deviation) } else { format!("{deviation:.3} s") };
            format!(" ± {shown} (standard deviation of {} runs)", report.runs.len())
        });
        let line = format!("{shown:>14}  {label:<41}{}", spread.unwrap_or_default());
        let _ = writeln!(out, "{}", line.trim_end());
    };
    row(&|run| run.command_joules, "J", &format!("the command and its children ({kind})"));
    row(&|run| run.command_error_95_joules, "J", "± 95 % of that, from the energy source");
    row(&|run| run.machine_joules, "J", "all of the machine meanwhile");
    row(&|run| run.idle_joules, "J", "of which idle");
    row(&|run| run.command_cpu_seconds, "s", "CPU time of the command and its children");
    row(&|run| run.elapsed_seconds, "s", "elapsed");
    let done = report.runs.len();
    if let Some(last) = report.runs.last().filter(|_| done < report.repeat as usize) {
        let how = match last.exit_code {
            Some(0) => "something was lost".to_owned(),
            Some(code) => format!("the command ended with exit code {code}"),
            None => "it was interrupted".to_owned(),
        };
        let _ = writeln!(out, "\n Stopped after run {done} of {}: {how}.", report.repeat);
    }
    if lost {
        let _ = writeln!(out, "\n Something was lost on the way; `record` shows what.");
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_runs_of_9_10_and_11_joules_are_10_plus_minus_1() {
        let run = |joules| Run {
            command_joules: joules,
            command_error_95_joules: 0.0,
            command_cpu_seconds: 0.0,
            machine_joules: 0.0,
            idle_joules: 0.0,
            elapsed_seconds: 0.0,
            exit_code: Some(0),
        };
        let runs = [9.0, 10.0, 11.0].map(run);
        assert!((mean(&runs, |run| run.command_joules) - 10.0).abs() < 1e-12);
        let spread = deviation(&runs, |run| run.command_joules).unwrap();
        assert!((spread - 1.0).abs() < 1e-12);
        assert_eq!(deviation(&runs[..1], |run| run.command_joules), None);
    }
}
