//! What stands above the rows: what was recorded, how firm it is, and how the ledger closes.

use super::table::printable;
use super::{cores, regression, scale};
use crate::attribution::{Baseline, IdlePolicy};
use crate::model::{Domain, DomainId, Ledger, Provenance};
use crate::profile::{DomainAccount, Profile, Targets, View};
use crate::units::{Microjoules, Nanoseconds, Share};

/// How wide the labels are.
const LABEL: usize = 12;

/// A line above the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub text: String,
    warning: bool,
}

impl Line {
    /// Whether the reader must not miss it.
    pub(super) const fn is_warning(&self) -> bool {
        self.warning
    }
}

/// The lines above the rows, none wider than `width` where words can be put on the next.
pub(super) fn lines(profile: &Profile, view: &View, width: usize) -> Vec<Line> {
    let mut fields = Fields { lines: Vec::new(), width };
    estimate(profile, &mut fields);
    source_notes(profile, &mut fields);
    match &profile.facts.imported {
        Some(log) => fields.add("imported", &format!("{}, a log of {}", log.file, log.tool)),
        None => fields.add("target", &target(profile)),
    }
    fields.add("energy", &energy(profile));
    if let Some((energy, error)) = view.targets {
        let share = Share::of(energy.get(), view.total.measured.get());
        let share =
            share.map_or_else(String::new, |share| format!(", {} % of it", scale::percent(share)));
        fields.add(
            "",
            &format!("targets {} {}{share}", scale::energy(energy), scale::error_95(error)),
        );
    }
    if let Some(log) = &profile.facts.imported {
        fields.add("divided", &format!("not at all: {}", log.why_nothing_is_divided()));
        domains(profile, &mut fields);
    } else {
        fields.add("ledger", &ledger(&view.total, profile.provenance()));
        fields.add("coverage", &coverage(profile, &view.total));
        domains(profile, &mut fields);
        nobodys(profile, &mut fields);
        fields.add("model", &model(profile));
        for note in cores::divided_by_core(profile) {
            fields.add("", &note);
        }
        for note in regression::notes(profile) {
            fields.paragraph("", &note.text, note.is_warning);
        }
        baselines(profile, &mut fields);
    }
    fields.add("recorded", &recorded(profile));
    fields.add("machine", &machine(profile));
    problems(profile, &mut fields);
    fields.lines
}

/// The least of these lines: what was recorded, how much it used, and what is wrong with that.
pub(super) fn brief(profile: &Profile, width: usize) -> Vec<Line> {
    let mut fields = Fields { lines: Vec::new(), width };
    estimate(profile, &mut fields);
    source_notes(profile, &mut fields);
    fields.add("target", &target(profile));
    fields.add("energy", &energy(profile));
    fields.add("recorded", &recorded(profile));
    problems(profile, &mut fields);
    fields.lines
}

/// One more paragraph, as those above the rows are.
pub(super) fn paragraph(label: &str, text: &str, warning: bool, width: usize) -> Vec<Line> {
    let mut fields = Fields { lines: Vec::new(), width };
    fields.paragraph(label, text, warning);
    fields.lines
}

/// Labelled paragraphs.
struct Fields {
    lines: Vec<Line>,
    width: usize,
}

impl Fields {
    /// A paragraph under `label`; without one it goes on under the last.
    fn add(&mut self, label: &str, text: &str) {
        self.paragraph(label, text, false);
    }

    /// A paragraph the reader must not miss.
    fn warn(&mut self, label: &str, text: &str) {
        self.paragraph(label, text, true);
    }

    fn paragraph(&mut self, label: &str, text: &str, warning: bool) {
        let room = self.width.saturating_sub(LABEL + 1).max(LABEL);
        let mut label = label;
        for line in wrapped(&printable(text), room) {
            self.lines.push(Line { text: format!("{label:<LABEL$} {line}"), warning });
            label = "";
        }
    }
}

