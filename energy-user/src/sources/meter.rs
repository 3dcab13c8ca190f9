//! One counter's history: its readings become the energy of windows.
//!
//! Readings are summed up in whole microjoules, and the sum is interpolated between the two readings around
//! a window's edge. Windows that meet share that edge, so their energies add up to the counter's own
//! advance exactly. Faults end the sum and begin a new one: what lies between is unknown, never guessed.

use std::collections::VecDeque;
use std::sync::Arc;

use super::wrapping_counter::{Step, step};
use super::{CounterReading, CounterSpec, Shown, SourceError};
use crate::model::{CounterFlags, Domain, EnergySample, Provenance, Window};
use crate::units::{Joules, Microjoules, MonotonicTime, Nanoseconds, Watts};

/// Every domain that is watched for standing still draws more than this in any state a machine runs in,
/// so a counter is stale when it has missed ten updates and this power would have shown as a step.
const LEAST_DRAW: Watts = Watts::new(0.1);

/// A counter updates itself at its own times, so up to two updates may fall into an interval that seems
/// to hold one less, and this many quanta may appear at its ends.
const MARGIN_QUANTA: u64 = 2;

/// Turns one counter's readings into the energy of windows.
#[derive(Debug)]
pub struct Meter {
    spec: CounterSpec,
    source: Arc<str>,
    provenance: Provenance,
    points: VecDeque<Point>,
    /// Faults since the last point.
    pending: CounterFlags,
    last_value_uj: u64,
    /// When the value was first seen as it is.
    unchanged_since: MonotonicTime,
    latest_reading: Option<MonotonicTime>,
    last_error: Option<SourceError>,
}

/// A good reading.
#[derive(Clone, Copy, Debug)]
struct Point {
    at: MonotonicTime,
    spread: Nanoseconds,
    /// Energy since the meter began, leaving out what is unknown.
    sum_uj: u64,
    /// What is known of the time since the point before.
    since: Interval,
    /// The mean power since the value was another one.
    power: Watts,
    /// Whether the value is that of the point before, of a counter that moves in long steps.
    repeated: bool,
}

/// What is known of the time between two good readings.
#[derive(Clone, Copy, Debug)]
enum Interval {
    /// The energy is the difference of the sums; the flags only inform.
    Known(CounterFlags),
    /// The energy is unknown, for these reasons.
    Unknown(CounterFlags),
}

impl Point {
    /// The first point of a counter.
    fn first(at: MonotonicTime, spread: Nanoseconds, since: Interval) -> Self {
        Self { at, spread, sum_uj: 0, since, power: Watts::new(0.0), repeated: false }
    }
}

impl Meter {
    /// A meter without readings, for a counter of the source called `source`.
    pub fn new(spec: CounterSpec, source: impl Into<Arc<str>>, provenance: Provenance) -> Self {
        Self {
            spec,
            source: source.into(),
            provenance,
            points: VecDeque::new(),
            pending: CounterFlags::GAP,
            last_value_uj: 0,
            unchanged_since: MonotonicTime::default(),
            latest_reading: None,
            last_error: None,
        }
    }

    /// The counter.
    pub const fn spec(&self) -> &CounterSpec {
        &self.spec
    }

    /// Why the counter could not be read when that last happened.
    pub const fn last_error(&self) -> Option<&SourceError> {
        self.last_error.as_ref()
    }

    /// Takes the counter's next reading. One that is not later than the reading before is left out,
    /// which loses nothing: the counter is cumulative.
    pub fn push(&mut self, reading: CounterReading) {
        if self.latest_reading.is_some_and(|latest| reading.at <= latest) {
            return;
        }
        self.latest_reading = Some(reading.at);
        match reading.value {
            Ok(value) => self.push_value(reading.at, reading.spread, value.get()),
            Err(error) => {
                self.pending = self.pending.with(CounterFlags::UNREADABLE.with(CounterFlags::GAP));
                self.last_error = Some(error);
            }
        }
    }

    /// Whether the counter has been read at `time` or later.
    pub fn has_reached(&self, time: MonotonicTime) -> bool {
        self.latest_reading.is_some_and(|latest| latest >= time)
    }

