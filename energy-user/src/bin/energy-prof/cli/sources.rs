//! Choosing where energy comes from, and asking what there is.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory};
use energy_prof::sources::SourceChoice;

use super::Arguments;

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Look at this source only, as record --source would use it
    #[arg(long, value_name = "SOURCE", default_value = "auto", value_parser = by_name())]
    pub(crate) source: SourceChoice,
    /// Read the counters of single cores, too (AMD): what a core drew goes to what ran on it. Every reading wakes
    /// every core, so that less idle power is saved
    #[arg(long, conflicts_with = "powercap_root")]
    pub(crate) core_counters: bool,
    /// Look for powercap zones here instead of /sys/class/powercap
    #[arg(long, value_name = "DIR")]
    pub(crate) powercap_root: Option<PathBuf>,
    /// Ask this library for NVIDIA's graphics cards instead of libnvidia-ml.so.1
    #[arg(long, value_name = "PATH")]
    pub(crate) nvml_library: Option<PathBuf>,
    /// Look for energy sources here instead of /sys
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) sysfs: Option<PathBuf>,
    /// Look for devices here instead of /dev
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) dev: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The names of the sources, which completions and complaints list.
pub(super) fn by_name() -> impl TypedValueParser<Value = SourceChoice> {
    let names = PossibleValuesParser::new(SourceChoice::ALL.map(SourceChoice::name));
    names.try_map(|name| name.parse::<SourceChoice>())
}

/// Refuses a place of powercap zones for a source that reads none. The model overrides it.
pub(super) fn check_root(source: SourceChoice, root: Option<&Path>) -> Result<(), clap::Error> {
    let reads_zones =
        matches!(source, SourceChoice::Auto | SourceChoice::RaplPowercap | SourceChoice::Model);
    if root.is_none() || reads_zones {
        return Ok(());
    }
    let complaint = format!(
        "--source {} reads no powercap zones: leave --powercap-root out, or take --source rapl-powercap",
        source.name()
    );
    Err(Arguments::command().error(ErrorKind::ArgumentConflict, complaint))
}

/// Refuses counters of single cores beside a source that has nothing to do with processors' counters, for which they
/// would be a total of their own.
pub(super) fn check_cores(source: SourceChoice, core_counters: bool) -> Result<(), clap::Error> {
    let measures_packages = matches!(
        source,
        SourceChoice::Auto
            | SourceChoice::RaplPerf
            | SourceChoice::RaplPowercap
            | SourceChoice::RaplMsr
    );
    if !core_counters || measures_packages {
        return Ok(());
    }
    let complaint = format!(
        "--core-counters tell parts of packages, which --source {} does not measure: leave one of them out",
        source.name()
    );
    Err(Arguments::command().error(ErrorKind::ArgumentConflict, complaint))
}

/// Refuses a library of graphics cards for a source that reads none. The model overrides it.
pub(super) fn check_library(
    source: SourceChoice,
    library: Option<&Path>,
) -> Result<(), clap::Error> {
    let reads_cards =
        matches!(source, SourceChoice::Auto | SourceChoice::Nvml | SourceChoice::Model);
    if library.is_none() || reads_cards {
        return Ok(());
    }
    let complaint = format!(
        "--source {} reads no graphics cards of NVIDIA's: leave --nvml-library out, or take --source nvml",
        source.name()
    );
    Err(Arguments::command().error(ErrorKind::ArgumentConflict, complaint))
}
