//! The report as JSON, for programs. The field names are a promise: docs/report-json.md lists them.
//! Within a schema version fields are only added. Energy is in whole microjoules (`_uj`), so that the
//! sums close for the reader too; what is not known is `null`, never 0.

use std::collections::BTreeMap;

use serde::Serialize;

use super::regression_json::Regression;
use super::{ReportOptions, scale};
use crate::attribution::{Baseline, SmtFactor};
use crate::model::{DomainId, Ledger, Losses, Provenance};
use crate::profile::{
    DomainAccount, Facts, Profile, Row, RowKind, StandardError, Targets, UserNames, View,
};
use crate::units::{Microjoules, Nanoseconds, Share, Watts};

/// The version of the fields. It rises when one is renamed, removed or given another meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// The report as JSON, ending in a line break; `users` names users by number.
pub fn json(profile: &Profile, options: &ReportOptions, users: &UserNames<'_>) -> String {
    let view = profile.view(&options.view(), users);
    pretty(&Report {
        head: Head::of(profile, &view),
        by: options.by.name(),
        rows: view.rows.iter().map(|row| GroupRow::of(row, profile, &view.total)).collect(),
    })
}

/// A report as text, ending in a line break.
pub(super) fn pretty(report: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(report)
        .expect("structs with text keys and finite numbers become JSON");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    by: &'static str,
    rows: Vec<GroupRow<'a>>,
}

/// What every report begins with.
#[derive(Serialize)]
pub(super) struct Head<'a> {
    schema_version: u32,
    recording: Recording<'a>,
    span: Span,
    method: Method,
    total: Total,
    targets: Option<TargetsTotal>,
    domains: Vec<Domain<'a>>,
}

impl<'a> Head<'a> {
    pub(super) fn of(profile: &'a Profile, view: &View) -> Self {
        let provenance = profile.provenance();
        Self {
            schema_version: SCHEMA_VERSION,
            recording: Recording::of(&profile.facts),
            span: Span::of(profile),
            method: Method {
                model: profile.method.model.name(),
                rule: profile.method.model.rule(),
                smt_factor: profile.method.smt.map(SmtFactor::get),
                idle_policy: profile.method.idle.name(),
                idle_rule: profile.method.idle.rule(),
                shared_idle_uj: provenance.map(|_| profile.shared_idle()),
            },
            total: Total {
                provenance,
                ledger: Sum::of(&view.total, provenance),
                mean_watts: watts(provenance.map(|_| view.total.measured), profile.span.duration),
                error: Error::of(provenance.map(|_| profile.total_error())),
                domain_windows_without_energy: profile.gaps(),
            },
            targets: view.targets.map(|(energy, error)| TargetsTotal {
                energy_uj: energy,
                error: Error::of(Some(error)),
                share: fraction(Share::of(energy.get(), view.total.measured.get())),
            }),
            domains: profile.domains.iter().map(|(id, account)| Domain::of(*id, account)).collect(),
        }
    }
}

#[derive(Serialize)]
struct Recording<'a> {
    tool: &'a str,
    hostname: &'a str,
    kernel: &'a str,
    cpu_model: &'a str,
    cpus: u32,
    virtualisation: Option<&'a str>,
    window_ns: Nanoseconds,
    sources: Vec<Source<'a>>,
    target: Target<'a>,
    recorder_pid: u32,
    complete: bool,
    ending: &'a str,
    exit_code: Option<i32>,
    losses: Losses,
    findings: &'a [String],
    bpf_runs: Option<u64>,
    bpf_run_time_ns: Option<Nanoseconds>,
    imported: Option<ImportedLog<'a>>,
}

impl<'a> Recording<'a> {
    fn of(facts: &'a Facts) -> Self {
        let source = |source: &'a crate::profile::SourceFacts| Source {
            name: &source.name,
            provenance: source.provenance,
            note: source.note.as_deref(),
        };
        Self {
            tool: &facts.tool,
            hostname: &facts.hostname,
            kernel: &facts.kernel,
            cpu_model: &facts.cpu_model,
            cpus: facts.cpus,
            virtualisation: facts.virtualisation.as_deref(),
            window_ns: facts.window,
            sources: facts.sources.iter().map(source).collect(),
            target: match &facts.targets {
                Targets::All => Target::All,
                Targets::Pids(pids) => Target::Pids { pids },
                Targets::Command { argv, pid } => Target::Command { argv, pid: *pid },
            },
            recorder_pid: facts.recorder_tgid,
            complete: facts.complete,
            ending: &facts.ending,
            exit_code: facts.exit_code,
            losses: facts.losses,
            findings: &facts.findings,
            bpf_runs: facts.bpf.map(|bpf| bpf.runs),
            bpf_run_time_ns: facts.bpf.map(|bpf| bpf.run_time),
            imported: facts.imported.as_ref().map(|log| ImportedLog {
                format: &log.format,
                tool: &log.tool,
                file: &log.file,
                note: log.why_nothing_is_divided(),
            }),
        }
    }
}

