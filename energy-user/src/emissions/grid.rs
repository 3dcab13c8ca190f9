//! The grid of a place: what a kilowatt-hour from its sockets emits, and consumes of water.

use std::collections::BTreeSet;

use super::citation::cite;
use super::figure::Figure;
use super::mix::GenerationMix;
use super::nearest::UnknownPlace;
use super::tables::{
    NATIONAL_GRIDS, NATIONAL_WATER, NationalGrid, REGIONAL_GRIDS, RegionalGrid, ZONE_GRIDS,
    ZoneGrid,
};
use crate::units::{CarbonIntensity, WaterIntensity};

/// A place's grid, location-based: what is generated or consumed there, whatever anyone has contracts
/// for.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// What it is called.
    pub name: String,
    /// The code it is found by.
    pub code: String,
    /// The country it is in, where that is known.
    pub country: Option<Country>,
    /// What a kilowatt-hour emits.
    pub intensity: Figure<CarbonIntensity>,
    /// What other tables say: a yearly mean is no more certain than they agree.
    pub others: Vec<Figure<CarbonIntensity>>,
    /// What a kilowatt-hour consumes of water (EWIF).
    pub water: Option<Figure<WaterIntensity>>,
    /// The same without what evaporates from reservoirs, where that can be told apart.
    pub water_without_hydro: Option<Figure<WaterIntensity>>,
}

/// A country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Country {
    /// Its name.
    pub name: String,
    /// Its ISO 3166 code of three letters.
    pub iso3: String,
}

impl Grid {
    /// The least and the most that any table says of the place.
    pub fn range(&self) -> (CarbonIntensity, CarbonIntensity) {
        let all = || self.others.iter().chain([&self.intensity]).map(|figure| figure.value);
        let least = all().fold(self.intensity.value, |a, b| if b < a { b } else { a });
        let most = all().fold(self.intensity.value, |a, b| if b > a { b } else { a });
        (least, most)
    }
}

/// The grid of a zone: an ISO 3166 code of two or three letters or a country's name, a state or province
/// such as `US-CA` and `CA-QC`, a price zone, or a zone of Electricity Maps such as `US-CAL-CISO`. Of the
/// table's years the newest up to `year` is taken, else the oldest.
pub fn grid_of(zone: &str, year: u16) -> Result<Grid, UnknownPlace> {
    let asked = zone.trim();
    let country = newest(NATIONAL_GRIDS.iter().filter(|row| is_country(row, asked)), year);
    let region = newest(REGIONAL_GRIDS.iter().filter(|row| is_region(row, asked)), year);
    let key = region.map_or(asked, |row| &row.region_code);
    let key = country.map_or(key, |row| &row.iso2);
    let zone = newest(ZONE_GRIDS.iter().filter(|row| is_zone(row, key)), year);
    let of_country = country.map(|row| (row.country.clone(), row.iso3.clone(), national(row)));
    let of_region = region.map(|row| (row.region.clone(), row.region_code.clone(), regional(row)));
    let of_zone = zone.map(|row| (row.name.clone(), row.zone.clone(), zonal(row)));
    // A state's own statistics are of the year they say; those of provinces and price zones are stale.
    let is_state = region.is_some_and(|row| row.iso3 == "USA");
    let ranked =
        if is_state { [of_country, of_region, of_zone] } else { [of_country, of_zone, of_region] };
    let mut found = ranked.into_iter().flatten();
    let Some((name, code, intensity)) = found.next() else {
        return Err(UnknownPlace::new("zone", asked, names()));
    };
    let country = country.map_or_else(|| country_of(region, zone, year), Some);
    let (water, water_without_hydro) = national_water(country);
    Ok(Grid {
        name,
        code,
        country: country.map(|row| Country { name: row.country.clone(), iso3: row.iso3.clone() }),
        intensity,
        others: found.map(|(_, _, figure)| figure).collect(),
        water,
        water_without_hydro,
    })
}

/// What Electricity Maps calls a zone: a country by its code of two letters, a price zone as `SE-SE3`; what
/// no table has is taken as it is written.
pub fn electricity_maps_zone(zone: &str) -> String {
    let asked = zone.trim();
    let country = NATIONAL_GRIDS.iter().find(|row| is_country(row, asked)).map(|row| &row.iso2);
    let country = country.filter(|code| !code.is_empty());
    let within = |row: &ZoneGrid| {
        let part = row.zone.split_once('-').map(|(_, part)| part);
        is_zone(row, asked) || part.is_some_and(|part| part.eq_ignore_ascii_case(asked))
    };
    let zone = || ZONE_GRIDS.iter().find(|row| within(row)).map(|row| &row.zone);
    country.or_else(zone).cloned().unwrap_or_else(|| asked.to_owned())
}

