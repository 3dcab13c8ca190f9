//! The command line: the only file that knows clap. It becomes plain options for the commands.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use energy_prof::attribution::{IdlePolicy, ModelKind};
use energy_prof::model::DomainId;
use energy_prof::probes::CallGraph;
use energy_prof::profile::{CodeUnit, GroupBy, SortBy};
use energy_prof::sources::SourceChoice;
use energy_prof::units::{Nanoseconds, Watts};

use crate::exit;

mod calibrate;
mod emissions;
mod estimate;
mod exports;
mod import;
mod series;
mod simulate;
mod sources;
mod symbolize;

pub(crate) use calibrate::CalibrateArguments;
pub(crate) use emissions::{EmissionsArguments, EmissionsBy, PlaceArguments};
pub(crate) use estimate::{Counted, EstimateArguments};
pub(crate) use exports::{DiffArguments, ExportArguments, FlamegraphArguments, PartArguments};
pub(crate) use import::ImportArguments;
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

/// What a recording is about: exactly one of three forms.
#[derive(Debug, Args)]
pub(crate) struct TargetArguments {
    /// Processes to record, with their children, separated by commas
    #[arg(short, long, value_name = "PID,…", value_delimiter = ',', conflicts_with_all = ["all", "argv"],
        allow_negative_numbers = true, value_parser = process_id, help_heading = "Target")]
    pub(crate) pid: Vec<u32>,
    /// Record the whole machine
    #[arg(short, long, conflicts_with = "argv", help_heading = "Target")]
    pub(crate) all: bool,
    /// Do not count children of the targets as theirs
    #[arg(long, help_heading = "Target")]
    pub(crate) no_inherit: bool,
    /// Run the command as root, too, when called through sudo
    #[arg(long, help_heading = "Target")]
    pub(crate) as_root: bool,
    /// The command to run and record
    #[arg(last = true, value_name = "CMD", help_heading = "Target")]
    pub(crate) argv: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct MeasureArguments {
    /// Length of a window, 1ms to 10s: energy is divided window by window
    #[arg(long, value_name = "TIME", default_value = "100ms", allow_negative_numbers = true, value_parser = time,
        help_heading = "Measuring")]
    pub(crate) window: Nanoseconds,
    /// Where energy comes from: auto takes the best, model estimates even where counters can be read
    #[arg(long, value_name = "SOURCE", default_value = "auto", value_parser = sources::by_name(),
        help_heading = "Measuring")]
    pub(crate) source: SourceChoice,
    /// Look for powercap zones here instead of /sys/class/powercap
    #[arg(long, value_name = "DIR", help_heading = "Measuring")]
    pub(crate) powercap_root: Option<PathBuf>,
    /// Ask this library for NVIDIA's graphics cards instead of libnvidia-ml.so.1
    #[arg(long, value_name = "PATH", help_heading = "Measuring")]
    pub(crate) nvml_library: Option<PathBuf>,
    /// Take idle power from this calibration instead of the usual one (see energy-prof calibrate)
    #[arg(long, value_name = "FILE", help_heading = "Measuring")]
    pub(crate) calibration: Option<PathBuf>,
    /// Switches each CPU's log can hold between two readings, a power of two
    #[arg(long, value_name = "N", default_value = "65536", value_parser = log_records, help_heading = "Measuring")]
    pub(crate) log_records: u32,
    /// Fail (exit code 9) if anything was lost
    #[arg(long, help_heading = "Measuring")]
    pub(crate) strict: bool,
    /// Look for energy sources here instead of /sys
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) sysfs: Option<PathBuf>,
    /// Look for devices here instead of /dev
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) dev: Option<PathBuf>,
    /// Look for the kernel's type information here instead of /sys/kernel/btf/vmlinux
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) btf: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(override_usage = "energy-prof record [OPTIONS] <-p PID,… | -a | -- CMD…>")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct RecordArguments {
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    #[command(flatten)]
    pub(crate) measure: MeasureArguments,
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Stop after this long, e.g. 30s or 5m
    #[arg(short, long, value_name = "TIME", allow_negative_numbers = true, value_parser = positive_time,
        help_heading = "Measuring")]
    pub(crate) duration: Option<Nanoseconds>,
    /// Samples of the targets' stacks a second on each CPU, 1 to 10000
    #[arg(short = 'F', long = "freq", value_name = "HZ", default_value_t = 99,
        value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Measuring")]
    pub(crate) frequency: u32,
    /// How callers are found: fp follows frame pointers; dwarf copies the stack (16384 bytes, or
    /// dwarf,BYTES) and unwinds it, for programs built without frame pointers
    #[arg(long, value_name = "fp|dwarf[,BYTES]", default_value = "fp", value_parser = one_of::<CallGraph>,
        conflicts_with = "no_stacks", help_heading = "Measuring")]
    pub(crate) call_graph: CallGraph,
    /// Sample no stacks: no functions, and no CPU is woken to be sampled
    #[arg(long, conflicts_with = "frequency", help_heading = "Measuring")]
    pub(crate) no_stacks: bool,
    /// Have Node.js, Python, Java and .NET in the command write down their functions' names, by way
    /// of variables in its environment
    #[arg(long, conflicts_with = "no_stacks", help_heading = "Measuring")]
    pub(crate) jit: bool,
    /// Where the trace goes: a directory; an older trace there is kept as DIR.old
    #[arg(
        short,
        long,
        value_name = "DIR",
        default_value = "energy.trace",
        help_heading = "Output"
    )]
    pub(crate) output: PathBuf,
    /// Replace an older trace instead of keeping it
    #[arg(long, help_heading = "Output")]
    pub(crate) force: bool,
    /// Say nothing but errors
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,
}

