//! The world's grids, for who does not say where a machine stands.

use super::citation::cite;
use super::tables::NATIONAL_GRIDS;
use crate::units::CarbonIntensity;

/// What a kilowatt-hour emits somewhere on earth.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// The tenth part of countries emits less.
    pub low: CarbonIntensity,
    /// The mean over all electricity.
    pub mean: CarbonIntensity,
    /// The tenth part of countries emits more.
    pub high: CarbonIntensity,
    /// How many countries.
    pub countries: usize,
    /// Of which year the mean is.
    pub year: u16,
    /// Where the figures come from.
    pub source: String,
}

/// The world's grids, of each country the newest year.
pub fn world() -> World {
    let mut newest = std::collections::BTreeMap::new();
    for row in NATIONAL_GRIDS.iter() {
        let known = newest.entry(row.iso3.as_str()).or_insert(row);
        if row.year > known.year {
            *known = row;
        }
    }
    let mean = newest.remove("WLD").expect("the table has the world");
    newest.remove("EU27");
    let mut all: Vec<f64> = newest.values().map(|row| row.intensity_gco2e_per_kwh).collect();
    all.sort_by(f64::total_cmp);
    let intensity = |value| CarbonIntensity::new(value).expect("ranges are checked by a test");
    World {
        low: intensity(all[all.len() / 10]),
        mean: intensity(mean.intensity_gco2e_per_kwh),
        high: intensity(all[all.len() - 1 - all.len() / 10]),
        countries: all.len(),
        year: mean.year,
        source: cite(&mean.source).title,
    }
}
