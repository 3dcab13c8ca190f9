//! Reports on emissions over time: parts add up to the whole, in joules and in nanograms.

use std::collections::BTreeMap;

use energy_prof::analyze::{
    AnalyzeOptions, CallTreeOptions, analyze, analyze_in_parts, call_trees_in_parts,
    profile_and_call_tree,
};
use energy_prof::emissions::series::IntensitySeries;
use energy_prof::emissions::{Site, SiteOptions};
use energy_prof::model::Window;
use energy_prof::profile::{
    CodeUnit, CodeView, CodeViewOptions, GroupBy, Profile, SortBy, ViewOptions,
};
use energy_prof::report::{
    EmissionsSubject, EmittingRows, OverTime, Part, ReportOptions, TimeRow, emissions_json,
    emissions_text,
};
use energy_prof::units::{Microjoules, Nanoseconds, Pue, WallTime};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::in_memory::{CORE, InMemory, PACKAGE, leader};
use crate::support::sampled::sampled_build;

/// Hours of these intensities and litres; windows are given to them by number, whenever they were.
fn series(hours: &[(f64, f64)]) -> IntensitySeries {
    let row = |(hour, (grams, litres)): (usize, &(f64, f64))| {
        format!("2026-11-23 {hour:02}:00,{grams},{litres}\n")
    };
    let rows: Vec<String> = hours.iter().enumerate().map(row).collect();
    let table = format!("start_utc,gco2e_per_kwh,ewif_l_per_kwh\n{}", rows.concat());
    IntensitySeries::parse("day.csv", &table).unwrap()
}

fn part(series: &IntensitySeries, hour: usize, profile: &Profile, rows: Vec<Microjoules>) -> Part {
    Part { step: Some(series.steps()[hour]), energy: profile.total().measured, rows }
}

fn site(over_time: &OverTime<'_>, pue: f64) -> Site {
    let options = SiteOptions { pue: Pue::new(pue).map(Into::into), ..SiteOptions::default() };
    Site::of(&options, 2026).unwrap().with_mean(&over_time.mean().unwrap(), over_time.series)
}

