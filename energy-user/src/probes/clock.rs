//! The clocks. `CLOCK_MONOTONIC` is the one `bpf_ktime_get_ns` reads, so both sides agree.

use nix::time::{ClockId, clock_gettime};

use crate::units::{MonotonicTime, WallTime};

fn nanos(clock: ClockId) -> i64 {
    let now = clock_gettime(clock).expect("Linux has both clocks, and the pointer is ours");
    now.tv_sec() * 1_000_000_000 + now.tv_nsec()
}

/// Now, on `CLOCK_MONOTONIC`.
pub fn monotonic_now() -> MonotonicTime {
    MonotonicTime::from_nanos(nanos(ClockId::CLOCK_MONOTONIC).unsigned_abs())
}

/// Now, on `CLOCK_REALTIME`.
pub fn wall_now() -> WallTime {
    WallTime::from_epoch_nanos(nanos(ClockId::CLOCK_REALTIME))
}
