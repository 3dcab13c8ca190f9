//! Power in watts.

use std::ops::{Add, Mul};

use serde::{Deserialize, Serialize};

use super::{Joules, Nanoseconds};

/// Power, finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watts(f64);

impl Watts {
    /// From a number of watts.
    pub const fn new(watts: f64) -> Self {
        Self(watts)
    }

    /// The number of watts.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Add for Watts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Mul<Nanoseconds> for Watts {
    type Output = Joules;
    fn mul(self, lasted: Nanoseconds) -> Joules {
        Joules::new(self.0 * lasted.seconds())
    }
}
