//! Quantities with their units as types, and only the operations physics allows.
//! Energy is a whole number of microjoules from the counter to the ledger, so that sums
//! close exactly; [`Joules`] and [`Watts`] are for models and for showing.

mod energy;
mod footprint;
mod lifespan;
mod power;
pub mod scale;
mod share;
mod time;

pub use energy::{Joules, Microjoules};
pub use footprint::{
    CarbonIntensity, GramsCo2e, KilowattHours, Litres, NanogramsCo2e, Nanolitres, Pue,
    WaterIntensity,
};
pub use lifespan::Lifespan;
pub use power::Watts;
pub use share::Share;
pub use time::{MonotonicTime, Nanoseconds, WallTime};
