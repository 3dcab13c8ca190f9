//! Logs of Intel Power Gadget (`PowerLog -file`, Windows and macOS; no longer maintained).
//!
//! Comma-separated: a header, a row for each interval with the energy since the log's start
//! (`Cumulative Processor Energy_0(Joules)`), and lines such as `Total Elapsed Time (sec) = 10.029232`
//! at the end. Columns differ with the processor: `_0` is the package, IA its cores, GT its graphics.

mod meter;

use meter::{Figure, Meter, MeterColumn, Shows, meters};

use super::LogError;
use super::cell::{NoNumber, number};
use super::columns::{Columns, cell, plain};
use super::format::{AboutLog, LogFormat};
use super::local_time::{self, DAY_NS, DayCount, MINUTE_NS};
use super::log::{LeftOut, Log, LogRow, LogSource, LoggedEnergy, NO_DATE, NO_ZONE};
use super::text::{LogText, cells};
use crate::model::{DomainId, Provenance};
use crate::units::{Microjoules, Nanoseconds, WallTime};

const SOURCE: LogSource = LogSource { name: "power-gadget", provenance: Provenance::Measured };

/// Two instants that are one: times are printed in milliseconds.
const ROUNDING: Nanoseconds = Nanoseconds::from_millis(1);

/// Rows have three decimals of joules or milliwatt hours.
const LAST_DIGIT: f64 = 0.001;

/// The format.
pub(super) struct PowerGadget;

impl LogFormat for PowerGadget {
    fn name(&self) -> &'static str {
        "power-gadget"
    }

    fn tool(&self) -> &'static str {
        "Intel Power Gadget"
    }

    fn lacks(&self) -> &'static str {
        "no column `Processor Power_0(Watt)` or `Cumulative Processor Energy_0(Joules)`"
    }

    fn recognises(&self, text: &LogText) -> bool {
        text.lines().any(|line| header(line).is_some())
    }

    fn read(&self, text: &LogText, about: &AboutLog<'_>) -> Result<Log, LogError> {
        let mut lines = text.lines();
        let columns = lines
            .find_map(header)
            .ok_or(LogError::NoHeader { wanted: "Cumulative Processor Energy_0(Joules)" })?;
        let mut reading = Reading::new(columns)?;
        for line in lines {
            reading.add(line);
        }
        reading.left_out.cut_short = text.ends_in_a_line();
        reading.into_log(about)
    }
}

/// The columns, where this is the line of headers.
fn header(line: &str) -> Option<Columns> {
    // The lines at the end have nearly the same names, and most lines are rows.
    if line.contains('=') || !(line.contains("Power_") || line.contains("Energy_")) {
        return None;
    }
    let columns = Columns::new(cells(line));
    (!meters(&columns).is_empty()).then_some(columns)
}

/// A row is from before the log began: the clock was set back.
struct Earlier;

/// What was read so far.
struct Reading {
    columns: Columns,
    elapsed: Option<usize>,
    system_time: Option<usize>,
    meters: Vec<Meter>,
    days: DayCount,
    /// The time of day at which the log began, and then on.
    begun: Option<i64>,
    reached: Option<Nanoseconds>,
    rows: Vec<LogRow>,
    /// What the lines at the end say, by name.
    closing: Vec<(String, f64)>,
    left_out: LeftOut,
}

impl Reading {
    fn new(columns: Columns) -> Result<Self, LogError> {
        let elapsed = columns.place("Elapsed Time (sec)");
        let system_time = columns.place("System Time");
        if elapsed.is_none() && system_time.is_none() {
            return Err(LogError::NoColumn { wanted: "Elapsed Time (sec)" });
        }
        let meters = meters(&columns).into_iter().map(Meter::new).collect();
        Ok(Self {
            columns,
            elapsed,
            system_time,
            meters,
            days: DayCount::default(),
            begun: None,
            // The energy counts from the start, so the first row ends the first interval; without
            // the elapsed time, that interval's beginning is unknown.
            reached: elapsed.map(|_| Nanoseconds::ZERO),
            rows: Vec::new(),
            closing: Vec::new(),
            left_out: LeftOut::default(),
        })
    }

    fn add(&mut self, line: &str) {
        if header(line).is_some() {
            return;
        }
        let row = cells(line);
        if let [single] = row.as_slice()
            && let Some((name, value)) = single.split_once('=')
            && let Ok(value) = value.trim().parse()
        {
            self.closing.push((plain(name), value));
            return;
        }
        if row.len() < self.columns.len() {
            self.left_out.garbage += 1;
            return;
        }
        let at = match self.time_of(&row) {
            Some(Ok(at)) => at,
            Some(Err(Earlier)) => return self.left_out.backwards += 1,
            None => return self.left_out.garbage += 1,
        };
        self.add_row(at, &|meter| meter.figure(cell(&row, Some(meter.place))));
    }

    /// The time of a row since the log's start.
    fn time_of(&mut self, row: &[String]) -> Option<Result<Nanoseconds, Earlier>> {
        let of_day = local_time::time_of_day(cell(row, self.system_time));
        let of_day = of_day.map(|time| self.days.unrolled(time));
        if self.elapsed.is_none() {
            let of_day = of_day?;
            let begun = *self.begun.get_or_insert(of_day);
            return Some(if of_day < begun {
                Err(Earlier)
            } else {
                Ok(local_time::between(begun, of_day))
            });
        }
        let elapsed = number(cell(row, self.elapsed), "", f64::MAX).ok()?;
        let elapsed = local_time::seconds(elapsed)?;
        if let (None, Some(of_day)) = (self.begun, of_day) {
            self.begun = Some(of_day - i64::try_from(elapsed.get()).ok()?);
        }
        Some(Ok(elapsed))
    }