    /// The energy of `window`, or `None` while no reading at or after its end is in.
    ///
    /// Ask for windows in order: readings before the end of a window that was given are forgotten.
    /// The sample's energy is `None`, and its flags say why, where the window touches unknown time.
    pub fn energy_of(&mut self, window: &Window) -> Option<EnergySample> {
        if !self.has_reached(window.end) {
            return None;
        }
        let energy = self.known_energy(window);
        let (energy, error, flags) = match energy {
            Ok((energy, error, flags)) => (Some(energy), Some(error), flags),
            Err(flags) => (None, None, flags),
        };
        let flags = match self.spec.shows {
            Shown::Energy => flags,
            Shown::Power => flags.with(CounterFlags::INTEGRATED),
        };
        let flags = if self.spec.is_too_coarse_for(window.length()) {
            flags.with(CounterFlags::COARSE)
        } else {
            flags
        };
        self.forget_before(window.end);
        Some(EnergySample {
            window: window.index,
            domain: self.spec.domain,
            source: Arc::clone(&self.source),
            provenance: self.provenance,
            energy,
            error,
            flags,
            busy: None,
        })
    }

    fn push_value(&mut self, at: MonotonicTime, spread: Nanoseconds, value_uj: u64) {
        let Some(last) = self.points.back().copied() else {
            let since = Interval::Unknown(self.pending);
            return self.anchor(Point::first(at, spread, since), value_uj);
        };
        let margin = last.spread + spread + self.spec.update_period + self.spec.update_period;
        let most = |elapsed: Nanoseconds| {
            (self.spec.ceiling * (elapsed + margin)).to_microjoules().get()
                + MARGIN_QUANTA * self.spec.quantum.get()
        };
        let step = step(
            self.last_value_uj,
            value_uj,
            self.spec.range.map(Microjoules::get),
            most(at.since(self.unchanged_since)),
            most(at.since(last.at)),
        );
        let unknown = |flags| Interval::Unknown(self.pending.with(flags));
        let (energy_uj, since) = match step {
            Step::Backwards => (0, unknown(CounterFlags::BACKWARDS)),
            Step::Implausible => (0, unknown(CounterFlags::IMPLAUSIBLE)),
            Step::Ambiguous => (0, unknown(CounterFlags::GAP)),
            _ if !self.pending.is_empty() => (0, unknown(CounterFlags::NONE)),
            Step::Forward(energy) => (energy, Interval::Known(CounterFlags::NONE)),
            Step::Wrapped(energy) => (energy, Interval::Known(CounterFlags::WRAPPED)),
        };
        let repeated = value_uj == self.last_value_uj && self.spec.moves_in_long_steps();
        let power = if repeated {
            last.power
        } else {
            let from = if last.repeated { self.unchanged_since } else { last.at };
            Microjoules::new(energy_uj).joules() / at.since(from)
        };
        let sum_uj = last.sum_uj + energy_uj;
        let point = Point { at, spread, sum_uj, since, power, repeated };
        match since {
            Interval::Unknown(_) => self.anchor(point, value_uj),
            Interval::Known(_) => self.go_on(point, last.at, value_uj),
        }
    }

    /// Begins anew at `point`.
    fn anchor(&mut self, point: Point, value_uj: u64) {
        self.points.push_back(point);
        self.pending = CounterFlags::NONE;
        self.last_value_uj = value_uj;
        self.unchanged_since = point.at;
    }

    fn go_on(&mut self, point: Point, last_at: MonotonicTime, value_uj: u64) {
        let changed = value_uj != self.last_value_uj;
        // When it moves again, the step holds what the counter kept back: that interval is stale too.
        let stood_until = if changed { last_at } else { point.at };
        self.points.push_back(point);
        if self.stale_after().is_some_and(|after| stood_until.since(self.unchanged_since) > after) {
            self.mark_stale_since(self.unchanged_since);
        }
        if changed {
            self.last_value_uj = value_uj;
            self.unchanged_since = point.at;
        }
    }

    fn mark_stale_since(&mut self, from: MonotonicTime) {
        for point in self.points.iter_mut().rev().take_while(|point| point.at > from) {
            if let Interval::Known(flags) = &mut point.since {
                *flags = flags.with(CounterFlags::STALE);
            }
        }
    }

