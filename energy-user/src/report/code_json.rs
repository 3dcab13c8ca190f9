//! The report on code as JSON: by function or line, and around one function. What it promises is what
//! the report by process does: docs/report-json.md.

use serde::Serialize;

use super::json::{Error, Head, fraction, pretty, watts};
use super::{CodeSubject, ReportOptions};
use crate::model::{Ledger, Provenance};
use crate::profile::{
    CodeRow, CodeUnit, CodeViewOptions, CodeViewRow, CutShort, Figures, FunctionFrame,
    Neighbourhood, Profile, RowKind, ThreadFilter,
};
use crate::units::{Microjoules, Nanoseconds, Share};

/// The report by function or by line as JSON, ending in a line break.
pub fn code_json(subject: &CodeSubject<'_>, unit: CodeUnit, options: &ReportOptions) -> String {
    let CodeSubject { profile, tree, filter } = *subject;
    let view = profile.code_view(
        tree,
        filter,
        CodeViewOptions { unit, sort: options.sort, top: options.top },
    );
    pretty(&Report {
        head: Head::of(profile, &profile.view(&options.view(), &|_| None)),
        by: unit.name(),
        stacks: Stacks::of(subject),
        rows: view.rows.iter().map(|row| Row::of(row, profile, &view.total)).collect(),
    })
}

/// The report on one function as JSON, ending in a line break. All its neighbours are there.
pub fn function_json(
    subject: &CodeSubject<'_>,
    around: &Neighbourhood,
    options: &ReportOptions,
) -> String {
    let CodeSubject { profile, .. } = *subject;
    let CodeRow { frame, own, total } = &around.function;
    let measured = profile.total().measured;
    pretty(&FunctionReport {
        head: Head::of(profile, &profile.view(&options.view(), &|_| None)),
        stacks: Stacks::of(subject),
        function: Function {
            code: Code::of(frame),
            own: Part::of(own, profile, measured),
            total: Part::of(total, profile, measured),
        },
        callers: Neighbour::all(&around.callers, "outermost", total, profile),
        callees: Neighbour::all(&around.callees, "self", total, profile),
    })
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    by: &'static str,
    stacks: Stacks<'a>,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct FunctionReport<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    stacks: Stacks<'a>,
    function: Function<'a>,
    callers: Vec<Neighbour<'a>>,
    callees: Vec<Neighbour<'a>>,
}

/// What is known about the samples, and whose they are.
#[derive(Serialize)]
struct Stacks<'a> {
    samples: u64,
    threads: usize,
    energy_uj: Microjoules,
    unsampled_uj: Microjoules,
    /// Of graphics cards, where there is any: no sample tells where.
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu_uj: Option<Microjoules>,
    frameless_uj: Microjoules,
    /// By program: what lies at stacks of programs, and what of it at stacks without all callers.
    cut_short: Vec<CutShortJson>,
    filter: Filter<'a>,
}

#[derive(Serialize)]
struct CutShortJson {
    name: String,
    energy_uj: Microjoules,
    cut_short_uj: Microjoules,
}

#[derive(Serialize)]
struct Filter<'a> {
    pids: &'a [u32],
    tids: &'a [u32],
    comms: &'a [String],
}

impl<'a> Stacks<'a> {
    fn of(subject: &CodeSubject<'a>) -> Self {
        let CodeSubject { tree, filter, .. } = *subject;
        let (samples, threads) = tree.samples();
        let ThreadFilter { pids, tids, comms, .. } = filter;
        Self {
            samples,
            threads,
            energy_uj: tree.energy(),
            unsampled_uj: tree.unsampled(),
            gpu_uj: Some(tree.on_cards()).filter(|energy| *energy > Microjoules::ZERO),
            frameless_uj: tree.frameless,
            cut_short: tree
                .cut_short()
                .into_iter()
                .map(|CutShort { name, energy, cut }| CutShortJson {
                    name,
                    energy_uj: energy,
                    cut_short_uj: cut,
                })
                .collect(),
            filter: Filter { pids, tids, comms },
        }
    }
}

