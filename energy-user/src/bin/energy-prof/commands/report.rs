//! `energy-prof report`: who used how many joules, from a trace. Needs no root and no kernel.

use std::io::stdout;
use std::path::Path;

use energy_prof::analyze::{
    AnalyzeError, AnalyzeOptions, CallTreeOptions, analyze, profile_and_call_tree,
};
use energy_prof::attribution::ModelKind;
use energy_prof::profile::{CallTree, GroupBy, Profile, ThreadFilter};
use energy_prof::report::{
    CodeSubject, ModelComparison, ReportOptions, code_json, code_text, function_json,
    function_text, json, text,
};
use energy_prof::trace::{TraceError, TraceReader};

use crate::cli::{Color, ReportArguments, ReportBy};
use crate::exit::Status;
use crate::terminal;

pub(crate) fn run(arguments: &ReportArguments, color: Color) -> anyhow::Result<Status> {
    let choices = arguments.rows.choices();
    let options = ReportOptions {
        by: match arguments.by {
            ReportBy::Threads(by) => by,
            ReportBy::Code(_) => GroupBy::default(),
        },
        sort: arguments.rows.sort,
        top: arguments.rows.top(),
        all: arguments.rows.all,
        equivalents: false,
        color: terminal::colours(color, &stdout()),
        width: terminal::width(),
    };
    let report = match (&arguments.function, arguments.by) {
        (Some(name), _) => {
            let code = Code::of(arguments, &choices)?;
            let around = code.tree.neighbourhood(name)?;
            let render = if arguments.json { function_json } else { function_text };
            render(&code.subject(), &around, &options)
        }
        (None, ReportBy::Code(unit)) => {
            let code = Code::of(arguments, &choices)?;
            let render = if arguments.json { code_json } else { code_text };
            render(&code.subject(), unit, &options)
        }
        (None, ReportBy::Threads(_)) if arguments.compare_models => {
            compared(arguments, &choices, &options)?
        }
        (None, ReportBy::Threads(_)) => {
            let profile = profile_of(&arguments.trace, &choices)?;
            let render = if arguments.json { json } else { text };
            render(&profile, &options, &terminal::user_name)
        }
    };
    terminal::print(&report)?;
    Ok(Status::SUCCESS)
}

/// The trace divided by time share and by another model, side by side.
fn compared(
    arguments: &ReportArguments,
    choices: &AnalyzeOptions,
    options: &ReportOptions,
) -> anyhow::Result<String> {
    let model = match choices.model {
        ModelKind::Time => ModelKind::Regress,
        other => other,
    };
    let by = |model| profile_of(&arguments.trace, &AnalyzeOptions { model, ..choices.clone() });
    let (time, other) = (by(ModelKind::Time)?, by(model)?);
    let comparison = ModelComparison { time: &time, other: &other };
    Ok(if arguments.json {
        comparison.json(options, &terminal::user_name)
    } else {
        comparison.text(options, &terminal::user_name)
    })
}

/// What a report on code is made from.
struct Code {
    profile: Profile,
    tree: CallTree,
    filter: ThreadFilter,
}

impl Code {
    fn of(arguments: &ReportArguments, choices: &AnalyzeOptions) -> anyhow::Result<Self> {
        let filter = arguments.rows.filter();
        let of = CallTreeOptions { filter, ..CallTreeOptions::default() };
        let trace = TraceReader::open(&arguments.trace)?;
        let (profile, tree) =
            profile_and_call_tree(&trace, choices, &of).map_err(unwrap_trace_error)?;
        Ok(Self { profile, tree, filter: of.filter })
    }

    fn subject(&self) -> CodeSubject<'_> {
        CodeSubject { profile: &self.profile, tree: &self.tree, filter: &self.filter }
    }
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
