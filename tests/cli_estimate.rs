//! `estimate`: the calculator's published example, what it prints, and what it refuses.

use serde_json::Value;

use crate::support::energy_prof::energy_prof;
use crate::support::outcome::Outcome;

fn estimate(options: &[&str]) -> Outcome {
    Outcome::of(energy_prof().arg("estimate").args(options))
}

fn json(options: &[&str]) -> Value {
    let shown = estimate(&[options, &["--json"]].concat()).succeeded().stdout;
    serde_json::from_str(&shown).unwrap()
}

#[test]
fn the_published_example_comes_to_6_72_kg() {
    let given = ["--watts", "250", "--hours", "48", "--intensity", "560"];
    let estimate = json(&given);
    assert_eq!(estimate["footprint"]["emissions_ng"], 6_720_000_000_000_u64);
    assert_eq!(estimate["provenance"], "assumed");
    let half = json(&[&given[..], &["--load", "50", "--pue", "1.5"]].concat());
    assert_eq!(half["footprint"]["emissions_ng"], 5_040_000_000_000_u64);
}

#[test]
fn hardware_is_counted_and_added() {
    let cards = ["--gpu", "8x A100 40GB PCIe", "--cpu", "2x AMD EPYC 7742", "--hours", "1"];
    let estimate = json(&cards);
    let watts: f64 = estimate["hardware"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["count"].as_f64().unwrap() * it["watts_each"].as_f64().unwrap())
        .sum();
    assert!((watts - 2_450.0).abs() < 1e-9, "{estimate}");
    assert_eq!(estimate["footprint"]["emissions_ng"], Value::Null, "nobody said where");
    assert!((estimate["footprint"]["it_kwh"].as_f64().unwrap() - 2.45).abs() < 1e-12);
}

#[test]
fn an_estimate_says_that_nothing_was_measured_and_where_it_would_be_less() {
    let shown = estimate(&["--gpu", "T4", "--hours", "10", "--cloud", "aws/us-east-1"]);
    let shown = shown.succeeded().stdout;
    assert!(shown.starts_with("ASSUMED "), "{shown}");
    assert!(shown.contains("1 × NVIDIA Tesla T4 at 70.0 W") && shown.contains("33 regions of aws"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    estimate(&["--hours", "1"]).refused(2, &["--gpu"]);
    estimate(&["--gpu", "H100", "--hours", "1"]).refused(2, &["more than one GPU", "H100 PCIe"]);
    estimate(&["--gpu", "Gefroce 3090", "--hours", "1"]).refused(2, &["is one of these meant"]);
    estimate(&["--watts", "-5", "--hours", "1"]).refused(2, &["is no power"]);
    estimate(&["--watts", "5", "--hours", "-1"]).refused(2, &["no number of hours"]);
    estimate(&["--watts", "5", "--hours", "1", "--load", "120"]).refused(2, &["0 to 100 %"]);
}
