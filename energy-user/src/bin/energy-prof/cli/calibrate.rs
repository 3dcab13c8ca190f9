//! The arguments of `calibrate`.

use std::path::PathBuf;

use clap::Args;
use energy_prof::sources::SourceChoice;
use energy_prof::units::Nanoseconds;

use super::{sources, time};

/// Shorter than this, what runs now and then decides about the figure.
const SHORTEST_IDLE: Nanoseconds = Nanoseconds::from_millis(10_000);

/// Shorter than this, the counters' jitter does.
const SHORTEST_STEP: Nanoseconds = Nanoseconds::from_millis(1_000);

#[derive(Debug, Args)]
pub(crate) struct CalibrateArguments {
    /// For how long idle power is measured, 10s at least; leave the machine alone meanwhile
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = idle_time)]
    pub(crate) idle: Nanoseconds,
    /// For how long power is measured with each number of busy CPUs, 1s at least
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = step_time)]
    pub(crate) step: Nanoseconds,
    /// Measure idle power only, and keep no CPU busy
    #[arg(long, conflicts_with = "step")]
    pub(crate) idle_only: bool,
    /// Take the figure of a machine that is not idle, too: it is then too high, and says so
    #[arg(long)]
    pub(crate) allow_load: bool,
    /// Which counters are read: those that record would read with this source
    #[arg(long, value_name = "SOURCE", default_value = "auto", value_parser = sources::by_name())]
    pub(crate) source: SourceChoice,
    /// Look for powercap zones here instead of /sys/class/powercap; needs -o
    #[arg(long, value_name = "DIR", requires = "output")]
    pub(crate) powercap_root: Option<PathBuf>,
    /// Ask this library for NVIDIA's graphics cards instead of libnvidia-ml.so.1; needs -o
    #[arg(long, value_name = "PATH", requires = "output")]
    pub(crate) nvml_library: Option<PathBuf>,
    /// Look for energy sources here instead of /sys
    #[arg(long, value_name = "DIR", hide = true, requires = "output")]
    pub(crate) sysfs: Option<PathBuf>,
    /// Look for devices here instead of /dev
    #[arg(long, value_name = "DIR", hide = true, requires = "output")]
    pub(crate) dev: Option<PathBuf>,
    /// Where the calibration goes, instead of where record looks for it:
    /// /var/lib/energy-prof/calibration.json for root, else
    /// ~/.local/state/energy-prof/calibration.json
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

fn idle_time(text: &str) -> Result<Nanoseconds, String> {
    at_least(SHORTEST_IDLE, text)
}

fn step_time(text: &str) -> Result<Nanoseconds, String> {
    at_least(SHORTEST_STEP, text)
}

fn at_least(shortest: Nanoseconds, text: &str) -> Result<Nanoseconds, String> {
    match time(text)? {
        length if length >= shortest => Ok(length),
        _ => Err(format!("it must be {} s at least", shortest.seconds())),
    }
}
