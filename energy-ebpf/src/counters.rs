//! Hardware counters beside the switch log: what a CPU counted while each thread was on it.

/// How many counters there may be.
pub const MOST_COUNTERS: usize = 3;

/// A count that is not known: the counter was never in service meanwhile, or could not be read.
pub const UNKNOWN: u64 = u64::MAX;

/// In place of all counts: what was counted is in the next record's, which comes at once.
pub const WITH_NEXT: u64 = u64::MAX - 1;

/// What was counted in the time that a record of the switch log ends, in the slot of the same number.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// By counter, multiplexing corrected; [`UNKNOWN`] where that cannot be.
    pub counts: [u64; MOST_COUNTERS],
}

const _: () = assert!(size_of::<Counted>() == 8 * MOST_COUNTERS);

// SAFETY: `repr(C)`, only integers, no padding: every bit pattern is a valid value.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Counted {}

/// What a counter read, and for how long it has been wanted and in service.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The count.
    pub count: u64,
    /// Nanoseconds since it was opened.
    pub enabled: u64,
    /// Nanoseconds of these in which it counted: counters share what the processor has.
    pub running: u64,
}

impl Reading {
    /// What was counted between `before` and this, as if it had counted all the time. The part of the time is
    /// taken to 16 binary places, so that counts of days do not overflow.
    #[inline(always)]
    pub const fn since(self, before: Self) -> u64 {
        let count = self.count.wrapping_sub(before.count);
        let enabled = self.enabled.wrapping_sub(before.enabled);
        let running = self.running.wrapping_sub(before.running);
        if running >= enabled {
            return count;
        }
        match (enabled << 16).checked_div(running) {
            Some(times) => count.wrapping_mul(times) >> 16,
            None => UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn reading(count: u64, enabled: u64, running: u64) -> Reading {
        Reading { count, enabled, running }
    }

    #[test]
    fn what_a_counter_missed_while_others_were_in_service_is_added() {
        let before = reading(1_000, 10_000, 10_000);
        assert_eq!(reading(5_000, 30_000, 30_000).since(before), 4_000);
        assert_eq!(reading(5_000, 30_000, 20_000).since(before), 8_000, "half of the time");
        assert_eq!(reading(1_000, 30_000, 10_000).since(before), UNKNOWN);
        assert_eq!(before.since(before), 0);
    }

    #[test]
    fn ten_seconds_at_five_gigahertz_do_not_overflow() {
        let whole = 10_000_000_000;
        let counted = reading(5 * whole / 3, whole, whole / 3).since(Reading::default());
        assert!(counted.abs_diff(5 * whole) < whole / 10_000, "{counted}");
    }
}
