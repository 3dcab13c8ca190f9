//! Exports: a small call tree in every format. docs/export.md tells which readers opened them.

use std::collections::BTreeMap;

use energy_prof::analyze::{AnalyzeOptions, Recording, analyze, attribute};
use energy_prof::export::{
    DifferentialFlamegraph, Direction, ExportError, Exporter, Flamegraph, Folded, Format, Subject,
    Timeline, Unit,
};
use energy_prof::model::Provenance;
use energy_prof::profile::{CallTree, Diff, GroupBy, MergedTree, Profile};

use crate::support::call_tree::{compilers, library, tree};
use crate::support::in_memory::{InMemory, build};

/// All that is exported, of one recording.
struct Exported {
    profile: Profile,
    tree: CallTree,
    timeline: Timeline,
}

impl Exported {
    fn of(recording: &InMemory, tree: CallTree) -> Self {
        let options = AnalyzeOptions::default();
        let profile = analyze(recording, &options).unwrap();
        let mut timeline =
            Timeline::new(recording.windows.clone(), recording.energy.clone(), &profile);
        attribute(recording, &options, |charges| {
            for charge in charges {
                timeline.charge(&charge?);
            }
            Ok::<(), energy_prof::analyze::AnalyzeError>(())
        })
        .unwrap();
        Self { profile, tree, timeline }
    }

    fn subject(&self) -> Subject<'_> {
        Subject { profile: &self.profile, tree: &self.tree, timeline: &self.timeline }
    }

    fn bytes(&self, exporter: &dyn Exporter) -> Vec<u8> {
        let mut out = Vec::new();
        exporter.write(&self.subject(), &mut out).unwrap();
        out
    }

    fn text(&self, exporter: &dyn Exporter) -> String {
        String::from_utf8(self.bytes(exporter)).unwrap()
    }

    fn json(&self, format: Format) -> serde_json::Value {
        serde_json::from_slice(&self.bytes(&*format.exporter())).unwrap()
    }
}

fn exported() -> Exported {
    Exported::of(&build(), compilers())
}

fn estimated() -> Exported {
    let mut recording = build();
    for sample in &mut recording.energy {
        sample.provenance = Provenance::Estimated;
    }
    Exported::of(&recording, compilers())
}

#[test]
fn folded_stacks_hold_every_microjoule() {
    let exported = exported();
    let text = exported.text(&Folded);
    insta::assert_snapshot!(text);
    let values = text.lines().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
    assert_eq!(values.sum::<u64>(), exported.tree.total()[0].get());
}

#[test]
fn a_flame_graph_says_joules_with_their_error_for_each_frame() {
    let svg = exported().text(&Flamegraph::default());
    assert!(svg.contains("Energy of make -j2"), "title");
    assert!(svg.contains("59.0 J ±"), "the whole energy, in the subtitle");
    assert!(svg.contains("not shown: 15.0 J idle"), "the ledger");
    assert!(svg.contains(
        "<title>optimize (8.00 J ±0.39 J, 36.4 %, 1.60 W, 1.600 s on CPU, 159 samples, \
         gcc/tree.cc:900 in /usr/lib/gcc/cc1)</title>"
    ));
    assert!(svg.contains("<title>tick (5.00 µJ"), "what is below a joule does not become 0");
}

#[test]
fn names_in_a_flame_graph_are_whole_and_siblings_of_one_name_stay_two() {
    let svg = exported().text(&Flamegraph::default());
    assert!(svg.contains("<title>sum&lt;[u8; 8]&gt; ("));
    assert_eq!(svg.matches("<title>memcpy (").count(), 2);
    assert_eq!(svg.matches("in /lib/libc.so.6)</title>").count(), 0);
    assert!(!svg.chars().any(|c| ('\u{e000}'..='\u{f8ff}').contains(&c)));
}

#[test]
fn a_flame_graph_is_the_same_every_time_and_its_options_show() {
    let exported = exported();
    let upward = exported.text(&Flamegraph::default());
    assert_eq!(upward, exported.text(&Flamegraph::default()));
    let downward = Flamegraph { direction: Direction::Downward, ..Flamegraph::default() };
    assert_ne!(upward, exported.text(&downward));
    let watts = exported.text(&Flamegraph { unit: Unit::Watts, ..Flamegraph::default() });
    assert!(watts.contains("<title>optimize (1.60 W, 36.4 %, 8.00 J ±0.39 J, "));
    assert!(watts.contains("<title>all (4,390,001 µW, 100%)"));
    assert!(upward.contains("<title>all (21,950,005 µJ, 100%)"));
}

#[test]
fn an_estimate_is_called_one_in_every_format() {
    let exported = estimated();
    assert!(exported.text(&Flamegraph::default()).contains(">ESTIMATED energy of make -j2<"));
    let speedscope = exported.json(Format::Speedscope);
    assert!(speedscope["name"].as_str().unwrap().starts_with("ESTIMATED: "));
    let firefox = exported.json(Format::Firefox);
    assert!(firefox["meta"]["product"].as_str().unwrap().starts_with("ESTIMATED energy"));
    assert!(exported.text(&*Format::Csv.exporter()).contains(",estimated\n"));
    assert!(!exported.text(&*Format::Csv.exporter()).contains("measured"));
}

#[test]
fn without_energy_there_is_no_flame_graph_but_a_reason() {
    let empty = Exported { tree: tree(&[]), ..exported() };
    let error = Flamegraph::default().write(&empty.subject(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, ExportError::NoEnergy));
    assert_eq!(empty.text(&Folded), "");
}

