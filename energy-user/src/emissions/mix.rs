//! A mix of ways to generate electricity, and what a kilowatt-hour of it emits and consumes.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::citation::cite;
use super::figure::Figure;
use super::tables::{CATEGORIES, TECHNOLOGY_INTENSITY, TECHNOLOGY_WATER};
use crate::units::{CarbonIntensity, WaterIntensity};

/// Shares of a mix, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GenerationMix([f64; CATEGORIES.len()]);

/// A mix that makes no sense.
#[derive(Debug, Error, PartialEq)]
pub enum ParseMixError {
    /// Not `name=percent`.
    #[error("{0:?} is no part of a mix: write it as coal=10,gas=20,wind=70, in percent")]
    NotAPart(String),
    /// An unknown category.
    #[error("{0:?} is no way to generate electricity: expected {names}", names = CATEGORIES.join(", "))]
    Unknown(String),
    /// Named twice.
    #[error("{0} is given twice in the mix")]
    Twice(String),
    /// They do not add up.
    #[error("the parts of the mix come to {0:.1} %, not to 100 %")]
    NotWhole(f64),
}

impl FromStr for GenerationMix {
    type Err = ParseMixError;
    fn from_str(text: &str) -> Result<Self, ParseMixError> {
        let mut parts = [None; CATEGORIES.len()];
        for part in text.split(',') {
            let not_a_part = || ParseMixError::NotAPart(part.trim().to_owned());
            let (name, percent) = part.split_once('=').ok_or_else(not_a_part)?;
            let (name, percent) =
                (name.trim().to_lowercase(), percent.trim().trim_end_matches('%'));
            let percent: f64 = percent.trim().parse().map_err(|_| not_a_part())?;
            if !(0.0..=100.0).contains(&percent) {
                return Err(not_a_part());
            }
            let place = CATEGORIES.iter().position(|category| *category == name);
            let place = place.ok_or_else(|| ParseMixError::Unknown(name.clone()))?;
            if parts[place].replace(percent).is_some() {
                return Err(ParseMixError::Twice(name));
            }
        }
        let mix = Self(parts.map(Option::unwrap_or_default));
        let whole: f64 = mix.0.iter().sum();
        if (whole - 100.0).abs() > 1.0 {
            return Err(ParseMixError::NotWhole(whole));
        }
        Ok(mix)
    }
}

impl fmt::Display for GenerationMix {
    /// As it is parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = CATEGORIES.into_iter().zip(self.0).filter(|(_, percent)| *percent > 0.0);
        let parts: Vec<String> = parts.map(|(name, percent)| format!("{name}={percent}")).collect();
        f.write_str(&parts.join(","))
    }
}

impl GenerationMix {
    /// From a table's shares; `None` where one is not known.
    pub(super) fn of(shares: [Option<f64>; CATEGORIES.len()]) -> Option<Self> {
        let known = shares.iter().all(Option::is_some);
        known.then(|| Self(shares.map(Option::unwrap_or_default)))
    }

    /// What a kilowatt-hour of it emits over the life cycle of its power plants.
    pub fn intensity(&self) -> Option<Figure<CarbonIntensity>> {
        let of = |category: &str| {
            let rows = TECHNOLOGY_INTENSITY.iter();
            let mut rows = rows.filter(|row| row.mix_category == category);
            let row = rows.find(|row| row.default_for_category == 1)?;
            Some((row.median_gco2e_per_kwh, row.source.as_str()))
        };
        let (mean, source) = self.mean(|_| true, of)?;
        Some(Figure {
            value: CarbonIntensity::new(mean)?,
            year: None,
            source,
            covers: Some("computed from the mix, life cycle".to_owned()),
        })
    }

    /// What a kilowatt-hour of it consumes of water, and the same without what evaporates from
    /// reservoirs of hydropower.
    pub fn water(&self) -> Option<(Figure<WaterIntensity>, Figure<WaterIntensity>)> {
        let of = |category: &str| {
            let mut rows = TECHNOLOGY_WATER.iter().filter(|row| row.mix_category == category);
            let row = rows.find(|row| row.default_for_category == 1)?;
            Some((row.consumption_l_per_kwh, row.source.as_str()))
        };
        let figure = |with_hydro: bool| {
            let (mean, source) = self.mean(|category| with_hydro || category != "hydro", of)?;
            Some(Figure {
                value: WaterIntensity::new(mean)?,
                year: None,
                source,
                covers: Some("computed from the mix".to_owned()),
            })
        };
        Some((figure(true)?, figure(false)?))
    }

    /// The mean over the mix of what `of` says of each category, where `counts`, and its sources.
    fn mean(
        &self,
        counts: impl Fn(&str) -> bool,
        of: impl Fn(&str) -> Option<(f64, &'static str)>,
    ) -> Option<(f64, String)> {
        let whole: f64 = self.0.iter().sum();
        let (mut sum, mut sources) = (0.0, Vec::new());
        for (category, percent) in CATEGORIES.into_iter().zip(self.0) {
            if percent <= 0.0 || !counts(category) {
                continue;
            }
            let (value, source) = of(category)?;
            sum += percent / whole * value;
            let title = cite(source).title;
            if !sources.contains(&title) {
                sources.push(title);
            }
        }
        Some((sum, sources.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_emits_the_mean_of_its_parts() {
        let mix: GenerationMix = "coal=10,gas=20,wind=70".parse().unwrap();
        let found = mix.intensity().unwrap().value.get();
        assert_eq!(mix.to_string().parse(), Ok(mix));
        // 0.1 × 820 + 0.2 × 490 + 0.7 × 11.
        assert!((found - 187.7).abs() < 1e-9, "{found}");
    }

    #[test]
    fn reservoirs_are_most_of_the_water_of_hydropower() {
        let mix: GenerationMix = "hydro=50, nuclear=50 %".parse().unwrap();
        let (with, without) = mix.water().unwrap();
        assert!((with.value.get() - 9.772_05).abs() < 1e-9, "{with:?}");
        assert!((without.value.get() - 1.271_9).abs() < 1e-9, "{without:?}");
    }

    #[test]
    fn nonsense_is_told_apart() {
        let error = |text: &str| text.parse::<GenerationMix>().unwrap_err().to_string();
        assert!(error("coal").starts_with("\"coal\" is no part of a mix"));
        assert!(error("peat=100").starts_with("\"peat\" is no way"));
        assert_eq!(error("coal=50,coal=50"), "coal is given twice in the mix");
        assert_eq!(error("coal=50"), "the parts of the mix come to 50.0 %, not to 100 %");
        assert!(error("coal=-5,gas=105").contains("coal=-5"));
    }
}
