//! The report on emissions as JSON, for programs: docs/emissions.md lists the fields. Emissions are in
//! whole nanograms (`_ng`) and water in whole nanolitres (`_nl`) where rows add up to the whole;
//! what is not known is `null`, never 0.

use serde::Serialize;

use super::ReportOptions;
use super::emissions::{EmissionsSubject, Emitted, EmittingRow, error_95};
use super::json::{Head, pretty};
use crate::emissions::equivalents::{self, Equivalent};
use crate::emissions::{Figure, Site};
use crate::units::{GramsCo2e, Microjoules, NanogramsCo2e, Nanolitres};

/// The report on emissions as JSON, ending in a line break.
pub fn emissions_json(subject: &EmissionsSubject<'_>, options: &ReportOptions) -> String {
    let emitted = Emitted::of(subject);
    let view = subject.profile.view(&options.view(), &|_| None);
    pretty(&Report {
        head: Head::of(subject.profile, &view),
        site: SiteJson::of(subject.site),
        footprint: Whole::of(&emitted, subject.site),
        equivalents: options.equivalents.then(|| equivalents(&emitted, subject.site)),
        by: subject.rows.by(),
        emitting: emitted.rows.iter().map(|row| RowJson::of(row, subject.site)).collect(),
    })
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    site: SiteJson<'a>,
    footprint: Whole,
    /// Where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    equivalents: Option<Vec<EquivalentJson>>,
    by: &'static str,
    #[serde(rename = "rows")]
    emitting: Vec<RowJson<'a>>,
}

#[derive(Serialize)]
struct SiteJson<'a> {
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

#[derive(Serialize)]
struct FigureJson<'a> {
    value: f64,
    year: Option<u16>,
    source: &'a str,
    covers: Option<&'a str>,
    provenance: &'static str,
}

fn figure<T: Copy>(figure: &Figure<T>, value: impl Fn(T) -> f64) -> FigureJson<'_> {
    FigureJson {
        value: value(figure.value),
        year: figure.year,
        source: &figure.source,
        covers: figure.covers.as_deref(),
        provenance: crate::model::Provenance::Assumed.name(),
    }
}

impl<'a> SiteJson<'a> {
    fn of(site: &'a Site) -> Self {
        let grid = site.grid.as_ref();
        let water = |water: Option<&'a Figure<_>>| {
            water.map(|water| figure(water, crate::units::WaterIntensity::get))
        };
        let intensity = |of: &'a Figure<_>| figure(of, crate::units::CarbonIntensity::get);
        Self {
            name: &site.name,
            zone: grid.map(|grid| grid.code.as_str()).filter(|code| !code.is_empty()),
            basis: "location-based",
            intensity_gco2e_per_kwh: grid.map(|grid| intensity(&grid.intensity)),
            other_intensities_gco2e_per_kwh: grid
                .map_or_else(Vec::new, |grid| grid.others.iter().map(intensity).collect()),
            pue: site.pue.as_ref().map(|pue| figure(pue, crate::units::Pue::get)),
            wue_l_per_kwh: water(site.wue.as_ref()),
            ewif_l_per_kwh: water(grid.and_then(|grid| grid.water.as_ref())),
            ewif_without_hydro_l_per_kwh: water(
                grid.and_then(|grid| grid.water_without_hydro.as_ref()),
            ),
        }
    }
}

#[derive(Serialize)]
struct Whole {
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

impl Whole {
    fn of(emitted: &Emitted<'_>, site: &Site) -> Self {
        let footprint = &emitted.footprint;
        let litres = |water: Option<crate::units::Litres>| water.map(crate::units::Litres::get);
        Self {
            it_kwh: footprint.it.get(),
            facility_kwh: footprint.facility.get(),
            emissions_gco2e: footprint.emissions.map(GramsCo2e::get),
            emissions_ng: emitted.emissions,
            error_95_gco2e: error_95(emitted.error, site).map(GramsCo2e::get),
            least_gco2e: footprint.range.0.get(),
            most_gco2e: footprint.range.1.get(),
            water_on_site_l: litres(footprint.water.on_site),
            water_on_site_nl: emitted.water.on_site,
            water_off_site_l: litres(footprint.water.off_site),
            water_off_site_nl: emitted.water.off_site,
            water_off_site_without_hydro_l: litres(footprint.water.off_site_without_hydro),
        }
    }
}

#[derive(Serialize)]
struct EquivalentJson {
    id: &'static str,
    label: &'static str,
    unit: &'static str,
    count: f64,
    gco2e_each: f64,
    year: Option<u16>,
    source: String,
}

fn equivalents(emitted: &Emitted<'_>, site: &Site) -> Vec<EquivalentJson> {
    let Some((emissions, grid)) = emitted.footprint.emissions.zip(site.grid.as_ref()) else {
        return Vec::new();
    };
    let json = |it: Equivalent| EquivalentJson {
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

#[derive(Serialize)]
struct RowJson<'a> {
    kind: &'static str,
    name: &'a str,
    pid: Option<u32>,
    tid: Option<u32>,
    energy_uj: Option<Microjoules>,
    emissions_ng: Option<NanogramsCo2e>,
    error_95_gco2e: Option<f64>,
    water_on_site_nl: Option<Nanolitres>,
    water_off_site_nl: Option<Nanolitres>,
}

impl<'a> RowJson<'a> {
    fn of(row: &EmittingRow<'a>, site: &Site) -> Self {
        let error = row.error.filter(|_| row.energy.is_some());
        Self {
            kind: row.kind.name(),
            name: row.name,
            pid: row.pid,
            tid: row.tid,
            energy_uj: row.energy,
            emissions_ng: row.emissions,
            error_95_gco2e: error.and_then(|error| error_95(error, site)).map(GramsCo2e::get),
            water_on_site_nl: row.water.on_site,
            water_off_site_nl: row.water.off_site,
        }
    }
}