/// Words on lines of at most `room` characters, if no word is longer. A number stays with its unit;
/// runs of spaces, which align things, are kept.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match pieces.last_mut() {
            Some(piece) if piece.ends_with(|c: char| c.is_ascii_digit()) => {
                piece.push(' ');
                piece.push_str(word);
            }
            _ => pieces.push(word.to_owned()),
        }
    }
    let mut lines = vec![String::new()];
    for piece in pieces {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(&piece);
        } else if line.chars().count() + 1 + piece.chars().count() <= room {
            line.push(' ');
            line.push_str(&piece);
        } else {
            lines.push(piece);
        }
    }
    lines
}

/// A figure that was not measured says so before anything else.
fn estimate(profile: &Profile, fields: &mut Fields) {
    let Some(provenance @ (Provenance::Estimated | Provenance::Assumed)) = profile.provenance()
    else {
        return;
    };
    let counted: Vec<_> = profile.total_domains().collect();
    let unmeasured: Vec<String> = counted
        .iter()
        .filter(|(_, account)| account.provenance >= Some(Provenance::Estimated))
        .map(|(domain, _)| domain.to_string())
        .collect();
    let label = provenance.name().to_uppercase();
    if unmeasured.len() == counted.len() {
        fields.warn(&label, "These joules are not measured: no counter stands behind them.");
    } else {
        let text = format!(
            "Some of these joules are not measured: no counter stands behind {}.",
            unmeasured.join(", ")
        );
        fields.warn(&label, &text);
    }
}

/// What must be said about the sources whose figures are shown.
fn source_notes(profile: &Profile, fields: &mut Fields) {
    let used = |name: &str| profile.domains.values().any(|account| account.source == name);
    for source in profile.facts.sources.iter().filter(|source| used(&source.name)) {
        if let Some(note) = &source.note {
            fields.warn(&source.name, note);
        }
    }
}

fn target(profile: &Profile) -> String {
    match &profile.facts.targets {
        Targets::All => "the whole system".to_owned(),
        Targets::Pids(pids) => {
            let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
            format!("pid {}, and what descends from it", pids.join(", "))
        }
        Targets::Command { argv, pid } => match profile.facts.exit_code {
            Some(code) => format!("{} (pid {pid}, exit code {code})", argv.join(" ")),
            None => format!("{} (pid {pid})", argv.join(" ")),
        },
    }
}

fn energy(profile: &Profile) -> String {
    let measured = profile.total().measured;
    let Some(kind) = profile.provenance() else {
        return format!("unknown in all of {}", scale::duration(profile.span.duration));
    };
    format!(
        "{} {} in {}, {} on average; {kind}",
        scale::energy(measured),
        scale::error_95(profile.total_error()),
        scale::duration(profile.span.duration),
        scale::power(measured.joules() / profile.span.duration),
    )
}

/// The sum, to the microjoule.
fn ledger(ledger: &Ledger, provenance: Option<Provenance>) -> String {
    let Some(kind) = provenance else { return "nothing to account for".to_owned() };
    format!(
        "{} J {kind} = {} attributed + {} idle + {} unattributed",
        scale::exact_joules(ledger.measured),
        scale::exact_joules(ledger.attributed),
        scale::exact_joules(ledger.idle),
        scale::exact_joules(ledger.unattributed),
    )
}

fn coverage(profile: &Profile, total: &Ledger) -> String {
    let explained = total
        .coverage()
        .map_or_else(|| "none".to_owned(), |share| format!("{} %", scale::percent(share)));
    match gaps(profile) {
        None => format!("{explained} of the energy explained, known in every window"),
        Some(gaps) => {
            format!("{explained} of the energy explained; windows without energy: {gaps}")
        }
    }
}

