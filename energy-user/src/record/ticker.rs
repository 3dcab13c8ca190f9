//! Ticks on the lines of the window grid, from a timer of the kernel: exact, and asleep in between.

use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::RecordError;
use crate::model::Grid;
use crate::units::{MonotonicTime, Nanoseconds};

/// Reads at least this often, so that the switch log need not be larger than a tenth of a second.
const LONGEST: Nanoseconds = Nanoseconds::from_millis(100);

/// Wakes up on every line of the grid, and in between where windows are long.
pub(super) struct Ticker {
    timer: AsyncFd<OwnedFd>,
    step: Nanoseconds,
}

impl Ticker {
    /// Ticks from the first line after `start`.
    pub(super) fn new(grid: Grid, start: MonotonicTime) -> Result<Self, RecordError> {
        let window = grid.step().get();
        let step = Nanoseconds::new(window / window.div_ceil(LONGEST.get()));
        let failed = |source: io::Error| RecordError::System { what: "set a timer", source };
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)
            .map_err(|errno| failed(errno.into()))?;
        let first = (start.nanos() / step.get() + 1) * step.get();
        let every = Itimerspec { it_interval: timespec(step.get()), it_value: timespec(first) };
        timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &every)
            .map_err(|errno| failed(errno.into()))?;
        Ok(Self { timer: poll(timer).map_err(failed)?, step })
    }

    /// The time between ticks.
    pub(super) fn step(&self) -> Nanoseconds {
        self.step
    }

    /// Waits for the next tick and gives how many have gone by since the last call, 1 if in time.
    pub(super) async fn tick(&self) -> Result<u64, RecordError> {
        let failed = |source: io::Error| RecordError::System { what: "wait for a timer", source };
        loop {
            let mut ready = self.timer.readable().await.map_err(failed)?;
            let mut count = [0; 8];
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut count)?));
            match read {
                Ok(result) => {
                    result.map_err(failed)?;
                    return Ok(u64::from_ne_bytes(count));
                }
                Err(_would_block) => {}
            }
        }
    }
}

/// Registers a descriptor that we own with the event loop.
#[expect(
    deprecated,
    reason = "unsound only where the descriptor changes, and an `OwnedFd` does not"
)]
pub(super) fn poll(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(descriptor)
}

fn timespec(nanoseconds: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(nanoseconds / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanoseconds % 1_000_000_000).expect("less than a second fits"),
    }
}
