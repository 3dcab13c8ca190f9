//! Tables of turbostat (`turbostat --out FILE`, or its standard output).
//!
//! For each interval a line of headers, again and again, a row for the whole system with `-` for its
//! core and CPU, and a row for each CPU; with `--Summary` only the first. What belongs to a core or a package
//! stands in the row of its first CPU only, and the rows of other CPUs end before it. Figures are means of
//! the counters over the interval (`PkgWatt`), or with `--Joules` their advance (`Pkg_J`).
//! Reference: Linux v6.12, tools/power/x86/turbostat/turbostat.c, `format_counters`.

use std::collections::BTreeMap;

use super::LogError;
use super::cell::{LARGEST_POWER_WATTS, NoNumber, number, rounding_error};
use super::columns::{Columns, cell};
use super::format::{AboutLog, LogFormat};
use super::local_time::{self, seconds};
use super::log::{ExactSum, LeftOut, Log, LogRow, LogSource, LoggedEnergy};
use super::text::LogText;
use crate::model::{Domain, DomainId, Provenance};
use crate::units::{Joules, Nanoseconds, WallTime, Watts};

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

/// turbostat's own default, taken where the log does not tell the times of its rows.
const DEFAULT_INTERVAL: Nanoseconds = Nanoseconds::from_millis(5000);

/// More than any row has.
const LARGEST_ENERGY_JOULES: f64 = 1e9;

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

/// What one interval's table tells.
#[derive(Clone, Debug, Default)]
struct Interval {
    /// When it ended, in seconds since 1970.
    ended: Option<f64>,
    /// How long a command ran that turbostat was given, which is then the only interval.
    lasted: Option<Nanoseconds>,
    has_summary: bool,
    /// The places of its rows, to see where the next table begins.
    places: Vec<Vec<String>>,
    figures: BTreeMap<DomainId, Figure>,
}

/// One domain's figure in one interval: the sum of its rows.
#[derive(Clone, Copy, Debug)]
struct Figure {
    sum: Result<f64, NoNumber>,
    rounding_error: f64,
    is_energy: bool,
    /// How many rows it was added up from: on AMD's processors, each core has its own.
    rows: usize,
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
        let mut notes = times.notes.clone();
        let mut sums: BTreeMap<DomainId, ExactSum> = BTreeMap::new();
        let mut rows = Vec::new();
        let mut from = Nanoseconds::ZERO;
        for (interval, lasted) in self.intervals.iter().zip(&times.lengths) {
            let to = from + *lasted;
            let energy = |domain: &DomainId| {
                let figure = interval.figures.get(domain).filter(|_| !missing(interval, domain));
                let sum = sums.entry(*domain).or_default();
                figure.copied().unwrap_or(Figure::UNKNOWN).energy(*domain, *lasted, &times, sum)
            };
            rows.push(LogRow { from, to, energy: most.keys().map(energy).collect() });
            from = to;
        }
        if rows.is_empty() || most.is_empty() {
            return Err(self.left_out.no_rows());
        }
        notes.extend(self.left_out.notes());
        let start = times.ended_first.map(|ended| {
            WallTime::from_epoch_nanos(ended.saturating_sub(signed(times.lengths[0])))
        });
        let whole = signed(from);
        let by_file = about.written.map(|at| WallTime::from_epoch_nanos(at.epoch_nanos() - whole));
        let start = start.or(by_file).unwrap_or_default();
        Ok(Log { start, rows, notes, ..Log::default() })
    }
}

fn signed(length: Nanoseconds) -> i64 {
    i64::try_from(length.get()).unwrap_or(i64::MAX)
}

impl Interval {
    /// Adds one row.
    fn add(&mut self, header: &Header, row: &[String], places: Vec<String>, is_summary: bool) {
        if self.ended.is_none() {
            self.ended = number(cell(row, header.time), "", 1e11).ok();
        }
        self.has_summary |= is_summary;
        let package = cell(row, header.package);
        let package = if is_summary { None } else { Some(package.parse().unwrap_or(0_u16)) };
        self.places.push(places);
        for meter in &header.meters {
            let text = cell(row, Some(meter.place));
            let value = number(
                text,
                "",
                if meter.is_energy { LARGEST_ENERGY_JOULES } else { LARGEST_POWER_WATTS },
            );
            // Rows of other CPUs than a package's or core's first end before it.
            if value == Err(NoNumber::Absent) && !is_summary {
                continue;
            }
            let domain = DomainId { domain: meter.domain, socket: package, die: None };
            let figure = self.figures.entry(domain).or_insert(Figure {
                sum: Ok(0.0),
                rounding_error: 0.0,
                is_energy: meter.is_energy,
                rows: 0,
            });
            figure.sum = figure.sum.and_then(|sum| Ok(sum + value?));
            figure.rounding_error = figure.rounding_error.hypot(rounding_error(text));
            figure.rows += 1;
        }
    }

