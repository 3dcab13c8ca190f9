//! Energy from readings of power: between two readings power is taken to go in a straight line.
//! What happens between them is not seen. That is why energy so made is flagged as integrated.

use super::{ClockFn, CounterReading, SourceError};
use crate::units::{Microjoules, MonotonicTime, Nanoseconds};

/// Energy since the first reading, leaving out what lies around readings that failed.
#[derive(Debug, Default)]
pub(super) struct PowerIntegral {
    /// Twice the energy, in microwatts times nanoseconds (10⁻¹⁵ J): the exact sum of trapezoids.
    twice_uw_ns: u128,
    last: Option<(MonotonicTime, u64)>,
}

impl PowerIntegral {
    /// Reads power in microwatts and adds it up to what the counter with index `counter` shows.
    pub(super) fn read(
        &mut self,
        counter: usize,
        clock: &ClockFn,
        read_uw: impl FnOnce() -> Result<u64, SourceError>,
    ) -> CounterReading {
        let before = clock();
        let power = read_uw();
        let spread = clock().since(before);
        let at = before + Nanoseconds::new(spread.get() / 2);
        let value = power.map(|power_uw| self.add(at, power_uw));
        if value.is_err() {
            self.last = None;
        }
        CounterReading { counter, at, spread, value }
    }

    fn add(&mut self, at: MonotonicTime, power_uw: u64) -> Microjoules {
        if let Some((last_at, last_uw)) = self.last {
            let both_uw = u128::from(last_uw) + u128::from(power_uw);
            self.twice_uw_ns =
                self.twice_uw_ns.saturating_add(both_uw * u128::from(at.since(last_at).get()));
        }
        self.last = Some((at, power_uw));
        Microjoules::new(u64::try_from(self.twice_uw_ns / 2_000_000_000).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;

    fn read(integral: &mut PowerIntegral, second: u64, watts: Option<u64>) -> Option<u64> {
        let clock = || MonotonicTime::from_nanos(second * 1_000_000_000);
        let gone = || SourceError::read(Path::new("power1_input"), io::Error::other("gone"));
        let reading = integral.read(0, &clock, || watts.map(|w| w * 1_000_000).ok_or_else(gone));
        reading.value.ok().map(|energy| energy.get() / 1_000_000)
    }

    #[test]
    fn ten_watts_for_two_seconds_are_twenty_joules_and_a_slope_is_its_mean() {
        let mut integral = PowerIntegral::default();
        assert_eq!(read(&mut integral, 1, Some(10)), Some(0));
        assert_eq!(read(&mut integral, 3, Some(10)), Some(20));
        assert_eq!(read(&mut integral, 5, Some(30)), Some(60));
    }

    #[test]
    fn time_around_a_failed_reading_adds_nothing() {
        let mut integral = PowerIntegral::default();
        read(&mut integral, 1, Some(10));
        assert_eq!(read(&mut integral, 2, None), None);
        assert_eq!(read(&mut integral, 3, Some(10)), Some(0));
        assert_eq!(read(&mut integral, 4, Some(10)), Some(10));
    }
}