#[derive(Serialize)]
struct Source<'a> {
    name: &'a str,
    provenance: Provenance,
    note: Option<&'a str>,
}

#[derive(Serialize)]
struct ImportedLog<'a> {
    format: &'a str,
    tool: &'a str,
    file: &'a str,
    note: String,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Target<'a> {
    All,
    Pids { pids: &'a [u32] },
    Command { argv: &'a [String], pid: u32 },
}

#[derive(Serialize)]
struct Span {
    windows: u64,
    recorded_windows: u64,
    windows_without_residency: u64,
    start_utc: Option<String>,
    start_utc_ns: i64,
    from_seconds: f64,
    to_seconds: f64,
    duration_seconds: f64,
}

impl Span {
    fn of(profile: &Profile) -> Self {
        let span = &profile.span;
        Self {
            windows: span.windows,
            recorded_windows: span.recorded_windows,
            windows_without_residency: span.windows_without_residency,
            start_utc: scale::rfc3339(span.start_utc),
            start_utc_ns: span.start_utc.epoch_nanos(),
            from_seconds: span.from.seconds(),
            to_seconds: span.to.seconds(),
            duration_seconds: span.duration.seconds(),
        }
    }
}

#[derive(Serialize)]
struct Method {
    model: &'static str,
    rule: &'static str,
    /// What a CPU second beside a busy sibling counts as; `null` where as much as any other.
    smt_factor: Option<f64>,
    idle_policy: &'static str,
    idle_rule: &'static str,
    /// What of the attributed and unattributed energy is idle energy that the policy shares.
    shared_idle_uj: Option<Microjoules>,
}

/// A ledger; `measured_uj = attributed_uj + idle_uj + unattributed_uj`.
#[derive(Serialize)]
struct Sum {
    measured_uj: Option<Microjoules>,
    attributed_uj: Option<Microjoules>,
    idle_uj: Option<Microjoules>,
    unattributed_uj: Option<Microjoules>,
    coverage: Option<f64>,
}

impl Sum {
    /// Nothing of a ledger that adds up no known energy.
    fn of(ledger: &Ledger, provenance: Option<Provenance>) -> Self {
        let ledger = provenance.map(|_| ledger);
        Self {
            measured_uj: ledger.map(|ledger| ledger.measured),
            attributed_uj: ledger.map(|ledger| ledger.attributed),
            idle_uj: ledger.map(|ledger| ledger.idle),
            unattributed_uj: ledger.map(|ledger| ledger.unattributed),
            coverage: fraction(ledger.and_then(Ledger::coverage)),
        }
    }
}

/// An error, as one standard deviation and as half the width of the 95 % interval.
#[derive(Serialize)]
pub(super) struct Error {
    standard_error_joules: Option<f64>,
    error_95_joules: Option<f64>,
}

impl Error {
    pub(super) fn of(error: Option<StandardError>) -> Self {
        Self {
            standard_error_joules: error.map(|error| error.deviation().get()),
            error_95_joules: error.map(|error| error.half_width_95().get()),
        }
    }
}

#[derive(Serialize)]
struct Total {
    provenance: Option<Provenance>,
    #[serde(flatten)]
    ledger: Sum,
    #[serde(flatten)]
    error: Error,
    mean_watts: Option<f64>,
    domain_windows_without_energy: u64,
}

#[derive(Serialize)]
struct TargetsTotal {
    energy_uj: Microjoules,
    #[serde(flatten)]
    error: Error,
    share: Option<f64>,
}

#[derive(Serialize)]
struct Domain<'a> {
    name: String,
    covers: crate::model::Domain,
    socket: Option<u16>,
    die: Option<u16>,
    core: Option<u16>,
    in_total: bool,
    source: &'a str,
    provenance: Option<Provenance>,
    #[serde(flatten)]
    ledger: Sum,
    #[serde(flatten)]
    error: Error,
    mean_watts: Option<f64>,
    known_seconds: f64,
    windows_without_energy: u64,
    windows_by_core: u64,
    idle_baseline: IdleBaseline,
    /// What the model `regress` found.
    #[serde(skip_serializing_if = "Option::is_none")]
    regression: Option<Regression<'a>>,
    /// Of a graphics card, why its unattributed energy is nobody's; they add up to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    unattributed_because: Option<Because>,
}

