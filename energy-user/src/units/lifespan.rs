//! How long hardware is expected to serve.

use std::fmt;

use super::Nanoseconds;

/// Hours in a year of 365 days, as life-cycle assessments and cloud providers count them.
const HOURS_IN_A_YEAR: f64 = 8_760.0;

/// The time that hardware is expected to serve, in hours.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Lifespan(f64);

impl Lifespan {
    /// `None` below an hour and above 100 years of 8,760 hours.
    pub fn from_hours(hours: f64) -> Option<Self> {
        (1.0..=100.0 * HOURS_IN_A_YEAR).contains(&hours).then_some(Self(hours))
    }

    /// As [`Lifespan::from_hours`], of years of 365 days.
    pub fn from_years(years: f64) -> Option<Self> {
        Self::from_hours(years * HOURS_IN_A_YEAR)
    }

    /// The number of hours.
    pub const fn hours(self) -> f64 {
        self.0
    }

    /// Which part of it a time is. More than all of it where hardware serves longer than expected.
    pub fn part(self, lasted: Nanoseconds) -> f64 {
        lasted.seconds() / (self.0 * 3_600.0)
    }
}

impl fmt::Display for Lifespan {
    /// In whole years where it is some, else in hours: `4y`, `35000h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let years = self.0 / HOURS_IN_A_YEAR;
        if years.fract() == 0.0 { write!(f, "{years}y") } else { write!(f, "{}h", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_years_are_35040_hours() {
        let four = Lifespan::from_years(4.0).unwrap();
        assert_eq!((four.hours(), four.to_string().as_str()), (35_040.0, "4y"));
        assert_eq!(Lifespan::from_hours(100.5).unwrap().to_string(), "100.5h");
        let hour = Nanoseconds::from_millis(3_600_000);
        assert!((four.part(hour) * 35_040.0 - 1.0).abs() < 1e-12);
        assert_eq!([0.0, -1.0, 1e9, f64::NAN].map(Lifespan::from_hours), [None; 4]);
    }
}
