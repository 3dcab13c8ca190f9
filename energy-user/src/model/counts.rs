//! What processors counted while threads were on them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::ThreadId;

/// A hardware counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HardwareCounter {
    /// Cycles of the core while it did not rest: they follow its frequency.
    Cycles,
    /// Instructions that were completed.
    Instructions,
    /// Misses of the last cache, each of which is a line of memory.
    LlcMisses,
}

impl HardwareCounter {
    /// Every counter, in the order of the columns.
    pub const ALL: [Self; 3] = [Self::Cycles, Self::Instructions, Self::LlcMisses];

    /// The name in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::Instructions => "instructions",
            Self::LlcMisses => "llc-misses",
        }
    }
}

impl fmt::Display for HardwareCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no counter of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name:?} is no counter: expected {}", HardwareCounter::ALL.map(HardwareCounter::name).join(", "))]
pub struct ParseHardwareCounterError {
    name: String,
}

impl FromStr for HardwareCounter {
    type Err = ParseHardwareCounterError;
    fn from_str(name: &str) -> Result<Self, ParseHardwareCounterError> {
        Self::ALL
            .into_iter()
            .find(|counter| counter.name() == name)
            .ok_or_else(|| ParseHardwareCounterError { name: name.to_owned() })
    }
}

/// What one CPU counted in one window while one thread was on it, multiplexing corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The window's index.
    pub window: u32,
    /// Who ran.
    pub thread: ThreadId,
    /// Where.
    pub cpu: u16,
    /// By [`HardwareCounter::ALL`]; `None` where it was not counted.
    pub counts: [Option<u64>; HardwareCounter::ALL.len()],
}

impl Counted {
    /// What one counter counted.
    pub const fn of(&self, counter: HardwareCounter) -> Option<u64> {
        self.counts[counter as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_where_its_place_is_and_has_one_name() {
        for (place, counter) in HardwareCounter::ALL.into_iter().enumerate() {
            let mut counted =
                Counted { window: 0, thread: ThreadId::FIRST, cpu: 0, counts: [None; 3] };
            counted.counts[place] = Some(7);
            assert_eq!(counted.of(counter), Some(7));
            assert_eq!(counter.name().parse(), Ok(counter));
        }
        assert!("joules".parse::<HardwareCounter>().is_err());
    }
}
