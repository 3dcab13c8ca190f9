//! A recording over time, for reports on emissions: its parts in each of which one intensity held, and the
//! rows of a report by time.

use crate::attribution::split;
use crate::emissions::series::{IntensitySeries, Mean, Step, later};
use crate::profile::{Profile, StandardError};
use crate::units::{Microjoules, Nanoseconds, WallTime};

/// How many rows a report by time has at most, but for one more where it begins within one.
const MOST_ROWS: u64 = 24;

/// How long the rows of a report by time may be, in seconds: what clocks and calendars show.
const LENGTHS: [u64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 604_800, 2_419_200,
];

/// Which part of a recording a window belongs to: windows of one key are together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartKey {
    /// Which row of time it is in, where those are told apart.
    pub row: Option<WallTime>,
    /// Which step of a series it is in, where there is one.
    pub step: Option<usize>,
}

/// Rows of time of one length, each beginning at a whole multiple of it since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeGrid {
    length: Nanoseconds,
}

impl TimeGrid {
    /// For windows that begin from `first` to `last` and last so long at most: the shortest length that
    /// makes few rows and is no shorter than a window.
    pub fn of(first: WallTime, last: WallTime, longest: Nanoseconds) -> Self {
        let span = i128::from(last.epoch_nanos()) - i128::from(first.epoch_nanos());
        let span = u64::try_from(span).unwrap_or(0);
        let mut lengths = LENGTHS.into_iter().map(|seconds| seconds * 1_000_000_000);
        let fitting = lengths.find(|length| span / length < MOST_ROWS && *length >= longest.get());
        let longer = || (span / MOST_ROWS + 1).max(longest.get());
        Self { length: Nanoseconds::new(fitting.unwrap_or_else(longer)) }
    }

    /// Where the row begins that an instant is in.
    pub fn row_of(self, at: WallTime) -> WallTime {
        let length = i64::try_from(self.length.get()).unwrap_or(i64::MAX);
        WallTime::from_epoch_nanos(at.epoch_nanos().div_euclid(length).saturating_mul(length))
    }
}

/// A part of a recording in which one intensity held.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The step of the series; `None` where there is no series.
    pub step: Option<Step>,
    /// All its energy.
    pub energy: Microjoules,
    /// The energy of each row of the report, in its order.
    pub rows: Vec<Microjoules>,
}

impl Part {
    /// What it is weighed with.
    fn used(&self) -> Option<(Step, Microjoules)> {
        Some((self.step?, self.energy))
    }
}

/// A recording over a series of intensities.
#[derive(Clone, Debug, PartialEq)]
pub struct OverTime<'a> {
    /// The series.
    pub series: &'a IntensitySeries,
    /// In order. They add up to the recording.
    pub parts: Vec<Part>,
}

impl OverTime<'_> {
    /// The mean of the series over the recording's energy.
    pub fn mean(&self) -> Option<Mean> {
        Mean::of(&self.parts.iter().filter_map(Part::used).collect::<Vec<_>>())
    }

    /// The steps used, each once, in order.
    pub(super) fn steps(&self) -> Vec<&Step> {
        let mut steps: Vec<&Step> =
            self.parts.iter().filter_map(|part| part.step.as_ref()).collect();
        steps.sort_by_key(|step| step.from);
        steps.dedup_by_key(|step| step.from);
        steps
    }

    /// Splits a whole first among the parts, by their energy times `factor`, then each part among
    /// its rows by their energy; rows that `counts` says no to get nothing. What the rows get adds up
    /// to the whole exactly, and so does what the parts get.
    pub(super) fn split(
        &self,
        whole: u64,
        factor: impl Fn(&Step) -> f64,
        counts: &[bool],
    ) -> Vec<u64> {
        let mut rows = vec![0; counts.len()];
        for (part, amount) in self.parts.iter().zip(self.of_parts(whole, factor)) {
            let energies = part.rows.iter().zip(counts);
            let energies: Vec<u64> =
                energies.map(|(energy, counts)| if *counts { energy.get() } else { 0 }).collect();
            for (row, share) in rows.iter_mut().zip(split(amount, &energies).unwrap_or_default()) {
                *row += share;
            }
        }
        rows
    }

    fn of_parts(&self, whole: u64, factor: impl Fn(&Step) -> f64) -> Vec<u64> {
        let products: Vec<f64> = self
            .parts
            .iter()
            .map(|part| part.step.as_ref().map_or(0.0, &factor) * part.energy.joules().get())
            .collect();
        let most = products.iter().copied().fold(0.0, f64::max);
        let weights: Vec<u64> = products.iter().map(|product| weight(*product, most)).collect();
        split(whole, &weights).unwrap_or_else(|| vec![0; self.parts.len()])
    }

    /// The mean intensity of what a row used; `None` where it used nothing.
    pub(super) fn mean_of_row(&self, row: usize) -> Option<Mean> {
        let used: Vec<(Step, Microjoules)> = self
            .parts
            .iter()
            .filter_map(|part| Some((part.step?, *part.rows.get(row)?)))
            .filter(|(_, energy)| energy.get() > 0)
            .collect();
        Mean::of(&used)
    }
}

