//! Software Carbon Intensity: emissions per unit of what software does for somebody.
//!
//! `SCI = (O + M) / R`: operational emissions, which are location-based, and embodied ones, per functional
//! unit. Contracts and offsets do not lower it.
//! Reference: Green Software Foundation, Software Carbon Intensity 1.0 (ISO/IEC 21031:2024)

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::units::GramsCo2e;

/// What the score is per: `1000 requests`.
#[derive(Clone, Debug, PartialEq)]
pub struct PerUnit {
    /// So many units.
    number: f64,
    /// Of what.
    name: String,
}

/// A unit that makes no sense.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no functional unit: write it as request, or \"1000 requests\"")]
pub struct ParsePerUnitError(String);

impl FromStr for PerUnit {
    type Err = ParsePerUnitError;
    fn from_str(text: &str) -> Result<Self, ParsePerUnitError> {
        let wrong = || ParsePerUnitError(text.to_owned());
        let text = text.trim();
        let starts_with_number =
            text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        let (number, name) = if starts_with_number {
            let (number, name) = text.split_once(char::is_whitespace).ok_or_else(wrong)?;
            (number.parse().map_err(|_| wrong())?, name.trim())
        } else {
            (1.0, text)
        };
        let can_be = (1e-9..=1e15).contains(&number) && !name.is_empty();
        let is_plain = !name.contains(char::is_control);
        (can_be && is_plain).then(|| Self { number, name: name.to_owned() }).ok_or_else(wrong)
    }
}

impl fmt::Display for PerUnit {
    /// `request`, `1000 requests`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.number - 1.0).abs() < f64::EPSILON {
            f.write_str(&self.name)
        } else {
            write!(f, "{} {}", self.number, self.name)
        }
    }
}

/// What was done for somebody in the time that is looked at (R).
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionalUnits {
    /// How many units; above nothing.
    pub done: f64,
    /// How many of them the score is for.
    pub per: PerUnit,
}

impl FunctionalUnits {
    /// The part of emissions that falls to what the score is per.
    pub fn score(&self, emissions: GramsCo2e) -> GramsCo2e {
        emissions * (self.per.number / self.done)
    }

    /// The number that the score is per, for programs.
    pub fn per_number(&self) -> f64 {
        self.per.number
    }

    /// What a unit is called.
    pub fn name(&self) -> &str {
        &self.per.name
    }
}

/// Operational and embodied emissions, apart; `None` where not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sci {
    /// `E × I` (O), location-based.
    pub operational: Option<GramsCo2e>,
    /// M.
    pub embodied: Option<GramsCo2e>,
}

impl Sci {
    /// `(O + M) / R`; `None` where either is not known: half of a score is none.
    pub fn score(self, units: &FunctionalUnits) -> Option<GramsCo2e> {
        Some(units.score(self.operational? + self.embodied?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_kilowatt_hours_and_50_g_over_ten_units() {
        // 2 kWh × 400 g/kWh + 50 g, over 10: 85 g.
        let sci =
            Sci { operational: Some(GramsCo2e::new(800.0)), embodied: Some(GramsCo2e::new(50.0)) };
        let units = |per: &str| FunctionalUnits { done: 10.0, per: per.parse().unwrap() };
        let score = |per: &str| sci.score(&units(per)).unwrap().get();
        assert!((score("request") / 85.0 - 1.0).abs() < 1e-12);
        assert!((score("1000 requests") / 85_000.0 - 1.0).abs() < 1e-12);
        assert_eq!(Sci { embodied: None, ..sci }.score(&units("request")), None);
    }

    #[test]
    fn units_are_read_as_people_write_them() {
        let per = |text: &str| text.parse::<PerUnit>().map(|per| per.to_string());
        assert_eq!(per(" 1000  requests"), Ok("1000 requests".to_owned()));
        assert_eq!(per("API call"), Ok("API call".to_owned()));
        for wrong in ["", "1000", "0 requests", "-1 requests", "1000requests", "a\nb"] {
            assert!(per(wrong).is_err(), "{wrong:?}");
        }
    }
}
