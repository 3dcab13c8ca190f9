//! The command line: the only file that knows clap. It becomes plain options for the commands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use energy_prof::attribution::ModelKind;
use energy_prof::model::HardwareCounter;
use energy_prof::profile::GroupBy;
use energy_prof::units::Nanoseconds;

use crate::exit;

mod calibrate;
mod emissions;
mod estimate;
mod exports;
mod import;
mod record;
mod report;
mod series;
mod simulate;
mod sources;
mod symbolize;

pub(crate) use calibrate::CalibrateArguments;
pub(crate) use emissions::{EmissionsArguments, EmissionsBy, PlaceArguments, UnitArguments};
pub(crate) use estimate::{Counted, EstimateArguments};
pub(crate) use exports::{DiffArguments, ExportArguments, FlamegraphArguments, PartArguments};
pub(crate) use import::ImportArguments;
pub(crate) use record::{FORMS, MeasureArguments, RecordArguments, StatArguments, TargetArguments};
pub(crate) use report::{
    AttributeArguments, DivideArguments, ReportArguments, ReportBy, RowsArguments, ThreadArguments,
};
pub(crate) use series::SeriesArguments;
pub(crate) use simulate::SimulateArguments;
pub(crate) use sources::DoctorArguments;
pub(crate) use symbolize::SymbolizeArguments;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold());

const EXAMPLES: &str = "\
Examples:
  sudo energy-prof record -- make -j4          record a command, then:
  energy-prof report                           who used how many joules
  energy-prof flamegraph -o energy.svg         in which functions
  sudo energy-prof record -p 1234 -d 30s       a running process, for 30 seconds
  sudo energy-prof record -a -d 1m             the whole machine
  energy-prof report --by function             which functions of it used them
  energy-prof report --by cgroup --json        the same recording, otherwise
  energy-prof emissions --zone FR              what that emitted, and who
  sudo energy-prof stat -r 5 -- ./bench        the energy of a command, five runs
  energy-prof doctor                           what this machine can measure";

/// Where did the joules go? Energy by process, thread, container and unit, from measured counters.
#[derive(Debug, Parser)]
#[command(name = "energy-prof", version, about, styles = STYLES, after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{}", exit::HELP),
    arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say more on stderr: warnings of the kernel side, and with -vv how things are done
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure: a command, running processes, or the whole machine
    Record(RecordArguments),
    /// Show who used how many joules
    Report(ReportArguments),
    /// Draw where in the programs the joules went, as an SVG for any browser
    Flamegraph(FlamegraphArguments),
    /// Write a trace in another tool's format
    Export(ExportArguments),
    /// Turn a trace's energy into greenhouse gases and water, with factors anyone can check
    Emissions(EmissionsArguments),
    /// Estimate the energy and emissions of hardware that was not measured, from tables
    Estimate(EstimateArguments),
    /// Make a trace of a log of Intel Power Gadget, turbostat, nvidia-smi or CodeCarbon
    Import(ImportArguments),
    /// Compare two traces, and tell change from noise
    Diff(DiffArguments),
    /// Find better names for the functions in a trace, with debug files of then or elsewhere
    Symbolize(SymbolizeArguments),
    /// Write the divided energy into the trace, as a table `attributed`
    Attribute(AttributeArguments),
    /// Measure the energy of a command, as often as wanted
    Stat(StatArguments),
    /// Measure what this machine draws idle and busy, for recordings to tell idle energy by
    Calibrate(CalibrateArguments),
    /// Say what this machine can measure, how well, and what would make it better
    Doctor(DoctorArguments),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual, or write all its pages into a directory
    Man {
        /// Write energy-prof.1 and a page for each command here
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
    /// Simulate RAPL counters that follow the CPU time of chosen processes
    #[command(hide = true)]
    SimulatePowercap(SimulateArguments),
}

/// The arguments of this process, or the status to exit with at once.
pub(crate) fn parse() -> Result<Arguments, ExitCode> {
    Arguments::try_parse().and_then(checked).map_err(|error| {
        // Help goes to stdout, complaints to stderr; a closed pipe is no news to anyone.
        let _ = error.print();
        if error.use_stderr() { exit::Status::USAGE.into() } else { ExitCode::SUCCESS }
    })
}

