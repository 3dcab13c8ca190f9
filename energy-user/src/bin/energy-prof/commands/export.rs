//! `energy-prof export`: a trace in another tool's format.

use std::io::{IsTerminal, stdout};
use std::path::Path;

use anyhow::{Context, anyhow};
use energy_prof::export::{Exporter, Format, HuggingFace};

use super::document;
use super::intensities::site_by_mean;
use super::profiled::{Profiled, StacksAre, choices};
use crate::cli::ExportArguments;
use crate::exit::Status;
use crate::terminal;

pub(crate) fn run(arguments: &ExportArguments) -> anyhow::Result<Status> {
    let output = arguments.output.as_deref().unwrap_or(Path::new("-"));
    let Some(format) = arguments.format.or_else(|| Format::of_path(output)) else {
        let names = Format::ALL.map(Format::name).join(", ");
        let name = output.display();
        return Ok(refuse(&anyhow!(
            "{name} names no format by its ending: give --format, one of {names}"
        )));
    };
    let to_stdout = output.as_os_str() == "-";
    if to_stdout && !format.is_text() && stdout().is_terminal() {
        return Ok(refuse(&anyhow!(
            "{format} is not for a terminal: give -o FILE, or redirect it"
        )));
    }
    let units = arguments.units.functional_units();
    if units.is_some() && !format.has_score() {
        let with_score = Format::ALL.into_iter().filter(|format| format.has_score());
        let names: Vec<&str> = with_score.map(Format::name).collect();
        return Ok(refuse(&anyhow!(
            "{format} has no score per unit: leave --units out, or choose one of {}",
            names.join(", ")
        )));
    }
    let stacks = if format.needs_stacks() { StacksAre::Needed } else { StacksAre::Welcome };
    let profiled = Profiled::read_whole(&arguments.trace, &arguments.part, stacks)?;
    let site = site_by_mean(
        &arguments.trace,
        &choices(&arguments.part),
        &profiled.profile,
        &arguments.place,
        &arguments.series,
    )?;
    let exporter = exporter(format, output)?;
    document::write_to(output, |out| {
        Ok(exporter.write(&profiled.subject(&site, units.as_ref()), out)?)
    })?;
    if !to_stdout {
        eprintln!("wrote {}: {}", output.display(), format.opens_with());
    }
    Ok(Status::SUCCESS)
}

/// What writes the format; a model card that is there is not replaced but added to.
fn exporter(format: Format, output: &Path) -> anyhow::Result<Box<dyn Exporter>> {
    if format != Format::HuggingFace || !output.is_file() {
        return Ok(format.exporter());
    }
    let card = std::fs::read_to_string(output)
        .with_context(|| format!("cannot read the model card {}", output.display()))?;
    Ok(Box::new(HuggingFace::into_card(card)))
}

/// Wrong usage that only the command can see.
fn refuse(why: &anyhow::Error) -> Status {
    terminal::complain(why);
    Status::USAGE
}
