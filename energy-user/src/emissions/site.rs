//! The factors of the site where a machine stands.

use super::cloud::cloud_site;
use super::embodied::Embodied;
use super::figure::Figure;
use super::given::{GIVEN, Given};
use super::grid::{Grid, grid_of};
use super::market::Market;
use super::nearest::UnknownPlace;
use super::site_options::{Place, SiteOptions};
use crate::units::{CarbonIntensity, Pue, WaterIntensity};

/// The factors of a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// What it is called.
    pub name: String,
    /// Who says that it is this one, where it was not the command line.
    pub said_by: Option<String>,
    /// The cloud's provider and region, where it is one's.
    pub cloud: Option<(String, String)>,
    /// Its grid; `None` where the place is not known.
    pub grid: Option<Grid>,
    /// Energy of the facility per energy of its IT equipment; `None` where it is not known, and nothing
    /// is added.
    pub pue: Option<Figure<Pue>>,
    /// Water on site; `None` where it is not known.
    pub wue: Option<Figure<WaterIntensity>>,
    /// What it took to make the machine; `None` where it is not known.
    pub embodied: Option<Embodied>,
    /// What contracts say, beside the grid.
    pub market: Market,
}

impl Site {
    /// Looks the factors up, of the year of the recording or the newest before it.
    pub fn of(options: &SiteOptions, year: u16) -> Result<Self, UnknownPlace> {
        let bare = |grid: Option<Grid>| Self {
            name: grid.as_ref().map_or_else(|| "unknown".to_owned(), |grid| grid.name.clone()),
            said_by: None,
            cloud: None,
            grid,
            pue: None,
            wue: None,
            embodied: None,
            market: Market::default(),
        };
        let site = match options.place.as_ref().map(|place| &place.value) {
            None => bare(None),
            Some(Place::Zone(zone)) => bare(Some(grid_of(zone, year)?)),
            Some(Place::Cloud(region)) => cloud_site(region, year)?,
            Some(Place::Intensity(intensity)) => {
                let by = options.place.clone().map(|place| place.by).unwrap_or_default();
                let given = Given { value: *intensity, by };
                bare(Some(given_grid("given intensity", given.into(), None)))
            }
            Some(Place::Mix(mix)) => {
                let intensity = mix.intensity().expect("the tables have every category");
                bare(Some(given_grid("given mix", intensity, mix.water())))
            }
        };
        let said_by = options.place.as_ref().map(|place| place.by.clone());
        Ok(Self {
            said_by: said_by.filter(|by| by != GIVEN),
            pue: options.pue.clone().map(Figure::from).or(site.pue),
            wue: options.wue.clone().map(Figure::from).or(site.wue),
            embodied: Embodied::of(options),
            market: site.market.with_given(options),
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
