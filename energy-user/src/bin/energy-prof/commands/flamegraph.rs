//! `energy-prof flamegraph`: the functions of a trace as a picture.

use energy_prof::export::{Direction, Exporter, Flamegraph};
use energy_prof::report::missing_callers;

use super::document;
use super::intensities::site_by_mean;
use super::profiled::{Profiled, StacksAre, choices};
use crate::cli::FlamegraphArguments;
use crate::exit::Status;

pub(crate) fn run(arguments: &FlamegraphArguments) -> anyhow::Result<Status> {
    let profiled = Profiled::read(&arguments.trace, &arguments.part, StacksAre::Needed)?;
    let site = site_by_mean(
        &arguments.trace,
        &choices(&arguments.part),
        &profiled.profile,
        &arguments.place,
        &arguments.series,
    )?;
    let flamegraph = Flamegraph {
        unit: arguments.unit,
        intensity: site.intensity_of_it(),
        direction: direction(arguments.inverted),
    };
    document::write_to(&arguments.output, |out| {
        Ok(flamegraph.write(&profiled.subject(&site, None), out)?)
    })?;
    if let Some(sentence) = missing_callers(&profiled.tree, &profiled.profile.facts) {
        eprintln!("energy-prof: {sentence}");
    }
    eprintln!("wrote {}: open it in a browser", arguments.output.display());
    Ok(Status::SUCCESS)
}

pub(super) const fn direction(inverted: bool) -> Direction {
    if inverted { Direction::Downward } else { Direction::Upward }
}
