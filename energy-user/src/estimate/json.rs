//! An estimate as JSON, for programs: docs/emissions.md lists the fields.

use serde::Serialize;

use super::{Devices, Elsewhere, Estimate};
use crate::emissions::{EquivalentJson, FootprintJson, SciJson, SiteJson};
use crate::model::Provenance;

/// The version of the fields. It rises when one is renamed, removed or given another meaning.
const SCHEMA_VERSION: u32 = 1;

/// The estimate as JSON, ending in a line break.
pub fn json(estimate: &Estimate, equivalents: bool) -> String {
    let Estimate { job, site, footprint, units, elsewhere } = estimate;
    let mut text = serde_json::to_string_pretty(&Report {
        schema_version: SCHEMA_VERSION,
        provenance: Provenance::Assumed,
        hardware: job.devices.iter().map(Into::into).collect(),
        duration_seconds: job.lasted.as_secs_f64(),
        load: job.load.get(),
        site: site.into(),
        footprint: FootprintJson::of(footprint, None),
        equivalents: equivalents.then(|| EquivalentJson::fitting(footprint, site)),
        sci: units.as_ref().map(|units| SciJson::of(estimate.sci(), None, units)),
        elsewhere: elsewhere.as_ref().map(|comparison| Comparison {
            among: &comparison.among,
            least: (&comparison.least).into(),
            most: (&comparison.most).into(),
        }),
    })
    .expect("structs with text keys and finite numbers become JSON");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    provenance: Provenance,
    hardware: Vec<HardwareJson<'a>>,
    duration_seconds: f64,
    load: f64,
    site: SiteJson<'a>,
    footprint: FootprintJson,
    /// Where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    equivalents: Option<Vec<EquivalentJson>>,
    /// Where it was said what is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    sci: Option<SciJson<'a>>,
    elsewhere: Option<Comparison<'a>>,
}

#[derive(Serialize)]
struct HardwareJson<'a> {
    name: &'a str,
    count: u32,
    watts_each: f64,
    source: &'a str,
}

impl<'a> From<&'a Devices> for HardwareJson<'a> {
    fn from(devices: &'a Devices) -> Self {
        Self {
            name: &devices.hardware.name,
            count: devices.count,
            watts_each: devices.hardware.power.get(),
            source: &devices.hardware.source,
        }
    }
}

#[derive(Serialize)]
struct Comparison<'a> {
    among: &'a str,
    least: ElsewhereJson<'a>,
    most: ElsewhereJson<'a>,
}

#[derive(Serialize)]
struct ElsewhereJson<'a> {
    place: &'a str,
    emissions_gco2e: f64,
}

impl<'a> From<&'a Elsewhere> for ElsewhereJson<'a> {
    fn from(elsewhere: &'a Elsewhere) -> Self {
        Self { place: &elsewhere.place, emissions_gco2e: elsewhere.emissions.get() }
    }
}