/// Why energy of a graphics card is nobody's.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the unit is in the name of every figure")]
struct Because {
    use_untold_uj: Microjoules,
    unused_uj: Microjoules,
    unrecorded_processes_uj: Microjoules,
}

impl Because {
    fn of(account: &DomainAccount) -> Option<Self> {
        let nobodys = account.nobodys;
        let told = account.provenance.is_some() && nobodys.sum() == account.ledger.unattributed;
        (told && nobodys.sum() > Microjoules::ZERO).then_some(Self {
            use_untold_uj: nobodys.untold,
            unused_uj: nobodys.unused,
            unrecorded_processes_uj: nobodys.strangers,
        })
    }
}

impl<'a> Domain<'a> {
    fn of(id: DomainId, account: &'a DomainAccount) -> Self {
        Self {
            name: id.to_string(),
            covers: id.domain,
            socket: id.socket,
            die: id.die,
            core: id.core,
            in_total: account.in_total,
            source: &account.source,
            provenance: account.provenance,
            ledger: Sum::of(&account.ledger, account.provenance),
            error: Error::of(account.provenance.map(|_| account.error())),
            mean_watts: watts(account.provenance.map(|_| account.ledger.measured), account.covered),
            known_seconds: account.covered.seconds(),
            windows_without_energy: account.gaps,
            windows_by_core: account.by_core,
            idle_baseline: IdleBaseline::of(account.baseline),
            regression: account.regression.as_ref().map(Regression::of),
            unattributed_because: Because::of(account),
        }
    }
}

#[derive(Serialize)]
struct IdleBaseline {
    kind: &'static str,
    watts: Option<f64>,
    from_seconds: Option<f64>,
    duration_seconds: Option<f64>,
    busy_share: Option<f64>,
    calibrated_utc: Option<String>,
}

impl IdleBaseline {
    fn of(baseline: Baseline) -> Self {
        let seen = match baseline {
            Baseline::LowestSeen { from, lasted, .. } => Some((from, lasted)),
            _ => None,
        };
        let (busy, taken) = match baseline {
            Baseline::LowestSeen { busy, .. } => (Some(busy), None),
            Baseline::Calibrated { busy, taken, .. } => (Some(busy), scale::rfc3339(taken)),
            Baseline::Given(_)
            | Baseline::Modelled(_)
            | Baseline::Fitted { .. }
            | Baseline::Unknown => (None, None),
        };
        Self {
            kind: baseline.kind(),
            watts: baseline.power().map(Watts::get),
            from_seconds: seen.map(|(from, _)| from.seconds()),
            duration_seconds: seen.map(|(_, lasted)| lasted.seconds()),
            busy_share: busy.map(Share::get),
            calibrated_utc: taken,
        }
    }
}

#[derive(Serialize)]
struct GroupRow<'a> {
    kind: &'static str,
    name: &'a str,
    pid: Option<u32>,
    tid: Option<u32>,
    uid: Option<u32>,
    depth: usize,
    energy_uj: Option<Microjoules>,
    #[serde(flatten)]
    error: Error,
    mean_watts: Option<f64>,
    share: Option<f64>,
    cpu_seconds: Option<f64>,
    provenance: Option<Provenance>,
    domains_uj: BTreeMap<String, Microjoules>,
}

impl<'a> GroupRow<'a> {
    fn of(row: &'a Row, profile: &Profile, total: &Ledger) -> Self {
        let provenance = profile.provenance();
        let divided = !matches!(row.kind, RowKind::Domain | RowKind::ContainedDomain);
        let energy = profile.known_energy(row);
        Self {
            kind: row.kind.name(),
            name: &row.name,
            pid: row.pid,
            tid: row.tid,
            uid: row.uid,
            depth: row.depth,
            energy_uj: energy,
            error: Error::of(row.error.filter(|_| energy.is_some())),
            mean_watts: watts(energy, profile.span.duration),
            share: fraction(row.share(total).filter(|_| energy.is_some())),
            cpu_seconds: row.oncpu.map(Nanoseconds::seconds),
            provenance: if divided { provenance.map(Provenance::divided) } else { provenance },
            domains_uj: row
                .by_domain
                .iter()
                .map(|(domain, energy)| (domain.to_string(), *energy))
                .collect(),
        }
    }
}

/// A mean power; `None` over no time.
pub(super) fn watts(energy: Option<Microjoules>, lasted: Nanoseconds) -> Option<f64> {
    let energy = energy.filter(|_| lasted > Nanoseconds::ZERO)?;
    Some((energy.joules() / lasted).get())
}

/// A share as a fraction of 1.
pub(super) fn fraction(share: Option<Share>) -> Option<f64> {
    share.map(Share::get)
}
