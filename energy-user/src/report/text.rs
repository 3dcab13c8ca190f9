//! The report as text: what was recorded, how it closes, and who used what.

use std::collections::BTreeMap;

use super::ReportOptions;
use super::scale;
use super::summary::{Line, lines as summary_lines, paragraph};
use super::table::{self, Align, indented};
use crate::model::Provenance;
use crate::profile::{GroupBy, Profile, Row, UserNames, View};
use crate::units::Microjoules;

/// Which column is that of graphics cards, where the total has any.
const ON_CARDS: usize = 2;

/// What stands where the energy is not known: never a 0.
pub(super) const UNKNOWN: &str = "unknown";

/// The report as text, ending in a line break; `users` names users by number.
pub fn text(profile: &Profile, options: &ReportOptions, users: &UserNames<'_>) -> String {
    let view = profile.view(&options.view(), users);
    let paint = Paint { on: options.color };
    let mut out = head(profile, &view, options.width, paint);
    if let Some(log) = profile.facts.imported.as_ref().filter(|_| options.by != GroupBy::Domain) {
        let (by, why) = (options.by.name(), log.why_nothing_is_divided());
        let text = format!("none by {by}: {why}; `--by domain` shows what it has");
        for line in paragraph("rows", &text, true, options.width) {
            paint.put(line, &mut out);
        }
        return out;
    }
    out.push('\n');
    let lines = if options.by == GroupBy::Domain {
        domain_lines(profile, options.width)
    } else {
        group_lines(profile, &view, options)
    };
    let mut lines = lines.into_iter();
    out.extend(lines.next().map(|heading| paint.heading(&heading)));
    out.push('\n');
    for (line, row) in lines.zip(&view.rows) {
        let is_aside = row.kind.is_remainder() || !row.kind.counts();
        out.push_str(&if is_aside { paint.dim(&line) } else { line });
        out.push('\n');
    }
    out
}

/// What stands above the rows of a report, by itself: joules per domain, where they went, and what
/// was lost on the way.
pub fn summary(profile: &Profile, color: bool, width: usize) -> String {
    let view = profile.view(&ReportOptions::default().view(), &|_| None);
    head(profile, &view, width, Paint { on: color })
}

/// What stands above the rows of a report.
pub(super) fn head(profile: &Profile, view: &View, width: usize, paint: Paint) -> String {
    let mut out = String::new();
    for line in summary_lines(profile, view, width) {
        paint.put(line, &mut out);
    }
    out
}

/// The heading of a column of energy: what is not measured says so.
pub(super) fn energy_heading(name: &str, provenance: Option<Provenance>) -> String {
    match provenance {
        Some(Provenance::Estimated) => format!("{name} (est.)"),
        Some(Provenance::Assumed) => format!("{name} (assumed)"),
        Some(Provenance::Measured | Provenance::Attributed) | None => name.to_owned(),
    }
}

/// The heading of the column of names.
pub(super) const fn name_heading(by: GroupBy) -> &'static str {
    match by {
        GroupBy::Process => "command",
        GroupBy::Exec => "program",
        by => by.name(),
    }
}

/// The table of groups of threads.
fn group_lines(profile: &Profile, view: &View, options: &ReportOptions) -> Vec<String> {
    let name = name_heading(options.by);
    let joules = energy_heading("joules", profile.provenance());
    let mut columns = vec![
        (joules.as_str(), Align::Right),
        ("±95 %", Align::Right),
        ("watts", Align::Right),
        ("share %", Align::Right),
        ("CPU s", Align::Right),
    ];
    if profile.on_cards(&BTreeMap::new()).is_some() {
        columns.insert(ON_CARDS, ("of it GPU", Align::Right));
    }
    match options.by {
        GroupBy::Process => columns.push(("PID", Align::Right)),
        GroupBy::Thread => columns.extend([("PID", Align::Right), ("TID", Align::Right)]),
        _ => {}
    }
    columns.push((name, Align::Left));
    let rows: Vec<Vec<String>> =
        view.rows.iter().map(|row| group_cells(profile, view, options.by, row)).collect();
    table::lines(&columns, &rows, options.width)
}

/// The cells of one group.
fn group_cells(profile: &Profile, view: &View, by: GroupBy, row: &Row) -> Vec<String> {
    let number = |id: Option<u32>| id.map_or_else(String::new, |id| id.to_string());
    let known = profile.known_energy(row);
    let mut cells = vec![
        known.map_or_else(|| UNKNOWN.to_owned(), scale::energy),
        row.error.filter(|_| known.is_some()).map_or_else(String::new, scale::error_95),
        known.map_or_else(String::new, |energy| {
            scale::power(energy.joules() / profile.span.duration)
        }),
        row.share(&view.total).filter(|_| known.is_some()).map_or_else(String::new, scale::percent),
        row.oncpu.map_or_else(String::new, scale::seconds),
    ];
    if let Some(on_cards) = profile.on_cards(&row.by_domain) {
        let shown = known.filter(|_| on_cards > Microjoules::ZERO).map(|_| scale::energy(on_cards));
        cells.insert(ON_CARDS, shown.unwrap_or_default());
    }
    match by {
        GroupBy::Process => cells.push(number(row.pid)),
        GroupBy::Thread => cells.extend([number(row.pid), number(row.tid)]),
        _ => {}
    }
    cells.push(indented(row.depth, &row.name));
    cells
}

/// The table of domains.
fn domain_lines(profile: &Profile, width: usize) -> Vec<String> {
    let joules = energy_heading("joules", profile.provenance());
    let mut columns =
        vec![(joules.as_str(), Align::Right), ("±95 %", Align::Right), ("watts", Align::Right)];
    // Nothing of a log is divided.
    let is_divided = profile.facts.imported.is_none();
    if is_divided {
        columns.extend(["attributed", "idle", "unattributed"].map(|name| (name, Align::Right)));
    }
    columns.push(("domain", Align::Left));
    let rows: Vec<Vec<String>> = profile
        .domains
        .iter()
        .map(|(domain, account)| {
            let name = domain.to_string();
            if account.known == 0 {
                let mut cells = vec![String::new(); columns.len() - 1];
                UNKNOWN.clone_into(&mut cells[0]);
                cells.push(name);
                return cells;
            }
            let note = if account.in_total { "" } else { " (not in the total)" };
            let ledger = &account.ledger;
            let mut cells = vec![
                scale::energy(ledger.measured),
                scale::error_95(account.error()),
                scale::power(ledger.measured.joules() / account.covered),
            ];
            if is_divided {
                let parts = [ledger.attributed, ledger.idle, ledger.unattributed];
                cells.extend(parts.map(scale::energy));
            }
            cells.push(format!("{name}{note}"));
            cells
        })
        .collect();
    table::lines(&columns, &rows, width)
}

/// The terminal's colours, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub on: bool,
}

impl Paint {
    /// Adds a line from above the rows.
    pub(super) fn put(self, line: Line, out: &mut String) {
        out.push_str(&if line.is_warning() { self.warning(&line.text) } else { line.text });
        out.push('\n');
    }

    pub(super) fn heading(self, line: &str) -> String {
        self.wrap("1", line)
    }

    pub(super) fn dim(self, line: &str) -> String {
        self.wrap("2", line)
    }

    fn warning(self, line: &str) -> String {
        self.wrap("1;33", line)
    }

    /// ECMA-48 "select graphic rendition" around a line.
    fn wrap(self, rendition: &str, line: &str) -> String {
        if self.on { format!("\u{1b}[{rendition}m{line}\u{1b}[0m") } else { line.to_owned() }
    }
}
