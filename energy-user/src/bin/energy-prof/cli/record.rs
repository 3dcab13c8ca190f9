//! The arguments of `record` and `stat`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use energy_prof::model::HardwareCounter;
use energy_prof::probes::{CallGraph, CounterEvent};
use energy_prof::sources::SourceChoice;
use energy_prof::units::Nanoseconds;

use super::{DivideArguments, PlaceArguments, one_of, positive_time, process_id, sources, time};

/// The three forms of `record`, for whoever gave none.
pub(crate) const FORMS: &str = "nothing to record: give one of\n  \
    energy-prof record -- CMD…     a command, started now\n  \
    energy-prof record -p PID,…    processes that run\n  \
    energy-prof record -a          the whole machine";

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
    /// Read the counters of single cores, too (AMD): what a core drew goes to what ran on it. Every reading wakes
    /// every core, so that less idle power is saved
    #[arg(long, conflicts_with = "powercap_root", help_heading = "Measuring")]
    pub(crate) core_counters: bool,
    /// Look for powercap zones here instead of /sys/class/powercap
    #[arg(long, value_name = "DIR", help_heading = "Measuring")]
    pub(crate) powercap_root: Option<PathBuf>,
    /// Ask this library for NVIDIA's graphics cards instead of libnvidia-ml.so.1
    #[arg(long, value_name = "PATH", help_heading = "Measuring")]
    pub(crate) nvml_library: Option<PathBuf>,
    /// Take idle power from this calibration instead of the usual one (see energy-prof calibrate)
    #[arg(long, value_name = "FILE", help_heading = "Measuring")]
    pub(crate) calibration: Option<PathBuf>,
    /// Count this while each thread runs, separated by commas: cycles, instructions, llc-misses. It makes
    /// every switch dearer, and `report --model cycles` divides by it
    #[arg(long, value_name = "COUNTER,…", value_delimiter = ',', value_parser = one_of::<HardwareCounter>,
        help_heading = "Measuring")]
    pub(crate) counters: Vec<HardwareCounter>,
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
    /// Count a counter by this event of a PMU instead of the usual one
    #[arg(long, value_name = "COUNTER=PMU:CONFIG", value_parser = counter_event, hide = true)]
    pub(crate) counter_event: Vec<CounterEvent>,
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

/// `cycles=1:0`.
fn counter_event(text: &str) -> Result<CounterEvent, String> {
    let parse = || {
        let (counter, event) = text.split_once('=')?;
        let (pmu_type, config) = event.split_once(':')?;
        let (pmu_type, config) = (pmu_type.parse().ok()?, config.parse().ok()?);
        Some(CounterEvent { counter: counter.parse().ok()?, pmu_type, config })
    };
    parse().ok_or_else(|| "it must be like cycles=1:0".to_owned())
}

fn log_records(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(records) if records.is_power_of_two() && (256..=1_048_576).contains(&records) => {
            Ok(records.ilog2())
        }
        _ => Err("it must be a power of two from 256 to 1048576".to_owned()),
    }
}
