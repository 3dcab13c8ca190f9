//! Where a machine stands, as the user says it, and the factors of that site.

use super::cloud::cloud_site;
use super::figure::Figure;
use super::grid::{Grid, grid_of};
use super::mix::GenerationMix;
use super::nearest::UnknownPlace;
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

/// A site, and what of it is known better than tables do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteOptions {
    /// Where it is; `None` where nobody says.
    pub place: Option<Place>,
    /// Its power usage effectiveness.
    pub pue: Option<Pue>,
    /// Its water usage effectiveness: litres on site per kilowatt-hour of IT equipment.
    pub wue: Option<WaterIntensity>,
}

impl SiteOptions {
    /// Names of options that say where a machine stands, as on the command line and in traces.
    pub const NAMES: [&str; 6] = ["zone", "cloud", "intensity", "mix", "pue", "wue"];

    /// From options as text, by these names. What makes no sense is left out.
    pub fn of_texts<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Self {
        let number = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
        let owned = |name: &str| text(name).map(str::to_owned);
        let place = (owned("zone").map(Place::Zone))
            .or_else(|| owned("cloud").map(Place::Cloud))
            .or_else(|| number("intensity").and_then(CarbonIntensity::new).map(Place::Intensity))
            .or_else(|| text("mix").and_then(|mix| mix.parse().ok()).map(Place::Mix));
        Self {
            place,
            pue: number("pue").and_then(Pue::new),
            wue: number("wue").and_then(WaterIntensity::new),
        }
    }

    /// These, and what they do not say from others: a recording's own. Another place has its own PUE
    /// and WUE.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        if self.place.is_some() {
            return self;
        }
        Self {
            place: others.place.clone(),
            pue: self.pue.or(others.pue),
            wue: self.wue.or(others.wue),
        }
    }
}

/// The factors of a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// What it is called.
    pub name: String,
    /// The cloud's provider and region, where it is one's.
    pub cloud: Option<(String, String)>,
    /// Its grid; `None` where the place is not known.
    pub grid: Option<Grid>,
    /// Energy of the facility per energy of its IT equipment; `None` where it is not known, and nothing
    /// is added.
    pub pue: Option<Figure<Pue>>,
    /// Water on site; `None` where it is not known.
    pub wue: Option<Figure<WaterIntensity>>,
}

impl Site {
    /// Looks the factors up, of the year of the recording or the newest before it.
    pub fn of(options: &SiteOptions, year: u16) -> Result<Self, UnknownPlace> {
        let bare = |grid: Option<Grid>| Self {
            name: grid.as_ref().map_or_else(|| "unknown".to_owned(), |grid| grid.name.clone()),
            cloud: None,
            grid,
            pue: None,
            wue: None,
        };
        let site = match &options.place {
            None => bare(None),
            Some(Place::Zone(zone)) => bare(Some(grid_of(zone, year)?)),
            Some(Place::Cloud(region)) => cloud_site(region, year)?,
            Some(Place::Intensity(intensity)) => {
                bare(Some(given_grid("given intensity", Figure::given(*intensity), None)))
            }
            Some(Place::Mix(mix)) => {
                let intensity = mix.intensity().expect("the tables have every category");
                bare(Some(given_grid("given mix", intensity, mix.water())))
            }
        };
        Ok(Self {
            pue: options.pue.map(Figure::given).or(site.pue),
            wue: options.wue.map(Figure::given).or(site.wue),
            ..site
        })
    }

    /// What a kilowatt-hour of its IT equipment emits, the PUE included; `None` where the place is not
    /// known.
    pub fn intensity_of_it(&self) -> Option<CarbonIntensity> {
        self.grid.as_ref().map(|grid| grid.intensity.value * self.pue())
    }

    /// The PUE to reckon with: 1 where none is known.
    pub fn pue(&self) -> Pue {
        self.pue.as_ref().map_or(Pue::NONE, |figure| figure.value)
    }
}

type WaterFigures = (Figure<WaterIntensity>, Figure<WaterIntensity>);

fn given_grid(name: &str, intensity: Figure<CarbonIntensity>, water: Option<WaterFigures>) -> Grid {
    let (water, water_without_hydro) = water.unzip();
    Grid {
        name: name.to_owned(),
        code: String::new(),
        country: None,
        intensity,
        others: Vec::new(),
        water,
        water_without_hydro,
    }
}
