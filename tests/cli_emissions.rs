//! `emissions`, from a trace on disk to what is printed, and what it refuses.

use serde_json::Value;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::small_trace::ten_windows_with_code;

fn emissions(options: &[&str]) -> Outcome {
    let place = Place::new();
    ten_windows_with_code(&place.trace());
    Outcome::of(energy_prof().arg("emissions").arg(place.trace()).args(options))
}

#[test]
fn a_trace_emits_what_its_joules_come_to() {
    let given = ["--intensity", "360", "--pue", "1.5", "--json", "--by"];
    for by in ["process", "thread", "function", "domain"] {
        let shown = emissions(&[&given[..], &[by]].concat()).succeeded().stdout;
        let report: Value = serde_json::from_str(&shown).unwrap();
        // 10 J × 1.5 at 100 ng for a millijoule.
        assert_eq!(report["footprint"]["emissions_ng"], 1_500_000, "{by}");
        assert_eq!(report["by"], by);
    }
}

#[test]
fn what_emits_as_much_is_told_where_asked() {
    let options = ["--intensity", "5000", "--pue", "9"];
    let shown = emissions(&[&options[..], &["--equivalents"]].concat()).succeeded().stdout;
    assert!(shown.contains("as much as   "), "{shown}");
    assert!(!emissions(&options).succeeded().stdout.contains("as much as"));
}

#[test]
fn a_place_is_found_or_refused_with_the_nearest() {
    let shown = emissions(&["--zone", "norway"]).succeeded().stdout;
    assert!(shown.contains("site         Norway\n"), "{shown}");
    emissions(&["--zone", "Norwegen"]).refused(2, &["\"Norwegen\"", "NOR (Norway)"]);
    emissions(&["--cloud", "aws/eu-west-9"]).refused(2, &["aws/eu-west-1"]);
    emissions(&["--zone", "FR", "--intensity", "56"]).refused(2, &["--intensity"]);
    emissions(&["--pue", "0.9"]).refused(2, &["a PUE is 1 or more"]);
    emissions(&["--intensity", "-3"]).refused(2, &["from 0 to 5000 gCO2e/kWh"]);
    emissions(&["--mix", "peat=100"]).refused(2, &["\"peat\"", "coal, gas"]);
}

#[test]
fn a_flame_graph_of_emissions_needs_a_place() {
    let place = Place::new();
    ten_windows_with_code(&place.trace());
    let picture = place.root().join("emissions.svg");
    let draw = |options: &[&str]| {
        let mut command = energy_prof();
        command.arg("flamegraph").arg(place.trace()).args(["--unit", "gco2e", "-o"]);
        Outcome::of(command.arg(&picture).args(options))
    };
    draw(&[]).refused(2, &["--zone FR"]);
    draw(&["--zone", "FR"]).succeeded();
    assert!(std::fs::read_to_string(&picture).unwrap().contains("ngCO2e"));
}
