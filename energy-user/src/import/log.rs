//! What every log comes down to: stretches of time, and what was drawn in each.

use crate::model::{CounterFlags, DomainId, Provenance};
use crate::trace::Host;
use crate::units::{Joules, Microjoules, Nanoseconds, WallTime, Watts};

use super::LogError;
use super::cell::{LARGEST_POWER_WATTS, NoNumber};

/// How late a counter of the processor may be at either end of a row: it is updated about every
/// millisecond.
const COUNTER_PERIOD: Nanoseconds = Nanoseconds::from_millis(1);

/// A log, read.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// When its first row begins.
    pub start: WallTime,
    /// Its rows in order of time; they do not overlap, but there may be time between them.
    pub rows: Vec<LogRow>,
    /// What it says of the machine.
    pub host: Host,
    /// What whoever reads its figures must be told, in sentences without a full stop.
    pub notes: Vec<String>,
}

/// A stretch of time, since the log's start, and what was drawn in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogRow {
    pub from: Nanoseconds,
    pub to: Nanoseconds,
    pub energy: Vec<LoggedEnergy>,
}

/// The energy of one domain in one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LoggedEnergy {
    pub domain: DomainId,
    pub source: LogSource,
    /// `None` where it is unknown, and the flags say why.
    pub energy: Option<Microjoules>,
    pub error: Option<Microjoules>,
    pub flags: CounterFlags,
}

/// Who gave a figure, and what kind of figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogSource {
    pub name: &'static str,
    pub provenance: Provenance,
}

/// A stretch this many times as long as the usual one is a pause of the log's.
const PAUSE: u64 = 10;

/// The shortest stretch that is a pause of the log's and no interval of its own, where there are enough to
/// tell what is usual.
pub(super) fn shortest_pause(lengths: &[Nanoseconds]) -> Option<Nanoseconds> {
    let mut lengths = lengths.to_vec();
    lengths.sort_unstable();
    let usual = lengths.get(lengths.len() / 2).filter(|_| lengths.len() >= 3)?;
    Some(Nanoseconds::new(usual.get().saturating_mul(PAUSE)))
}

/// What is said of pauses.
pub(super) fn told_of_pauses(count: usize) -> Option<String> {
    let pauses = if count == 1 { "1 pause".to_owned() } else { format!("{count} pauses") };
    let are = if count == 1 { "is a gap" } else { "are gaps" };
    (count > 0).then(|| {
        format!("{pauses} of the log, more than {PAUSE} times as long as its usual interval, {are} without energy")
    })
}

impl LogRow {
    /// How long it is.
    pub(super) const fn length(&self) -> Nanoseconds {
        self.to.saturating_sub(self.from)
    }
}

impl LoggedEnergy {
    /// A counter's advance over `lasted` in microjoules, with the standard error of its printed digits
    /// in joules; unknown where it went back, or where nothing draws as much.
    pub(super) fn of_counter(
        domain: DomainId,
        source: LogSource,
        advance_uj: Result<i64, NoNumber>,
        rounding_error: f64,
        lasted: Nanoseconds,
    ) -> Self {
        let advance = advance_uj.map_err(NoNumber::flags).and_then(|advance| {
            let back = CounterFlags::BACKWARDS.with(CounterFlags::GAP);
            u64::try_from(advance).map(Microjoules::new).map_err(|_| back)
        });
        let most = Watts::new(LARGEST_POWER_WATTS) * lasted;
        match advance {
            Ok(energy) if energy.joules() <= most => {
                let late = energy.joules() / lasted * COUNTER_PERIOD;
                let error = Joules::new(late.get().hypot(rounding_error)).to_microjoules();
                let (energy, error) = (Some(energy), Some(error));
                Self { domain, source, energy, error, flags: CounterFlags::NONE }
            }
            Ok(_) => Self::unknown(domain, source, NoNumber::Implausible.flags()),
            Err(flags) => Self::unknown(domain, source, flags),
        }
    }

    /// Energy that is not known, for the reasons in `flags`.
    pub(super) const fn unknown(domain: DomainId, source: LogSource, flags: CounterFlags) -> Self {
        Self { domain, source, energy: None, error: None, flags }
    }
}

/// Adds up power times time exactly, so that rows rounded to microjoules add up to the rounded whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ExactSum {
    /// Microwatts times nanoseconds, twice: the sum of the two sides of a trapezoid.
    twice_uw_ns: u128,
}

impl ExactSum {
    /// Adds `power` for `lasted`; gives the whole microjoules that came to it.
    pub(super) fn add(&mut self, power: Watts, lasted: Nanoseconds) -> i64 {
        self.add_slope(power, power, lasted)
    }

    /// Adds power that went in a straight line from one to the other in `lasted`.
    pub(super) fn add_slope(&mut self, from: Watts, to: Watts, lasted: Nanoseconds) -> i64 {
        const TWICE_FJ_PER_UJ: u128 = 2_000_000_000;
        // A power of so many microwatts has as many microjoules in a second.
        let microwatts = |power: Watts| {
            u128::from((power * Nanoseconds::from_millis(1000)).to_microjoules().get())
        };
        let before = self.twice_uw_ns / TWICE_FJ_PER_UJ;
        let both = microwatts(from) + microwatts(to);
        self.twice_uw_ns = self.twice_uw_ns.saturating_add(both * u128::from(lasted.get()));
        i64::try_from(self.twice_uw_ns / TWICE_FJ_PER_UJ - before).unwrap_or(i64::MAX)
    }
}

/// Rows that could not be used, by the reason, so that each is told.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// They are no rows of this log, or lack their time.
    pub garbage: u64,
    /// They are earlier than the row before them.
    pub backwards: u64,
    /// The last line was cut off.
    pub cut_short: bool,
}

impl LeftOut {
    /// In sentences.
    pub(super) fn notes(&self) -> Vec<String> {
        let rows =
            |count: u64| if count == 1 { "1 line".to_owned() } else { format!("{count} lines") };
        let are = |count: u64| if count == 1 { "is" } else { "are" };
        let mut notes = Vec::new();
        if self.garbage > 0 {
            let (lines, are) = (rows(self.garbage), are(self.garbage));
            notes.push(format!("{lines} of the log could not be read and {are} left out"));
        }
        if self.backwards > 0 {
            let (lines, are) = (rows(self.backwards), are(self.backwards));
            notes.push(format!(
                "{lines} of the log {are} earlier than the one before and left out: its clock was \
                 set back, or it is two logs in one file"
            ));
        }
        if self.cut_short {
            notes.push("the log's last line was cut short and is left out".to_owned());
        }
        notes
    }

    /// That no row is left.
    pub(super) fn no_rows(&self) -> LogError {
        let mut why = vec!["it has no row that tells of energy".to_owned()];
        why.extend(self.notes());
        LogError::NoRows(why.join(", "))
    }
}

/// What is said of a clock whose zone is not known.
pub(super) const NO_ZONE: &str =
    "the log's clock names no zone and is taken for UTC (--utc-offset says otherwise)";

/// What is said of a log without dates.
pub(super) const NO_DATE: &str = "the log names no date, so that of the file is taken";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_a_watt_for_three_seconds_is_a_joule_however_it_is_cut() {
        let mut sum = ExactSum::default();
        let second = Nanoseconds::from_millis(1000);
        let power = Watts::new(0.333_333_5);
        let rows: i64 = (0..3000).map(|_| sum.add(power, Nanoseconds::from_millis(1))).sum();
        assert_eq!(rows, ExactSum::default().add(power, second + second + second));
    }
}
