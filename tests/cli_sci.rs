//! Embodied emissions and the software carbon intensity on the command line: what is printed, what a recording
//! keeps, and what is refused.

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
fn a_trace_has_a_score_per_unit_of_work() {
    // 10 J at 100 ng for a millijoule are 1 mg; of 126144 kg in 4 years, 1 g a second falls to 1 s.
    let given = ["--intensity", "360", "--embodied", "126144kg"];
    let per = ["--units", "2", "--per", "request"];
    for by in ["process", "thread", "function", "domain", "container", "time"] {
        let options = [&given[..], &per, &["--json", "--by", by]].concat();
        let report: Value = serde_json::from_str(&emissions(&options).succeeded().stdout).unwrap();
        assert_eq!(report["footprint"]["embodied_ng"], 1_000_000_000, "{by}");
        let score = report["sci"]["score_gco2e"].as_f64().unwrap();
        assert!((score / 0.500_5 - 1.0).abs() < 1e-9, "{by}: {score}");
        let rows = report["rows"].as_array().unwrap();
        let sum: u64 = rows.iter().filter_map(|row| row["embodied_ng"].as_u64()).sum();
        assert_eq!(sum, 1_000_000_000, "{by}");
    }
    let shown = emissions(&[&given[..], &per].concat()).succeeded().stdout;
    assert!(shown.contains("SCI          500 mgCO2e per request"), "{shown}");
    assert!(shown.contains("assumed: no lifespan was given"), "{shown}");
}

#[test]
fn a_page_and_a_paper_have_it_and_tables_of_others_do_not() {
    let place = Place::new();
    ten_windows_with_code(&place.trace());
    let export = |options: &str| {
        let options = format!("--intensity 360 --embodied 126144kg --units 2 {options}");
        let mut command = energy_prof();
        Outcome::of(command.arg("export").arg(place.trace()).args(options.split_whitespace()))
    };
    for format in ["html", "markdown", "latex"] {
        let shown = export(&format!("--format {format} --per request")).succeeded().stdout;
        assert!(shown.contains("500 mgCO"), "{format}: {shown}");
        assert!(shown.contains("per request"), "{format}");
    }
    export("--format codecarbon").refused(2, &["codecarbon has no score", "html, markdown, latex"]);
}

#[test]
fn an_estimate_has_one_too() {
    let options = "--watts 250 --hours 48 --intensity 560 --embodied gpu=1 --lifespan 48h \
                   --units 1000 --per inference --json";
    let shown = Outcome::of(energy_prof().arg("estimate").args(options.split_whitespace()));
    let estimate: Value = serde_json::from_str(&shown.succeeded().stdout).unwrap();
    // 6.72 kg and all of a card's 150 kg, over 1000.
    let score = estimate["sci"]["score_gco2e"].as_f64().unwrap();
    assert!((score / 156.72 - 1.0).abs() < 1e-12, "{score}");
    assert_eq!(estimate["footprint"]["emissions_ng"], 6_720_000_000_000_u64, "apart");
    let source = estimate["site"]["embodied"]["total_gco2e"]["source"].as_str().unwrap();
    assert!(source.starts_with("Cloud Carbon Footprint"), "{source}");
}

#[test]
fn other_places_are_compared_without_what_is_the_same_there() {
    let shown =
        emissions(&["--zone", "FR", "--embodied", "1t", "--what-if", "NO"]).succeeded().stdout;
    assert!(shown.contains("embodied emissions are the same everywhere"), "{shown}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    emissions(&["--embodied", "1200"]).refused(2, &["write it as 1200kg"]);
    emissions(&["--embodied", "-3kg"]).refused(2, &["no mass from 0"]);
    emissions(&["--embodied", "1t", "--lifespan", "4"]).refused(2, &["write it as 4y"]);
    emissions(&["--embodied", "1t", "--resource-share", "2"]).refused(2, &["8/64"]);
    emissions(&["--lifespan", "4y"]).refused(2, &["--lifespan says nothing without"]);
    emissions(&["--resource-share", "0.5"]).refused(2, &["give --embodied 1200kg"]);
    emissions(&["--units", "0"]).refused(2, &["no number of units above 0"]);
    emissions(&["--units", "1", "--what-if", "FR"]).refused(2, &["leave --units out"]);
    emissions(&["--per", "request"]).refused(2, &["--units"]);
    emissions(&["--units", "1", "--per", "1000"]).refused(2, &["\"1000 requests\""]);
}