/// In how many windows the energy of domains is unknown; `None` where it is known in all.
fn gaps(profile: &Profile) -> Option<String> {
    let windows = profile.span.windows;
    let mut gaps: Vec<String> = profile
        .domains
        .iter()
        .filter(|(domain, account)| account.gaps > 0 && !cores::is_told_together(**domain, account))
        .map(|(domain, account)| format!("{domain} in {} of {windows}", account.gaps))
        .collect();
    for cores in cores::cores(profile) {
        gaps.extend(
            cores.gaps().map(|most| format!("{} in up to {most} of {windows}", cores.name)),
        );
    }
    (!gaps.is_empty()).then(|| gaps.join(", "))
}

fn domains(profile: &Profile, fields: &mut Fields) {
    let mut label = "domains";
    let told_alone = |(domain, account): &(&DomainId, &DomainAccount)| {
        !cores::is_told_together(**domain, account)
    };
    for (domain, account) in profile.domains.iter().filter(told_alone) {
        let kind = account.provenance.map_or("never read", Provenance::name);
        let note = if account.in_total { "" } else { ", not added" };
        let (energy, power) = energy_and_power(account);
        let name = domain.to_string();
        fields.add(
            label,
            &format!("{name:<12}{energy:>8} {power:>8}  {kind} by {}{note}", account.source),
        );
        label = "";
    }
    for cores in cores::cores(profile) {
        let (energy, power) = cores.energy_and_power();
        let (name, source, count) = (&cores.name, cores.source(), cores.count());
        let text = format!("{name:<12}{energy:>8} {power:>8}  {count} by {source}, not added");
        fields.add(label, &text);
    }
}

/// Why energy of graphics cards is nobody's.
fn nobodys(profile: &Profile, fields: &mut Fields) {
    for (domain, account) in &profile.domains {
        let nobodys = &account.nobodys;
        let reasons: Vec<String> = [
            (nobodys.untold, "while nothing told which process used it"),
            (nobodys.unused, "above idle while no process used it"),
            (nobodys.strangers, "of processes that were not recorded"),
        ]
        .into_iter()
        .filter(|(energy, _)| *energy > Microjoules::ZERO)
        .map(|(energy, why)| format!("{} {why}", scale::energy(energy)))
        .collect();
        if !reasons.is_empty() {
            fields.add("nobody's", &format!("of {domain} {}", reasons.join(", ")));
        }
    }
}

/// A domain's energy and its mean power while that was known.
fn energy_and_power(account: &DomainAccount) -> (String, String) {
    if account.known == 0 {
        return ("unknown".to_owned(), String::new());
    }
    let measured = account.ledger.measured;
    (scale::energy(measured), scale::power(measured.joules() / account.covered))
}

fn model(profile: &Profile) -> String {
    let model = profile.method.model;
    let smt = profile.method.smt.map_or_else(String::new, |factor| {
        format!("; a CPU second beside a busy sibling counts as {:.3}", factor.get())
    });
    format!("{}: {}{smt}; idle policy {}", model.name(), model.rule(), idle_policy(profile))
}

/// The idle policy, and what it shares.
fn idle_policy(profile: &Profile) -> String {
    let policy = profile.method.idle;
    if policy == IdlePolicy::Separate {
        return policy.name().to_owned();
    }
    let shared = scale::energy(profile.shared_idle());
    format!("{}: {}, {shared} in all", policy.name(), policy.rule())
}

fn baselines(profile: &Profile, fields: &mut Fields) {
    let mut label = "idle";
    for (domain, account) in &profile.domains {
        if cores::is_told_together(*domain, account) {
            continue;
        }
        let name = domain.to_string();
        match account.baseline.power() {
            Some(power) => fields
                .add(label, &format!("{name:<12}{:>8}  {}", scale::power(power), account.baseline)),
            None if domain.domain == Domain::Gpu => fields.warn(
                label,
                &format!(
                    "{name:<12} unknown: it was never known to be unused for 1 s; its users are charged with idle \
                     too. Give it with --idle-watts {name}=WATTS, or record with a second in which nothing uses it"
                ),
            ),
            None => fields.warn(
                label,
                &format!(
                    "{name:<12} {}; what runs is charged with idle too. Give it with \
                     --idle-watts {name}=WATTS, or record with a quiet second",
                    Baseline::Unknown
                ),
            ),
        }
        label = "";
    }
    for cores in cores::cores(profile) {
        let (power, told) = cores.idle();
        fields.add(label, &format!("{:<12}{:>8}  {told}", cores.name, scale::power(power)));
        label = "";
    }
}

