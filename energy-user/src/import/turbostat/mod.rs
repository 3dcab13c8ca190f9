//! Tables of turbostat (`turbostat --out FILE`, or its standard output).
//!
//! For each interval a line of headers, again and again, a row for the whole system with `-` for its
//! core and CPU, and a row for each CPU; with `--Summary` only the first. What belongs to a core or a package
//! stands in the row of its first CPU only, and the rows of other CPUs end before it. Figures are means of
//! the counters over the interval (`PkgWatt`), or with `--Joules` their advance (`Pkg_J`).
//! Reference: Linux v6.12, tools/power/x86/turbostat/turbostat.c, `format_counters`.

mod interval;
mod times;

use std::collections::BTreeMap;

use interval::{Figure, Interval};
use times::Times;

use super::LogError;
use super::cell::{NoNumber, number};
use super::columns::{Columns, cell};
use super::format::{AboutLog, LogFormat};
use super::local_time::{seconds, together};
use super::log::{ExactSum, LeftOut, Log, LogRow, told_of_pauses};
use super::text::LogText;
use crate::model::{Domain, DomainId};
use crate::units::{Nanoseconds, WallTime};

/// The columns: power, energy, and what they cover.
const METERS: [(&str, &str, Domain); 5] = [
    ("PkgWatt", "Pkg_J", Domain::Package),
    ("CorWatt", "Cor_J", Domain::Core),
    ("GFXWatt", "GFX_J", Domain::Uncore),
    ("RAMWatt", "RAM_J", Domain::Dram),
    ("SysWatt", "Sys_J", Domain::Psys),
];

/// Columns that number a part of the machine.
const PLACES: [&str; 7] = ["Package", "Die", "L3", "Node", "Core", "CPU", "APIC"];

const NAME: &str = "turbostat";

/// The format.
pub(super) struct Turbostat;

impl LogFormat for Turbostat {
    fn name(&self) -> &'static str {
        NAME
    }

    fn tool(&self) -> &'static str {
        "turbostat"
    }

    fn lacks(&self) -> &'static str {
        "no column `PkgWatt` or `Pkg_J` between tabs or blanks"
    }

    fn recognises(&self, text: &LogText) -> bool {
        text.lines().any(|line| Header::of(line).is_some())
    }

    fn read(&self, text: &LogText, about: &AboutLog<'_>) -> Result<Log, LogError> {
        let mut tables = Tables::default();
        for line in text.lines() {
            tables.add(line);
        }
        if tables.header.is_none() {
            return Err(LogError::NoHeader { wanted: "PkgWatt or Pkg_J" });
        }
        tables.left_out.cut_short = text.ends_in_a_line();
        tables.into_log(about)
    }
}

/// A line of headers.
#[derive(Clone, Debug, PartialEq)]
struct Header {
    columns: Columns,
    meters: Vec<MeterColumn>,
    time: Option<usize>,
    places: Vec<usize>,
    package: Option<usize>,
}

/// Where a domain's figure stands, and what it is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct MeterColumn {
    domain: Domain,
    place: usize,
    is_energy: bool,
}

impl Header {
    /// From a line, where it is one.
    fn of(line: &str) -> Option<Self> {
        // Most lines are rows.
        if !(line.contains("Watt") || line.contains("_J")) {
            return None;
        }
        let columns = Columns::new(split(line));
        let meter = |(power, energy, domain): (&str, &str, Domain)| {
            let energy = columns.place(energy).map(|place| (place, true));
            let (place, is_energy) =
                energy.or_else(|| columns.place(power).map(|place| (place, false)))?;
            Some(MeterColumn { domain, place, is_energy })
        };
        let meters: Vec<_> = METERS.into_iter().filter_map(meter).collect();
        let places = PLACES.into_iter().filter_map(|name| columns.place(name)).collect();
        let (time, package) = (columns.place("Time_Of_Day_Seconds"), columns.place("Package"));
        (!meters.is_empty()).then_some(Self { columns, meters, time, places, package })
    }
}

/// The cells of a line: between tabs, or between blanks where it was copied from a terminal.
fn split(line: &str) -> Vec<String> {
    let cells =
        |cells: &mut dyn Iterator<Item = &str>| cells.map(|c| c.trim().to_owned()).collect();
    if line.contains('\t') {
        cells(&mut line.trim_end().split('\t'))
    } else {
        cells(&mut line.split_whitespace())
    }
}

/// The tables so far.
#[derive(Default)]
struct Tables {
    header: Option<Header>,
    intervals: Vec<Interval>,
    /// Whether the next row begins a table.
    begins: bool,
    lasted: Option<Nanoseconds>,
    left_out: LeftOut,
}

