//! Calibrating a machine whose power is known, and recordings that use it.

use std::fs;

use serde_json::Value;

use crate::support::busy::Busy;
use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::simulator::Simulator;
use crate::support::skip::skip;
use crate::support::working_thread::cpus;

const STATIC_WATTS: f64 = 5.0;
const DRAM_WATTS: f64 = 3.0;
const WATTS_OF_WORK: f64 = 10.0;

fn simulator(rest_watts: f64) -> Result<Simulator, String> {
    Simulator::start(&[
        format!("--static-watts={STATIC_WATTS}"),
        format!("--dram-watts={DRAM_WATTS}"),
        format!("--rest-watts={rest_watts}"),
    ])
}

/// `energy-prof calibrate` into a file of `place`.
fn calibrate(simulator: &Simulator, place: &Place, options: &[&str]) -> Outcome {
    let file = place.root().join("calibration.json");
    let mut all = vec!["calibrate", "-o", file.to_str().unwrap()];
    all.extend(options);
    simulator.outcome(&all)
}

fn calibration(place: &Place) -> Value {
    let file = fs::read_to_string(place.root().join("calibration.json")).unwrap();
    serde_json::from_str(&file).unwrap()
}

/// The watts of a domain at one load.
fn watts(point: &Value, domain: &str) -> f64 {
    let mut powers = point["power"].as_array().unwrap().iter();
    powers.find(|power| power["domain"] == domain).unwrap()["watts"].as_f64().unwrap()
}

fn assert_close(found: f64, expected: f64, allowed: f64) {
    assert!((found - expected).abs() <= allowed * expected, "{found}, and {expected} expected");
}

/// The baselines of a recording, by domain.
fn baselines(place: &Place) -> Vec<(String, Value)> {
    let mut command = energy_prof();
    let shown = Outcome::of(command.args(["report", "--json"]).arg(place.trace())).succeeded();
    let report: Value = serde_json::from_str(&shown.stdout).unwrap();
    let domains = report["domains"].as_array().unwrap().iter();
    domains
        .map(|domain| {
            (domain["name"].as_str().unwrap().to_owned(), domain["idle_baseline"].clone())
        })
        .collect()
}

#[test]
fn idle_power_is_static_power_to_one_percent_and_recordings_use_it() {
    // Work draws nothing here, so that what else runs on this machine changes nothing.
    let simulator = match simulator(0.0) {
        Ok(simulator) => simulator,
        Err(why) => return skip(&why),
    };
    let place = Place::new();
    let said = calibrate(&simulator, &place, &["--idle-only", "--allow-load"]).succeeded();
    assert!(said.stdout.contains("package-0 by rapl-powercap"), "{}", said.stdout);
    let idle = &calibration(&place)["idle"];
    assert_close(watts(idle, "package-0"), STATIC_WATTS, 0.01);
    assert_close(watts(idle, "dram-0"), DRAM_WATTS, 0.01);
    assert_eq!((&idle["busy_cpus"], &idle["lasted_ns"]), (&0.into(), &10_000_000_000_u64.into()));
    assert_eq!(calibration(&place)["active"], Value::Array(Vec::new()));

    let file = place.root().join("calibration.json");
    let options = ["-q", "--no-stacks", "--calibration", file.to_str().unwrap()];
    let target = ["--", "sleep", "0.3"];
    Outcome::of(&mut simulator.record(&place, &options, &target)).succeeded();
    let found = baselines(&place);
    assert_eq!(found.len(), 2);
    for (domain, baseline) in found {
        assert_eq!(baseline["kind"], "calibrated", "{domain}");
        assert!(baseline["calibrated_utc"].as_str().unwrap().ends_with('Z'), "{baseline}");
        let apart = baseline["watts"].as_f64().unwrap() - watts(idle, &domain);
        assert!(apart.abs() < 1e-9, "{domain}: {apart} W apart");
    }
    let text = Outcome::of(energy_prof().arg("report").arg(place.trace())).succeeded().stdout;
    assert!(text.contains("as calibrated on "), "{text}");

    // Counters of another place are not this machine's: its calibration is not taken by itself.
    Outcome::of(&mut simulator.record(&place, &["-q", "--force"], &target)).succeeded();
    assert!(baselines(&place).iter().all(|(_, baseline)| baseline["kind"] != "calibrated"));
}

#[test]
fn a_machine_that_is_busy_is_not_called_idle() {
    let simulator = match simulator(WATTS_OF_WORK) {
        Ok(simulator) => simulator,
        Err(why) => return skip(&why),
    };
    let _loads: Vec<Busy> = cpus().into_iter().map(|cpu| Busy::start_on(Some(cpu))).collect();
    let place = Place::new();
    let words = ["the machine is not idle", "most by", "--allow-load"];
    calibrate(&simulator, &place, &["--idle-only"]).refused(10, &words);
    assert!(!place.root().join("calibration.json").exists());
    let said = calibrate(&simulator, &place, &["--idle-only", "--allow-load"]).succeeded();
    assert!(said.stdout.contains("The machine was not idle"), "{}", said.stdout);
    assert!(calibration(&place)["idle"]["busy_share"].as_f64().unwrap() > 0.9);
}

#[test]
fn with_every_cpu_busy_power_is_that_of_all_work() {
    let simulator = match simulator(WATTS_OF_WORK) {
        Ok(simulator) => simulator,
        Err(why) => return skip(&why),
    };
    let place = Place::new();
    calibrate(&simulator, &place, &["--allow-load", "--step", "2s"]).succeeded();
    let calibration = calibration(&place);
    // What runs for less than an update of the simulator's draws nothing there.
    let others = calibration["idle"]["busy_share"].as_f64().unwrap();
    if others > 0.2 {
        return skip(&format!("other processes keep this machine busy ({others:.2})"));
    }
    let active = calibration["active"].as_array().unwrap();
    let counts: Vec<u64> =
        active.iter().map(|point| point["busy_cpus"].as_u64().unwrap()).collect();
    let all = cpus().len() as u64;
    assert_eq!((counts.first(), counts.last()), (Some(&1), Some(&all)));
    let busy = active.last().unwrap();
    assert!(busy["busy_share"].as_f64().unwrap() > 0.95, "{busy}");
    #[expect(clippy::cast_precision_loss, reason = "a number of CPUs")]
    let expected = STATIC_WATTS + WATTS_OF_WORK * all as f64;
    assert_close(watts(busy, "package-0"), expected, 0.05);
}
