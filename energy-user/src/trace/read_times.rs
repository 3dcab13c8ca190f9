//! How punctually the counters were read, for `session.json`.

use serde::{Deserialize, Serialize};

use crate::units::Nanoseconds;

/// A reading that is older than this tells of another window where windows are of a millisecond.
const PUNCTUAL: Nanoseconds = Nanoseconds::from_millis(2);

/// How long after the windows' edges the counters had been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadTimes {
    /// Edges at which the counters were to be read.
    pub edges: u64,
    /// Those after which it took more than 2 ms until all counters had been read.
    pub over_2_ms: u64,
    /// The longest that it took.
    pub longest_ns: u64,
}

impl ReadTimes {
    /// Counts an edge after which it took so long until every counter had been read.
    pub fn add(&mut self, late: Nanoseconds) {
        self.edges += 1;
        self.over_2_ms += u64::from(late > PUNCTUAL);
        self.longest_ns = self.longest_ns.max(late.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_milliseconds_are_in_time_and_a_nanosecond_more_is_not() {
        let mut times = ReadTimes::default();
        for late in [0, 2_000_000, 2_000_001] {
            times.add(Nanoseconds::new(late));
        }
        assert_eq!(times, ReadTimes { edges: 3, over_2_ms: 1, longest_ns: 2_000_001 });
    }
}