impl Tables {
    fn add(&mut self, line: &str) {
        if let Some(header) = Header::of(line) {
            self.header = Some(header);
            self.begins = true;
            return;
        }
        if let Some(lasted) = line.trim().strip_suffix(" sec") {
            self.lasted = lasted.parse().ok().and_then(seconds);
            return;
        }
        let Some(header) = self.header.clone() else { return };
        let row = split(line);
        let places: Vec<String> =
            header.places.iter().map(|place| cell(&row, Some(*place)).to_owned()).collect();
        let is_place = |place: &String| place == "-" || place.parse::<u32>().is_ok();
        let starts_with_number =
            number(cell(&row, Some(0)), "", f64::MAX) != Err(NoNumber::Garbage);
        if row.len() > header.columns.len() || !places.iter().all(is_place) || !starts_with_number {
            self.left_out.garbage += 1;
            return;
        }
        let is_summary = places.iter().all(|place| place == "-");
        let again = self.intervals.last().is_some_and(|last| last.places.contains(&places));
        if self.begins || is_summary || again || self.intervals.is_empty() {
            self.intervals.push(Interval { lasted: self.lasted.take(), ..Interval::default() });
        }
        self.begins = false;
        let interval = self.intervals.last_mut().expect("one was just begun");
        interval.add(&header, &row, places, is_summary);
    }

    fn into_log(mut self, about: &AboutLog<'_>) -> Result<Log, LogError> {
        let by_package = self.intervals.iter().any(Interval::tells_packages);
        for interval in &mut self.intervals {
            interval.keep(by_package);
        }
        // Where a domain is added up from several rows, and rows are missing, it is not known.
        let mut most: BTreeMap<DomainId, usize> = BTreeMap::new();
        for (domain, figure) in self.intervals.iter().flat_map(|interval| &interval.figures) {
            let rows = most.entry(*domain).or_default();
            *rows = figure.rows.max(*rows);
        }
        let missing = |interval: &Interval, domain: &DomainId| {
            interval.figures.get(domain).map_or(0, |figure| figure.rows) < most[domain]
        };
        if self.intervals.len() > 1
            && self.intervals.last().is_some_and(|last| most.keys().all(|id| missing(last, id)))
        {
            self.intervals.pop();
            self.left_out.cut_short = true;
        }
        let times = Times::of(&mut self.intervals, about, &mut self.left_out);
        let shortest_pause = times.shortest_pause();
        let is_pause = |lasted: Nanoseconds| shortest_pause.is_some_and(|pause| lasted > pause);
        let figures = || self.intervals.iter().flat_map(|interval| interval.figures.values());
        let has_power = figures().any(|figure| !figure.is_energy);
        let pauses = times.lengths.iter().filter(|lasted| has_power && is_pause(**lasted)).count();
        let mut notes = times.notes.clone();
        let mut sums: BTreeMap<DomainId, ExactSum> = BTreeMap::new();
        let mut rows = Vec::new();
        let mut from = Nanoseconds::ZERO;
        for (interval, lasted) in self.intervals.iter().zip(&times.lengths) {
            let to = together(from, *lasted);
            let energy = |domain: &DomainId| {
                let figure = interval.figures.get(domain).filter(|_| !missing(interval, domain));
                // Of the first row after a pause it is not known how long its own interval was, but
                // its joules are.
                let figure = figure.filter(|figure| figure.is_energy || !is_pause(*lasted));
                let sum = sums.entry(*domain).or_default();
                figure.copied().unwrap_or(Figure::UNKNOWN).energy(
                    *domain,
                    *lasted,
                    times.provenance_of_energy(),
                    sum,
                )
            };
            rows.push(LogRow { from, to, energy: most.keys().map(energy).collect() });
            from = to;
        }
        if rows.is_empty() || most.is_empty() {
            return Err(self.left_out.no_rows());
        }
        notes.extend(told_of_pauses(pauses));
        notes.extend(self.left_out.notes());
        let start = times.ended_first.map(|ended| {
            WallTime::from_epoch_nanos(ended.saturating_sub(signed(times.lengths[0])))
        });
        let whole = signed(from);
        let by_file = about
            .written
            .map(|at| WallTime::from_epoch_nanos(at.epoch_nanos().saturating_sub(whole)));
        let start = start.or(by_file).unwrap_or_default();
        Ok(Log { start, rows, notes, ..Log::default() })
    }
}

fn signed(length: Nanoseconds) -> i64 {
    i64::try_from(length.get()).unwrap_or(i64::MAX)
}