/// How the energy of a trace is divided.
#[derive(Debug, Args)]
pub(crate) struct DivideArguments {
    /// How active energy is divided: time, by on-CPU time; regress, by on-CPU time and what a CPU second of
    /// each program draws, found from the trace
    #[arg(long, default_value = "time", value_parser = one_of::<ModelKind>, help_heading = "Attribution")]
    pub(crate) model: ModelKind,
    /// What becomes of idle energy: separate keeps it in a row of its own; proportional charges it to what
    /// ran, as active energy is; equal to the processes that ran, to each the same
    #[arg(long, default_value = "separate", value_parser = one_of::<IdlePolicy>, help_heading = "Attribution")]
    pub(crate) idle: IdlePolicy,
    /// Power of an idle domain, e.g. package-0=12.5; otherwise looked for in the trace
    #[arg(long, value_name = "DOMAIN=WATTS,…", value_delimiter = ',', value_parser = idle_watts, help_heading = "Attribution")]
    pub(crate) idle_watts: Vec<(DomainId, Watts)>,
}

impl DivideArguments {
    pub(crate) fn given(&self) -> BTreeMap<DomainId, Watts> {
        self.idle_watts.iter().copied().collect()
    }
}

#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// The trace
    #[arg(default_value = "energy.trace")]
    pub(crate) trace: PathBuf,
    /// What a row stands for: process, thread, exec, cgroup, container, unit, user, domain, function
    /// or line
    #[arg(long, default_value = "process", value_parser = report_by)]
    pub(crate) by: ReportBy,
    /// Show one function, its callers and its callees; a part of the name will do if only one has it
    #[arg(long, value_name = "NAME", conflicts_with = "by")]
    pub(crate) function: Option<String>,
    /// Order of the rows: joules (of functions, their own), total, watts, cpu or name
    #[arg(long, default_value = "joules", value_parser = one_of::<SortBy>)]
    pub(crate) sort: SortBy,
    /// Show this many rows; the rest become one; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) top: usize,
    /// Show every process, not only the targets
    #[arg(long)]
    pub(crate) all: bool,
    /// Only windows that begin at or after this time since the start, e.g. 1.5s
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) from: Option<Nanoseconds>,
    /// Only windows that begin before this time since the start
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) to: Option<Nanoseconds>,
    /// Show what each row comes to by the model time, by the chosen model (or else regress), and the
    /// difference
    #[arg(long, conflicts_with = "function")]
    pub(crate) compare_models: bool,
    #[command(flatten)]
    pub(crate) threads: ThreadArguments,
    /// Write JSON (schema in docs/report-json.md)
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) divide: DivideArguments,
}