/// Refuses what clap cannot: a choice of threads where rows are threads already, variables for what
/// runs already, and a place of zones for a source that reads none.
fn checked(arguments: Arguments) -> Result<Arguments, clap::Error> {
    match &arguments.command {
        Command::Record(RecordArguments { jit: true, target, .. })
            if target.all || !target.pid.is_empty() =>
        {
            Err(Arguments::command().error(
                clap::error::ErrorKind::ArgumentConflict,
                "--jit sets variables of a command that is launched: give it as `record --jit -- \
                 CMD…`; what runs already must have been started with them (docs/symbols.md)",
            ))
        }
        Command::Stat(StatArguments { measure, divide, .. })
            if divide.model == ModelKind::Cycles
                && !measure.counters.contains(&HardwareCounter::Cycles) =>
        {
            Err(Arguments::command().error(
                clap::error::ErrorKind::ArgumentConflict,
                "--model cycles divides by cycles that were counted: add --counters cycles",
            ))
        }
        Command::Record(RecordArguments { measure, .. })
        | Command::Stat(StatArguments { measure, .. }) => {
            sources::check_cores(measure.source, measure.core_counters)?;
            sources::check_root(measure.source, measure.powercap_root.as_deref())?;
            sources::check_library(measure.source, measure.nvml_library.as_deref())?;
            Ok(arguments)
        }
        Command::Calibrate(calibrate) => {
            sources::check_root(calibrate.source, calibrate.powercap_root.as_deref())?;
            sources::check_library(calibrate.source, calibrate.nvml_library.as_deref())?;
            Ok(arguments)
        }
        Command::Doctor(doctor) => {
            sources::check_cores(doctor.source, doctor.core_counters)?;
            sources::check_root(doctor.source, doctor.powercap_root.as_deref())?;
            sources::check_library(doctor.source, doctor.nvml_library.as_deref())?;
            Ok(arguments)
        }
        Command::Report(ReportArguments {
            by: ReportBy::Code(_) | ReportBy::Threads(GroupBy::Domain),
            compare_models: true,
            ..
        }) => Err(Arguments::command().error(
            clap::error::ErrorKind::ArgumentConflict,
            "--compare-models compares what threads are charged with: choose --by process, thread, exec, \
             cgroup, container, unit or user",
        )),
        Command::Emissions(emissions)
            if emissions.units.is_given() && (emissions.when || !emissions.what_if.is_empty()) =>
        {
            Err(Arguments::command().error(
                clap::error::ErrorKind::ArgumentConflict,
                "--what-if and --when compare operational emissions, and have no score: leave --units out",
            ))
        }
        Command::Report(ReportArguments {
            by: ReportBy::Threads(_), function: None, rows, ..
        })
        | Command::Emissions(EmissionsArguments {
            by: EmissionsBy::Rows(ReportBy::Threads(_)) | EmissionsBy::Time,
            rows,
            ..
        })
            if rows.threads.is_given() => Err(Arguments::command().error(
            clap::error::ErrorKind::MissingRequiredArgument,
            "--pid, --tid and --comm choose whose functions are shown: add --by function, --by line \
             or (in report) --function NAME",
        )),
        _ => Ok(arguments),
    }
}

/// Completions for `shell`.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let all = Arguments::command();
    // The generators would offer hidden commands, too.
    let mut shown = clap::Command::new("energy-prof")
        .args(all.get_arguments().cloned())
        .subcommands(all.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut shown, "energy-prof", &mut text);
    text
}

/// The manual's pages by file name, the main one first.
pub(crate) fn manual() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let subcommands: Vec<_> =
        command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned().collect();
    let mut pages = Vec::new();
    for page in std::iter::once(command).chain(subcommands) {
        let man = clap_mangen::Man::new(page);
        let mut text = Vec::new();
        man.render(&mut text)?;
        pages.push((man.get_filename(), text));
    }
    Ok(pages)
}

fn process_id(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err("it is no process id; `ps -e` lists the ones there are".to_owned()),
    }
}

fn time(text: &str) -> Result<Nanoseconds, String> {
    text.parse::<humantime::Duration>()
        .ok()
        .map(|duration| Nanoseconds::from(std::time::Duration::from(duration)))
        .or_else(|| seconds(text))
        .ok_or_else(|| "it is no length of time; write 100ms, 1.5s or 2m".to_owned())
}

fn positive_time(text: &str) -> Result<Nanoseconds, String> {
    match time(text)? {
        Nanoseconds::ZERO => Err("it must be longer than nothing".to_owned()),
        time => Ok(time),
    }
}

/// Seconds with a decimal point, with or without their `s`, which humantime does not take.
fn seconds(text: &str) -> Option<Nanoseconds> {
    let seconds: f64 = text.strip_suffix('s').unwrap_or(text).trim().parse().ok()?;
    std::time::Duration::try_from_secs_f64(seconds).ok().map(Nanoseconds::from)
}

fn one_of<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn pid_watts(text: &str) -> Result<(u32, f64), String> {
    let (pid, watts) = text.split_once('=').ok_or("write it as 1234=10")?;
    Ok((pid.parse().map_err(|error| format!("{error}"))?, plain_watts(watts)?))
}

fn plain_watts(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(watts) if watts.is_finite() && (0.0..=100_000.0).contains(&watts) => Ok(watts),
        _ => Err(format!("{text:?} is no power from 0 to 100000 W")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(time("100ms"), Ok(Nanoseconds::from_millis(100)));
        assert_eq!(time("1.5s"), Ok(Nanoseconds::from_millis(1500)));
        assert_eq!(time("2"), Ok(Nanoseconds::from_millis(2000)));
        assert!(time("soon").is_err());
        assert!(time("-1s").is_err());
        assert!(positive_time("0s").is_err());
    }
}
