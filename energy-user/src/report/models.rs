//! Two models side by side: what each row comes to by time share, by another model, and the difference.
//! Both are of the same recording, so that both add up to the same measured energy.

use serde::Serialize;

use super::json::{Error, Head, fraction, pretty};
use super::table::{self, Align, printable};
use super::text::{Paint, energy_heading, head, name_heading};
use super::{ReportOptions, scale};
use crate::model::Ledger;
use crate::profile::{Profile, Row, RowKind, UserNames, View, ViewOptions};
use crate::units::{Microjoules, Share};

/// One recording, divided twice.
#[derive(Clone, Copy, Debug)]
pub struct ModelComparison<'a> {
    /// By the model `time`.
    pub time: &'a Profile,
    /// By the other.
    pub other: &'a Profile,
}

/// One row by both models.
#[derive(Clone, Debug)]
struct Pair {
    time: Microjoules,
    /// The row by the other model.
    other: Row,
}

impl Pair {
    /// What the other model gives more, in µJ.
    fn difference_uj(&self) -> i64 {
        let signed = |energy: Microjoules| i64::try_from(energy.get()).unwrap_or(i64::MAX);
        signed(self.other.energy) - signed(self.time)
    }
}

impl ModelComparison<'_> {
    /// The comparison as text, ending in a line break; `users` names users by number.
    pub fn text(&self, options: &ReportOptions, users: &UserNames<'_>) -> String {
        let (view, pairs) = self.pairs(options, users);
        let paint = Paint { on: options.color };
        let mut out = head(self.other, &view, options.width, paint);
        let [time, other] = [self.time, self.other].map(coverage_in_words);
        out.push_str(&format!("{:<13}{time}; {other}\n\n", "compared"));
        let joules = |profile: &Profile| {
            energy_heading(profile.method.model.name(), self.other.provenance())
        };
        let (by_time, by_other) = (joules(self.time), joules(self.other));
        let columns = [
            (by_time.as_str(), Align::Right),
            (by_other.as_str(), Align::Right),
            ("±95 %", Align::Right),
            ("difference", Align::Right),
            ("of time's", Align::Right),
            ("PID", Align::Right),
            (name_heading(options.by), Align::Left),
        ];
        let cells = pairs.iter().map(|pair| cells(pair, self.other)).collect::<Vec<_>>();
        let mut lines = table::lines(&columns, &cells, options.width).into_iter();
        out.extend(lines.next().map(|heading| paint.heading(&heading)));
        out.push('\n');
        for line in lines {
            out.push_str(&line);
            out.push('\n');
        }
        out
    }

    /// The comparison as JSON, ending in a line break.
    pub fn json(&self, options: &ReportOptions, users: &UserNames<'_>) -> String {
        let (view, pairs) = self.pairs(options, users);
        pretty(&Document {
            head: Head::of(self.other, &view),
            by: options.by.name(),
            models: [self.time, self.other].map(|profile| Model {
                model: profile.method.model.name(),
                coverage: fraction(profile.total().coverage()),
            }),
            rows: pairs.iter().map(|pair| PairRow::of(pair, &view.total)).collect(),
        })
    }

    /// The rows of both in the order of the other model's, the last of them together where only some are
    /// shown.
    fn pairs(&self, options: &ReportOptions, users: &UserNames<'_>) -> (View, Vec<Pair>) {
        let whole = ViewOptions { top: None, ..options.view() };
        let mut by_time = self.time.view(&whole, users).rows;
        let mut view = self.other.view(&whole, users);
        let mut pairs: Vec<Pair> = std::mem::take(&mut view.rows)
            .into_iter()
            .map(|other| {
                let found = by_time.iter().position(|row| is_same(row, &other));
                let time = found.map_or(Microjoules::ZERO, |found| by_time.remove(found).energy);
                Pair { time, other }
            })
            .collect();
        if let Some(top) = options.top {
            cut(&mut pairs, top, RowKind::Target);
            cut(&mut pairs, top, RowKind::Other);
        }
        (view, pairs)
    }
}

