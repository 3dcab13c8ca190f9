//! Reports on code, compared with files a person has read.

use energy_prof::analyze::{AnalyzeOptions, CallTreeOptions, profile_and_call_tree};
use energy_prof::model::Provenance;
use energy_prof::profile::{CallTree, CodeUnit, Profile, SortBy, ThreadFilter};
use energy_prof::report::{
    CodeSubject, ReportOptions, code_json, code_text, function_json, function_text,
};

use crate::support::in_memory::InMemory;
use crate::support::sampled::sampled_build;

/// A recording made ready to be reported.
struct Made {
    profile: Profile,
    tree: CallTree,
    filter: ThreadFilter,
}

impl Made {
    fn of(recording: &InMemory, filter: ThreadFilter) -> Self {
        let of = CallTreeOptions { filter, ..CallTreeOptions::default() };
        let (profile, tree) =
            profile_and_call_tree(recording, &AnalyzeOptions::default(), &of).unwrap();
        Self { profile, tree, filter: of.filter }
    }

    fn subject(&self) -> CodeSubject<'_> {
        CodeSubject { profile: &self.profile, tree: &self.tree, filter: &self.filter }
    }
}

/// What stands under the general head of a report.
fn below_the_machine(text: &str) -> String {
    text.split_once("losses ").map(|(_, rest)| format!("losses {rest}")).unwrap()
}

#[test]
fn a_build_by_function() {
    let made = Made::of(&sampled_build(), ThreadFilter::default());
    let shown = code_text(&made.subject(), CodeUnit::Function, &ReportOptions::default());
    insta::assert_snapshot!(below_the_machine(&shown));
}

#[test]
fn a_build_by_line_in_the_order_of_totals() {
    let made = Made::of(&sampled_build(), ThreadFilter::default());
    let options =
        ReportOptions { sort: SortBy::Total, top: Some(6), width: 80, ..ReportOptions::default() };
    let shown = code_text(&made.subject(), CodeUnit::Line, &options);
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    insta::assert_snapshot!(below_the_machine(&shown));
}

#[test]
fn one_process_of_a_build_with_stacks_that_are_lost() {
    let mut recording = sampled_build();
    recording.stacks.remove(1);
    let filter = ThreadFilter { pids: vec![101], ..ThreadFilter::default() };
    let made = Made::of(&recording, filter);
    let shown = code_text(&made.subject(), CodeUnit::Function, &ReportOptions::default());
    insta::assert_snapshot!(below_the_machine(&shown));
}

#[test]
fn around_a_function() {
    let made = Made::of(&sampled_build(), ThreadFilter::default());
    let around = made.tree.neighbourhood("parse").unwrap();
    let shown = function_text(&made.subject(), &around, &ReportOptions::default());
    insta::assert_snapshot!(below_the_machine(&shown));
}

#[test]
fn an_estimate_of_functions_cannot_be_missed() {
    let mut recording = sampled_build();
    for sample in &mut recording.energy {
        sample.provenance = Provenance::Estimated;
    }
    let made = Made::of(&recording, ThreadFilter::default());
    let shown = code_text(&made.subject(), CodeUnit::Function, &ReportOptions::default());
    assert!(shown.starts_with("ESTIMATED"));
    assert!(shown.contains("self (est.)") && shown.contains("total (est.)"), "{shown}");
    let around = made.tree.neighbourhood("parse").unwrap();
    let shown = function_text(&made.subject(), &around, &ReportOptions::default());
    assert!(shown.contains("joules (est.)"), "{shown}");
}

#[test]
fn functions_without_known_energy_are_unknown_and_not_0() {
    let mut recording = sampled_build();
    for sample in &mut recording.energy {
        sample.energy = None;
    }
    let made = Made::of(&recording, ThreadFilter::default());
    let shown = code_text(&made.subject(), CodeUnit::Function, &ReportOptions::default());
    let table = shown.split_once("\n\n").unwrap().1;
    assert!(
        table.contains("unknown") && !table.contains("0 J") && !table.contains("NaN"),
        "{table}"
    );
    let json = code_json(&made.subject(), CodeUnit::Function, &ReportOptions::default());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["rows"][0]["energy_uj"].is_null() && json["rows"][0]["samples"].is_u64());
}

#[test]
fn a_build_by_function_as_json() {
    let made = Made::of(&sampled_build(), ThreadFilter::default());
    let options = ReportOptions { top: Some(3), ..ReportOptions::default() };
    let json = code_json(&made.subject(), CodeUnit::Function, &options);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = json["rows"].as_array().unwrap();
    let sum: u64 = rows.iter().map(|row| row["energy_uj"].as_u64().unwrap()).sum();
    assert_eq!(json["total"]["measured_uj"], sum);
    assert_eq!((json["schema_version"].as_u64(), json["by"].as_str()), (Some(1), Some("function")));
    let shown = serde_json::json!({ "stacks": json["stacks"], "rows": rows });
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
}

#[test]
fn around_a_function_as_json() {
    let made = Made::of(&sampled_build(), ThreadFilter::default());
    let around = made.tree.neighbourhood("parse").unwrap();
    let json = function_json(&made.subject(), &around, &ReportOptions::default());
    let mut json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let parts = ["function", "callers", "callees"];
    let shown: Vec<serde_json::Value> = parts.iter().map(|part| json[part].take()).collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
}
