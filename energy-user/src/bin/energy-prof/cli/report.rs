//! The arguments of `report` and `attribute`, and those that every reading of a trace shares.

use std::path::PathBuf;

use clap::Args;
use energy_prof::analyze::AnalyzeOptions;
use energy_prof::attribution::{IdlePolicy, ModelKind, SmtFactor};
use energy_prof::model::DomainId;
use energy_prof::profile::{CodeUnit, GroupBy, Scope, SortBy, ThreadFilter};
use energy_prof::units::{Nanoseconds, Watts};

use super::{one_of, plain_watts, process_id, time};

/// How the energy of a trace is divided.
#[derive(Debug, Args)]
pub(crate) struct DivideArguments {
    /// How active energy is divided: time, by on-CPU time; regress, by on-CPU time and what a CPU second of
    /// each program draws, found from the trace
    #[arg(long, default_value = "time", value_parser = one_of::<ModelKind>, help_heading = "Attribution")]
    pub(crate) model: ModelKind,
    /// What a CPU second beside a busy sibling of the same core (SMT) draws, as part of one that has its core
    /// alone: 0.5 to 1; 0.575 where both together draw 15 % more than one. `calibrate` measures it; left out,
    /// `regress` finds one in the trace
    #[arg(long, value_name = "FACTOR", value_parser = one_of::<SmtFactor>, help_heading = "Attribution")]
    pub(crate) smt: Option<SmtFactor>,
    /// What becomes of idle energy: separate keeps it in a row of its own; proportional charges it to what
    /// ran, as active energy is; equal to the processes that ran, to each the same
    #[arg(long, default_value = "separate", value_parser = one_of::<IdlePolicy>, help_heading = "Attribution")]
    pub(crate) idle: IdlePolicy,
    /// Power of an idle domain, e.g. package-0=12.5; otherwise looked for in the trace
    #[arg(long, value_name = "DOMAIN=WATTS,…", value_delimiter = ',', value_parser = idle_watts, help_heading = "Attribution")]
    pub(crate) idle_watts: Vec<(DomainId, Watts)>,
}

impl DivideArguments {
    /// Of all of a trace.
    pub(crate) fn choices(&self) -> AnalyzeOptions {
        AnalyzeOptions {
            model: self.model,
            idle: self.idle,
            smt: self.smt,
            given: self.idle_watts.iter().copied().collect(),
            from: None,
            to: None,
        }
    }
}

/// Which rows of what part of a trace, and how its energy is divided.
#[derive(Debug, Args)]
pub(crate) struct RowsArguments {
    /// Order of the rows: joules (of functions, their own), total, watts, cpu or name
    #[arg(long, default_value = "joules", value_parser = one_of::<SortBy>)]
    pub(crate) sort: SortBy,
    /// Show this many rows; the rest become one; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// Show every process, not only the targets
    #[arg(long)]
    pub(crate) all: bool,
    /// Only windows that begin at or after this time since the start, e.g. 1.5s
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Nanoseconds>,
    /// Only windows that begin before this time since the start
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Nanoseconds>,
    #[command(flatten)]
    pub(crate) threads: ThreadArguments,
    #[command(flatten)]
    pub(crate) divide: DivideArguments,
}

impl RowsArguments {
    pub(crate) fn choices(&self) -> AnalyzeOptions {
        AnalyzeOptions { from: self.from, to: self.to, ..self.divide.choices() }
    }

    /// How many rows; `None` where all are.
    pub(crate) fn top(&self) -> Option<usize> {
        (self.top > 0).then_some(self.top)
    }

    pub(crate) fn filter(&self) -> ThreadFilter {
        self.threads.filter(self.all)
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
    #[command(flatten)]
    pub(crate) rows: RowsArguments,
    /// Show what each row comes to by the model time, by the chosen model (or else regress), and the
    /// difference
    #[arg(long, conflicts_with = "function")]
    pub(crate) compare_models: bool,
    /// Write JSON (schema in docs/report-json.md)
    #[arg(long)]
    pub(crate) json: bool,
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
    pub(crate) fn filter(&self, all: bool) -> ThreadFilter {
        ThreadFilter {
            pids: self.pid.clone(),
            tids: self.tid.clone(),
            comms: self.comm.clone(),
            scope: if all { Scope::All } else { Scope::Targets },
        }
    }

    pub(super) fn is_given(&self) -> bool {
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

pub(super) fn report_by(text: &str) -> Result<ReportBy, String> {
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
