//! When the intervals of a log were, and how long: what rows are worth that tell power only.

use super::interval::Interval;
use crate::import::format::AboutLog;
use crate::import::local_time::between;
use crate::import::log::{LeftOut, shortest_pause};
use crate::model::Provenance;
use crate::units::Nanoseconds;

/// turbostat's own default, taken where the log does not tell the times of its rows.
const DEFAULT_INTERVAL: Nanoseconds = Nanoseconds::from_millis(5000);

/// How long the intervals were.
pub(super) struct Times {
    pub lengths: Vec<Nanoseconds>,
    /// When the first ended, in nanoseconds since 1970.
    pub ended_first: Option<i64>,
    /// Whether the length is nothing but turbostat's default.
    assumed: bool,
    pub notes: Vec<String>,
}

impl Times {
    /// From the times of the rows, else as the user says, else turbostat's default. Intervals that end
    /// before the one before them are removed.
    pub(super) fn of(
        intervals: &mut Vec<Interval>,
        about: &AboutLog<'_>,
        left_out: &mut LeftOut,
    ) -> Self {
        let given = about.missing.interval;
        let mut times =
            Self { lengths: Vec::new(), ended_first: None, assumed: false, notes: Vec::new() };
        if intervals.iter().any(|interval| interval.ended.is_some()) {
            let mut last: Option<i64> = None;
            intervals.retain(|interval| {
                let Some(ended) = interval.ended else {
                    left_out.garbage += 1;
                    return false;
                };
                if last.is_some_and(|last| ended <= last) {
                    left_out.backwards += 1;
                    return false;
                }
                times.lengths.extend(last.map(|last| between(last, ended)));
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
            "the log names no times (--enable Time_Of_Day_Seconds adds them), so that of the file is taken for its end"
                .to_owned(),
        );
        times
    }

    /// The shortest stretch between two rows that is a pause: two logs in one file.
    pub(super) fn shortest_pause(&self) -> Option<Nanoseconds> {
        self.ended_first.and_then(|_| shortest_pause(&self.lengths))
    }

    /// What power times these lengths is: no measurement where nobody told them.
    pub(super) const fn provenance_of_energy(&self) -> Provenance {
        if self.assumed { Provenance::Assumed } else { Provenance::Measured }
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
