//! Energy: exact in whole microjoules, approximate in joules.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div};

use serde::{Deserialize, Serialize};

use super::{Nanoseconds, Watts};

/// A whole number of microjoules: what counters give and ledgers add up.
/// `u64` holds 18 TJ, so addition does not overflow in practice and panics if it ever did.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Microjoules(u64);

impl Microjoules {
    /// No energy at all, which is a measurement; a missing one is `None`.
    pub const ZERO: Self = Self(0);

    /// From a number of microjoules.
    pub const fn new(microjoules: u64) -> Self {
        Self(microjoules)
    }

    /// The number of microjoules.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// `self − other`, or `None` where that would be negative.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// For showing and for models; exact below 2^53 µJ (9 GJ).
    #[expect(clippy::cast_precision_loss, reason = "exact below 9 GJ, shown to a few digits")]
    pub fn joules(self) -> Joules {
        Joules(self.0 as f64 * 1e-6)
    }
}

impl Add for Microjoules {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Microjoules {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Microjoules {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// Energy in joules, finite, possibly a rounded or modelled figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Joules(f64);

impl Joules {
    /// From a number of joules.
    pub const fn new(joules: f64) -> Self {
        Self(joules)
    }

    /// The number of joules.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// To the nearest microjoule; a negative figure is none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float-to-integer cast saturates, and the sign is checked"
    )]
    pub fn to_microjoules(self) -> Microjoules {
        Microjoules((self.0 * 1e6).round().max(0.0) as u64)
    }
}

impl Add for Joules {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Div<Nanoseconds> for Joules {
    type Output = Watts;
    fn div(self, lasted: Nanoseconds) -> Watts {
        Watts::new(self.0 / lasted.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_joules_over_two_seconds_are_five_watts() {
        let power = Microjoules::new(10_000_000).joules() / Nanoseconds::from_millis(2000);
        assert!((power.get() - 5.0).abs() < 1e-12);
    }

    #[test]
    fn joules_round_to_the_nearest_microjoule() {
        assert_eq!(Joules::new(1.000_000_6).to_microjoules(), Microjoules::new(1_000_001));
        assert_eq!(Joules::new(-3.0).to_microjoules(), Microjoules::ZERO);
    }
}
