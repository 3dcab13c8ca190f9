//! The report on emissions as JSON, for programs: docs/emissions.md lists the fields. Emissions are in
//! whole nanograms (`_ng`) and water in whole nanolitres (`_nl`) where rows add up to the whole;
//! what is not known is `null`, never 0.

use serde::Serialize;

use super::ReportOptions;
use super::emissions::{EmissionsSubject, Emitted, EmittingRow, error_95};
use super::json::{Head, pretty};
use crate::emissions::{EquivalentJson, FootprintJson, Site, SiteJson};
use crate::units::{GramsCo2e, Microjoules, NanogramsCo2e, Nanolitres};

/// The report on emissions as JSON, ending in a line break.
pub fn emissions_json(subject: &EmissionsSubject<'_>, options: &ReportOptions) -> String {
    let emitted = Emitted::of(subject);
    let view = subject.profile.view(&options.view(), &|_| None);
    pretty(&Report {
        head: Head::of(subject.profile, &view),
        site: subject.site.into(),
        footprint: FootprintJson::of(&emitted.footprint, error_95(emitted.error, subject.site)),
        equivalents: options
            .equivalents
            .then(|| EquivalentJson::fitting(&emitted.footprint, subject.site)),
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
