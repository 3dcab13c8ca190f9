//! Reports, compared with files a person has read.

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::model::Provenance;
use energy_prof::profile::{BpfFacts, GroupBy, Profile, SourceFacts, Targets};
use energy_prof::report::{ReportOptions, json, text};
use energy_prof::units::{Nanoseconds, Watts};

use crate::support::in_memory::{DRAM, InMemory, PACKAGE, build, leader};

fn users(uid: u32) -> Option<String> {
    (uid == 1000).then(|| "ada".to_owned())
}

fn profile_of(recording: &InMemory) -> Profile {
    analyze(recording, &AnalyzeOptions::default()).unwrap()
}

fn plain(by: GroupBy) -> ReportOptions {
    ReportOptions { by, ..ReportOptions::default() }
}

/// A guest without counters, busy throughout, recorded until it was cut off.
fn estimated() -> InMemory {
    let mut recording = InMemory::new(1);
    recording.provenance = Provenance::Estimated;
    recording.facts.virtualisation = Some("kvm".to_owned());
    recording.facts.sources = vec![SourceFacts {
        name: "model".to_owned(),
        provenance: Provenance::Estimated,
        idle: [(PACKAGE, Watts::new(10.0))].into(),
        note: Some(
            "No counter is readable in this virtual machine, so power is taken to be 10 W idle and \
             20 W busy for each CPU, which may be wrong by half."
                .to_owned(),
        ),
    }];
    recording.facts.complete = false;
    "recording was cut off after 2 windows".clone_into(&mut recording.facts.ending);
    recording.thread(2, leader(50, 1, "python train.py"));
    for _ in 0..2 {
        recording.window(1000, &[(PACKAGE, Some((15_000, 7_500)))], &[(2, 0, 500), (0, 0, 500)]);
    }
    recording
}

#[test]
fn a_build_as_text() {
    insta::assert_snapshot!(text(&profile_of(&build()), &plain(GroupBy::Process), &users));
}

#[test]
fn a_build_as_text_on_80_columns() {
    let options = ReportOptions { width: 80, top: Some(2), all: true, ..plain(GroupBy::Process) };
    let shown = text(&profile_of(&build()), &options, &users);
    assert!(shown.lines().all(|line| line.chars().count() <= 80));
    insta::assert_snapshot!(shown);
}

#[test]
fn a_build_by_thread_and_by_domain() {
    let profile = profile_of(&build());
    let table = |by| {
        let shown = text(&profile, &plain(by), &users);
        shown.split_once("\n\n").map(|(_, table)| table.to_owned()).unwrap()
    };
    let tables: Vec<String> =
        [GroupBy::Thread, GroupBy::Exec, GroupBy::User, GroupBy::Domain].map(table).into();
    insta::assert_snapshot!(tables.join("\n"));
}

#[test]
fn a_part_of_a_build_with_idle_given() {
    let options = AnalyzeOptions {
        given: [(PACKAGE, Watts::new(4.0))].into(),
        from: Some(Nanoseconds::from_millis(1000)),
        to: Some(Nanoseconds::from_millis(3000)),
        ..AnalyzeOptions::default()
    };
    let mut recording = build();
    recording.facts.targets = Targets::All;
    recording.facts.bpf = Some(BpfFacts { runs: 120_000, run_time: Nanoseconds::from_millis(24) });
    let profile = analyze(&recording, &options).unwrap();
    insta::assert_snapshot!(text(&profile, &plain(GroupBy::Unit), &users));
}

#[test]
fn an_estimate_cannot_be_missed() {
    let shown = text(&profile_of(&estimated()), &plain(GroupBy::Process), &users);
    assert!(shown.starts_with("ESTIMATED"));
    assert!(shown.contains("joules (est.)"));
    insta::assert_snapshot!(shown);
}

#[test]
fn idle_energy_that_cannot_be_told_apart_is_unknown_and_not_0() {
    let mut recording = estimated();
    recording.provenance = Provenance::Measured;
    recording.facts.sources.clear();
    let profile = profile_of(&recording);
    let shown = text(&profile, &plain(GroupBy::Process), &users);
    let idle = shown.lines().find(|line| line.ends_with("[idle]")).unwrap();
    assert_eq!(idle.split_whitespace().collect::<Vec<_>>(), ["unknown", "[idle]"]);
    let json: serde_json::Value =
        serde_json::from_str(&json(&profile, &plain(GroupBy::Process), &users)).unwrap();
    let row = json["rows"].as_array().unwrap().iter().find(|row| row["kind"] == "idle").unwrap();
    assert!(row["energy_uj"].is_null());
    assert_eq!(json["domains"][0]["idle_baseline"]["kind"], "unknown");
}

#[test]
fn what_is_estimated_beside_what_is_measured_is_named() {
    let mut recording = build();
    for sample in recording.energy.iter_mut().filter(|sample| sample.domain == DRAM) {
        sample.provenance = Provenance::Estimated;
    }
    let shown = text(&profile_of(&recording), &plain(GroupBy::Process), &users);
    assert!(shown.starts_with(
        "ESTIMATED    Some of these joules are not measured: no counter stands behind dram-0.\n"
    ));
}

#[test]
fn a_build_as_json() {
    insta::assert_snapshot!(json(&profile_of(&build()), &plain(GroupBy::Process), &users));
}

#[test]
fn json_keeps_the_sum_and_the_provenance() {
    let text = json(&profile_of(&estimated()), &plain(GroupBy::Process), &users);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["total"]["provenance"], "estimated");
    let rows = report["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["provenance"] == "estimated"));
    let sum: u64 = rows.iter().map(|row| row["energy_uj"].as_u64().unwrap()).sum();
    assert_eq!(report["total"]["measured_uj"], sum);
    assert_eq!(report["total"]["mean_watts"], 15.0);
}

#[test]
fn an_energy_never_known_is_null_and_unknown_but_never_nothing() {
    let mut recording = InMemory::new(1);
    recording.thread(2, leader(50, 1, "job")).window(1000, &[(PACKAGE, None)], &[(2, 0, 1000)]);
    let profile = profile_of(&recording);
    let report: serde_json::Value =
        serde_json::from_str(&json(&profile, &plain(GroupBy::Process), &users)).unwrap();
    assert!(report["total"]["measured_uj"].is_null());
    assert!(report["rows"][0]["energy_uj"].is_null());
    assert!(report["domains"][0]["measured_uj"].is_null());
    for by in [GroupBy::Process, GroupBy::Domain] {
        let shown = text(&profile, &plain(by), &users);
        assert!(shown.contains("unknown") && !shown.contains("NaN") && !shown.contains("0 J"));
    }
}

#[test]
fn colours_are_only_used_where_they_are_allowed() {
    let profile = profile_of(&estimated());
    let options = ReportOptions { color: true, ..plain(GroupBy::Process) };
    let coloured = text(&profile, &options, &users);
    assert!(coloured.starts_with("\u{1b}[1;33mESTIMATED"));
    assert!(!text(&profile, &plain(GroupBy::Process), &users).contains('\u{1b}'));
}
