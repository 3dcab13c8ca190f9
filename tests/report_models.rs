//! Two models side by side: both close, and the difference is theirs.

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::attribution::ModelKind;
use energy_prof::profile::{GroupBy, Profile};
use energy_prof::report::{ModelComparison, ReportOptions, json, summary};
use energy_prof::units::Watts;
use serde_json::Value;

use crate::support::chance::Chance;
use crate::support::energy_prof::energy_prof;
use crate::support::in_memory::{InMemory, PACKAGE, leader};
use crate::support::outcome::Outcome;
use crate::support::simulated_cores::Placement;
use crate::support::simulated_frequency::Turbo;
use crate::support::simulated_load::{Frequency, Loads, Scenario, Simulated, simulate};

/// Thirty seconds on two CPUs: `cheap` of 10 W and `dear` of 40 W, in rhythms of their own, and 20 W
/// besides.
fn profiles() -> [Profile; 2] {
    let mut recording = InMemory::new(2);
    recording.thread(2, leader(100, 1, "cheap")).thread(3, leader(200, 1, "dear"));
    for window in 0..300 {
        let (cheap, dear) = (20 + window % 5 * 20, window % 7 * 10);
        let energy = 20 * 100 + 10 * cheap + 40 * dear;
        let rows = [(2, 0, cheap), (3, 1, dear)].into_iter().filter(|(.., ran)| *ran > 0);
        recording.window(100, &[(PACKAGE, Some((energy, 30)))], &rows.collect::<Vec<_>>());
    }
    [ModelKind::Time, ModelKind::Regress].map(|model| {
        let given = [(PACKAGE, Watts::new(20.0))].into();
        analyze(&recording, &AnalyzeOptions { model, given, ..AnalyzeOptions::default() }).unwrap()
    })
}

fn comparison(profiles: &[Profile; 2]) -> ModelComparison<'_> {
    ModelComparison { time: &profiles[0], other: &profiles[1] }
}

#[test]
fn a_cheap_and_a_dear_program_side_by_side() {
    let text = comparison(&profiles()).text(&ReportOptions::default(), &|_| None);
    let (head, table) = text.split_once("\n\n").unwrap();
    insta::assert_snapshot!(table);
    let head = head.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        head.contains("time explains 100.0 % of the energy; regress explains 100.0 %"),
        "{head}"
    );
    assert!(head.contains("2 of 2 programs told apart in 300 equations"), "{head}");
}

#[test]
fn that_watts_do_not_add_up_is_said_where_they_do_not() {
    let report = |frequency| {
        let scenario = Scenario { frequency, ..Scenario::new(Loads::Ordinary, 5.0, 60) };
        let Simulated { recording, idle, .. } = simulate(3, scenario);
        let given = [(PACKAGE, idle)].into();
        let model = ModelKind::Regress;
        let options = AnalyzeOptions { model, given, ..AnalyzeOptions::default() };
        let profile = analyze(&recording, &options).unwrap();
        let text = summary(&profile, false, 100);
        let json: Value =
            serde_json::from_str(&json(&profile, &ReportOptions::default(), &|_| None)).unwrap();
        (text, json["domains"][0]["regression"]["crowding"].clone())
    };
    let (text, found) = report(Frequency::ByLoad);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("package-0: watts do not add up: with 28.3 busy CPUs"), "{text}");
    let [fewest, most, worth, error] =
        ["least_busy_cpus", "most_busy_cpus", "worth", "standard_error"]
            .map(|name| found[name].as_f64().unwrap());
    let turbo = Turbo::new(64, Chance::other(3, 3));
    let truth = turbo.worth(most) / turbo.worth(fewest);
    assert!((worth - truth).abs() < 3.0 * error && error < 0.05, "{worth} ±{error}, {truth}");

    let (text, found) = report(Frequency::Fixed);
    assert!(!text.contains("do not add up"), "{text}");
    let [worth, error] = ["worth", "standard_error"].map(|name| found[name].as_f64().unwrap());
    assert!((worth - 1.0).abs() < 3.0 * error, "{worth} ±{error}");
}

#[test]
fn what_time_beside_a_busy_sibling_is_worth_is_said() {
    let smt = Some(Placement::Random);
    let scenario = Scenario { smt, ..Scenario::new(Loads::Ordinary, 5.0, 60) };
    let Simulated { recording, idle, smt_factor, .. } = simulate(3, scenario);
    let given = [(PACKAGE, idle)].into();
    let model = ModelKind::Regress;
    let options = AnalyzeOptions { model, given, ..AnalyzeOptions::default() };
    let profile = analyze(&recording, &options).unwrap();
    let json: Value =
        serde_json::from_str(&json(&profile, &ReportOptions::default(), &|_| None)).unwrap();
    let found = &json["domains"][0]["regression"]["siblings"];
    let [worth, error] = ["worth", "standard_error"].map(|name| found[name].as_f64().unwrap());
    assert!((worth - smt_factor.unwrap()).abs() < 3.0 * error && error < 0.05, "{found}");
    let text = summary(&profile, false, 100);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = format!(
        "a CPU second beside a busy sibling of its core draws {worth:.2} ±{:.2} times what it draws alone",
        1.96 * error
    );
    assert!(text.contains(&said), "{text}");
}

#[test]
fn both_sides_add_up_to_the_measured_energy() {
    let profiles = profiles();
    for by in [GroupBy::Process, GroupBy::Thread, GroupBy::Exec, GroupBy::User] {
        for top in [None, Some(1)] {
            let options = ReportOptions { by, top, ..ReportOptions::default() };
            let json: Value =
                serde_json::from_str(&comparison(&profiles).json(&options, &|_| None)).unwrap();
            let rows = json["rows"].as_array().unwrap();
            let sum = |name: &str| rows.iter().map(|row| row[name].as_i64().unwrap()).sum::<i64>();
            let measured = json["total"]["measured_uj"].as_i64().unwrap();
            assert_eq!((sum("time_energy_uj"), sum("energy_uj")), (measured, measured));
            assert_eq!(sum("difference_uj"), 0);
            assert_eq!(json["models"][0]["model"], "time");
            assert_eq!(json["models"][1]["model"], "regress");
        }
    }
}

#[test]
fn functions_are_not_compared_by_model() {
    for by in ["function", "line", "domain"] {
        let mut command = energy_prof();
        command.args(["report", "--compare-models", "--by", by]);
        Outcome::of(&mut command).refused(2, &["choose --by process, thread, exec"]);
    }
}
