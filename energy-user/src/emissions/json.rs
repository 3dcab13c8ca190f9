//! A site's factors and what they come to, as reports for programs have them. What is not known is
//! `null`, never 0. The fields are listed in docs/emissions.md.

use serde::Serialize;

use super::equivalents::{self, Equivalent};
use super::{Embodied, Figure, Footprint, FunctionalUnits, Sci, Site};
use crate::model::Provenance;
use crate::units::{
    CarbonIntensity, GramsCo2e, Lifespan, Litres, NanogramsCo2e, Nanolitres, Pue, Share,
    WaterIntensity,
};

/// A site's factors.
#[derive(Debug, Serialize)]
pub struct SiteJson<'a> {
    name: &'a str,
    said_by: Option<&'a str>,
    zone: Option<&'a str>,
    basis: &'static str,
    intensity_gco2e_per_kwh: Option<FigureJson<'a>>,
    other_intensities_gco2e_per_kwh: Vec<FigureJson<'a>>,
    pue: Option<FigureJson<'a>>,
    wue_l_per_kwh: Option<FigureJson<'a>>,
    ewif_l_per_kwh: Option<FigureJson<'a>>,
    ewif_without_hydro_l_per_kwh: Option<FigureJson<'a>>,
    embodied: Option<EmbodiedJson<'a>>,
    market_intensity_gco2e_per_kwh: Option<FigureJson<'a>>,
    market_carbon_free_share: Option<FigureJson<'a>>,
    market_offset_share: Option<FigureJson<'a>>,
}

/// What it took to make the machine, and what of it is used.
#[derive(Debug, Serialize)]
struct EmbodiedJson<'a> {
    total_gco2e: FigureJson<'a>,
    least_gco2e: Option<f64>,
    most_gco2e: Option<f64>,
    lifespan_hours: FigureJson<'a>,
    resource_share: FigureJson<'a>,
}

impl<'a> From<&'a Embodied> for EmbodiedJson<'a> {
    fn from(embodied: &'a Embodied) -> Self {
        Self {
            total_gco2e: FigureJson::of(&embodied.total, GramsCo2e::get),
            least_gco2e: embodied.range.map(|(least, _)| least.get()),
            most_gco2e: embodied.range.map(|(_, most)| most.get()),
            lifespan_hours: FigureJson::of(&embodied.lifespan, Lifespan::hours),
            resource_share: FigureJson::of(&embodied.resource_share, Share::get),
        }
    }
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
        let share = |of: &'a Figure<_>| FigureJson::of(of, Share::get);
        let market = &site.market;
        Self {
            name: &site.name,
            said_by: site.said_by.as_deref(),
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
            embodied: site.embodied.as_ref().map(Into::into),
            market_intensity_gco2e_per_kwh: market.intensity.as_ref().map(intensity),
            market_carbon_free_share: market.carbon_free.as_ref().map(share),
            market_offset_share: market.offset.as_ref().map(share),
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
    market_emissions_gco2e: Option<f64>,
    market_emissions_ng: Option<NanogramsCo2e>,
    embodied_gco2e: Option<f64>,
    embodied_ng: Option<NanogramsCo2e>,
    embodied_least_gco2e: Option<f64>,
    embodied_most_gco2e: Option<f64>,
    embodied_seconds: Option<f64>,
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
        let embodied = footprint.embodied;
        let range = embodied.and_then(|it| it.range);
        Self {
            it_kwh: footprint.it.get(),
            facility_kwh: footprint.facility.get(),
            emissions_gco2e: footprint.emissions.map(GramsCo2e::get),
            emissions_ng: footprint.emissions.map(GramsCo2e::to_nanograms),
            error_95_gco2e: error.map(GramsCo2e::get),
            least_gco2e: footprint.range.0.get(),
            most_gco2e: footprint.range.1.get(),
            market_emissions_gco2e: footprint.market.map(GramsCo2e::get),
            market_emissions_ng: footprint.market.map(GramsCo2e::to_nanograms),
            embodied_gco2e: embodied.map(|it| it.emissions.get()),
            embodied_ng: embodied.map(|it| it.emissions.to_nanograms()),
            embodied_least_gco2e: range.map(|(least, _)| least.get()),
            embodied_most_gco2e: range.map(|(_, most)| most.get()),
            embodied_seconds: embodied.map(|it| it.lasted.seconds()),
            water_on_site_l: water.on_site.map(Litres::get),
            water_on_site_nl: water.on_site.map(Litres::to_nanolitres),
            water_off_site_l: water.off_site.map(Litres::get),
            water_off_site_nl: water.off_site.map(Litres::to_nanolitres),
            water_off_site_without_hydro_l: water.off_site_without_hydro.map(Litres::get),
        }
    }
}

/// The score per functional unit. Without a part of it there is none.
#[derive(Debug, Serialize)]
pub struct SciJson<'a> {
    functional_unit: &'a str,
    per_units: f64,
    units: f64,
    operational_gco2e: Option<f64>,
    embodied_gco2e: Option<f64>,
    score_gco2e: Option<f64>,
    targets_operational_gco2e: Option<f64>,
    targets_embodied_gco2e: Option<f64>,
    targets_score_gco2e: Option<f64>,
}

impl<'a> SciJson<'a> {
    /// Of all that is looked at, and of the targets among it.
    pub fn of(all: Sci, targets: Option<Sci>, units: &'a FunctionalUnits) -> Self {
        let targets = targets.unwrap_or_default();
        let grams = |grams: Option<GramsCo2e>| grams.map(GramsCo2e::get);
        Self {
            functional_unit: units.name(),
            per_units: units.per_number(),
            units: units.done,
            operational_gco2e: grams(all.operational),
            embodied_gco2e: grams(all.embodied),
            score_gco2e: grams(all.score(units)),
            targets_operational_gco2e: grams(targets.operational),
            targets_embodied_gco2e: grams(targets.embodied),
            targets_score_gco2e: grams(targets.score(units)),
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
