//! Numbers as reports show them: those of every output, and the width of an interval.

pub use crate::units::scale::{
    bytes, count, duration, electricity, emissions, energy, exact_joules, percent, power, rfc3339,
    seconds, utc, water,
};

use crate::profile::StandardError;
use crate::units::scale::plus_minus;

/// Half the width of the 95 % interval, to at least two digits: `±1.2 J`, `±214 mJ`.
pub fn error_95(error: StandardError) -> String {
    plus_minus(error.half_width_95())
}
