//! Where a machine stands and what is known of it, as somebody says it: on the command line, in a file, or
//! when it was recorded. Each value remembers who gave it.

use std::fmt;

use thiserror::Error;

use super::given::{GIVEN, Given};
use super::hardware::{EmbodiedTotal, ParseEmbodiedError};
use super::mix::{GenerationMix, ParseMixError};
use crate::units::{CarbonIntensity, Lifespan, Pue, Share, WaterIntensity};

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
    /// What a kilowatt-hour emits by contract.
    pub market_intensity: Option<Given<CarbonIntensity>>,
    /// By which contract, or what stands for one: a supplier's factor, a residual mix.
    pub market_source: Option<Given<String>>,
    /// What it took to make the machine (TE).
    pub embodied: Option<Given<EmbodiedTotal>>,
    /// How long the machine is expected to serve.
    pub lifespan: Option<Given<Lifespan>>,
    /// The part of the machine that is used (RS).
    pub resource_share: Option<Given<Share>>,
}

/// What makes no sense as an option of a site.
#[derive(Debug, Error, PartialEq)]
pub enum SiteOptionError {
    /// There is no such option.
    #[error("there is no option {0:?} of a site")]
    Unknown(String),
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
    /// A factor that nothing stands behind.
    #[error(
        "a market-based intensity needs what it is by: give --market-source \"contract, supplier or \
         residual mix, year\""
    )]
    WithoutMarketSource,
    /// A source of nothing.
    #[error("--market-source says nothing without a factor: give --market-intensity 12")]
    WithoutMarketIntensity,
    /// No source.
    #[error("it names no contract, supplier or residual mix")]
    MarketSource,
    /// No embodied total.
    #[error(transparent)]
    Embodied(#[from] ParseEmbodiedError),
    /// No lifespan.
    #[error("it is no lifespan from an hour to 100 years: write it as 4y, 1460d or 35040h")]
    Lifespan,
    /// No share.
    #[error("it is no share of a machine's resources: write it as 0.125, 12.5% or 8/64")]
    ResourceShare,
    /// A part of an unknown whole.
    #[error(
        "{0} says nothing without the emissions embodied in the hardware: give --embodied 1200kg"
    )]
    WithoutEmbodied(&'static str),
}

