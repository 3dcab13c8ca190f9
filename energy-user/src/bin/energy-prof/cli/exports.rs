//! The arguments of `flamegraph`, `export` and `diff`.

use std::path::PathBuf;

use clap::Args;
use energy_prof::export::{Format, Unit};
use energy_prof::units::Nanoseconds;

use super::report::report_by;
use super::{
    DivideArguments, PlaceArguments, ReportBy, SeriesArguments, ThreadArguments, UnitArguments,
    one_of, time,
};

/// Which part of a trace, and whose stacks.
#[derive(Debug, Args)]
pub(crate) struct PartArguments {
    #[command(flatten)]
    pub(crate) threads: ThreadArguments,
    /// Every process, not only the targets
    #[arg(long, help_heading = "Part")]
    pub(crate) all: bool,
    /// Keep the threads of a process apart
    #[arg(long, help_heading = "Part")]
    pub(crate) by_thread: bool,
    /// Put processes below their container, unit or cgroup
    #[arg(long, conflicts_with = "by_thread", help_heading = "Part")]
    pub(crate) by_cgroup: bool,
    /// Only windows that begin at or after this time since the start, e.g. 1.5s
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Part")]
    pub(crate) from: Option<Nanoseconds>,
    /// Only windows that begin before this time since the start
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Part")]
    pub(crate) to: Option<Nanoseconds>,
    #[command(flatten)]
    pub(crate) divide: DivideArguments,
}

#[derive(Debug, Args)]
pub(crate) struct FlamegraphArguments {
    /// The trace
    #[arg(default_value = "energy.trace")]
    pub(crate) trace: PathBuf,
    /// The picture; - is stdout
    #[arg(short, long, value_name = "FILE.svg", default_value = "flamegraph.svg")]
    pub(crate) output: PathBuf,
    /// What frames say first: joules, watts, or gco2e, which needs a place
    #[arg(long, default_value = "joules", value_parser = one_of::<Unit>)]
    pub(crate) unit: Unit,
    /// With the root on top: icicles
    #[arg(long)]
    pub(crate) inverted: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    #[command(flatten)]
    pub(crate) series: SeriesArguments,
    #[command(flatten)]
    pub(crate) part: PartArguments,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").args(["format", "output"]).multiple(true).required(true))]
pub(crate) struct ExportArguments {
    /// The trace
    #[arg(default_value = "energy.trace")]
    pub(crate) trace: PathBuf,
    /// pprof, firefox, speedscope, folded, flamegraph, html, csv, codecarbon, huggingface, markdown or latex; else by
    /// the file's name
    #[arg(short, long, value_parser = one_of::<Format>)]
    pub(crate) format: Option<Format>,
    /// Where it goes, e.g. energy.pb.gz; otherwise, and for -, stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    #[command(flatten)]
    pub(crate) series: SeriesArguments,
    #[command(flatten)]
    pub(crate) units: UnitArguments,
    #[command(flatten)]
    pub(crate) part: PartArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The trace before
    pub(crate) before: PathBuf,
    /// The trace after
    pub(crate) after: PathBuf,
    /// What a row stands for: function or line, or as in report: process, exec, cgroup, unit, user …
    #[arg(long, default_value = "function", value_parser = report_by)]
    pub(crate) by: ReportBy,
    /// Show this many rows; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) top: usize,
    /// Draw a flame graph of the second trace, coloured by what changed; - is stdout
    #[arg(short, long, value_name = "FILE.svg")]
    pub(crate) output: Option<PathBuf>,
    /// With the root on top: icicles
    #[arg(long, requires = "output")]
    pub(crate) inverted: bool,
    #[command(flatten)]
    pub(crate) part: PartArguments,
}
