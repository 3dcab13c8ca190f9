//! What kind of figure a number is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a number came about, from the firmest to the weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// Read from a counter or sensor.
    Measured,
    /// A measured amount divided by a stated rule.
    Attributed,
    /// Computed from a model of the hardware.
    Estimated,
    /// Taken from a table or from the user without looking at this machine.
    Assumed,
}

impl Provenance {
    /// The name used in the trace and in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Attributed => "attributed",
            Self::Estimated => "estimated",
            Self::Assumed => "assumed",
        }
    }

    /// A figure made of two is only as firm as the weaker.
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }

    /// What a share of a figure of this kind is: of a measured one, attributed.
    pub fn divided(self) -> Self {
        self.and(Self::Attributed)
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Provenance {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::Measured, Self::Attributed, Self::Estimated, Self::Assumed]
            .into_iter()
            .find(|provenance| provenance.name() == name)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_an_estimate_stays_an_estimate() {
        assert_eq!(Provenance::Measured.divided(), Provenance::Attributed);
        assert_eq!(Provenance::Estimated.divided(), Provenance::Estimated);
    }
}