impl SiteOptions {
    /// Names of the options, as on the command line, in files and in traces.
    pub const NAMES: [&str; 11] = [
        "zone",
        "cloud",
        "intensity",
        "mix",
        "pue",
        "wue",
        "market-intensity",
        "market-source",
        "embodied",
        "lifespan",
        "resource-share",
    ];

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
            "market-intensity" => self.market_intensity = Some(given(intensity(text)?, by)),
            "market-source" => self.market_source = Some(given(market_source(text)?, by)),
            "embodied" => self.embodied = Some(given(text.parse()?, by)),
            "lifespan" => self.lifespan = Some(given(lifespan(text)?, by)),
            "resource-share" => self.resource_share = Some(given(resource_share(text)?, by)),
            other => return Err(SiteOptionError::Unknown(other.to_owned())),
        }
        Ok(())
    }

    /// What was given, as text by the names of the options, with who gave it.
    pub fn texts(&self) -> Vec<(&'static str, String, &str)> {
        let place = self.place.as_ref();
        let share = self.resource_share.as_ref();
        let market = self.market_intensity.as_ref();
        let by = self.market_source.as_ref();
        [
            place.map(|it| (it.value.option(), it.value.to_string(), it.by.as_str())),
            self.pue.as_ref().map(|it| ("pue", it.value.get().to_string(), it.by.as_str())),
            self.wue.as_ref().map(|it| ("wue", it.value.get().to_string(), it.by.as_str())),
            market.map(|it| ("market-intensity", it.value.get().to_string(), it.by.as_str())),
            by.map(|it| ("market-source", it.value.clone(), it.by.as_str())),
            self.embodied.as_ref().map(|it| ("embodied", it.value.to_string(), it.by.as_str())),
            self.lifespan.as_ref().map(|it| ("lifespan", it.value.to_string(), it.by.as_str())),
            share.map(|it| ("resource-share", it.value.get().to_string(), it.by.as_str())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// These, and what they do not say from others. A place has its own PUE, WUE and contract: those
    /// that others say of another place are not taken. The machine is the same wherever it stands.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        let elsewhere = match (&self.place, &others.place) {
            (Some(here), Some(there)) => here.value != there.value,
            _ => false,
        };
        let nothing = Self::default();
        let site = if elsewhere { &nothing } else { others };
        // A factor and what it is by belong together.
        let says_market = self.market_intensity.is_some() || self.market_source.is_some();
        let (market_intensity, market_source) = if says_market {
            (self.market_intensity, self.market_source)
        } else {
            (site.market_intensity.clone(), site.market_source.clone())
        };
        Self {
            market_intensity,
            market_source,
            place: self.place.or_else(|| site.place.clone()),
            pue: self.pue.or_else(|| site.pue.clone()),
            wue: self.wue.or_else(|| site.wue.clone()),
            embodied: self.embodied.or_else(|| others.embodied.clone()),
            lifespan: self.lifespan.or_else(|| others.lifespan.clone()),
            resource_share: self.resource_share.or_else(|| others.resource_share.clone()),
        }
    }

    /// Refuses what the command line says and what says nothing without something else that nobody said.
    /// Files may say it in advance.
    pub fn checked(self) -> Result<Self, SiteOptionError> {
        if self.market_intensity.is_some() && self.market_source.is_none() {
            return Err(SiteOptionError::WithoutMarketSource);
        }
        if self.market_source.is_some() && self.market_intensity.is_none() {
            return Err(SiteOptionError::WithoutMarketIntensity);
        }
        let lifespan = self.lifespan.as_ref().map(|it| ("--lifespan", it.by.as_str()));
        let share = self.resource_share.as_ref().map(|it| ("--resource-share", it.by.as_str()));
        let mut alone = lifespan.into_iter().chain(share).filter(|(_, by)| *by == GIVEN);
        match alone.next().filter(|_| self.embodied.is_none()) {
            Some((option, _)) => Err(SiteOptionError::WithoutEmbodied(option)),
            None => Ok(self),
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

/// What a market-based intensity is by.
pub fn market_source(text: &str) -> Result<String, SiteOptionError> {
    let text = text.trim();
    let says_something = !text.is_empty() && !text.contains(char::is_control);
    says_something.then(|| text.to_owned()).ok_or(SiteOptionError::MarketSource)
}

/// A time that hardware serves: `4y` of 365 days, `1460d` or `35040h`.
pub fn lifespan(text: &str) -> Result<Lifespan, SiteOptionError> {
    let text = text.trim();
    let in_unit = |(unit, hours): (&str, f64)| Some(number(text.strip_suffix(unit)?)? * hours);
    let hours = [("y", 8_760.0), ("d", 24.0), ("h", 1.0)].into_iter().find_map(in_unit);
    hours.and_then(Lifespan::from_hours).ok_or(SiteOptionError::Lifespan)
}

/// A part of a machine, above none of it: `0.125`, `12.5%` or `8/64`.
pub fn resource_share(text: &str) -> Result<Share, SiteOptionError> {
    let text = text.trim();
    let percent = |text: &str| Some(number(text.strip_suffix('%')?)? / 100.0);
    let ratio = |(part, whole): (&str, &str)| Some(number(part)? / number(whole)?);
    let share = match text.split_once('/') {
        Some(parts) => ratio(parts),
        None => percent(text).or_else(|| number(text)),
    };
    let share = share.and_then(Share::new).filter(|share| share.get() > 0.0);
    share.ok_or(SiteOptionError::ResourceShare)
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
            let set = [
                place,
                ("pue", "1.2"),
                ("wue", "0.3"),
                ("market-intensity", "12"),
                ("market-source", "residual mix 2025"),
                ("embodied", "server=1,gpu=8"),
                ("lifespan", "4y"),
                ("resource-share", "0.125"),
            ];
            let options = options(&set, "me");
            let texts = options.texts();
            let found: Vec<_> =
                texts.iter().map(|(name, text, _)| (*name, text.as_str())).collect();
            assert_eq!(found, set);
            assert!(texts.iter().all(|(_, _, by)| *by == "me"));
        }
    }

    #[test]
    fn a_contract_belongs_to_its_place_and_to_its_factor() {
        let contract = [("market-intensity", "12"), ("market-source", "wind farm")];
        let there = options(&[&[("zone", "FR")][..], &contract].concat(), "file");
        let market = |it: SiteOptions| it.or(&there).market_intensity.map(|it| it.value.get());
        assert_eq!(market(options(&[], "me")), Some(12.0));
        assert_eq!(market(options(&[("zone", "NO")], "me")), None);
        let half = options(&[("market-intensity", "5")], "me").or(&there);
        assert_eq!(half.checked(), Err(SiteOptionError::WithoutMarketSource));
        let other = options(&[("market-source", "sun")], "me").or(&there);
        assert_eq!(other.checked(), Err(SiteOptionError::WithoutMarketIntensity));
    }

    #[test]
    fn a_machine_is_the_same_wherever_it_stands() {
        let there = options(&[("zone", "FR"), ("embodied", "1200kg"), ("lifespan", "6y")], "file");
        let here = options(&[("zone", "NO"), ("lifespan", "3y")], "me").or(&there);
        assert_eq!(here.embodied, there.embodied);
        assert_eq!(here.lifespan.map(|it| it.value.to_string()).as_deref(), Some("3y"));
        assert!(options(&[("lifespan", "3y")], "file").checked().is_ok());
        let alone = options(&[("lifespan", "3y")], GIVEN).checked().unwrap_err();
        assert!(alone.to_string().starts_with("--lifespan says nothing without"));
    }

    #[test]
    fn lifespans_and_shares_are_read_as_people_write_them() {
        for text in ["4y", "1460d", "35040 h"] {
            assert_eq!(lifespan(text).map(Lifespan::hours), Ok(35_040.0), "{text}");
        }
        for wrong in ["4", "0y", "200y", "y", "-1y"] {
            assert_eq!(lifespan(wrong), Err(SiteOptionError::Lifespan), "{wrong}");
        }
        for text in ["0.125", "12.5 %", "8/64"] {
            assert_eq!(resource_share(text).map(Share::get), Ok(0.125), "{text}");
        }
        for wrong in ["0", "1.5", "65/64", "1/0", "half"] {
            assert_eq!(resource_share(wrong), Err(SiteOptionError::ResourceShare), "{wrong}");
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
