//! Intensities over time: what a kilowatt-hour emitted, hour by hour.
//!
//! A value holds from its time until the next. Where the next is more than one and a half of the usual
//! steps away, values are missing: the value holds for a usual step, and from there to the next the
//! mean of both does, and that is told. The last value holds for a usual step.
//! The usual step is the most frequent distance of two times that follow each other.

mod columns;
mod csv;
mod error;
pub(in crate::emissions) mod instant;
mod mean;
mod other_starts;
mod remarks;

use std::collections::BTreeMap;

pub use error::SeriesError;
pub use mean::Mean;
pub use other_starts::{OtherStart, OtherStarts};
pub use remarks::in_hours;

use crate::units::{CarbonIntensity, Nanoseconds, WallTime, WaterIntensity};

/// Intensities of one grid over time, without a hole.
#[derive(Clone, Debug, PartialEq)]
pub struct IntensitySeries {
    /// Where they come from and what they cover.
    pub origin: Origin,
    /// In order; each begins where the one before ends. At least one.
    steps: Vec<Step>,
    /// How far values usually are apart.
    usual_step: Nanoseconds,
}

/// Where a series comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file or the service.
    pub name: String,
    /// The zone of the grid, where the series tells.
    pub zone: Option<String>,
    /// Whose figures they are: `Electricity Maps`.
    pub source: String,
    /// What they cover: `life cycle`.
    pub covers: Option<String>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// A value and the time it was told for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::emissions) struct Point {
    pub(in crate::emissions) at: WallTime,
    pub(in crate::emissions) intensity: CarbonIntensity,
    pub(in crate::emissions) water: Option<WaterIntensity>,
    /// Whether the source says that it is estimated.
    pub(in crate::emissions) estimated: bool,
}

/// A stretch of time of one intensity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Where it begins.
    pub from: WallTime,
    /// Where it ends, which is not in it.
    pub to: WallTime,
    /// What a kilowatt-hour emits.
    pub intensity: CarbonIntensity,
    /// What a kilowatt-hour consumes of water, where the series tells.
    pub water: Option<WaterIntensity>,
    /// How the value is known.
    pub kind: StepKind,
}

/// How the value of a step is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// As the series has it.
    Told,
    /// The series has it and says that it is estimated.
    Estimated,
    /// The mean of its neighbours: the series has no value.
    Filled,
}

impl Step {
    /// How long it is.
    pub fn length(&self) -> Nanoseconds {
        between(self.from, self.to)
    }
}

impl IntensitySeries {
    /// From points in any order. `None` where no two of them say how far they are apart and
    /// `usual_step` does not either. Of points of one time the last holds.
    pub(in crate::emissions) fn new(
        origin: Origin,
        points: &[Point],
        usual_step: Option<Nanoseconds>,
    ) -> Option<Self> {
        let points: BTreeMap<WallTime, Point> =
            points.iter().map(|point| (point.at, *point)).collect();
        let points: Vec<Point> = points.into_values().collect();
        let usual_step = usual_step.or_else(|| most_frequent_distance(&points))?;
        let mut steps = Vec::with_capacity(points.len());
        for (index, point) in points.iter().enumerate() {
            let told_until = later(point.at, usual_step);
            let next = points.get(index + 1);
            let missing = next.filter(|next| {
                between(point.at, next.at).get()
                    > usual_step.get().saturating_add(usual_step.get() / 2)
            });
            let end = match (missing, next) {
                (None, Some(next)) => next.at,
                _ => told_until,
            };
            steps.push(step(point, end));
            steps.extend(missing.map(|next| filling(point, next, told_until)));
        }
        (!steps.is_empty()).then_some(Self { origin, steps, usual_step })
    }

    /// All of it, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How far values usually are apart.
    pub const fn usual_step(&self) -> Nanoseconds {
        self.usual_step
    }

    /// Where it begins, and where it ends.
    pub fn covers(&self) -> (WallTime, WallTime) {
        (self.steps[0].from, self.steps[self.steps.len() - 1].to)
    }

    /// Which step an instant is in; `None` outside.
    pub fn place_of(&self, at: WallTime) -> Option<usize> {
        let after = self.steps.partition_point(|step| step.from <= at);
        let place = after.checked_sub(1)?;
        (at < self.steps[place].to).then_some(place)
    }

    /// Refuses a recording whose windows do not all begin within the series: the first and the last
    /// of them begin there.
    pub fn check_covers(&self, first: WallTime, last: WallTime) -> Result<(), SeriesError> {
        if self.place_of(first).is_some() && self.place_of(last).is_some() {
            return Ok(());
        }
        let (from, to) = self.covers();
        let name = self.origin.name.clone();
        Err(SeriesError::Uncovered { name, from, to, first, last })
    }
}

