//! Calibrations without counters: what is refused, and what an analysis makes of one.

use std::fs;

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::attribution::Baseline;
use energy_prof::profile::CalibrationFacts;
use energy_prof::units::{Microjoules, Share, WallTime, Watts};

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::in_memory::{DRAM, InMemory, PACKAGE, leader};
use crate::support::outcome::Outcome;

/// A calibration of a machine that is not this one.
const OF_ANOTHER: &str = r#"{
  "schema_version": 1, "tool": "energy-prof 0.1.0", "taken_utc_ns": 0, "taken_utc": "",
  "host": {"id": "0", "hostname": "other", "cpu_model": "Other CPU", "cpus": 3},
  "idle": {"busy_cpus": 0, "lasted_ns": 10000000000, "busy_share": 0.0, "power": []}
}"#;

#[test]
fn where_nothing_measures_there_is_nothing_to_calibrate() {
    let place = Place::new();
    let file = place.root().join("calibration.json");
    let calibrate = |options: &[&str]| {
        Outcome::of(energy_prof().arg("calibrate").arg("-o").arg(&file).args(options))
    };
    let nothing = place.root().to_str().unwrap();
    let words = ["nothing to calibrate", "energy-prof doctor"];
    calibrate(&["--sysfs", nothing]).refused(6, &words);
    calibrate(&["--powercap-root", nothing]).refused(6, &words);
    calibrate(&["--source", "model"]).refused(6, &words);
    assert!(!file.exists());
}

#[test]
fn what_would_be_no_calibration_is_refused_as_usage() {
    let calibrate = |options: &[&str]| Outcome::of(energy_prof().arg("calibrate").args(options));
    calibrate(&["--idle", "5s"]).refused(2, &["it must be 10 s at least"]);
    calibrate(&["--step", "1ms"]).refused(2, &["it must be 1 s at least"]);
    calibrate(&["--idle-only", "--step", "2s"]).refused(2, &["--idle-only"]);
    // Counters of another place must not become this machine's calibration.
    calibrate(&["--powercap-root", "/tmp"]).refused(2, &["--output"]);
}

#[test]
fn a_recording_refuses_the_calibration_of_another_machine() {
    let place = Place::new();
    let file = place.root().join("other.json");
    fs::write(&file, OF_ANOTHER).unwrap();
    let mut record = place.record(&["--calibration", file.to_str().unwrap()], &["--", "true"]);
    let words = [
        "other.json is of another machine",
        "its processor is \"Other CPU\"",
        "energy-prof calibrate",
    ];
    Outcome::of(&mut record).refused(7, &words);
    assert!(!place.trace().exists());
    let missing = place.root().join("none.json");
    let mut record = place.record(&["--calibration", missing.to_str().unwrap()], &["--", "true"]);
    Outcome::of(&mut record).refused(7, &["cannot read the calibration", "none.json"]);
}

#[test]
fn idle_energy_is_told_by_the_calibration_where_there_is_one() {
    let mut recording = InMemory::new(1);
    let calibration = CalibrationFacts {
        taken: WallTime::from_epoch_nanos(1_795_418_040_000_000_000),
        busy: Share::of(4, 1000).unwrap(),
    };
    recording.facts.calibration = Some(calibration);
    recording.facts.sources[0].idle = [(PACKAGE, Watts::new(4.0))].into();
    recording.thread(2, leader(50, 1, "make"));
    // Never quiet: without the calibration, idle energy could not be told.
    let energy = [(PACKAGE, Some((10_000, 10))), (DRAM, Some((2_000, 10)))];
    recording.window(1000, &energy, &[(2, 0, 1000)]);
    let profile = analyze(&recording, &AnalyzeOptions::default()).unwrap();
    let package = &profile.domains[&PACKAGE];
    assert_eq!(
        package.baseline,
        Baseline::Calibrated {
            power: Watts::new(4.0),
            taken: calibration.taken,
            busy: calibration.busy
        }
    );
    // 4 W for a second of 10 J.
    assert_eq!(package.ledger.idle, Microjoules::new(4_000_000));
    assert_eq!(package.ledger.attributed, Microjoules::new(6_000_000));
    assert_eq!(profile.domains[&DRAM].baseline, Baseline::Unknown);
    let given =
        AnalyzeOptions { given: [(PACKAGE, Watts::new(1.0))].into(), ..AnalyzeOptions::default() };
    let given = analyze(&recording, &given).unwrap();
    assert_eq!(given.domains[&PACKAGE].baseline, Baseline::Given(Watts::new(1.0)));
}
