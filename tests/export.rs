//! Exports: a small call tree in every format. docs/export.md tells which readers opened them.

use std::collections::BTreeMap;
use std::io::Read;

use energy_prof::analyze::{AnalyzeOptions, Recording, analyze};
use energy_prof::export::{
    DifferentialFlamegraph, Direction, ExportError, Exporter, Flamegraph, Folded, Format, Timeline,
    Unit,
};
use energy_prof::profile::{CodeUnit, Diff, GroupBy, MergedTree, NodeKind, Yardstick};
use energy_prof::units::CarbonIntensity;

use crate::support::call_tree::{compilers, frame, library, tree};
use crate::support::exported::{Exported, estimated, exported};
use crate::support::in_memory::build;
use crate::support::protobuf::Fields;

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
    assert!(svg.contains("not shown: 20.9 J of others, 15.0 J idle"), "the ledger");
    assert!(svg.contains(
        "<title>optimize (8.00 J ±1.1 J, 36.4 %, 1.60 W, 1.600 s on CPU, 159 samples, \
         gcc/tree.cc in /usr/lib/gcc/cc1)</title>"
    ));
    assert!(svg.contains("<title>worker 3 (30.0 mJ ±"), "what is below a joule is not 0");
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
    assert!(watts.contains("<title>optimize (1.60 W, 36.4 %, 8.00 J ±1.1 J, "));
    assert!(watts.contains("<title>all (4,390,001 µW, 100%)"));
    assert!(upward.contains("<title>all (21,950,005 µJ, 100%)"));
    // 360 g/kWh are 100 ng for a millijoule.
    let intensity = CarbonIntensity::new(360.0);
    let emissions =
        exported.text(&Flamegraph { unit: Unit::Emissions, intensity, ..Flamegraph::default() });
    let optimize = emissions.split("<title>").find(|title| title.starts_with("optimize"));
    assert!(
        optimize
            .unwrap()
            .starts_with("optimize (800 µgCO2e ±105 µgCO2e, 36.4 %, 8.00 J ±1.1 J, 1.60 W, "),
        "{optimize:?}"
    );
    assert!(emissions.contains("<title>all (2,195,001 ngCO2e, 100%)"));
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

/// The profile of pprof, unpacked and read by a reader that is not the writer.
fn pprof(exported: &Exported) -> Fields {
    let bytes = exported.bytes(&*Format::Pprof.exporter());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).unwrap();
    Fields::read(&unpacked)
}

#[test]
fn pprof_gets_samples_cpu_time_and_energy_and_shows_energy() {
    let exported = exported();
    let profile = pprof(&exported);
    let strings = profile.strings(6);
    let string = |index: u64| strings[usize::try_from(index).unwrap()].as_str();
    assert_eq!(string(0), "");
    let units: Vec<(&str, &str)> = profile
        .messages(1)
        .iter()
        .map(|kind| (string(kind.number(1)), string(kind.number(2))))
        .collect();
    assert_eq!(units, [("samples", "count"), ("cpu", "nanoseconds"), ("energy", "microjoules")]);
    assert_eq!(string(profile.number(14)), "energy");
    let energy: u64 = profile.messages(2).iter().map(|sample| sample.numbers(2)[2]).sum();
    assert_eq!(energy, exported.tree.total()[0].get());
    assert_eq!(profile.number(9), 1_795_418_040_000_000_000, "when it began");
    assert_eq!(profile.number(10), 5_000_000_000, "how long it lasted");
    let comments = profile.numbers(13);
    assert!(string(comments[0]).starts_with("make -j2: 59.0 J"));
    let comments = pprof(&estimated());
    assert!(comments.strings(6).iter().any(|text| text.starts_with("ESTIMATED: ")));
}

#[test]
fn pprof_gets_each_stack_from_the_inside_with_its_process_as_a_label() {
    let profile = pprof(&exported());
    let strings = profile.strings(6);
    let string = |index: u64| strings[usize::try_from(index).unwrap()].as_str();
    let functions = profile.messages(5);
    let locations = profile.messages(4);
    let place = |id: u64| &locations[usize::try_from(id - 1).unwrap()];
    let names = |id: u64| -> Vec<(&str, u64)> {
        assert_eq!(place(id).number(1), id);
        let lines = place(id).messages(4);
        let name = |line: &Fields| {
            let function = &functions[usize::try_from(line.number(1) - 1).unwrap()];
            (string(function.number(2)), line.number(2))
        };
        lines.iter().map(name).collect()
    };
    let samples = profile.messages(2);
    let of = |energy: u64| samples.iter().find(|sample| sample.numbers(2)[2] == energy).unwrap();
    let stack: Vec<Vec<(&str, u64)>> = of(250_000).numbers(1).into_iter().map(names).collect();
    // What was inlined shares the place it was inlined to.
    assert_eq!(stack, [vec![("sum<[u8; 8]>", 9), ("parse", 70)], vec![("main", 20)]]);
    let label = |label: &Fields| match label.number(2) {
        0 => format!("{}={}", string(label.number(1)), label.number(3)),
        text => format!("{}={}", string(label.number(1)), string(text)),
    };
    let labels: Vec<String> = of(250_000).messages(3).iter().map(label).collect();
    assert_eq!(labels, ["process=cc1 first.c (pid 101)", "pid=101"]);
    let mapping = &profile.messages(3)[0];
    assert_eq!(string(mapping.number(5)), "/usr/lib/gcc/cc1", "the program comes first");
    assert_eq!(string(mapping.number(6)), "c0ffee");
    assert_eq!(place(of(250_000).numbers(1)[0]).number(2), mapping.number(1));
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
    // Each stands where its window ends, the first after one second and the next after two.
    let threads = document["threads"].as_array().unwrap().iter();
    for thread in threads.filter(|thread| thread["samples"]["stack"][0].is_u64()) {
        let deltas = thread["samples"]["timeDeltas"].as_array().unwrap().iter();
        let times: Vec<f64> = deltas
            .scan(0.0, |at, delta| {
                *at += delta.as_f64().unwrap();
                Some(*at)
            })
            .collect();
        assert!(times.iter().all(|at| [1000.0, 2000.0].contains(at)), "{times:?}");
    }
    // Viewers take the range from samples: without one at its end, power tracks are cut off.
    let deltas = document["threads"].as_array().unwrap().iter().map(|thread| {
        thread["samples"]["timeDeltas"].as_array().unwrap().iter().map(|d| d.as_f64().unwrap())
    });
    let ends: Vec<f64> = deltas.map(Iterator::sum).collect();
    assert!(ends.contains(&5000.0), "{ends:?}");
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
    let merged = MergedTree::of(&library([8, 1, 2]), &library([4, 3, 2]), Yardstick::Same);
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
    let diff = Diff::of_code(
        &library([8, 1, 2]),
        &library([4, 3, 2]),
        CodeUnit::Function,
        Yardstick::Same,
    );
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

#[test]
fn a_run_of_unknown_code_is_one_frame() {
    let unknown = |depth, own| (depth, frame("[unknown]", NodeKind::Jit, "", ""), own);
    let exported = Exported {
        tree: tree(&[unknown(1, 1), unknown(2, 2), unknown(3, 4), unknown(2, 8)]),
        ..exported()
    };
    assert_eq!(exported.text(&Folded), "[unknown] 15\n");
    let depths: Vec<usize> =
        pprof(&exported).messages(2).iter().map(|sample| sample.numbers(1).len()).collect();
    assert_eq!(depths, [1, 1, 1, 1]);
}
