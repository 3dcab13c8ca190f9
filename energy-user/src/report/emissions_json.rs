//! The report on emissions as JSON, for programs: docs/emissions.md lists the fields. Emissions are in
//! whole nanograms (`_ng`) and water in whole nanolitres (`_nl`) where rows add up to the whole;
//! what is not known is `null`, never 0.

use serde::Serialize;

use super::ReportOptions;
use super::emissions::{EmissionsSubject, Emitted, EmittingRow, error_95};
use super::json::{Head, pretty};
use super::over_time::OverTime;
use super::scale;
use crate::emissions::series::StepKind;
use crate::emissions::{EquivalentJson, FootprintJson, SciJson, Site, SiteJson};
use crate::units::{CarbonIntensity, GramsCo2e, Microjoules, NanogramsCo2e, Nanolitres};

/// The report on emissions as JSON, ending in a line break.
pub fn emissions_json(subject: &EmissionsSubject<'_>, options: &ReportOptions) -> String {
    let emitted = Emitted::of(subject);
    let view = subject.profile.view(&options.view(), &|_| None);
    pretty(&Report {
        head: Head::of(subject.profile, &view),
        site: subject.site.into(),
        footprint: FootprintJson::of(&emitted.footprint, emitted.error_95(subject.site)),
        equivalents: options
            .equivalents
            .then(|| EquivalentJson::fitting(&emitted.footprint, subject.site)),
        sci: subject.units.map(|units| {
            let targets = emitted.sci_of_targets(subject, options.all);
            SciJson::of(emitted.sci(), targets, units)
        }),
        series: subject.over_time.map(SeriesJson::of),
        by: subject.rows.by(),
        emitting: emitted.rows.iter().map(|row| RowJson::of(row, subject.site)).collect(),
    })
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    site: SiteJson<'a>,
    footprint: FootprintJson,
    /// Where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    equivalents: Option<Vec<EquivalentJson>>,
    /// Where it was said what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    sci: Option<SciJson<'a>>,
    /// Where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<SeriesJson<'a>>,
    by: &'static str,
    #[serde(rename = "rows")]
    emitting: Vec<RowJson<'a>>,
}

#[derive(Serialize)]
struct RowJson<'a> {
    kind: &'static str,
    name: &'a str,
    pid: Option<u32>,
    tid: Option<u32>,
    energy_uj: Option<Microjoules>,
    emissions_ng: Option<NanogramsCo2e>,
    market_emissions_ng: Option<NanogramsCo2e>,
    embodied_ng: Option<NanogramsCo2e>,
    error_95_gco2e: Option<f64>,
    water_on_site_nl: Option<Nanolitres>,
    water_off_site_nl: Option<Nanolitres>,
    intensity_gco2e_per_kwh: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_utc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_utc: Option<String>,
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
            market_emissions_ng: row.market,
            embodied_ng: row.embodied,
            error_95_gco2e: error
                .and_then(|error| error_95(error, site, row.intensity))
                .map(GramsCo2e::get),
            water_on_site_nl: row.water.on_site,
            water_off_site_nl: row.water.off_site,
            intensity_gco2e_per_kwh: row.intensity.map(CarbonIntensity::get),
            from_utc: row.time.and_then(|(from, _)| scale::rfc3339(from)),
            to_utc: row.time.and_then(|(_, to)| scale::rfc3339(to)),
        }
    }
}

/// The series, and its steps in which there was energy to multiply.
#[derive(Serialize)]
struct SeriesJson<'a> {
    source: &'a str,
    zone: Option<&'a str>,
    covers: Option<&'a str>,
    usual_step_seconds: f64,
    remarks: Vec<String>,
    steps: Vec<StepJson>,
}

#[derive(Serialize)]
struct StepJson {
    from_utc: Option<String>,
    to_utc: Option<String>,
    intensity_gco2e_per_kwh: f64,
    kind: &'static str,
}

impl<'a> SeriesJson<'a> {
    fn of(over_time: &OverTime<'a>) -> Self {
        let steps = over_time.steps();
        let series = over_time.series;
        Self {
            source: &series.origin.source,
            zone: series.origin.zone.as_deref(),
            covers: series.origin.covers.as_deref(),
            usual_step_seconds: series.usual_step().seconds(),
            remarks: series.remarks(&steps),
            steps: steps
                .into_iter()
                .map(|step| StepJson {
                    from_utc: scale::rfc3339(step.from),
                    to_utc: scale::rfc3339(step.to),
                    intensity_gco2e_per_kwh: step.intensity.get(),
                    kind: match step.kind {
                        StepKind::Told => "told",
                        StepKind::Estimated => "estimated",
                        StepKind::Filled => "filled",
                    },
                })
                .collect(),
        }
    }
}
