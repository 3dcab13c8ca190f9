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

/// The factors of a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// What it is called.
    pub name: String,
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
        intensity,
        others: Vec::new(),
        water,
        water_without_hydro,
    }
}
