//! The frequency of a processor that never was: the fewer of its cores are busy, the faster they run, and the more a CPU
//! second of each draws, so that watts do not add up.
//!
//! The law is plain: from the highest frequency with one or two busy cores, as Intel's turbo frequencies have it (AnandTech,
//! "Intel Skylake-EP vs AMD EPYC 7000", 2017: peak with one or two active cores, sliding down to the base frequency or a little
//! above), in a straight line down to the one of all; how far down is assumed.
//! Power goes with the voltage's square times the frequency; the voltage falls with the frequency at most in proportion,
//! which is the third power (Mudge, "Power: A First-Class Architectural Design Constraint", IEEE Computer 34(4), 2001,
//! doi:10.1109/2.917539).

use super::chance::Chance;

/// So many busy cores run at the highest frequency.
const FEW: f64 = 2.0;

/// The frequency of all cores, as part of the highest: at least and at most.
const SLOWEST: (f64, f64) = (0.7, 0.9);

/// With which power of the frequency power goes: at least and at most.
const EXPONENTS: (f64, f64) = (2.0, 3.0);

/// How a processor's frequency and power go with its busy cores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turbo {
    cores: f64,
    slowest: f64,
    exponent: f64,
}

impl Turbo {
    /// Of a processor with so many cores.
    pub(crate) fn new(cores: u16, mut chance: Chance) -> Self {
        Self {
            cores: f64::from(cores),
            slowest: chance.between(SLOWEST.0, SLOWEST.1),
            exponent: chance.between(EXPONENTS.0, EXPONENTS.1),
        }
    }

    /// What a CPU second draws while so many cores are busy, as part of what it draws alone.
    pub(crate) fn worth(self, busy: f64) -> f64 {
        let beyond = (busy.min(self.cores) - FEW).max(0.0) / (self.cores - FEW).max(1.0);
        (1.0 - (1.0 - self.slowest) * beyond).powf(self.exponent)
    }
}
