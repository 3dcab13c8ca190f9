//! What every counter of energy has in common: what it covers, how it counts, what a reading is.

use super::SourceError;
use crate::model::{DomainId, Provenance};
use crate::units::{Microjoules, MonotonicTime, Nanoseconds, Watts};

/// The monotonic clock, passed in so that no source reads a clock by itself.
pub type ClockFn<'a> = dyn Fn() -> MonotonicTime + 'a;

/// How a counter counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CounterSpec {
    /// What it covers.
    pub domain: DomainId,
    /// How many microjoules a whole turn is: the value after which it shows 0 again, which is one
    /// quantum above the highest value it shows. `None` where unknown; a step back is then a reset.
    pub range: Option<Microjoules>,
    /// The smallest step.
    pub quantum: Microjoules,
    /// How often the hardware brings it up to date.
    pub update_period: Nanoseconds,
    /// More than the hardware can draw; a faster counter is not believed.
    pub ceiling: Watts,
    /// What the hardware shows.
    pub shows: Shown,
}

/// What a sensor shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Energy, counted by the hardware.
    Energy,
    /// Power, which the source adds up over time.
    Power,
}

/// One reading of one counter.
#[derive(Debug)]
pub struct CounterReading {
    /// Which counter: the index into [`EnergySource::counters`].
    pub counter: usize,
    /// When: the middle between a clock reading before and one after.
    pub at: MonotonicTime,
    /// The time between those two.
    pub spread: Nanoseconds,
    /// What it showed.
    pub value: Result<Microjoules, SourceError>,
}

/// A set of counters that are read together.
pub trait EnergySource: Send {
    /// The name in the trace, e.g. `rapl-powercap`.
    fn name(&self) -> &'static str;

    /// What kind of figure it gives.
    fn provenance(&self) -> Provenance;

    /// A sentence that every report must show beside its figures, if there is one.
    fn note(&self) -> Option<String>;

    /// The counters, in an order that does not change.
    fn counters(&self) -> &[CounterSpec];

    /// Reads every counter once and appends one reading for each.
    fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>);
}
