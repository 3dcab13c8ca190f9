//! Energy of one domain in one window.

use std::fmt;
use std::sync::Arc;

use super::{DomainId, Provenance};
use crate::units::{Microjoules, Nanoseconds};

/// What was odd about a counter in a window. A set, kept as text in the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CounterFlags(u16);

impl CounterFlags {
    /// Nothing odd.
    pub const NONE: Self = Self(0);
    /// The counter passed its range and began again; the energy is right.
    pub const WRAPPED: Self = Self(1);
    /// The counter could not be read, or read as garbage: the energy is unknown.
    pub const UNREADABLE: Self = Self(2);
    /// The counter went backwards without a wrap (a reset): the energy is unknown.
    pub const BACKWARDS: Self = Self(4);
    /// More than the hardware can draw: the energy is unknown.
    pub const IMPLAUSIBLE: Self = Self(8);
    /// The counter stood still for longer than its update period while the machine was up.
    pub const STALE: Self = Self(16);
    /// The counter was unknown at one edge of the window, so the energy is unknown.
    pub const GAP: Self = Self(32);
    /// Made of readings of power, added up over time: what happened between two readings was not seen.
    pub const INTEGRATED: Self = Self(64);
    /// The window is shorter than the time in which the counter moves once: its energy alone says little.
    pub const COARSE: Self = Self(128);
    /// A counter that moves in long steps showed the same value as before. What was drawn meanwhile is
    /// in the next window in which it moved.
    pub const REPEATED: Self = Self(256);

    const NAMES: [(Self, &'static str); 9] = [
        (Self::WRAPPED, "wrapped"),
        (Self::UNREADABLE, "unreadable"),
        (Self::BACKWARDS, "backwards"),
        (Self::IMPLAUSIBLE, "implausible"),
        (Self::STALE, "stale"),
        (Self::GAP, "gap"),
        (Self::INTEGRATED, "integrated"),
        (Self::COARSE, "coarse"),
        (Self::REPEATED, "repeated"),
    ];

    /// Both sets together.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in `self`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is odd.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// From names separated by `|`; unknown names, of a newer version, are left out.
    pub fn from_names(names: &str) -> Self {
        names.split('|').fold(Self::NONE, |flags, name| {
            Self::NAMES
                .iter()
                .find(|(_, known)| *known == name)
                .map_or(flags, |(flag, _)| flags.with(*flag))
        })
    }
}

impl fmt::Display for CounterFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Self::NAMES
            .iter()
            .filter(|(flag, _)| self.contains(*flag))
            .map(|(_, name)| *name)
            .collect();
        f.write_str(&names.join("|"))
    }
}

/// Energy of one domain in one window, as one source gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergySample {
    /// The window's index.
    pub window: u32,
    /// Whose energy.
    pub domain: DomainId,
    /// Which source gave it, e.g. `rapl-powercap`.
    pub source: Arc<str>,
    /// What kind of figure it is.
    pub provenance: Provenance,
    /// The energy; `None` where it is unknown, and `flags` says why.
    pub energy: Option<Microjoules>,
    /// Standard error of `energy`, from the counter's quantum and update period.
    pub error: Option<Microjoules>,
    /// What was odd.
    pub flags: CounterFlags,
    /// How long threads ran on the CPUs that feed the domain, where that is known of all those CPUs and of none but
    /// those.
    pub busy: Option<Nanoseconds>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_survive_their_names() {
        let flags = CounterFlags::WRAPPED.with(CounterFlags::STALE);
        assert_eq!(flags.to_string(), "wrapped|stale");
        assert_eq!(CounterFlags::from_names("wrapped|stale|from-the-future"), flags);
        assert_eq!(CounterFlags::from_names(""), CounterFlags::NONE);
    }
}
