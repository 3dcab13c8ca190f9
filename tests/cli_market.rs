//! Market-based figures beside location-based ones: what is printed, and that neither changes the other.

use serde_json::Value;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::small_trace::ten_windows_with_code;

fn emissions(options: &[&str]) -> Outcome {
    let place = Place::new();
    ten_windows_with_code(&place.trace());
    Outcome::of(energy_prof().arg("emissions").arg(place.trace()).args(options))
}

fn json(options: &[&str]) -> Value {
    let shown = emissions(&[options, &["--json"]].concat()).succeeded().stdout;
    serde_json::from_str(&shown).unwrap()
}

const CONTRACT: [&str; 4] = ["--market-intensity", "36", "--market-source", "wind farm, 2025"];

#[test]
fn a_contract_is_a_figure_of_its_own() {
    let location = ["--intensity", "360", "--pue", "1.5"];
    let report = json(&[&location[..], &CONTRACT].concat());
    let footprint = &report["footprint"];
    // 10 J × 1.5 at 100 ng and at 10 ng for a millijoule.
    assert_eq!(footprint["emissions_ng"], 1_500_000);
    assert_eq!(footprint["market_emissions_ng"], 150_000);
    let factor = &report["site"]["market_intensity_gco2e_per_kwh"];
    assert_eq!(
        (&factor["source"], &factor["covers"]),
        (&"wind farm, 2025".into(), &"given".into())
    );
    let rows = report["rows"].as_array().unwrap();
    let sum: u64 = rows.iter().filter_map(|row| row["market_emissions_ng"].as_u64()).sum();
    assert_eq!(sum, 150_000);
    let without = json(&location);
    assert_eq!(without["footprint"]["emissions_ng"], 1_500_000);
    assert_eq!(without["footprint"]["market_emissions_ng"], Value::Null);
    let shown = emissions(&[&location[..], &CONTRACT].concat()).succeeded().stdout;
    assert!(shown.contains("market       150 µgCO2e, market-based, at 36 gCO2e/kWh"), "{shown}");
}

#[test]
fn a_contract_needs_no_grid_and_lowers_no_score() {
    let report = json(&CONTRACT);
    assert_eq!(report["footprint"]["market_emissions_ng"], 100_000);
    assert_eq!(report["footprint"]["emissions_ng"], Value::Null);
    let score = ["--zone", "FR", "--embodied", "1t", "--units", "1"];
    let score_of = |options: &[&str]| json(options)["sci"]["score_gco2e"].clone();
    assert_eq!(score_of(&score), score_of(&[&score[..], &CONTRACT].concat()));
}

#[test]
fn what_a_provider_claims_is_told_and_not_subtracted() {
    let shown = emissions(&["--cloud", "gcp/europe-west1"]).succeeded().stdout;
    assert!(shown.contains("market       market-based: "), "{shown}");
    let flowing = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flowing.contains("100.0 % of the emissions there are offset already"), "{shown}");
    let options = "--watts 250 --hours 48 --cloud gcp/europe-west1 --json";
    let estimate = Outcome::of(energy_prof().arg("estimate").args(options.split_whitespace()));
    let estimate: Value = serde_json::from_str(&estimate.succeeded().stdout).unwrap();
    let site = &estimate["site"];
    assert_eq!(site["market_offset_share"]["value"], 1.0);
    assert!(site["market_carbon_free_share"]["value"].as_f64().unwrap() > 0.5);
    let grams = 12.0
        * site["pue"]["value"].as_f64().unwrap()
        * site["intensity_gco2e_per_kwh"]["value"].as_f64().unwrap();
    let found = estimate["footprint"]["emissions_gco2e"].as_f64().unwrap();
    assert!((found / grams - 1.0).abs() < 1e-12, "{found}");
}

#[test]
fn a_factor_that_nothing_stands_behind_is_refused() {
    emissions(&CONTRACT[..2]).refused(2, &["give --market-source"]);
    emissions(&CONTRACT[2..]).refused(2, &["--market-source says nothing without a factor"]);
    emissions(&["--market-intensity", "-1"]).refused(2, &["from 0 to 5000"]);
    emissions(&["--market-intensity", "5", "--market-source", " "])
        .refused(2, &["names no contract"]);
}