    /// Whether packages are told apart.
    fn tells_packages(&self) -> bool {
        self.figures.keys().any(|id| id.socket.is_some() && id.domain == Domain::Package)
    }

    /// Keeps either the packages or their sum, and of the platform the machine's figure.
    fn keep(&mut self, by_package: bool) {
        let has_summary = self.has_summary;
        self.figures.retain(|id, _| match id.domain {
            Domain::Psys => id.socket.is_none() || (!has_summary && id.socket == Some(0)),
            _ => id.socket.is_some() == by_package,
        });
    }
}

impl Figure {
    const UNKNOWN: Self =
        Self { sum: Err(NoNumber::Absent), rounding_error: 0.0, is_energy: true, rows: 0 };

    fn energy(
        self,
        domain: DomainId,
        lasted: Nanoseconds,
        times: &Times,
        sum: &mut ExactSum,
    ) -> LoggedEnergy {
        let (advance, error) = if self.is_energy {
            let to_uj = |joules| i64::try_from(Joules::new(joules).to_microjoules().get());
            (self.sum.map(|joules| to_uj(joules).unwrap_or(i64::MAX)), self.rounding_error)
        } else {
            let advance = self.sum.map(|watts| sum.add(Watts::new(watts), lasted));
            (advance, self.rounding_error * lasted.seconds())
        };
        // Power times an interval that nobody told is no measurement.
        let provenance = if times.assumed && !self.is_energy {
            Provenance::Assumed
        } else {
            Provenance::Measured
        };
        LoggedEnergy::of_counter(
            domain,
            LogSource { name: NAME, provenance },
            advance,
            error,
            lasted,
        )
    }
}

/// How long the intervals were.
struct Times {
    lengths: Vec<Nanoseconds>,
    /// When the first ended, in nanoseconds since 1970.
    ended_first: Option<i64>,
    /// Whether the length is nothing but turbostat's default.
    assumed: bool,
    notes: Vec<String>,
}

impl Times {
    /// From the times of the rows, else as the user says, else turbostat's default. Intervals that end
    /// before the one before them are removed.
    fn of(intervals: &mut Vec<Interval>, about: &AboutLog<'_>, left_out: &mut LeftOut) -> Self {
        let given = about.missing.interval;
        let mut times =
            Self { lengths: Vec::new(), ended_first: None, assumed: false, notes: Vec::new() };
        if intervals.iter().any(|interval| interval.ended.is_some()) {
            let mut last: Option<i64> = None;
            intervals.retain(|interval| {
                let Some(ended) = interval.ended.and_then(seconds) else {
                    left_out.garbage += 1;
                    return false;
                };
                let ended = signed(ended);
                if last.is_some_and(|last| ended <= last) {
                    left_out.backwards += 1;
                    return false;
                }
                times.lengths.extend(last.map(|last| local_time::between(last, ended)));
                times.ended_first = times.ended_first.or(Some(ended));
                last = Some(ended);
                true
            });
            let first = intervals.first().and_then(|first| first.lasted).or(given);
            let first = first.or_else(|| {
                let next = times.lengths.first().copied();
                times.notes.extend(next.map(|_| {
                    "the log does not tell when its first interval began, so it is taken to be as long \
                     as the second"
                        .to_owned()
                }));
                next
            });
            let first = first.unwrap_or_else(|| times.assume());
            times.lengths.insert(0, first);
            return times;
        }
        let known = |interval: &Interval| interval.lasted.or(given);
        if intervals.iter().all(|interval| known(interval).is_some()) {
            times.lengths = intervals.iter().filter_map(known).collect();
        } else {
            let length = times.assume();
            times.lengths = vec![length; intervals.len()];
        }
        times.notes.push(
            "the log names no times (--show Time_Of_Day_Seconds adds them), so that of the file is taken for its end"
                .to_owned(),
        );
        times
    }

    fn assume(&mut self) -> Nanoseconds {
        self.assumed = true;
        self.notes.push(
            "the log does not tell how long its intervals are: turbostat's default of 5 s is ASSUMED \
             (--interval says otherwise)"
                .to_owned(),
        );
        DEFAULT_INTERVAL
    }
}
