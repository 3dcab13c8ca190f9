//! Where a machine stands and what is known of it, as somebody says it: on the command line, in a file, or
//! when it was recorded. Each value remembers who gave it.

use std::fmt;

use thiserror::Error;

use super::given::Given;
use super::mix::{GenerationMix, ParseMixError};
use crate::units::{CarbonIntensity, Pue, WaterIntensity};

/// Where a machine stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// In a zone of a grid, by code or name.
    Zone(String),
    /// In a region of a cloud, as `provider/region`.
    Cloud(String),
    /// At a supply of this intensity.
    Intensity(CarbonIntensity),
    /// At a supply of this mix.
    Mix(GenerationMix),
}

impl Place {
    /// The name of the option that says it.
    const fn option(&self) -> &'static str {
        match self {
            Self::Zone(_) => "zone",
            Self::Cloud(_) => "cloud",
            Self::Intensity(_) => "intensity",
            Self::Mix(_) => "mix",
        }
    }
}

impl fmt::Display for Place {
    /// As its option has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(name) | Self::Cloud(name) => f.write_str(name),
            Self::Intensity(intensity) => write!(f, "{}", intensity.get()),
            Self::Mix(mix) => write!(f, "{mix}"),
        }
    }
}

/// A site, and what of it is known better than tables do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteOptions {
    /// Where it is; `None` where nobody says.
    pub place: Option<Given<Place>>,
    /// Its power usage effectiveness.
    pub pue: Option<Given<Pue>>,
    /// Its water usage effectiveness: litres on site per kilowatt-hour of IT equipment.
    pub wue: Option<Given<WaterIntensity>>,
}

/// What makes no sense as an option of a site.
#[derive(Debug, Error, PartialEq)]
pub enum SiteOptionError {
    /// There is no such option.
    #[error("there is no option {0:?} of a site")]
    Unknown(String),
    /// The place is said twice.
    #[error("the place is said twice, by {0} and by {1}; say it once")]
    TwoPlaces(&'static str, &'static str),
    /// No intensity of a grid.
    #[error("it is no intensity from 0 to 5000 gCO2e/kWh")]
    Intensity,
    /// No mix.
    #[error(transparent)]
    Mix(#[from] ParseMixError),
    /// No PUE.
    #[error("a PUE is 1 or more, since a facility uses what its equipment does, and at most 10")]
    Pue,
    /// No WUE.
    #[error("it is no number of litres per kilowatt-hour from 0 to 1000")]
    Wue,
}

impl SiteOptions {
    /// Names of the options, as on the command line, in files and in traces.
    pub const NAMES: [&str; 6] = ["zone", "cloud", "intensity", "mix", "pue", "wue"];

    /// Takes what `by` says of the option of this name, in place of what was said before.
    pub fn set(&mut self, name: &str, text: &str, by: &str) -> Result<(), SiteOptionError> {
        let place = |place| Some(given(place, by));
        match name {
            "zone" => self.place = place(Place::Zone(text.to_owned())),
            "cloud" => self.place = place(Place::Cloud(text.to_owned())),
            "intensity" => self.place = place(Place::Intensity(intensity(text)?)),
            "mix" => self.place = place(Place::Mix(text.parse()?)),
            "pue" => self.pue = Some(given(pue(text)?, by)),
            "wue" => self.wue = Some(given(wue(text)?, by)),
            other => return Err(SiteOptionError::Unknown(other.to_owned())),
        }
        Ok(())
    }

    /// What was given, as text by the names of the options, with who gave it.
    pub fn texts(&self) -> Vec<(&'static str, String, &str)> {
        let place = self.place.as_ref();
        [
            place.map(|it| (it.value.option(), it.value.to_string(), it.by.as_str())),
            self.pue.as_ref().map(|it| ("pue", it.value.get().to_string(), it.by.as_str())),
            self.wue.as_ref().map(|it| ("wue", it.value.get().to_string(), it.by.as_str())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// These, and what they do not say from others. A place has its own PUE and WUE: those that others
    /// say of another place are not taken.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        let elsewhere = match (&self.place, &others.place) {
            (Some(here), Some(there)) => here.value != there.value,
            _ => false,
        };
        let nothing = Self::default();
        let site = if elsewhere { &nothing } else { others };
        Self {
            place: self.place.or_else(|| site.place.clone()),
            pue: self.pue.or_else(|| site.pue.clone()),
            wue: self.wue.or_else(|| site.wue.clone()),
        }
    }
}

fn given<T>(value: T, by: &str) -> Given<T> {
    Given { value, by: by.to_owned() }
}

/// What a kilowatt-hour emits, in gCO2e.
pub fn intensity(text: &str) -> Result<CarbonIntensity, SiteOptionError> {
    number(text).and_then(CarbonIntensity::new).ok_or(SiteOptionError::Intensity)
}

/// A power usage effectiveness.
pub fn pue(text: &str) -> Result<Pue, SiteOptionError> {
    number(text).and_then(Pue::new).ok_or(SiteOptionError::Pue)
}

/// A water usage effectiveness, in L/kWh.
pub fn wue(text: &str) -> Result<WaterIntensity, SiteOptionError> {
    number(text).and_then(WaterIntensity::new).ok_or(SiteOptionError::Wue)
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(texts: &[(&str, &str)], by: &str) -> SiteOptions {
        let mut options = SiteOptions::default();
        for (name, text) in texts {
            options.set(name, text, by).unwrap();
        }
        options
    }

    #[test]
    fn what_was_set_comes_back_as_text() {
        for place in [("zone", "FR"), ("cloud", "aws/eu-west-3"), ("intensity", "56.5")] {
            let set = [place, ("pue", "1.2"), ("wue", "0.3")];
            let options = options(&set, "me");
            let texts = options.texts();
            let found: Vec<_> =
                texts.iter().map(|(name, text, _)| (*name, text.as_str())).collect();
            assert_eq!(found, set);
            assert!(texts.iter().all(|(_, _, by)| *by == "me"));
        }
    }

    #[test]
    fn another_place_has_its_own_pue() {
        let there = options(&[("zone", "FR"), ("pue", "1.5")], "file");
        let pue = |options: SiteOptions| options.or(&there).pue.map(|pue| pue.value.get());
        assert_eq!(pue(options(&[("zone", "NO")], "me")), None);
        assert_eq!(pue(options(&[("zone", "FR")], "me")), Some(1.5));
        assert_eq!(pue(options(&[("pue", "1.1")], "me")), Some(1.1));
        let whole = options(&[("wue", "1")], "me").or(&there);
        assert_eq!(whole.place, there.place);
    }
}
