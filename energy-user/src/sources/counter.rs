//! What every counter of energy has in common: what it covers, how it counts, what a reading is.

use super::SourceError;
use crate::model::{DomainId, GpuSample, Provenance};
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

/// A counter that moves no more often than this does so in steps that windows and readings can fall
/// between.
const LONG_STEP: Nanoseconds = Nanoseconds::from_millis(20);

impl CounterSpec {
    /// Whether a reading may find the counter where the one before found it, although energy was drawn.
    pub fn moves_in_long_steps(&self) -> bool {
        self.shows == Shown::Energy && self.update_period >= LONG_STEP
    }

    /// Whether a window of this length is over before the hardware has a new figure.
    pub fn is_too_coarse_for(&self, window: Nanoseconds) -> bool {
        self.update_period >= LONG_STEP && window < self.update_period
    }
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
    fn note(&self) -> Option<String> {
        None
    }

    /// The counters, in an order that does not change.
    fn counters(&self) -> &[CounterSpec];

    /// Those of its domains that are graphics cards which lie in no processor's package.
    fn discrete_cards(&self) -> Vec<DomainId> {
        Vec::new()
    }

    /// Reads every counter once and appends one reading for each.
    fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>);

    /// Who used its graphics cards since the last call, and what state they are in; the window's index
    /// is left at 0. Nothing where it does not know.
    fn read_cards(&mut self, _out: &mut Vec<GpuSample>) {}
}
