//! Logs of `nvidia-smi --query-gpu=timestamp,index,power.draw,… --format=csv`, with or without `nounits`.
//!
//! A row for each card and time, with the time in the machine's own zone and power in watts. Readings of
//! power become energy in a straight line from one to the next; what happens between them is not seen.
//! Reference: `nvidia-smi --help-query-gpu`.

use std::collections::BTreeMap;

use super::LogError;
use super::cell::{LARGEST_POWER_WATTS, NoNumber, number, rounding_error};
use super::columns::{Columns, cell, plain};
use super::format::{AboutLog, LogFormat};
use super::local_time::{self, between};
use super::log::{
    ExactSum, LeftOut, Log, LogRow, LogSource, LoggedEnergy, NO_ZONE, shortest_pause,
    told_of_pauses,
};
use super::text::{LogText, cells};
use crate::model::{CounterFlags, Domain, DomainId, Provenance};
use crate::units::{Joules, Nanoseconds, Watts};

/// The columns of power, the best first: a mean over time says more of the time between two readings.
const POWER: [&str; 3] = ["power.draw.average", "power.draw", "power.draw.instant"];

/// The columns that tell cards apart.
const CARD: [&str; 5] = ["index", "uuid", "gpu_uuid", "pci.bus_id", "gpu_bus_id"];

const SOURCE: LogSource = LogSource { name: "nvidia-smi", provenance: Provenance::Measured };

/// The format.
pub(super) struct NvidiaSmi;

impl LogFormat for NvidiaSmi {
    fn name(&self) -> &'static str {
        "nvidia-smi"
    }

    fn tool(&self) -> &'static str {
        "nvidia-smi"
    }

    fn lacks(&self) -> &'static str {
        "no columns `timestamp` and `power.draw [W]`"
    }

    fn recognises(&self, text: &LogText) -> bool {
        text.lines().any(|line| Header::of(line).is_some() || Header::by_units(line).is_some())
    }

    fn read(&self, text: &LogText, about: &AboutLog<'_>) -> Result<Log, LogError> {
        let header = text.lines().find_map(Header::of);
        // Without headers, a cell in watts and a time tell enough.
        let header = header
            .or_else(|| text.lines().find_map(Header::by_units))
            .ok_or(LogError::NoHeader { wanted: "timestamp and power.draw" })?;
        let mut readings = Readings { header, ..Readings::default() };
        for line in text.lines() {
            readings.add(line);
        }
        readings.left_out.cut_short = text.ends_in_a_line();
        readings.into_log(about)
    }
}

/// Where what is needed stands.
#[derive(Clone, Debug, Default, PartialEq)]
struct Header {
    time: usize,
    power: usize,
    card: Option<usize>,
    name: Option<usize>,
    columns: usize,
    /// The column of power, for whoever asks which of them it was.
    power_name: String,
}

impl Header {
    /// From a line of headers.
    fn of(line: &str) -> Option<Self> {
        // Most lines are rows.
        if !line.contains("power.draw") {
            return None;
        }
        let names: Vec<String> = cells(line).iter().map(|name| without_unit(name)).collect();
        let columns = Columns::new(names);
        let (power, power_name) =
            POWER.into_iter().find_map(|name| Some((columns.place(name)?, name)))?;
        Some(Self {
            time: columns.place("timestamp")?,
            power,
            card: CARD.into_iter().find_map(|name| columns.place(name)),
            name: columns.place("name").or_else(|| columns.place("gpu_name")),
            columns: columns.len(),
            power_name: power_name.to_owned(),
        })
    }

    /// From a row without headers: a time, one figure in watts, and the first small number is the card's.
    fn by_units(line: &str) -> Option<Self> {
        let row = cells(line);
        let time = row.iter().position(|cell| local_time::date_and_time(cell).is_some())?;
        let mut in_watts = row.iter().enumerate().filter(|(_, cell)| cell.ends_with(" W"));
        let (power, _) = in_watts.next()?;
        let is_index = |cell: &&String| cell.parse::<u16>().is_ok();
        let card = row[..power].iter().position(|cell| is_index(&cell));
        let only = in_watts.next().is_none();
        let power_name = "the only column in watts".to_owned();
        only.then_some(Self { time, power, card, name: None, columns: row.len(), power_name })
    }
}

/// `power.draw [W]` is `power.draw`.
fn without_unit(name: &str) -> String {
    plain(name.split_once('[').map_or(name, |(name, _)| name))
}

/// What one card showed.
#[derive(Clone, Copy, Debug)]
struct Reading {
    at: i64,
    watts: Result<f64, NoNumber>,
    rounding_error: f64,
}

/// The cards read one after the other, as often as the log has them.
#[derive(Default)]
struct Readings {
    header: Header,
    /// The cards by what tells them apart, in the order of appearance.
    cards: Vec<String>,
    names: Vec<String>,
    rounds: Vec<Round>,
    /// Whether the clock was set back since the last round.
    interrupted: bool,
    left_out: LeftOut,
}

/// One reading of each card.
#[derive(Default)]
struct Round {
    at: i64,
    /// Whether the clock was set back before it, so that the time since the round before is unknown.
    after_break: bool,
    readings: BTreeMap<usize, Reading>,
}

