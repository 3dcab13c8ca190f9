//! A site's factors and what they come to, as reports for programs have them. What is not known is
//! `null`, never 0. The fields are listed in docs/emissions.md.

use serde::Serialize;

use super::equivalents::{self, Equivalent};
use super::{Figure, Footprint, Site};
use crate::model::Provenance;
use crate::units::{
    CarbonIntensity, GramsCo2e, Litres, NanogramsCo2e, Nanolitres, Pue, WaterIntensity,
};

/// A site's factors.
#[derive(Debug, Serialize)]
pub struct SiteJson<'a> {
    name: &'a str,
    zone: Option<&'a str>,
    basis: &'static str,
    intensity_gco2e_per_kwh: Option<FigureJson<'a>>,
    other_intensities_gco2e_per_kwh: Vec<FigureJson<'a>>,
    pue: Option<FigureJson<'a>>,
    wue_l_per_kwh: Option<FigureJson<'a>>,
    ewif_l_per_kwh: Option<FigureJson<'a>>,
    ewif_without_hydro_l_per_kwh: Option<FigureJson<'a>>,
}

#[derive(Debug, Serialize)]
struct FigureJson<'a> {
    value: f64,
    year: Option<u16>,
    source: &'a str,
    covers: Option<&'a str>,
    provenance: Provenance,
}

impl<'a> FigureJson<'a> {
    fn of<T: Copy>(figure: &'a Figure<T>, value: fn(T) -> f64) -> Self {
        Self {
            value: value(figure.value),
            year: figure.year,
            source: &figure.source,
            covers: figure.covers.as_deref(),
            provenance: Provenance::Assumed,
        }
    }
}

impl<'a> From<&'a Site> for SiteJson<'a> {
    fn from(site: &'a Site) -> Self {
        let grid = site.grid.as_ref();
        let water = |water: &'a Figure<_>| FigureJson::of(water, WaterIntensity::get);
        let intensity = |of: &'a Figure<_>| FigureJson::of(of, CarbonIntensity::get);
        Self {
            name: &site.name,
            zone: grid.map(|grid| grid.code.as_str()).filter(|code| !code.is_empty()),
            basis: "location-based",
            intensity_gco2e_per_kwh: grid.map(|grid| intensity(&grid.intensity)),
            other_intensities_gco2e_per_kwh: grid
                .map_or_else(Vec::new, |grid| grid.others.iter().map(intensity).collect()),
            pue: site.pue.as_ref().map(|pue| FigureJson::of(pue, Pue::get)),
            wue_l_per_kwh: site.wue.as_ref().map(water),
            ewif_l_per_kwh: grid.and_then(|grid| grid.water.as_ref()).map(water),
            ewif_without_hydro_l_per_kwh: grid
                .and_then(|grid| grid.water_without_hydro.as_ref())
                .map(water),
        }
    }
}

/// What an amount of energy comes to.
#[derive(Debug, Serialize)]
pub struct FootprintJson {
    it_kwh: f64,
    facility_kwh: f64,
    emissions_gco2e: Option<f64>,
    emissions_ng: Option<NanogramsCo2e>,
    error_95_gco2e: Option<f64>,
    least_gco2e: f64,
    most_gco2e: f64,
    water_on_site_l: Option<f64>,
    water_on_site_nl: Option<Nanolitres>,
    water_off_site_l: Option<f64>,
    water_off_site_nl: Option<Nanolitres>,
    water_off_site_without_hydro_l: Option<f64>,
}

impl FootprintJson {
    /// Of energy that has this error.
    pub fn of(footprint: &Footprint, error: Option<GramsCo2e>) -> Self {
        let water = &footprint.water;
        Self {
            it_kwh: footprint.it.get(),
            facility_kwh: footprint.facility.get(),
            emissions_gco2e: footprint.emissions.map(GramsCo2e::get),
            emissions_ng: footprint.emissions.map(GramsCo2e::to_nanograms),
            error_95_gco2e: error.map(GramsCo2e::get),
            least_gco2e: footprint.range.0.get(),
            most_gco2e: footprint.range.1.get(),
            water_on_site_l: water.on_site.map(Litres::get),
            water_on_site_nl: water.on_site.map(Litres::to_nanolitres),
            water_off_site_l: water.off_site.map(Litres::get),
            water_off_site_nl: water.off_site.map(Litres::to_nanolitres),
            water_off_site_without_hydro_l: water.off_site_without_hydro.map(Litres::get),
        }
    }
}

/// What else emits as much.
#[derive(Debug, Serialize)]
pub struct EquivalentJson {
    id: &'static str,
    label: &'static str,
    unit: &'static str,
    count: f64,
    gco2e_each: f64,
    year: Option<u16>,
    source: String,
}

impl EquivalentJson {
    /// Those that fit; none where it is not known what was emitted.
    pub fn fitting(footprint: &Footprint, site: &Site) -> Vec<Self> {
        let Some((emissions, grid)) = footprint.emissions.zip(site.grid.as_ref()) else {
            return Vec::new();
        };
        let json = |it: Equivalent| Self {
            id: it.id,
            label: it.label,
            unit: it.unit,
            count: it.count,
            gco2e_each: it.each.get(),
            year: it.year,
            source: it.source,
        };
        equivalents::fitting(emissions, grid.intensity.value).into_iter().map(json).collect()
    }
}