    /// Adds what `read` tells of each column, up to `at`.
    fn add_row(&mut self, at: Nanoseconds, read: &dyn Fn(&MeterColumn) -> Figure) {
        let from = self.reached;
        if from.is_some_and(|from| at < from) {
            self.left_out.backwards += 1;
            return;
        }
        let lasted = at.saturating_sub(from.unwrap_or(at));
        if from.is_some() && lasted == Nanoseconds::ZERO {
            // Two rows of one instant: what the counter has gained shows in the next.
            return;
        }
        self.reached = Some(at);
        let mut energy = Vec::new();
        for meter in &mut self.meters {
            let (advance, error) = meter.advance(&read(&meter.column), lasted);
            let domain = meter.column.domain;
            energy.push(LoggedEnergy::of_counter(domain, SOURCE, advance, error, lasted));
        }
        if let Some(from) = from {
            self.rows.push(LogRow { from, to: at, energy });
        }
    }

    /// What the lines at the end say of `name`.
    fn closing(&self, name: &str) -> Option<f64> {
        let name = plain(name);
        self.closing.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The energy of a domain by the lines at the end, in the unit of its column.
    fn closing_energy(&self, meter: &MeterColumn) -> Option<f64> {
        let Shows::Cumulative { name, joules } = meter.shows else { return None };
        let socket = meter.domain.socket.unwrap_or_default();
        let total = self.closing(&format!("Cumulative {name} Energy_{socket} (Joules)"))?;
        Some(total / joules)
    }

    /// The lines at the end have the same totals as the rows, with more digits and up to the very end.
    /// Gives the domains of which they say something else than the rows.
    fn close(&mut self) -> Vec<DomainId> {
        let total = self.closing("Total Elapsed Time (sec)").and_then(local_time::seconds);
        let (Some(total), Some(reached)) = (total, self.reached) else { return Vec::new() };
        let totals: Vec<(DomainId, Option<f64>)> =
            self.meters.iter().map(|m| (m.column.domain, self.closing_energy(&m.column))).collect();
        if total.saturating_sub(reached) > ROUNDING {
            self.add_row(total, &|meter| {
                let of_meter = totals.iter().find(|(domain, _)| *domain == meter.domain);
                let value = of_meter.and_then(|(_, total)| *total).ok_or(NoNumber::Absent);
                Figure { value, rounding_error: 0.0 }
            });
            return Vec::new();
        }
        let Some(last) = self.rows.last_mut() else { return Vec::new() };
        let mut differing = Vec::new();
        for ((meter, (domain, total)), energy) in
            self.meters.iter().zip(totals).zip(&mut last.energy)
        {
            let (Some(total), Some(reached), Some(of_row)) =
                (total, meter.reached_uj, energy.energy)
            else {
                continue;
            };
            let more = meter.column.in_microjoules(total) - reached;
            match of_row.get().checked_add_signed(more) {
                Some(exact) if more.abs() <= meter.column.in_microjoules(LAST_DIGIT) => {
                    energy.energy = Some(Microjoules::new(exact));
                }
                _ => differing.push(domain),
            }
        }
        differing
    }

    fn into_log(mut self, about: &AboutLog<'_>) -> Result<Log, LogError> {
        let mut notes = Vec::new();
        let differing: Vec<String> = self.close().iter().map(ToString::to_string).collect();
        if !differing.is_empty() {
            notes.push(format!(
                "the log's last lines and its rows disagree on the energy of {}; the rows are taken",
                differing.join(", ")
            ));
        }
        if self.rows.is_empty() {
            return Err(self.left_out.no_rows());
        }
        if self.meters.iter().any(|meter| meter.column.shows == Shows::MeanPower) {
            notes.push(
                "some of the energy is the log's mean power times the length of each row, as the log \
                 has no cumulative energy"
                    .to_owned(),
            );
        }
        let start = self.start(about);
        if start.is_some() {
            notes.push(NO_DATE.to_owned());
            if about.missing.utc_offset_seconds.is_none() {
                notes.push(NO_ZONE.to_owned());
            }
        }
        notes.extend(self.left_out.notes());
        let lasted =
            self.reached.map_or(0, |reached| i64::try_from(reached.get()).unwrap_or(i64::MAX));
        let by_file = about.written.map(|at| at.epoch_nanos().saturating_sub(lasted));
        let start = start.or(by_file.map(WallTime::from_epoch_nanos)).unwrap_or_default();
        Ok(Log { start, rows: self.rows, notes, ..Log::default() })
    }

    /// The log has times of day only. It ended, at the latest, when its file was written.
    fn start(&self, about: &AboutLog<'_>) -> Option<WallTime> {
        let begun = self.begun?;
        let offset =
            i64::from(about.missing.utc_offset_seconds.unwrap_or(0)) * local_time::SECOND_NS;
        let written = about.written?.epoch_nanos() + offset;
        let lasted = i64::try_from(self.reached?.get()).ok()?;
        let ended_of_day = begun.saturating_add(lasted).rem_euclid(DAY_NS);
        let mut ended = written - written.rem_euclid(DAY_NS) + ended_of_day;
        // Where the zone is known, an end after the file was written was the day before.
        if about.missing.utc_offset_seconds.is_some() && ended > written + MINUTE_NS {
            ended -= DAY_NS;
        }
        Some(local_time::wall_time(ended - lasted, about.missing.utc_offset_seconds))
    }
}
