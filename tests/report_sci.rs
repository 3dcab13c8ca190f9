//! Embodied emissions and the software carbon intensity: against figures computed by hand, and that rows add
//! up.

use energy_prof::analyze::{
    AnalyzeOptions, CallTreeOptions, analyze, analyze_in_parts, profile_and_call_tree,
};
use energy_prof::emissions::{FunctionalUnits, Site, SiteOptions};
use energy_prof::model::Window;
use energy_prof::profile::{CodeUnit, CodeViewOptions, GroupBy, SortBy, ViewOptions};
use energy_prof::report::{
    EmissionsSubject, EmittingRows, PartKey, ReportOptions, TimeGrid, emissions_json,
    emissions_text, time_rows,
};
use energy_prof::units::{Nanoseconds, WallTime};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::sampled::sampled_build;

/// What a row stands for.
#[derive(Clone, Copy, Debug)]
enum By {
    Threads(GroupBy),
    Functions,
    Time,
}

fn site(given: &[(&str, &str)]) -> Site {
    let mut options = SiteOptions::default();
    for (name, text) in given {
        options.set(name, text, "given").unwrap();
    }
    Site::of(&options, 2026).unwrap()
}

fn requests(done: f64, per: &str) -> FunctionalUnits {
    FunctionalUnits { done, per: per.parse().unwrap() }
}