/// A share of `most` in whole numbers, as fine as the figures are.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is from 0 to 2^53, the integers that floating point has"
)]
fn weight(product: f64, most: f64) -> u64 {
    if most > 0.0 { (product / most * 9_007_199_254_740_992.0) as u64 } else { 0 }
}

/// A row of a report by time.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeRow {
    /// Where it begins.
    pub from: WallTime,
    /// Where it ends.
    pub to: WallTime,
    /// What it is called.
    pub name: String,
    /// Its energy; `None` where it is not known.
    pub energy: Option<Microjoules>,
    /// The energy's standard error.
    pub error: StandardError,
    /// How long of it was recorded.
    pub recorded: Nanoseconds,
}

/// The rows of a report by time, and in which of them each part is, from the parts of `whole` in order.
pub fn time_rows(
    whole: &Profile,
    parts: &[(PartKey, Profile)],
    grid: TimeGrid,
) -> (Vec<TimeRow>, Vec<usize>) {
    let known = whole.provenance().is_some();
    let mut rows: Vec<TimeRow> = Vec::new();
    let mut places = Vec::new();
    for (key, part) in parts {
        let from = key.row.unwrap_or(part.span.start_utc);
        let (energy, error) = (part.total().measured, part.total_error());
        match rows.last_mut().filter(|row| row.from == from) {
            Some(row) => {
                row.energy = row.energy.map(|sum| sum + energy);
                row.error = row.error.plus(error);
                row.recorded += part.span.duration;
            }
            None => rows.push(TimeRow {
                from,
                to: later(from, grid.length),
                name: super::utc(from),
                energy: known.then_some(energy),
                error,
                recorded: part.span.duration,
            }),
        }
        places.push(rows.len() - 1);
    }
    (rows, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_time_are_few_and_begin_on_the_clock() {
        const MINUTE: i64 = 60_000_000_000;
        let at = |minute: i64| WallTime::from_epoch_nanos(minute * MINUTE);
        let short = Nanoseconds::from_millis(100);
        let grid = TimeGrid::of(at(7), at(607), short);
        assert_eq!(grid.length, Nanoseconds::from_millis(1_800_000));
        assert_eq!([grid.row_of(at(7)), grid.row_of(at(31))], [at(0), at(30)]);
        let long = TimeGrid::of(at(7), at(8), Nanoseconds::from_millis(40_000));
        assert_eq!(long.length, Nanoseconds::from_millis(60_000));
        let year = TimeGrid::of(at(0), at(366 * 1_440), short);
        assert_eq!(year.length, Nanoseconds::from_millis(2_419_200_000));
        let century = TimeGrid::of(at(0), at(36_525 * 1_440), short);
        assert_eq!(century.row_of(at(36_525 * 1_440)), century.row_of(at(36_525 * 1_440 - 1)));
    }
}
