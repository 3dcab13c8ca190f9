//! What each command does: from its arguments to calls of the library, and its output.

mod attribute;
mod calibrate;
mod diff;
mod doctor;
mod document;
mod elsewhere;
mod emissions;
mod estimate;
mod export;
mod flamegraph;
mod import;
mod intensities;
mod manual;
mod profiled;
mod record;
mod report;
mod simulate;
mod site;
mod stat;
mod symbolize;

use crate::cli::{Arguments, Command};
use crate::exit::Status;
use crate::terminal;

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Status> {
    let color = arguments.color;
    match arguments.command {
        Command::Record(arguments) => record::run(&arguments, color),
        Command::Report(arguments) => report::run(&arguments, color),
        Command::Flamegraph(arguments) => flamegraph::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Emissions(arguments) => emissions::run(&arguments, color),
        Command::Estimate(arguments) => estimate::run(&arguments),
        Command::Import(arguments) => import::run(&arguments, color),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Symbolize(arguments) => symbolize::run(&arguments),
        Command::Attribute(arguments) => attribute::run(&arguments),
        Command::Stat(arguments) => stat::run(&arguments),
        Command::Calibrate(arguments) => calibrate::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments, color),
        Command::Completions { shell } => {
            terminal::print(&String::from_utf8_lossy(&crate::cli::completions(shell)))?;
            Ok(Status::SUCCESS)
        }
        Command::Man { directory } => manual::run(directory.as_deref()),
        Command::SimulatePowercap(arguments) => simulate::run(&arguments),
    }
}