/// Whether rows of two views of one recording stand for the same.
fn is_same(a: &Row, b: &Row) -> bool {
    (a.kind, a.pid, a.tid, a.uid, &a.name) == (b.kind, b.pid, b.tid, b.uid, &b.name)
}

/// Leaves `top` rows of a kind; the others become one, whose error is at most the sum of theirs.
fn cut(pairs: &mut Vec<Pair>, top: usize, kind: RowKind) {
    let of_kind: Vec<usize> = (0..pairs.len()).filter(|i| pairs[*i].other.kind == kind).collect();
    let Some((first, more)) = of_kind.get(top..).and_then(<[usize]>::split_first) else { return };
    if more.is_empty() {
        return;
    }
    let count = more.len() + 1;
    for index in more.iter().rev() {
        let next = pairs.remove(*index);
        let sum = &mut pairs[*first];
        sum.time += next.time;
        sum.other.energy += next.other.energy;
        sum.other.error = match (sum.other.error, next.other.error) {
            (Some(a), Some(b)) => Some(a.plus(b)),
            (a, b) => a.or(b),
        };
        for (domain, energy) in next.other.by_domain {
            *sum.other.by_domain.entry(domain).or_default() += energy;
        }
    }
    let sum = &mut pairs[*first].other;
    sum.kind = RowKind::More;
    (sum.pid, sum.tid, sum.uid, sum.oncpu, sum.depth) = (None, None, None, None, 0);
    sum.name = format!("[{count} more]");
}

fn coverage_in_words(profile: &Profile) -> String {
    let name = profile.method.model.name();
    profile.total().coverage().map_or_else(
        || format!("{name} explains nothing"),
        |share| format!("{name} explains {} % of the energy", scale::percent(share)),
    )
}

/// The cells of one row.
fn cells(pair: &Pair, profile: &Profile) -> Vec<String> {
    let row = &pair.other;
    if profile.known_energy(row).is_none() {
        let mut cells = vec![String::new(); 6];
        super::text::UNKNOWN.clone_into(&mut cells[1]);
        cells.push(printable(&row.name));
        return cells;
    }
    let difference = pair.difference_uj();
    let size = Microjoules::new(difference.unsigned_abs());
    let sign = if difference < 0 { "-" } else { "+" };
    let part = Share::of(size.get().min(pair.time.get()), pair.time.get());
    let part = match part {
        _ if difference == 0 => String::new(),
        Some(part) if size <= pair.time => format!("{sign}{} %", scale::percent(part)),
        Some(_) => {
            let times = row.energy.joules().get() / pair.time.joules().get();
            format!("× {times:.1}")
        }
        None => "new".to_owned(),
    };
    vec![
        scale::energy(pair.time),
        scale::energy(row.energy),
        row.error.map_or_else(String::new, scale::error_95),
        if difference == 0 { "none".to_owned() } else { format!("{sign}{}", scale::energy(size)) },
        part,
        row.pid.map_or_else(String::new, |pid| pid.to_string()),
        printable(&row.name),
    ]
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    by: &'static str,
    models: [Model; 2],
    rows: Vec<PairRow<'a>>,
}

#[derive(Serialize)]
struct Model {
    model: &'static str,
    coverage: Option<f64>,
}

#[derive(Serialize)]
struct PairRow<'a> {
    kind: &'static str,
    name: &'a str,
    pid: Option<u32>,
    tid: Option<u32>,
    uid: Option<u32>,
    time_energy_uj: Microjoules,
    energy_uj: Microjoules,
    difference_uj: i64,
    #[serde(flatten)]
    error: Error,
    time_share: Option<f64>,
    share: Option<f64>,
}

impl<'a> PairRow<'a> {
    fn of(pair: &'a Pair, total: &Ledger) -> Self {
        let row = &pair.other;
        Self {
            kind: row.kind.name(),
            name: &row.name,
            pid: row.pid,
            tid: row.tid,
            uid: row.uid,
            time_energy_uj: pair.time,
            energy_uj: row.energy,
            difference_uj: pair.difference_uj(),
            error: Error::of(row.error),
            time_share: fraction(Share::of(pair.time.get(), total.measured.get())),
            share: fraction(row.share(total)),
        }
    }
}
