//! Durations, instants of the monotonic clock, and wall-clock time: three types, not one.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A duration in whole nanoseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Nanoseconds(u64);

impl Nanoseconds {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// From a number of nanoseconds.
    pub const fn new(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// From a number of milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds * 1_000_000)
    }

    /// The number of nanoseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// For showing and for models.
    #[expect(clippy::cast_precision_loss, reason = "exact below 104 days, shown to a few digits")]
    pub fn seconds(self) -> f64 {
        self.0 as f64 * 1e-9
    }

    /// `self − other`, never below nothing.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl From<Duration> for Nanoseconds {
    /// Saturates after 584 years.
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanoseconds> for Duration {
    fn from(lasted: Nanoseconds) -> Self {
        Self::from_nanos(lasted.0)
    }
}

impl Add for Nanoseconds {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Nanoseconds {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Nanoseconds {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// An instant of `CLOCK_MONOTONIC`, which is also what `bpf_ktime_get_ns` reads:
/// nanoseconds since an arbitrary point near boot, standing still during suspend.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MonotonicTime(u64);

impl MonotonicTime {
    /// Later than every reading of the clock.
    pub const MAX: Self = Self(u64::MAX);

    /// From a reading of the clock in nanoseconds.
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// The reading in nanoseconds.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to here; nothing where `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> Nanoseconds {
        Nanoseconds(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Nanoseconds> for MonotonicTime {
    type Output = Self;
    /// Stops at the clock's end, 584 years after its zero.
    fn add(self, later: Nanoseconds) -> Self {
        Self(self.0.saturating_add(later.0))
    }
}

impl Sub<Nanoseconds> for MonotonicTime {
    type Output = Self;
    /// Stops at the clock's zero.
    fn sub(self, earlier: Nanoseconds) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// Wall-clock time: nanoseconds since 1970-01-01T00:00:00 UTC. For people; never subtracted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WallTime(i64);

impl WallTime {
    /// From nanoseconds since the epoch.
    pub const fn from_epoch_nanos(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the epoch.
    pub const fn epoch_nanos(self) -> i64 {
        self.0
    }
}