/// The grids of all countries.
pub fn countries(year: u16) -> Vec<Grid> {
    let codes: BTreeSet<&str> = NATIONAL_GRIDS.iter().map(|row| row.iso3.as_str()).collect();
    let countries = codes.into_iter().filter(|code| !["WLD", "EU27"].contains(code));
    countries.filter_map(|code| grid_of(code, year).ok()).collect()
}

/// A row of a year.
trait OfYear {
    fn year(&self) -> u16;
}

macro_rules! of_year {
    ($($row:ty),*) => {
        $(impl OfYear for $row {
            fn year(&self) -> u16 {
                self.year
            }
        })*
    };
}

of_year!(NationalGrid, RegionalGrid, ZoneGrid);

fn newest<'a, R: OfYear>(rows: impl Iterator<Item = &'a R>, year: u16) -> Option<&'a R> {
    // The newest that is not later; where all are, the oldest.
    rows.min_by_key(|row| {
        let later = row.year() > year;
        (later, if later { row.year() } else { u16::MAX - row.year() })
    })
}

fn is_country(row: &NationalGrid, asked: &str) -> bool {
    let is = |name: &str| !name.is_empty() && name.eq_ignore_ascii_case(asked);
    is(&row.iso2) || is(&row.iso3) || row.country.to_lowercase() == asked.to_lowercase()
}

fn is_region(row: &RegionalGrid, asked: &str) -> bool {
    row.region_code.eq_ignore_ascii_case(asked) || row.region.eq_ignore_ascii_case(asked)
}

fn is_zone(row: &ZoneGrid, asked: &str) -> bool {
    row.zone.eq_ignore_ascii_case(asked) || row.name.to_lowercase() == asked.to_lowercase()
}

fn national(row: &NationalGrid) -> Figure<CarbonIntensity> {
    figure(row.intensity_gco2e_per_kwh, row.year, &row.source)
}

fn regional(row: &RegionalGrid) -> Figure<CarbonIntensity> {
    figure(row.intensity_gco2e_per_kwh, row.year, &row.source)
}

fn zonal(row: &ZoneGrid) -> Figure<CarbonIntensity> {
    figure(row.intensity_gco2e_per_kwh, row.year, &row.source)
}

fn figure(intensity: f64, year: u16, source: &str) -> Figure<CarbonIntensity> {
    let citation = cite(source);
    Figure {
        value: CarbonIntensity::new(intensity).expect("the tables' ranges are checked by a test"),
        year: Some(year),
        source: citation.title,
        covers: citation.covers,
    }
}

/// The country that a region or a zone is a part of.
fn country_of(
    region: Option<&RegionalGrid>,
    zone: Option<&ZoneGrid>,
    year: u16,
) -> Option<&'static NationalGrid> {
    let name = region
        .map(|row| row.iso3.as_str())
        .or_else(|| zone.and_then(|row| row.country.as_deref()))
        .or_else(|| zone.and_then(|row| row.zone.split('-').next()))?;
    newest(NATIONAL_GRIDS.iter().filter(|row| is_country(row, name)), year)
}

type WaterFigure = Option<Figure<WaterIntensity>>;

/// The water of a country's electricity, with and without hydropower's: from its mix, else from the
/// table of countries.
fn national_water(country: Option<&NationalGrid>) -> (WaterFigure, WaterFigure) {
    let Some(country) = country else { return (None, None) };
    if let Some((with, without)) = GenerationMix::of(country.shares()).and_then(|mix| mix.water()) {
        let of_country = |figure: Figure<WaterIntensity>| Figure {
            year: Some(country.year),
            covers: Some(format!("computed from the mix of {}", country.country)),
            ..figure
        };
        return (Some(of_country(with)), Some(of_country(without)));
    }
    let row = NATIONAL_WATER.iter().find(|row| row.iso3 == country.iso3);
    let figure = row.and_then(|row| {
        Some(Figure {
            value: WaterIntensity::new(row.ewif_l_per_kwh)?,
            year: None,
            source: cite(&row.source).title,
            covers: Some(country.country.clone()),
        })
    });
    (figure, None)
}

/// Every name that a zone is found by, and how it is shown.
fn names() -> impl Iterator<Item = (String, String)> {
    let countries = NATIONAL_GRIDS.iter().flat_map(|row| {
        let shown = format!("{} ({})", row.iso3, row.country);
        [&row.iso3, &row.iso2, &row.country].map(|name| (name.clone(), shown.clone()))
    });
    let regions = REGIONAL_GRIDS.iter().flat_map(|row| {
        let shown = format!("{} ({})", row.region_code, row.region);
        [&row.region_code, &row.region].map(|name| (name.clone(), shown.clone()))
    });
    let zones = ZONE_GRIDS.iter().flat_map(|row| {
        let shown = format!("{} ({})", row.zone, row.name);
        [&row.zone, &row.name].map(|name| (name.clone(), shown.clone()))
    });
    countries.chain(regions).chain(zones)
}
