//! Windows: the stretches of time that energy and residency are counted in.

use std::time::Duration;

use thiserror::Error;

use crate::units::{MonotonicTime, Nanoseconds, WallTime};

/// One stretch of time, between two lines of the grid or cut short by the session's edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Counted from 0 in a session, without holes.
    pub index: u32,
    /// Where it begins.
    pub start: MonotonicTime,
    /// Where it ends; the next window's start, but for logs of other tools, which pause.
    pub end: MonotonicTime,
    /// Where it begins, for people.
    pub start_utc: WallTime,
    /// Scheduler switches lost in this window because a CPU's log was full.
    pub lost_switches: u64,
    /// Process events (fork, exec, exit) lost in this window because the ring buffer was full.
    pub lost_events: u64,
}

impl Window {
    /// How long it is.
    pub const fn length(&self) -> Nanoseconds {
        self.end.since(self.start)
    }
}

/// A window length no recording can use.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a window of {:?} is out of range: choose 1 ms to 10 s", Duration::from(*.0))]
pub struct GridError(Nanoseconds);

/// The fixed grid of `CLOCK_MONOTONIC` that windows lie on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    step: Nanoseconds,
}

impl Grid {
    /// The shortest window: RAPL counters are updated about every millisecond.
    pub const SHORTEST: Nanoseconds = Nanoseconds::from_millis(1);
    /// The longest window.
    pub const LONGEST: Nanoseconds = Nanoseconds::from_millis(10_000);

    /// A grid of windows of `step`, from [`Self::SHORTEST`] to [`Self::LONGEST`].
    pub fn new(step: Nanoseconds) -> Result<Self, GridError> {
        if (Self::SHORTEST..=Self::LONGEST).contains(&step) {
            Ok(Self { step })
        } else {
            Err(GridError(step))
        }
    }

    /// The length of a whole window.
    pub const fn step(self) -> Nanoseconds {
        self.step
    }

    /// The first line of the grid after `at`.
    pub const fn line_after(self, at: MonotonicTime) -> MonotonicTime {
        MonotonicTime::from_nanos((at.nanos() / self.step.get() + 1) * self.step.get())
    }

    /// The index of the window that `at` is in, in a recording that began at `start`.
    pub fn index_between(self, start: MonotonicTime, at: MonotonicTime) -> u32 {
        let since = at.since(self.line_at_or_before(start)).get();
        u32::try_from(since / self.step.get()).unwrap_or(u32::MAX)
    }

    /// The last line of the grid at or before `at`.
    pub const fn line_at_or_before(self, at: MonotonicTime) -> MonotonicTime {
        MonotonicTime::from_nanos(at.nanos() / self.step.get() * self.step.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_hundred_millisecond_grid() {
        let grid = Grid::new(Nanoseconds::from_millis(100)).unwrap();
        let at = MonotonicTime::from_nanos(1_234_000_000);
        assert_eq!(grid.line_after(at).nanos(), 1_300_000_000);
        assert_eq!(grid.line_at_or_before(at).nanos(), 1_200_000_000);
        assert_eq!(grid.line_after(grid.line_after(at)).nanos(), 1_400_000_000);
    }

    #[test]
    fn a_grid_finer_than_the_counters_or_coarser_than_ten_seconds_is_refused() {
        assert!(Grid::new(Nanoseconds::new(999_999)).is_err());
        assert!(Grid::new(Nanoseconds::from_millis(10_001)).is_err());
        assert!(Grid::new(Nanoseconds::from_millis(1)).is_ok());
    }
}
