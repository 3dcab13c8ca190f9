//! The clocks. `CLOCK_MONOTONIC` is the one `bpf_ktime_get_ns` reads, so both sides agree.

use nix::time::{ClockId, clock_gettime};

use crate::units::{MonotonicTime, Nanoseconds, WallTime};

fn nanos(clock: ClockId) -> i64 {
    let now = clock_gettime(clock).expect("Linux has both clocks, and the pointer is ours");
    now.tv_sec() * 1_000_000_000 + now.tv_nsec()
}

/// Now, on `CLOCK_MONOTONIC`.
pub fn monotonic_now() -> MonotonicTime {
    MonotonicTime::from_nanos(nanos(ClockId::CLOCK_MONOTONIC).unsigned_abs())
}

/// How long the machine has been suspended since boot: `CLOCK_BOOTTIME` counts that time,
/// `CLOCK_MONOTONIC` does not.
pub fn suspended() -> Nanoseconds {
    let monotonic = monotonic_now();
    MonotonicTime::from_nanos(nanos(ClockId::CLOCK_BOOTTIME).unsigned_abs()).since(monotonic)
}

/// Now, on `CLOCK_REALTIME`.
pub fn wall_now() -> WallTime {
    WallTime::from_epoch_nanos(nanos(ClockId::CLOCK_REALTIME))
}
