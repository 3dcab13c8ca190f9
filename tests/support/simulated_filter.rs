//! What a processor adds to its counter so that nobody can tell from it what was computed.
//!
//! Where Intel's processors run enclaves (SGX), or where they are told to, they change what they report by chance, by 0 to
//! 50 % (Intel, "Running Average Power Limit Energy Reporting", INTEL-SA-00389, 2020; green-coding.io, "RAPL, SGX and energy
//! filtering", 2023). How the noise is distributed, and for how long one draw of it lasts, is not published: here it is
//! uniform around nothing, so that long sums stay right.

use super::chance::Chance;
use super::simulated_load::STEP;

/// By which part of what was used it is changed at most.
const MOST: f64 = 0.5;

/// Noise of a counter.
#[derive(Debug)]
pub(crate) struct Filter {
    /// How long one draw lasts, in seconds.
    lasts: f64,
    /// For how long the present one still does.
    left: f64,
    now: f64,
    chance: Chance,
}

impl Filter {
    pub(crate) fn new(lasts: f64, chance: Chance) -> Self {
        Self { lasts, left: 0.0, now: 0.0, chance }
    }

    /// How many times as much as was used is shown of the next step.
    pub(crate) fn next(&mut self) -> f64 {
        let mut gone = 0.0;
        let mut added = 0.0;
        while STEP - gone > 1e-9 {
            if self.left <= 1e-9 {
                self.now = self.chance.between(-MOST, MOST);
                self.left = self.lasts;
            }
            let lasts = self.left.min(STEP - gone);
            added += self.now * lasts;
            self.left -= lasts;
            gone += lasts;
        }
        1.0 + added / STEP
    }
}