fn recorded(profile: &Profile) -> String {
    let span = &profile.span;
    let window = scale::duration(profile.facts.window);
    let begun = scale::utc(span.start_utc);
    // A log's rows are as long as they are; what is known is the usual length.
    let window = if profile.facts.imported.is_some() { format!("about {window}") } else { window };
    if span.windows == span.recorded_windows {
        let windows = if span.windows == 1 { "window" } else { "windows" };
        return format!(
            "{begun}, {} {windows} of {window}; {}",
            span.windows, profile.facts.ending
        );
    }
    format!(
        "{begun}, {} of {} windows of {window}, whole ones, from {} to {}; {}",
        span.windows,
        span.recorded_windows,
        scale::duration(span.from),
        scale::duration(span.to),
        profile.facts.ending
    )
}

fn machine(profile: &Profile) -> String {
    let facts = &profile.facts;
    if facts.hostname.is_empty() && facts.cpus == 0 {
        return "unknown".to_owned();
    }
    let virtual_machine =
        facts.virtualisation.as_ref().map_or_else(String::new, |kind| format!(", guest of {kind}"));
    if facts.imported.is_some() {
        // A log tells some of it at most.
        let cpus = (facts.cpus > 0).then(|| format!("{} CPUs", facts.cpus));
        let kernel = (!facts.kernel.is_empty()).then(|| facts.kernel.clone());
        let cpu = (!facts.cpu_model.is_empty()).then(|| facts.cpu_model.clone());
        let known: Vec<String> = [cpu, cpus, kernel].into_iter().flatten().collect();
        return format!("{}; imported by {}", known.join(", "), facts.tool);
    }
    format!(
        "{}, {}, {} CPUs{virtual_machine}, Linux {}, {}",
        facts.hostname, facts.cpu_model, facts.cpus, facts.kernel, facts.tool
    )
}

/// All that was missed or is wrong, or that nothing was.
fn problems(profile: &Profile, fields: &mut Fields) {
    let facts = &profile.facts;
    let missed = facts.losses.named().into_iter().filter(|(_, count)| *count > 0);
    let missed: Vec<String> = missed
        .map(|(what, count)| match what.strip_prefix("ns ") {
            Some(what) => format!("{} {what}", scale::duration(Nanoseconds::new(count))),
            None => format!("{count} {what}"),
        })
        .collect();
    if missed.is_empty() {
        fields.add("losses", "none");
    } else {
        fields.warn("losses", &missed.join(", "));
    }
    if facts.imported.is_some()
        && let Some(gaps) = gaps(profile)
    {
        fields.warn("", &format!("windows without energy: {gaps}"));
    }
    let without = profile.span.windows_without_residency;
    if without > 0 && facts.imported.is_none() {
        fields.warn(
            "",
            &format!("{without} windows do not say who ran: all above idle is unattributed"),
        );
    }
    if !facts.complete {
        fields.warn("unfinished", &facts.ending);
    }
    for finding in &facts.findings {
        fields.warn("trace", finding);
    }
    if let Some(bpf) = facts.bpf {
        let text = format!(
            "the kernel side ran {} times for {} of CPU time",
            bpf.runs,
            scale::duration(bpf.run_time)
        );
        fields.add("own cost", &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_not_parted_from_its_unit() {
        assert_eq!(wrapped("at most 10 % busy", 10), ["at most", "10 % busy"]);
    }
}
