//! How far samples speak for windows without any.

use crate::model::Window;
use crate::units::{MonotonicTime, Nanoseconds};

/// How far away, in windows, samples may be that speak for a window without any; or, where that is
/// longer, [`NEAR_TIME`].
const NEAR_WINDOWS: u32 = 10;
/// How far away, from start to start, samples may be that speak for a window without any; or, where
/// that is longer, [`NEAR_WINDOWS`].
const NEAR_TIME: Nanoseconds = Nanoseconds::from_millis(1000);

/// A window's place in the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) index: u32,
    start: MonotonicTime,
}

impl Moment {
    pub(super) const fn of(window: &Window) -> Self {
        Self { index: window.index, start: window.start }
    }

    /// How many windows this is after `earlier`.
    pub(super) const fn windows_since(self, earlier: Self) -> u32 {
        self.index.saturating_sub(earlier.index)
    }

    /// Whether samples of this window may speak for `earlier`, and the other way round.
    pub(super) fn is_near(self, earlier: Self) -> bool {
        self.windows_since(earlier) <= NEAR_WINDOWS || self.start.since(earlier.start) <= NEAR_TIME
    }
}
