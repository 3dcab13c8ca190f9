//! `energy-prof report`: who used how many joules, from a trace. Needs no root and no kernel.

use std::io::stdout;
use std::path::Path;

use energy_prof::analyze::{AnalyzeError, AnalyzeOptions, analyze};
use energy_prof::profile::Profile;
use energy_prof::report::{ReportOptions, json, text};
use energy_prof::trace::{TraceError, TraceReader};

use crate::cli::{Color, ReportArguments};
use crate::exit::Status;
use crate::terminal;

pub(crate) fn run(arguments: &ReportArguments, color: Color) -> anyhow::Result<Status> {
    let choices = AnalyzeOptions {
        model: arguments.divide.model,
        idle: arguments.divide.idle,
        given: arguments.divide.given(),
        from: arguments.from,
        to: arguments.to,
    };
    let profile = profile_of(&arguments.trace, &choices)?;
    let options = ReportOptions {
        by: arguments.by,
        sort: arguments.sort,
        top: (arguments.top > 0).then_some(arguments.top),
        all: arguments.all,
        color: terminal::colours(color, &stdout()),
        width: terminal::width(),
    };
    let render = if arguments.json { json } else { text };
    terminal::print(&render(&profile, &options, &terminal::user_name))?;
    Ok(Status::SUCCESS)
}

/// The profile of the trace at `path`.
pub(crate) fn profile_of(path: &Path, choices: &AnalyzeOptions) -> anyhow::Result<Profile> {
    let trace = TraceReader::open(path)?;
    // The trace's own error says more than that it could not be analysed, and has its own code.
    analyze(&trace, choices).map_err(unwrap_trace_error)
}

/// The trace's error inside an analysis's, where there is one.
pub(crate) fn unwrap_trace_error(error: AnalyzeError) -> anyhow::Error {
    match error {
        AnalyzeError::Recording(inner) => match inner.downcast::<TraceError>() {
            Ok(error) => (*error).into(),
            Err(other) => anyhow::Error::from_boxed(other),
        },
        other => other.into(),
    }
}
