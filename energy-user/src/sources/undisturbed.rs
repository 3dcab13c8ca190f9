//! Reading a counter between two looks at the clock, and again where something came in between.

use super::{ClockFn, CounterReading, SourceError};
use crate::units::{Microjoules, Nanoseconds};

/// A reading that took longer was interrupted, on a busy machine for milliseconds: it does not tell
/// when the counter had its value, and is made again, so often at most.
const UNDISTURBED: Nanoseconds = Nanoseconds::new(100_000);
const ATTEMPTS: usize = 3;

/// Reads the counter with index `counter`, up to three times, and gives the quickest reading.
pub(super) fn read_undisturbed(
    counter: usize,
    clock: &ClockFn,
    mut read: impl FnMut() -> Result<Microjoules, SourceError>,
) -> CounterReading {
    let mut reading = read_between(counter, clock, &mut read);
    for _ in 1..ATTEMPTS {
        if reading.spread <= UNDISTURBED || reading.value.is_err() {
            break;
        }
        let again = read_between(counter, clock, &mut read);
        if again.spread < reading.spread && again.value.is_ok() {
            reading = again;
        }
    }
    reading
}

/// Reads once, and looks at the clock before and after.
pub(super) fn read_between(
    counter: usize,
    clock: &ClockFn,
    read: impl FnOnce() -> Result<Microjoules, SourceError>,
) -> CounterReading {
    let before = clock();
    let value = read();
    let spread = clock().since(before);
    let at = before + Nanoseconds::new(spread.get() / 2);
    CounterReading { counter, at, spread, value }
}
