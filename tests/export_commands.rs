//! `flamegraph`, `export` and `diff` on the command line.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::small_trace::{ten_windows, ten_windows_with_stacks};

/// A place with a trace with stacks.
fn recorded() -> Place {
    let place = Place::new();
    ten_windows_with_stacks(&place.trace());
    place
}

/// `energy-prof ARGUMENTS…`, run where the trace is.
fn run(place: &Place, arguments: &[&str]) -> Outcome {
    Outcome::of(energy_prof().current_dir(place.root()).args(arguments))
}

/// What is in a file beside the trace.
fn written(place: &Place, name: &str) -> Vec<u8> {
    fs::read(place.root().join(name)).unwrap()
}

#[test]
fn a_flame_graph_is_written_whole_and_readable_for_all_who_may() {
    let place = recorded();
    let outcome = run(&place, &["flamegraph"]).succeeded();
    assert_eq!(outcome.stderr, "wrote flamegraph.svg: open it in a browser\n");
    let svg = String::from_utf8(written(&place, "flamegraph.svg")).unwrap();
    assert!(svg.contains("<title>parse (") && svg.ends_with("</svg>"));
    let mode = fs::metadata(place.root().join("flamegraph.svg")).unwrap().permissions().mode();
    assert_eq!(mode & 0o600, 0o600);
    assert_eq!(mode & 0o111, 0);
    let left = fs::read_dir(place.root()).unwrap().count();
    assert_eq!(left, 2, "the trace and the picture, and nothing half written");
}

#[test]
fn a_picture_that_cannot_be_drawn_leaves_the_old_one() {
    let place = Place::new();
    ten_windows(&place.trace());
    fs::write(place.root().join("old.svg"), "old").unwrap();
    run(&place, &["flamegraph", "-o", "old.svg"]).refused(7, &["no stacks", "--no-stacks"]);
    assert_eq!(written(&place, "old.svg"), b"old");
    run(&place, &["flamegraph", "-o", "nowhere/new.svg"]).refused(7, &["no stacks"]);
}

#[test]
fn a_place_that_cannot_be_written_to_is_named() {
    let place = recorded();
    run(&place, &["flamegraph", "-o", "nowhere/new.svg"])
        .refused(1, &["cannot write nowhere/new.svg"]);
}

#[test]
fn the_name_of_a_file_tells_the_format() {
    let place = recorded();
    for name in ["a.pb.gz", "a.json", "a.speedscope.json", "a.folded", "a.svg", "a.csv"] {
        run(&place, &["export", "-o", name]).succeeded();
        assert!(!written(&place, name).is_empty(), "{name}");
    }
    assert_eq!(written(&place, "a.pb.gz")[..2], [0x1f, 0x8b], "gzip's magic number");
    let refused = run(&place, &["export", "-o", "a.gif"]);
    refused.refused(2, &["a.gif names no format", "--format", "pprof, firefox"]);
    let missing = run(&place, &["export"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("--format"));
}

#[test]
fn text_goes_to_stdout_with_every_microjoule() {
    let place = recorded();
    // Idle is not known, so each window's joule is charged to those who ran: 60 ms and 20 ms.
    let folded = run(&place, &["export", "--format", "folded"]).succeeded();
    assert_eq!(folded.stdout, "cc (pid 101);main 2500000\nmake (pid 100);main;parse 7500000\n");
    assert_eq!(folded.stderr, "");
    let of_one = run(&place, &["export", "--format", "folded", "--pid", "101"]).succeeded();
    assert_eq!(of_one.stdout, "cc (pid 101);main 2500000\n");
    let threads = run(&place, &["export", "--format", "folded", "--by-thread"]).succeeded();
    assert!(threads.stdout.contains("make (pid 100);make;main;parse 7500000\n"));
}

#[test]
fn what_needs_no_stacks_is_exported_without() {
    let place = Place::new();
    ten_windows(&place.trace());
    for format in ["csv", "firefox"] {
        let outcome = run(&place, &["export", "--format", format]).succeeded();
        assert!(outcome.stdout.contains("package-0"), "{format}");
    }
    for format in ["folded", "pprof", "speedscope", "flamegraph"] {
        run(&place, &["export", "--format", format]).refused(7, &["no stacks"]);
    }
}

#[test]
fn a_trace_compared_with_itself_has_not_changed() {
    let place = recorded();
    let diff = run(&place, &["diff", "energy.trace", "energy.trace", "-o", "diff.svg"]).succeeded();
    assert!(diff.stdout.contains("7.50 J    7.50 J        0 J"), "{}", diff.stdout);
    assert!(!diff.stdout.contains(" yes "));
    assert!(String::from_utf8(written(&place, "diff.svg")).unwrap().contains("may be noise"));
    let by = |by: &str| {
        run(&place, &["diff", "energy.trace", "energy.trace", "--by", by]).succeeded().stdout
    };
    assert!(by("exec").contains("/usr/bin/make"));
    assert!(by("line").contains("parse"));
}