/// A place in code.
#[derive(Serialize)]
struct Code<'a> {
    name: &'a str,
    frame: &'static str,
    module: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
}

impl<'a> Code<'a> {
    fn of(frame: &'a FunctionFrame) -> Self {
        Self {
            name: &frame.name,
            frame: frame.kind.name(),
            module: frame.module.as_deref(),
            file: frame.file.as_deref(),
            line: frame.line,
        }
    }
}

#[derive(Serialize)]
struct Row<'a> {
    kind: &'static str,
    name: &'a str,
    frame: Option<&'static str>,
    module: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    energy_uj: Option<Microjoules>,
    #[serde(flatten)]
    error: Error,
    total_energy_uj: Option<Microjoules>,
    total_error_95_joules: Option<f64>,
    mean_watts: Option<f64>,
    share: Option<f64>,
    cpu_seconds: Option<f64>,
    samples: Option<u64>,
    provenance: Option<Provenance>,
}

impl<'a> Row<'a> {
    fn of(row: &'a CodeViewRow, profile: &Profile, total: &Ledger) -> Self {
        let energy = profile.knows(row.kind).then_some(row.own);
        let with_callees = row.total.filter(|_| energy.is_some());
        let frame = row.frame.as_ref();
        Self {
            kind: row.kind.name(),
            name: &row.name,
            frame: frame.map(|frame| frame.kind.name()),
            module: frame.and_then(|frame| frame.module.as_deref()),
            file: frame.and_then(|frame| frame.file.as_deref()),
            line: frame.and_then(|frame| frame.line),
            energy_uj: energy,
            error: Error::of(row.own_error.filter(|_| energy.is_some())),
            total_energy_uj: with_callees.map(|(energy, _)| energy),
            total_error_95_joules: with_callees.map(|(_, error)| error.half_width_95().get()),
            mean_watts: watts(energy, profile.span.duration),
            share: fraction(row.share(total).filter(|_| energy.is_some())),
            cpu_seconds: row.oncpu.map(Nanoseconds::seconds),
            samples: row.samples,
            provenance: profile.provenance().map(Provenance::divided),
        }
    }
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(flatten)]
    code: Code<'a>,
    #[serde(rename = "self")]
    own: Part,
    total: Part,
}

#[derive(Serialize)]
struct Neighbour<'a> {
    kind: &'static str,
    #[serde(flatten)]
    code: Option<Code<'a>>,
    #[serde(flatten)]
    part: Part,
}

impl<'a> Neighbour<'a> {
    /// The callers or callees of a function that comes to `total`; `none` is what it is called where
    /// there is none.
    fn all(
        neighbours: &'a [(Option<FunctionFrame>, Figures)],
        none: &'static str,
        total: &Figures,
        profile: &Profile,
    ) -> Vec<Self> {
        let neighbour = |(frame, figures): &'a (Option<FunctionFrame>, Figures)| Self {
            kind: frame.as_ref().map_or(none, |_| RowKind::Code.name()),
            code: frame.as_ref().map(Code::of),
            part: Part::of(figures, profile, total.energy),
        };
        neighbours.iter().map(neighbour).collect()
    }
}

/// Energy as a share of some whole.
#[derive(Serialize)]
struct Part {
    energy_uj: Option<Microjoules>,
    #[serde(flatten)]
    error: Error,
    mean_watts: Option<f64>,
    share: Option<f64>,
    cpu_seconds: f64,
    samples: u64,
    provenance: Option<Provenance>,
}

impl Part {
    fn of(figures: &Figures, profile: &Profile, whole: Microjoules) -> Self {
        let provenance = profile.provenance();
        let energy = provenance.map(|_| figures.energy);
        Self {
            energy_uj: energy,
            error: Error::of(provenance.map(|_| figures.error)),
            mean_watts: watts(energy, profile.span.duration),
            share: fraction(energy.and_then(|energy| Share::of(energy.get(), whole.get()))),
            cpu_seconds: figures.oncpu.seconds(),
            samples: figures.samples,
            provenance: provenance.map(Provenance::divided),
        }
    }
}