    /// How long a counter may stand still; `None` for what is truly switched off: graphics, and rails.
    fn stale_after(&self) -> Option<Nanoseconds> {
        if matches!(self.spec.domain.domain, Domain::Uncore | Domain::Gpu | Domain::Rail) {
            return None;
        }
        let ten_updates = Nanoseconds::new(10 * self.spec.update_period.get());
        let one_step_s = self.spec.quantum.joules().get() / LEAST_DRAW.get();
        let one_step = std::time::Duration::try_from_secs_f64(one_step_s).ok()?.into();
        Some(ten_updates.max(one_step))
    }

    /// Energy, standard error and flags, or the flags that say why there is no energy.
    fn known_energy(
        &self,
        window: &Window,
    ) -> Result<(Microjoules, Microjoules, CounterFlags), CounterFlags> {
        let mut informing = CounterFlags::NONE;
        let mut unknown = CounterFlags::NONE;
        let mut before: Option<&Point> = None;
        for point in &self.points {
            let begins = before.map_or(MonotonicTime::default(), |before| before.at);
            if begins < window.end && point.at > window.start {
                match (point.since, before) {
                    (Interval::Known(flags), Some(_)) => informing = informing.with(flags),
                    // Older points were forgotten: the caller went back in time.
                    (Interval::Known(_), None) => unknown = unknown.with(CounterFlags::GAP),
                    (Interval::Unknown(flags), _) => unknown = unknown.with(flags),
                }
            }
            before = Some(point);
        }
        if before.is_none_or(|last| last.at < window.end) {
            unknown = unknown.with(self.pending).with(CounterFlags::GAP);
        }
        if !unknown.is_empty() || self.points.len() < 2 {
            return Err(informing.with(unknown));
        }
        if self.is_repeated_in(window) {
            informing = informing.with(CounterFlags::REPEATED);
        }
        let (start, end) = (self.edge(window.start), self.edge(window.end));
        let energy = Microjoules::new(end.sum_uj - start.sum_uj);
        let error = Joules::new((start.variance_j2 + end.variance_j2).sqrt()).to_microjoules();
        Ok((energy, error, informing))
    }

    /// Whether the counter stood still in the interval that the window's middle is in.
    fn is_repeated_in(&self, window: &Window) -> bool {
        let middle = window.start + Nanoseconds::new(window.length().get() / 2);
        let after = self.points.partition_point(|point| point.at < middle);
        self.points.get(after).is_some_and(|point| point.repeated)
    }

    /// The sum at `edge`, which must lie within known time.
    fn edge(&self, edge: MonotonicTime) -> Edge {
        let after = self.points.partition_point(|point| point.at < edge).max(1);
        let (before, after) = (&self.points[after - 1], &self.points[after]);
        let length = after.at.since(before.at);
        let gone = edge.since(before.at);
        let energy_uj = after.sum_uj - before.sum_uj;
        let part = u128::from(energy_uj) * u128::from(gone.get()) / u128::from(length.get());
        let part = u64::try_from(part).expect("a part of an energy is no more than the whole");
        let power = after.power;
        let uniform = 12_f64.sqrt();
        let quantum = self.spec.quantum.joules().get() / uniform;
        // The reading is as old as the last update, and was made somewhere between its two stamps.
        let update = (power * self.spec.update_period).get() / uniform;
        let spread = (power * before.spread.max(after.spread)).get() / uniform;
        // Near the edge the power may be anything between nothing and twice the interval's mean.
        let nearest = gone.min(length.saturating_sub(gone));
        let uneven = (power * nearest).get() / 3_f64.sqrt();
        Edge {
            sum_uj: before.sum_uj + part,
            variance_j2: [quantum, update, spread, uneven].iter().map(|error| error * error).sum(),
        }
    }

    fn forget_before(&mut self, end: MonotonicTime) {
        while self.points.len() > 1 && self.points[1].at <= end {
            self.points.pop_front();
        }
    }
}

/// The counter's sum at a window's edge.
struct Edge {
    sum_uj: u64,
    variance_j2: f64,
}

#[cfg(test)]
mod tests;