type Render = fn(&EmissionsSubject<'_>, &ReportOptions) -> String;

/// A report on the build by groups of threads or by function, `top` rows of it, in `hours` that are
/// given to windows by `hour_of`.
fn report(
    hours: &[(f64, f64)],
    hour_of: &dyn Fn(&Window) -> usize,
    by: Option<GroupBy>,
    top: Option<usize>,
    pue: f64,
    render: Render,
) -> String {
    let recording = sampled_build();
    let choices = AnalyzeOptions::default();
    let series = series(hours);
    let options = ReportOptions { by: by.unwrap_or_default(), top, ..ReportOptions::default() };
    if let Some(by) = by {
        let (profile, parts) = analyze_in_parts(&recording, &choices, hour_of).unwrap();
        let view = profile.view(&ViewOptions { by, top, ..ViewOptions::default() }, &|_| None);
        let parts = parts.iter().map(|(hour, it)| part(&series, *hour, it, view.energies_of(it)));
        let over_time = OverTime { series: &series, parts: parts.collect() };
        let rows = EmittingRows::Threads(&view, by);
        let site = site(&over_time, pue);
        let over_time = Some(&over_time);
        return render(
            &EmissionsSubject { profile: &profile, rows, site: &site, over_time, units: None },
            &options,
        );
    }
    let of = CallTreeOptions::default();
    let ((profile, tree), parts) = call_trees_in_parts(&recording, &choices, &of, hour_of).unwrap();
    let all = CodeViewOptions { unit: CodeUnit::Function, sort: SortBy::Joules, top: None };
    let view = profile.code_view(&tree, &of.filter, CodeViewOptions { top, ..all });
    let parts = parts.iter().map(|(hour, (it, tree))| {
        let rows = view.energies_of(&it.code_view(tree, &of.filter, all));
        part(&series, *hour, it, rows)
    });
    let over_time = OverTime { series: &series, parts: parts.collect() };
    let site = site(&over_time, pue);
    let rows = EmittingRows::Code(&view, CodeUnit::Function);
    let over_time = Some(&over_time);
    render(
        &EmissionsSubject { profile: &profile, rows, site: &site, over_time, units: None },
        &options,
    )
}

const GROUPS: [GroupBy; 3] = [GroupBy::Process, GroupBy::Thread, GroupBy::Domain];

#[test]
fn parts_add_up_to_the_whole_row_by_row() {
    let recording = sampled_build();
    let choices = AnalyzeOptions::default();
    let hour_of = |window: &Window| window.index % 3;
    let (whole, parts) = analyze_in_parts(&recording, &choices, &hour_of).unwrap();
    assert_eq!(whole, analyze(&recording, &choices).unwrap());
    assert_eq!(parts.len(), 3);
    for by in GROUPS {
        for top in [None, Some(1)] {
            let options = ViewOptions { by, top, ..ViewOptions::default() };
            let view = whole.view(&options, &|_| None);
            let mut sums = vec![Microjoules::ZERO; view.rows.len()];
            for part in parts.values() {
                for (sum, energy) in sums.iter_mut().zip(view.energies_of(part)) {
                    *sum += energy;
                }
            }
            let energies: Vec<Microjoules> = view.rows.iter().map(|row| row.energy).collect();
            assert_eq!(sums, energies, "{by:?} {top:?}");
        }
    }
}

#[test]
fn a_domain_that_is_silent_for_a_while_changes_no_total() {
    let mut recording = InMemory::new(1);
    recording.thread(2, leader(50, 1, "job"));
    recording.window(100, &[(PACKAGE, Some((1000, 0))), (CORE, Some((700, 0)))], &[(2, 0, 100)]);
    recording.window(100, &[(PACKAGE, None), (CORE, Some((800, 0)))], &[(2, 0, 100)]);
    let hour_of = |window: &Window| window.index;
    let (whole, parts) =
        analyze_in_parts(&recording, &AnalyzeOptions::default(), &hour_of).unwrap();
    // The package contains the core: what it used while the core alone was known is in no total.
    let measured = |profile: &Profile| profile.total().measured.get();
    assert_eq!(measured(&whole), 1_000_000);
    assert_eq!([measured(&parts[&0]), measured(&parts[&1])], [1_000_000, 0]);
}

#[test]
fn parts_of_functions_add_up_to_the_whole() {
    let recording = sampled_build();
    let choices = AnalyzeOptions::default();
    let of = CallTreeOptions::default();
    let hour_of = |window: &Window| window.index % 3;
    let (whole, parts) = call_trees_in_parts(&recording, &choices, &of, &hour_of).unwrap();
    assert_eq!(whole, profile_and_call_tree(&recording, &choices, &of).unwrap());
    let all = CodeViewOptions { unit: CodeUnit::Line, sort: SortBy::Joules, top: None };
    let parts: BTreeMap<u32, CodeView> = parts
        .into_iter()
        .map(|(hour, (part, tree))| (hour, part.code_view(&tree, &of.filter, all)))
        .collect();
    for top in [None, Some(2)] {
        let view = whole.0.code_view(&whole.1, &of.filter, CodeViewOptions { top, ..all });
        let mut sums = vec![Microjoules::ZERO; view.rows.len()];
        for part in parts.values() {
            for (sum, energy) in sums.iter_mut().zip(view.energies_of(part)) {
                *sum += energy;
            }
        }
        let energies: Vec<Microjoules> = view.rows.iter().map(|row| row.own).collect();
        assert_eq!(sums, energies, "{top:?}");
    }
}

#[test]
fn a_build_over_three_hours() {
    let hours = [(50.0, 1.0), (100.0, 2.0), (400.0, 4.0)];
    let hour_of = |window: &Window| window.index.min(2) as usize;
    insta::assert_snapshot!(report(
        &hours,
        &hour_of,
        Some(GroupBy::Process),
        None,
        1.2,
        emissions_text
    ));
}

#[test]
fn a_build_by_time() {
    let recording = sampled_build();
    let series = series(&[(50.0, 1.0), (100.0, 2.0)]);
    let hour_of = |window: &Window| usize::from(window.index > 1);
    let (profile, parts) =
        analyze_in_parts(&recording, &AnalyzeOptions::default(), &hour_of).unwrap();
    let at = |nanos: i64| WallTime::from_epoch_nanos(nanos);
    let rows: Vec<TimeRow> = parts
        .iter()
        .map(|(hour, part)| TimeRow {
            from: at(0),
            to: at(1),
            name: format!("hour {hour}"),
            energy: Some(part.total().measured),
            error: part.total_error(),
            recorded: part.span.duration,
        })
        .collect();
    let energies = |hour: usize| {
        let mut energies = vec![Microjoules::ZERO; 2];
        energies[hour] = parts[&hour].total().measured;
        energies
    };
    let in_parts = parts.iter().map(|(hour, it)| part(&series, *hour, it, energies(*hour)));
    let over_time = OverTime { series: &series, parts: in_parts.collect() };
    let site = site(&over_time, 1.0);
    let subject = EmissionsSubject {
        profile: &profile,
        rows: EmittingRows::Time(&rows),
        site: &site,
        over_time: Some(&over_time),
        units: None,
    };
    insta::assert_snapshot!(emissions_text(&subject, &ReportOptions::default()));
}

proptest! {
    /// What rows emit and consume adds up to the whole in the smallest unit, and the whole is the sum
    /// over hours of energy × PUE × intensity.
    #[test]
    fn nothing_is_lost_between_hours_and_rows(
        hours in prop::collection::vec((0.0..5000.0_f64, 0.0..1000.0_f64), 2..8),
        stride in 1..4_u32,
        pue in 1.0..3.0_f64,
        top in prop::option::of(1..3_usize),
        by in prop::sample::select(vec![
            None,
            Some(GroupBy::Process),
            Some(GroupBy::Thread),
            Some(GroupBy::Domain),
        ]),
    ) {
        let hour_of = |window: &Window| (window.index / stride) as usize % hours.len();
        let text = report(&hours, &hour_of, by, top, pue, emissions_json);
        let report: Value = serde_json::from_str(&text).unwrap();
        let rows = report["rows"].as_array().unwrap();
        for part in ["emissions_ng", "water_off_site_nl"] {
            let counted = rows.iter().filter(|row| row["kind"] != "contained_domain");
            let sum: u64 = counted.map(|row| row[part].as_u64().unwrap()).sum();
            prop_assert_eq!(Some(sum), report["footprint"][part].as_u64(), "{}", part);
        }
        let (_, parts) =
            analyze_in_parts(&sampled_build(), &AnalyzeOptions::default(), &hour_of).unwrap();
        let joules = |part: &Profile| part.total().measured.joules().get();
        let sum = |of: fn(&(f64, f64)) -> f64| -> f64 {
            parts.iter().map(|(hour, part)| joules(part) / 3.6e6 * pue * of(&hours[*hour])).sum()
        };
        let close = |field: &str, expected: f64| {
            let found = report["footprint"][field].as_f64().unwrap();
            (found - expected).abs() <= 1e-12 * expected
        };
        prop_assert!(close("emissions_gco2e", sum(|hour| hour.0)));
        prop_assert!(close("water_off_site_l", sum(|hour| hour.1)));
        prop_assert!(report["span"]["duration_seconds"].as_f64() > Some(Nanoseconds::ZERO.seconds()));
    }
}