impl Readings {
    fn add(&mut self, line: &str) {
        if Header::of(line).is_some() {
            return;
        }
        let row = cells(line);
        let Some(at) = local_time::date_and_time(cell(&row, Some(self.header.time))) else {
            self.left_out.garbage += 1;
            return;
        };
        if row.len() != self.header.columns {
            self.left_out.garbage += 1;
            return;
        }
        let card = cell(&row, self.header.card).to_owned();
        let place = self.cards.iter().position(|known| *known == card).unwrap_or_else(|| {
            self.cards.push(card);
            self.names.push(cell(&row, self.header.name).to_owned());
            self.cards.len() - 1
        });
        let text = cell(&row, Some(self.header.power));
        let watts = number(text, "W", LARGEST_POWER_WATTS);
        let reading = Reading { at, watts, rounding_error: rounding_error(text) };
        match self.rounds.last_mut() {
            Some(last) if at < last.at => {
                self.left_out.backwards += 1;
                self.interrupted = true;
            }
            Some(last) if !last.readings.contains_key(&place) => {
                last.readings.insert(place, reading);
            }
            _ => {
                let readings = [(place, reading)].into();
                let after_break = std::mem::take(&mut self.interrupted);
                self.rounds.push(Round { at, after_break, readings });
            }
        }
    }

    fn into_log(self, about: &AboutLog<'_>) -> Result<Log, LogError> {
        let domains = self.domains();
        let pairs = self.rounds.windows(2);
        let lengths: Vec<_> = pairs.map(|pair| between(pair[0].at, pair[1].at)).collect();
        let shortest_pause = shortest_pause(&lengths);
        let mut sums = vec![ExactSum::default(); self.cards.len()];
        let mut rows = Vec::new();
        let mut pauses = 0;
        let begun = self.rounds.first().map(|first| first.at).unwrap_or_default();
        for pair in self.rounds.windows(2) {
            let [before, after] = pair else { continue };
            let (from, to) = (between(begun, before.at), between(begun, after.at));
            if from == to {
                continue;
            }
            let lasted = to.saturating_sub(from);
            let is_pause = shortest_pause.is_some_and(|shortest| lasted > shortest);
            pauses += usize::from(is_pause);
            let energy = (0..self.cards.len())
                .map(|card| {
                    if is_pause || after.after_break {
                        return LoggedEnergy::unknown(domains[card], SOURCE, CounterFlags::GAP);
                    }
                    let readings = [before, after].map(|round| round.readings.get(&card).copied());
                    integrated(domains[card], readings, &mut sums[card])
                })
                .map(|energy| LoggedEnergy {
                    flags: energy.flags.with(CounterFlags::INTEGRATED),
                    ..energy
                })
                .collect();
            rows.push(LogRow { from, to, energy });
        }
        if rows.is_empty() {
            return Err(self.left_out.no_rows());
        }
        let mut notes = vec![format!(
            "energy is integrated from readings of power ({}): what happened between them was not seen",
            self.header.power_name
        )];
        notes.extend(told_of_pauses(pauses));
        notes.extend(self.named());
        if about.missing.utc_offset_seconds.is_none() {
            notes.push(NO_ZONE.to_owned());
        }
        notes.extend(self.left_out.notes());
        let start = local_time::wall_time(begun, about.missing.utc_offset_seconds);
        Ok(Log { start, rows, notes, ..Log::default() })
    }

    /// The cards' domains: by their index, where that is what tells them apart.
    fn domains(&self) -> Vec<DomainId> {
        let by_index: Option<Vec<u16>> = self.cards.iter().map(|card| card.parse().ok()).collect();
        let in_order = (0..self.cards.len()).map(|place| u16::try_from(place).unwrap_or(u16::MAX));
        let numbers = by_index.unwrap_or_else(|| in_order.collect());
        numbers.into_iter().map(|number| DomainId::of_socket(Domain::Gpu, number)).collect()
    }

    /// What the cards are called.
    fn named(&self) -> Option<String> {
        let domains = self.domains();
        let named = domains.iter().zip(&self.names).filter(|(_, name)| !name.is_empty());
        let named: Vec<String> = named.map(|(id, name)| format!("{id} is {name}")).collect();
        (!named.is_empty()).then(|| named.join(", "))
    }
}

/// The energy of one card between two readings.
fn integrated(
    domain: DomainId,
    readings: [Option<Reading>; 2],
    sum: &mut ExactSum,
) -> LoggedEnergy {
    let [Some(before), Some(after)] = readings else {
        return LoggedEnergy::unknown(domain, SOURCE, CounterFlags::GAP);
    };
    let lasted = between(before.at, after.at);
    if lasted == Nanoseconds::ZERO {
        return LoggedEnergy::unknown(domain, SOURCE, CounterFlags::GAP);
    }
    let both = before.watts.and_then(|from| Ok((from, after.watts?)));
    let advance = both.map(|(from, to)| sum.add_slope(Watts::new(from), Watts::new(to), lasted));
    // Power may have gone from the one to the other at any time between the two.
    let unseen = both.map_or(0.0, |(from, to)| (to - from).abs() / 12.0_f64.sqrt());
    let digits = before.rounding_error.hypot(after.rounding_error) / 2.0;
    let error = Joules::new(unseen.hypot(digits) * lasted.seconds());
    LoggedEnergy::of_counter(domain, SOURCE, advance, error.get(), lasted)
}