type Render = fn(&EmissionsSubject<'_>, &ReportOptions) -> String;

/// A report on the build, which is 59 J in 5 s.
fn report(site: &Site, by: By, units: Option<&FunctionalUnits>, render: Render) -> String {
    let recording = sampled_build();
    let choices = AnalyzeOptions::default();
    let mut options = ReportOptions::default();
    let shown = |profile, rows, options: &ReportOptions| {
        render(&EmissionsSubject { profile, rows, site, over_time: None, units }, options)
    };
    match by {
        By::Threads(by) => {
            let profile = analyze(&recording, &choices).unwrap();
            options.by = by;
            let view = profile.view(&ViewOptions { by, ..ViewOptions::default() }, &|_| None);
            shown(&profile, EmittingRows::Threads(&view, by), &options)
        }
        By::Functions => {
            let of = CallTreeOptions::default();
            let (profile, tree) = profile_and_call_tree(&recording, &choices, &of).unwrap();
            let unit = CodeUnit::Function;
            let code = CodeViewOptions { unit, sort: SortBy::Joules, top: None };
            let view = profile.code_view(&tree, &of.filter, code);
            shown(&profile, EmittingRows::Code(&view, unit), &options)
        }
        By::Time => {
            let second = Nanoseconds::from_millis(2_000);
            let grid = TimeGrid::of(WallTime::default(), WallTime::default(), second);
            let key =
                |window: &Window| PartKey { row: Some(grid.row_of(window.start_utc)), step: None };
            let (profile, parts) = analyze_in_parts(&recording, &choices, &key).unwrap();
            let (rows, _) = time_rows(&profile, &parts.into_iter().collect::<Vec<_>>(), grid);
            shown(&profile, EmittingRows::Time(&rows), &options)
        }
    }
}

fn json(site: &Site, by: By, units: Option<&FunctionalUnits>) -> Value {
    serde_json::from_str(&report(site, by, units, emissions_json)).unwrap()
}

#[test]
fn a_build_with_what_it_took_to_make_the_machine() {
    let site = site(&[
        ("zone", "FR"),
        ("pue", "1.2"),
        ("embodied", "1200kg±300kg"),
        ("resource-share", "8/64"),
    ]);
    let units = requests(52_000.0, "1000 requests");
    let by = By::Threads(GroupBy::Process);
    insta::assert_snapshot!(report(&site, by, Some(&units), emissions_text));
}

#[test]
fn embodied_emissions_are_total_times_time_share_times_resource_share() {
    let given = [("embodied", "1261440kg"), ("lifespan", "4y"), ("resource-share", "0.5")];
    let report = json(&site(&given), By::Threads(GroupBy::Process), None);
    // 4 years are 126144000 s: 1261440 kg × 5 s / 126144000 s × 0.5 = 25 g.
    let found = report["footprint"]["embodied_gco2e"].as_f64().unwrap();
    assert!((found / 25.0 - 1.0).abs() < 1e-12, "{found}");
    assert_eq!(report["footprint"]["embodied_seconds"], 5.0);
    assert_eq!(report["footprint"]["embodied_least_gco2e"], Value::Null, "nobody told a range");
    assert_eq!(report["footprint"]["emissions_ng"], Value::Null, "nobody said where");
    assert!(report.get("sci").is_none(), "nobody asked");
}

#[test]
fn the_score_is_of_both_or_of_neither() {
    let [place, hardware] = [("intensity", "360"), ("embodied", "1261440kg")];
    let units = requests(10.0, "request");
    let by = By::Threads(GroupBy::Process);
    let whole = json(&site(&[place, hardware]), by, Some(&units));
    // 59 J at 100 ng for a millijoule are 5.9 mg; 50 g are embodied; a tenth of both.
    let score = whole["sci"]["score_gco2e"].as_f64().unwrap();
    assert!((score / 5.000_59 - 1.0).abs() < 1e-12, "{score}");
    // Of the targets, 35.2 J of 59 J.
    let targets = whole["sci"]["targets_score_gco2e"].as_f64().unwrap();
    assert!((targets / (5.000_59 * 35.2 / 59.0) - 1.0).abs() < 1e-9, "{targets}");
    for (given, missing) in [(place, "--embodied 1200kg"), (hardware, "--zone FR")] {
        let half = site(&[given]);
        assert_eq!(json(&half, by, Some(&units))["sci"]["score_gco2e"], Value::Null);
        let shown = report(&half, by, Some(&units), emissions_text);
        assert!(shown.contains("no score per request") && shown.contains(missing), "{shown}");
    }
}

#[test]
fn a_stretch_of_time_takes_its_part_of_the_machines_life_whatever_it_draws() {
    let report = json(&site(&[("embodied", "1261440kg")]), By::Time, None);
    let rows = report["rows"].as_array().unwrap();
    let found: Vec<u64> = rows.iter().map(|row| row["embodied_ng"].as_u64().unwrap()).collect();
    // 10 g a second, in rows of 2 s; the first second is idle.
    assert_eq!(found, [20_000_000_000, 20_000_000_000, 10_000_000_000]);
}

proptest! {
    #[test]
    fn embodied_rows_add_up_to_the_nanogram(
        kilograms in 0.0..1e7_f64,
        years in 1..20_u8,
        share in 0.001..1.0_f64,
        by in prop::sample::select(vec![
            By::Threads(GroupBy::Process),
            By::Threads(GroupBy::Thread),
            By::Threads(GroupBy::Container),
            By::Threads(GroupBy::Domain),
            By::Functions,
            By::Time,
        ]),
    ) {
        let site = site(&[
            ("zone", "NO"),
            ("embodied", &format!("{kilograms}kg")),
            ("lifespan", &format!("{years}y")),
            ("resource-share", &share.to_string()),
        ]);
        let report = json(&site, by, None);
        let rows = report["rows"].as_array().unwrap();
        for part in ["embodied_ng", "emissions_ng"] {
            let counted = rows.iter().filter(|row| row["kind"] != "contained_domain");
            let sum: u64 = counted.map(|row| row[part].as_u64().unwrap()).sum();
            prop_assert_eq!(Some(sum), report["footprint"][part].as_u64(), "{}", part);
        }
        let grams = 1e3 * kilograms * share * 5.0 / (f64::from(years) * 31_536_000.0);
        let found = report["footprint"]["embodied_gco2e"].as_f64().unwrap();
        prop_assert!((found - grams).abs() <= 1e-12 * grams);
    }
}