#[test]
fn speedscope_gets_microjoules_for_all_and_for_each_process() {
    let exported = exported();
    let document = exported.json(Format::Speedscope);
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
    let sums = |profile: &serde_json::Value| -> u64 {
        profile["weights"].as_array().unwrap().iter().map(|w| w.as_u64().unwrap()).sum()
    };
    let profiles = document["profiles"].as_array().unwrap();
    assert_eq!(sums(&profiles[0]), exported.tree.total()[0].get());
    assert_eq!(profiles[1..].iter().map(sums).sum::<u64>(), sums(&profiles[0]));
    assert!(profiles.iter().all(|profile| profile["unit"] == "none"));
}

#[test]
fn firefox_gets_power_tracks_whose_energy_is_the_counters() {
    const JOULES_PER_PICOWATT_HOUR: f64 = 3.6e-9;
    let exported = exported();
    let document = exported.json(Format::Firefox);
    let counters = document["counters"].as_array().unwrap();
    let mut joules = BTreeMap::new();
    for counter in counters {
        assert_eq!(counter["category"], "power");
        let counts = counter["samples"]["count"].as_array().unwrap();
        assert_eq!(counts[0], 0.0, "the first sample is a beginning, no energy");
        let sum: f64 = counts.iter().map(|count| count.as_f64().unwrap()).sum();
        joules.insert(counter["name"].as_str().unwrap(), sum * JOULES_PER_PICOWATT_HOUR);
    }
    assert!((joules["package-0 (measured)"] - 50.0).abs() < 1e-6);
    assert!((joules["dram-0 (measured)"] - 9.0).abs() < 1e-6);
    let attributed: Vec<&&str> =
        joules.keys().filter(|name| name.starts_with("attributed to")).collect();
    assert_eq!(attributed.len(), 3, "the targets: {attributed:?}");
}

#[test]
fn firefox_gets_every_microjoule_of_the_stacks() {
    let exported = exported();
    let document = exported.json(Format::Firefox);
    let weights = document["threads"].as_array().unwrap().iter().flat_map(|thread| {
        thread["samples"]["weight"].as_array().unwrap().iter().map(|w| w.as_u64().unwrap())
    });
    assert_eq!(weights.sum::<u64>(), exported.tree.total()[0].get());
}

#[test]
fn a_table_over_time() {
    insta::assert_snapshot!(exported().text(&*Format::Csv.exporter()));
}

#[test]
fn an_energy_that_is_unknown_is_an_empty_field() {
    let mut recording = build();
    recording.energy[3].energy = None;
    let text = Exported::of(&recording, compilers()).text(&*Format::Csv.exporter());
    assert!(text.lines().any(|line| line.contains(",package-0,,true,,,")), "{text}");
}

#[test]
fn the_processes_of_the_table_come_to_what_was_attributed() {
    let exported = exported();
    let sum = exported.timeline.processes().values().map(energy_prof::export::ProcessTrack::total);
    assert_eq!(sum.sum::<energy_prof::units::Microjoules>(), exported.profile.total().attributed);
}

#[test]
fn only_the_chosen_part_of_a_recording_is_in_the_table() {
    let recording = build();
    let options = AnalyzeOptions {
        from: Some(energy_prof::units::Nanoseconds::from_millis(1000)),
        to: Some(energy_prof::units::Nanoseconds::from_millis(3000)),
        ..AnalyzeOptions::default()
    };
    let profile = analyze(&recording, &options).unwrap();
    let timeline = Timeline::new(recording.windows().unwrap(), recording.energy, &profile);
    let windows: Vec<u32> = timeline.windows().iter().map(|window| window.index).collect();
    assert_eq!(windows, [1, 2]);
}

#[test]
fn a_differential_flame_graph_is_red_blue_or_grey() {
    // Before: optimize 8 J and memcpy 1 J; after: optimize 4 J, memcpy 3 J, hash as before.
    let profile = exported().profile;
    let merged = MergedTree::of(&library([8, 1, 2]), &library([4, 3, 2]));
    let mut svg = Vec::new();
    let graph = DifferentialFlamegraph::default();
    graph.write(&merged, &profile, &profile, &mut svg).unwrap();
    let svg = String::from_utf8(svg).unwrap();
    let fill = |name: &str| {
        let (_, rest) = svg.split_once(&format!("<title>{name} (")).unwrap();
        let (_, rest) = rest.split_once("fill=\"rgb(").unwrap();
        let (rgb, _) = rest.split_once(')').unwrap();
        rgb.split(',').map(|part| part.parse::<u8>().unwrap()).collect::<Vec<_>>()
    };
    assert!(fill("memcpy")[0] > fill("memcpy")[2], "more is red");
    assert!(fill("optimize")[0] < fill("optimize")[2], "less is blue");
    assert_eq!(fill("hash"), [220, 220, 220], "no change is grey");
    assert!(svg.contains("<title>optimize (4.00 J, before 8.00 J, -4.00 J ±"));
    assert!(svg.contains("compared with before"));
}

#[test]
fn a_comparison_tells_change_from_noise() {
    let diff = Diff::of_functions(&library([8, 1, 2]), &library([4, 3, 2]));
    let named = |name: &str| diff.changes.iter().find(|change| change.name == name).unwrap();
    assert!(named("optimize").is_beyond_noise());
    assert!((named("optimize").relative().unwrap() + 0.5).abs() < 1e-9);
    assert!(!named("hash").is_beyond_noise());
    assert!((diff.total.joules().get() + 2.0).abs() < 1e-9);
    assert_eq!(diff.changes[0].name, "optimize", "the largest change is first");
}

#[test]
fn two_profiles_are_compared_by_the_names_of_their_programs() {
    let profile = exported().profile;
    let diff = Diff::of_groups(&profile, &profile, GroupBy::Exec, &|_| None);
    assert!(diff.changes.iter().all(|change| !change.is_beyond_noise()));
    assert_eq!(diff.total.before.energy, profile.total().measured);
}
