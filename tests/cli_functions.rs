//! `report` on functions, from a trace on disk to what is printed.

use std::path::Path;

use serde_json::Value;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::small_trace::{ten_windows, ten_windows_with_code};

fn report(trace: &Path, options: &[&str]) -> Outcome {
    Outcome::of(energy_prof().arg("report").arg(trace).args(options))
}

fn recorded() -> Place {
    let place = Place::new();
    ten_windows_with_code(&place.trace());
    place
}

fn rows(trace: &Path, options: &[&str]) -> Vec<(String, u64, Option<u64>)> {
    let shown = report(trace, &[&["--json"], options].concat()).succeeded().stdout;
    let report: Value = serde_json::from_str(&shown).unwrap();
    let row = |row: &Value| {
        let name = row["name"].as_str().unwrap().to_owned();
        (name, row["energy_uj"].as_u64().unwrap_or(0), row["total_energy_uj"].as_u64())
    };
    report["rows"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn functions_of_a_trace_have_its_joules() {
    let place = recorded();
    // 10 J, of which make has 60 of 80 ms.
    let shown = rows(&place.trace(), &["--by", "function", "--pid", "100"]);
    assert_eq!(
        shown[..2],
        [
            ("main".to_owned(), 5_000_000, Some(7_500_000)),
            ("read".to_owned(), 2_500_000, Some(2_500_000)),
        ]
    );
    let sum: u64 = shown.iter().map(|(_, energy, _)| energy).sum();
    assert_eq!(sum, 10_000_000);
    let by_line = rows(&place.trace(), &["--by", "line", "--sort", "total"]);
    assert_eq!(by_line[0], ("main".to_owned(), 5_000_000, Some(5_000_000)));
    let text = report(&place.trace(), &["--by", "function"]).succeeded().stdout;
    assert!(text.contains("  [k] read\n") && text.contains("  main (make, main.c:12)\n"), "{text}");
}

#[test]
fn a_functions_callers_and_callees_are_shown() {
    let place = recorded();
    let text = report(&place.trace(), &["--function", "main"]).succeeded().stdout;
    assert!(text.contains("[outermost]\n") && text.contains("[self]\n"), "{text}");
    assert!(text.contains("  [k] read\n"), "{text}");
    report(&place.trace(), &["--function", "nowhere"])
        .refused(2, &["\"nowhere\"", "--by function"]);
    report(&place.trace(), &["--function", "main", "--by", "line"]).refused(2, &["--function"]);
}

#[test]
fn a_trace_without_stacks_says_how_to_get_them() {
    let place = Place::new();
    ten_windows(&place.trace());
    for options in [["--by", "function"], ["--by", "line"], ["--function", "main"]] {
        report(&place.trace(), &options).refused(7, &["no stacks", "record again"]);
    }
}

#[test]
fn threads_can_only_be_chosen_where_functions_are_shown() {
    let place = recorded();
    report(&place.trace(), &["--pid", "100"]).refused(2, &["--by function"]);
    report(&place.trace(), &["--by", "thread", "--comm", "make"]).refused(2, &["--by function"]);
    let nobody = ["--by", "function", "--tid", "7"];
    report(&place.trace(), &nobody).refused(2, &["tid 7", "no such thread"]);
}