/// What rows of a report stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReportBy {
    Threads(GroupBy),
    Code(CodeUnit),
}

/// Whose functions are shown.
#[derive(Debug, Args)]
pub(crate) struct ThreadArguments {
    /// Only functions of these processes, separated by commas
    #[arg(long, value_name = "PID,…", value_delimiter = ',', allow_negative_numbers = true, value_parser = process_id)]
    pub(crate) pid: Vec<u32>,
    /// Only functions of these threads, separated by commas
    #[arg(long, value_name = "TID,…", value_delimiter = ',', allow_negative_numbers = true, value_parser = process_id)]
    pub(crate) tid: Vec<u32>,
    /// Only functions of threads of these names, separated by commas
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) comm: Vec<String>,
}

impl ThreadArguments {
    fn is_given(&self) -> bool {
        !(self.pid.is_empty() && self.tid.is_empty() && self.comm.is_empty())
    }
}

#[derive(Debug, Args)]
pub(crate) struct AttributeArguments {
    /// The trace
    #[arg(default_value = "energy.trace")]
    pub(crate) trace: PathBuf,
    #[command(flatten)]
    pub(crate) divide: DivideArguments,
}

#[derive(Debug, Args)]
#[command(override_usage = "energy-prof stat [OPTIONS] -- CMD…")]
pub(crate) struct StatArguments {
    /// Run the command this often, and give mean and standard deviation
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) repeat: u32,
    /// Run the command as root, too, when called through sudo
    #[arg(long)]
    pub(crate) as_root: bool,
    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) measure: MeasureArguments,
    #[command(flatten)]
    pub(crate) divide: DivideArguments,
    /// The command
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) argv: Vec<OsString>,
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
        Command::Record(RecordArguments { measure, .. })
        | Command::Stat(StatArguments { measure, .. }) => {
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
        Command::Report(ReportArguments {
            by: ReportBy::Threads(_), function: None, threads, ..
        })
        | Command::Emissions(EmissionsArguments {
            by: EmissionsBy::Rows(ReportBy::Threads(_)) | EmissionsBy::Time,
            threads,
            ..
        })
            if threads.is_given() => Err(Arguments::command().error(
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

/// The three forms of `record`, for whoever gave none.
pub(crate) const FORMS: &str = "nothing to record: give one of\n  \
    energy-prof record -- CMD…     a command, started now\n  \
    energy-prof record -p PID,…    processes that run\n  \
    energy-prof record -a          the whole machine";

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

fn log_records(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(records) if records.is_power_of_two() && (256..=1_048_576).contains(&records) => {
            Ok(records.ilog2())
        }
        _ => Err("it must be a power of two from 256 to 1048576".to_owned()),
    }
}

fn one_of<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn report_by(text: &str) -> Result<ReportBy, String> {
    let threads = text.parse().map(ReportBy::Threads);
    threads.or_else(|_| text.parse().map(ReportBy::Code)).map_err(|_| {
        let names = GroupBy::ALL.map(GroupBy::name).into_iter();
        let names: Vec<&str> = names.chain(CodeUnit::ALL.map(CodeUnit::name)).collect();
        format!("cannot group by {text:?}: expected {}", names.join(", "))
    })
}

fn idle_watts(text: &str) -> Result<(DomainId, Watts), String> {
    let (domain, watts) = text.split_once('=').ok_or("write it as package-0=12.5")?;
    let domain = domain.parse().map_err(|error| format!("{error}"))?;
    Ok((domain, Watts::new(plain_watts(watts)?)))
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
