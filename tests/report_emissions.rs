//! Reports on emissions: compared with files a person has read, and that their parts add up.

use energy_prof::analyze::{AnalyzeOptions, CallTreeOptions, profile_and_call_tree};
use energy_prof::emissions::{Figure, Place, Site, SiteOptions};
use energy_prof::profile::{CodeUnit, CodeViewOptions, GroupBy, SortBy, ViewOptions};
use energy_prof::report::{
    EmissionsSubject, EmittingRows, ReportOptions, emissions_json, emissions_text,
};
use energy_prof::units::{CarbonIntensity, Pue, WaterIntensity};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::sampled::sampled_build;

fn site(place: Option<Place>, pue: Option<f64>, wue: Option<f64>) -> Site {
    let options = SiteOptions {
        place: place.map(Into::into),
        pue: pue.and_then(Pue::new).map(Into::into),
        wue: wue.and_then(WaterIntensity::new).map(Into::into),
        ..SiteOptions::default()
    };
    Site::of(&options, 2026).unwrap()
}

fn zone(name: &str) -> Place {
    Place::Zone(name.to_owned())
}

type Render = fn(&EmissionsSubject<'_>, &ReportOptions) -> String;

/// A report on the build, by groups of threads or by function.
fn report(site: &Site, by: Option<GroupBy>, render: Render) -> String {
    let recording = sampled_build();
    let of = CallTreeOptions::default();
    let (profile, tree) =
        profile_and_call_tree(&recording, &AnalyzeOptions::default(), &of).unwrap();
    let options = ReportOptions { by: by.unwrap_or_default(), ..ReportOptions::default() };
    let view = profile.view(&ViewOptions { by: options.by, ..ViewOptions::default() }, &|_| None);
    let code = CodeViewOptions { unit: CodeUnit::Function, sort: SortBy::Joules, top: None };
    let code = profile.code_view(&tree, &of.filter, code);
    let rows = match by {
        Some(by) => EmittingRows::Threads(&view, by),
        None => EmittingRows::Code(&code, CodeUnit::Function),
    };
    render(
        &EmissionsSubject { profile: &profile, rows, site, over_time: None, units: None },
        &options,
    )
}

#[test]
fn a_build_in_france() {
    let france = site(Some(zone("FR")), Some(1.2), Some(1.8));
    insta::assert_snapshot!(report(&france, Some(GroupBy::Process), emissions_text));
}

#[test]
fn a_build_nobody_knows_where() {
    insta::assert_snapshot!(report(&site(None, None, None), Some(GroupBy::User), emissions_text));
}

#[test]
fn a_build_in_the_cloud_by_function_as_json() {
    let paris = site(Some(Place::Cloud("aws/eu-west-3".to_owned())), None, None);
    let text = report(&paris, None, emissions_json);
    let mut report: Value = serde_json::from_str(&text).unwrap();
    // What every report begins with has a test of its own.
    for other in ["recording", "span", "method", "total", "targets", "domains"] {
        assert!(report.as_object_mut().unwrap().remove(other).is_some(), "{other}");
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
}

proptest! {
    #[test]
    fn what_rows_emit_and_consume_adds_up(
        intensity in 0.0..5000.0_f64,
        pue in 1.0..3.0_f64,
        wue in 0.0..9.0_f64,
        contract in 0.0..5000.0_f64,
        by in prop::sample::select(vec![
            None,
            Some(GroupBy::Process),
            Some(GroupBy::Thread),
            Some(GroupBy::Domain),
        ]),
    ) {
        let mut site = site(Some(zone("NO")), Some(pue), Some(wue));
        let grid = site.grid.as_mut().unwrap();
        grid.intensity.value = CarbonIntensity::new(intensity).unwrap();
        site.market.intensity = Some(Figure {
            value: CarbonIntensity::new(contract).unwrap(),
            ..grid.intensity.clone()
        });
        let report: Value = serde_json::from_str(&report(&site, by, emissions_json)).unwrap();
        let rows = report["rows"].as_array().unwrap();
        for part in ["emissions_ng", "market_emissions_ng", "water_on_site_nl", "water_off_site_nl"] {
            let counted = rows.iter().filter(|row| row["kind"] != "contained_domain");
            let sum: u64 = counted.map(|row| row[part].as_u64().unwrap()).sum();
            prop_assert_eq!(Some(sum), report["footprint"][part].as_u64(), "{}", part);
        }
        let kilowatt_hours = report["total"]["measured_uj"].as_f64().unwrap() / 3.6e12 * pue;
        for (field, factor) in [("emissions_gco2e", intensity), ("market_emissions_gco2e", contract)] {
            let grams = kilowatt_hours * factor;
            let found = report["footprint"][field].as_f64().unwrap();
            prop_assert!((found - grams).abs() <= 1e-12 * grams, "{}", field);
        }
    }
}
