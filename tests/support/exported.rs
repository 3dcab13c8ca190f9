//! All that is exported, of one small recording.

use std::collections::BTreeMap;

use energy_prof::analyze::{AnalyzeOptions, analyze, attribute};
use energy_prof::emissions::{FunctionalUnits, Place, Site, SiteOptions};
use energy_prof::export::{Exporter, Format, Subject, Timeline};
use energy_prof::model::Provenance;
use energy_prof::profile::{CallTree, Profile};
use energy_prof::units::{Pue, WaterIntensity};

use super::call_tree::compilers;
use super::in_memory::{InMemory, build};

/// All that is exported, of one recording.
pub(crate) struct Exported {
    pub(crate) profile: Profile,
    pub(crate) build_ids: BTreeMap<String, String>,
    pub(crate) tree: CallTree,
    pub(crate) timeline: Timeline,
    pub(crate) site: Site,
    pub(crate) units: Option<FunctionalUnits>,
}

impl Exported {
    pub(crate) fn of(recording: &InMemory, tree: CallTree) -> Self {
        let options = AnalyzeOptions::default();
        let profile = analyze(recording, &options).unwrap();
        let mut timeline =
            Timeline::new(recording.windows.clone(), recording.energy.clone(), &profile);
        attribute(recording, &options, |charges| {
            for charge in charges {
                timeline.charge(&charge?);
            }
            Ok::<(), energy_prof::analyze::AnalyzeError>(())
        })
        .unwrap();
        let build_ids = [("/usr/lib/gcc/cc1".to_owned(), "c0ffee".to_owned())].into();
        let france = SiteOptions {
            place: Some(Place::Zone("FR".to_owned()).into()),
            pue: Pue::new(1.5).map(Into::into),
            wue: WaterIntensity::new(2.0).map(Into::into),
            ..SiteOptions::default()
        };
        let site = Site::of(&france, 2026).unwrap();
        Self { profile, build_ids, tree, timeline, site, units: None }
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            profile: &self.profile,
            tree: &self.tree,
            timeline: &self.timeline,
            build_ids: &self.build_ids,
            site: &self.site,
            units: self.units.as_ref(),
        }
    }

    pub(crate) fn bytes(&self, exporter: &dyn Exporter) -> Vec<u8> {
        let mut out = Vec::new();
        exporter.write(&self.subject(), &mut out).unwrap();
        out
    }

    pub(crate) fn text(&self, exporter: &dyn Exporter) -> String {
        String::from_utf8(self.bytes(exporter)).unwrap()
    }

    pub(crate) fn json(&self, format: Format) -> serde_json::Value {
        serde_json::from_slice(&self.bytes(&*format.exporter())).unwrap()
    }
}

pub(crate) fn exported() -> Exported {
    Exported::of(&build(), compilers())
}

pub(crate) fn estimated() -> Exported {
    let mut recording = build();
    for sample in &mut recording.energy {
        sample.provenance = Provenance::Estimated;
    }
    Exported::of(&recording, compilers())
}