/// The time from one instant to another; nothing where it is not later.
pub(in crate::emissions) fn between(from: WallTime, to: WallTime) -> Nanoseconds {
    let nanoseconds = i128::from(to.epoch_nanos()) - i128::from(from.epoch_nanos());
    Nanoseconds::new(u64::try_from(nanoseconds).unwrap_or(0))
}

/// An instant so much later; the last that a wall clock tells where it is beyond it.
pub fn later(at: WallTime, by: Nanoseconds) -> WallTime {
    let by = i64::try_from(by.get()).unwrap_or(i64::MAX);
    WallTime::from_epoch_nanos(at.epoch_nanos().saturating_add(by))
}

fn step(point: &Point, to: WallTime) -> Step {
    let kind = if point.estimated { StepKind::Estimated } else { StepKind::Told };
    Step { from: point.at, to, intensity: point.intensity, water: point.water, kind }
}

/// What stands between two points that are too far apart.
fn filling(before: &Point, after: &Point, from: WallTime) -> Step {
    let grams = f64::midpoint(before.intensity.get(), after.intensity.get());
    let water = before.water.zip(after.water).map(|(a, b)| f64::midpoint(a.get(), b.get()));
    Step {
        from,
        to: after.at,
        intensity: CarbonIntensity::new(grams).unwrap_or(before.intensity),
        water: water.and_then(WaterIntensity::new),
        kind: StepKind::Filled,
    }
}

/// Of equally frequent ones the shortest; `None` of fewer than two points.
fn most_frequent_distance(points: &[Point]) -> Option<Nanoseconds> {
    let mut counts: BTreeMap<Nanoseconds, usize> = BTreeMap::new();
    for pair in points.windows(2) {
        *counts.entry(between(pair[0].at, pair[1].at)).or_default() += 1;
    }
    let most = *counts.values().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(distance, _)| distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn series(hours: &[(i64, f64)]) -> IntensitySeries {
        let point = |(hour, grams): &(i64, f64)| Point {
            at: WallTime::from_epoch_nanos(hour * HOUR),
            intensity: CarbonIntensity::new(*grams).unwrap(),
            water: None,
            estimated: false,
        };
        let points: Vec<Point> = hours.iter().map(point).collect();
        IntensitySeries::new(Origin::default(), &points, None).unwrap()
    }

    fn at_hour(series: &IntensitySeries, hour: i64) -> Option<(f64, StepKind)> {
        let place = series.place_of(WallTime::from_epoch_nanos(hour * HOUR))?;
        let step = series.steps()[place];
        Some((step.intensity.get(), step.kind))
    }

    #[test]
    fn a_value_holds_until_the_next_and_the_last_for_a_usual_step() {
        let series = series(&[(2, 20.0), (0, 0.0), (1, 10.0)]);
        let found: Vec<_> = (-1..4).map(|hour| at_hour(&series, hour).map(|(g, _)| g)).collect();
        assert_eq!(found, [None, Some(0.0), Some(10.0), Some(20.0), None]);
    }

    #[test]
    fn missing_hours_are_filled_with_the_mean_and_told() {
        let series = series(&[(0, 10.0), (1, 20.0), (5, 40.0), (6, 0.0)]);
        let found: Vec<_> = (1..6).map(|hour| at_hour(&series, hour).unwrap()).collect();
        let filled = (30.0, StepKind::Filled);
        assert_eq!(found, [(20.0, StepKind::Told), filled, filled, filled, (40.0, StepKind::Told)]);
        let used: Vec<&Step> = series.steps().iter().collect();
        assert_eq!(
            series.remarks(&used),
            ["3 h without a value are filled with the mean of the values before and after: \
              1970-01-01 02:00:00 UTC to 1970-01-01 05:00:00 UTC"]
        );
    }

    #[test]
    fn a_step_that_is_a_little_late_is_no_hole() {
        let late = Point {
            at: WallTime::from_epoch_nanos(2 * HOUR + HOUR / 2),
            intensity: CarbonIntensity::new(5.0).unwrap(),
            water: None,
            estimated: false,
        };
        let hour = |hour: i64| Point { at: WallTime::from_epoch_nanos(hour * HOUR), ..late };
        let series =
            IntensitySeries::new(Origin::default(), &[hour(-1), hour(0), hour(1), late], None)
                .unwrap();
        assert_eq!(series.steps().len(), 4);
        assert!(series.steps().windows(2).all(|pair| pair[0].to == pair[1].from));
    }

    #[test]
    fn one_value_says_nothing_of_its_step() {
        let one = Point {
            at: WallTime::from_epoch_nanos(0),
            intensity: CarbonIntensity::default(),
            water: None,
            estimated: false,
        };
        assert_eq!(IntensitySeries::new(Origin::default(), &[one], None), None);
    }
}
