//! The model `regress` within a program: watts of functions, from samples, and what must hold whatever it finds.

use std::collections::BTreeMap;

use energy_prof::analyze::{
    AnalyzeOptions, CallTreeOptions, analyze, call_trees_in_parts, profile_and_call_tree,
};
use energy_prof::attribution::{FunctionWatts, IdlePolicy, ModelKind, ProgramWatts};
use energy_prof::model::ThreadId;
use energy_prof::profile::{CallTree, CodeRow, CodeUnit, Profile, ThreadFilter};
use energy_prof::report::{CodeSubject, ReportOptions, code_json, code_text};
use energy_prof::units::{Microjoules, Nanoseconds, Watts};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::in_memory::{InMemory, PACKAGE, leader};
use crate::support::sampled::{kernel, user};
use crate::support::simulated_code::Code;
use crate::support::simulated_load::{Loads, Scenario, simulate};

/// Idle power of the machines here, in watts.
const IDLE: u64 = 20;

/// A machine that draws 20 W besides a program `job`, whose functions `cheap` and `dear` draw 10 and 30 W; 100 ms
/// windows say for how many milliseconds it was in each. Both call `memmove` for a tenth of the time.
fn job(windows: &[[u64; 2]]) -> InMemory {
    let mut recording = InMemory::new(1);
    recording.thread(2, leader(100, 1, "job"));
    for (stack, function) in [(1, "cheap"), (3, "dear")] {
        let own = vec![user("main", "job", None), user(function, "job", None)];
        let called = own.iter().cloned().chain([user("memmove", "libc.so.6", None)]).collect();
        recording.stack(stack, own).stack(stack + 1, called);
    }
    for [cheap, dear] in windows {
        let energy = 100 * IDLE + 10 * cheap + 30 * dear;
        recording.window(100, &[(PACKAGE, Some((energy, 10)))], &[(2, 0, cheap + dear)]);
        for (stack, time) in [(1, *cheap), (3, *dear)] {
            if time >= 10 {
                let called = u32::try_from(time / 10).unwrap();
                recording.sampled(&[(2, stack, time - time / 10, 9 * called)]);
                recording.sampled(&[(2, stack + 1, time / 10, called)]);
            }
        }
    }
    recording
}

/// Always on its CPU, and in most windows in both.
fn varied(windows: u64) -> Vec<[u64; 2]> {
    let cheap = (0..windows).map(|window| window * 7 % 11 * 10);
    cheap.map(|cheap| [cheap, 100 - cheap]).collect()
}

fn options(model: ModelKind) -> AnalyzeOptions {
    #[expect(clippy::cast_precision_loss, reason = "20 W")]
    let idle = Watts::new(IDLE as f64);
    AnalyzeOptions { model, given: [(PACKAGE, idle)].into(), ..AnalyzeOptions::default() }
}

fn regress(recording: &InMemory) -> (Profile, CallTree) {
    let of = CallTreeOptions::default();
    profile_and_call_tree(recording, &options(ModelKind::Regress), &of).unwrap()
}

fn row(tree: &CallTree, name: &str) -> CodeRow {
    tree.rows(CodeUnit::Function).into_iter().find(|row| row.frame.name == name).unwrap()
}

fn total(tree: &CallTree, name: &str) -> f64 {
    row(tree, name).total.energy.joules().get()
}

fn functions(profile: &Profile) -> BTreeMap<String, FunctionWatts> {
    let facts = profile.domains[&PACKAGE].regression.as_ref().unwrap();
    let functions = facts.programs.iter().flat_map(|program: &ProgramWatts| &program.functions);
    functions.map(|function| (function.name.clone(), function.clone())).collect()
}

fn assert_near(found: f64, expected: f64, part: f64) {
    assert!((found / expected - 1.0).abs() <= part, "{found}, not {expected}");
}

#[test]
fn functions_of_10_and_30_watts_are_charged_what_they_drew() {
    let windows = varied(300);
    let recording = job(&windows);
    let (profile, tree) = regress(&recording);
    let seconds = |which: usize| {
        let milliseconds: u64 = windows.iter().map(|window| window[which]).sum();
        Nanoseconds::from_millis(milliseconds).seconds()
    };
    assert_near(total(&tree, "cheap"), 10.0 * seconds(0), 0.02);
    assert_near(total(&tree, "dear"), 30.0 * seconds(1), 0.02);
    let functions = functions(&profile);
    assert_near(functions["cheap"].power.get(), 10.0, 0.02);
    assert_near(functions["dear"].power.get(), 30.0, 0.02);
    assert!(functions["cheap"].told_apart && functions["dear"].told_apart, "{functions:?}");
    let by_time =
        profile_and_call_tree(&recording, &options(ModelKind::Time), &CallTreeOptions::default());
    let by_time = total(&by_time.unwrap().1, "cheap") / seconds(0);
    assert!(by_time > 15.0, "time share is wrong here: {by_time} W");
}

/// The worked example of docs/attribution.md, fifty times over.
#[test]
fn the_worked_example_comes_out_as_written() {
    let windows = [[100, 0], [50, 50], [20, 80], [0, 100]].repeat(50);
    let (profile, tree) = regress(&job(&windows));
    assert_near(total(&tree, "cheap"), 50.0 * 1.7, 0.001);
    assert_near(total(&tree, "dear"), 50.0 * 6.9, 0.001);
    assert_eq!(tree.energy(), profile.threads[&ThreadId(2)].charges[&PACKAGE].energy);
}

#[test]
fn reports_say_what_functions_draw_and_which_share_by_time() {
    let (profile, tree) = regress(&job(&varied(300)));
    let filter = ThreadFilter::default();
    let subject = CodeSubject { profile: &profile, tree: &tree, filter: &filter };
    let options = ReportOptions::default();
    insta::assert_snapshot!(code_text(&subject, CodeUnit::Function, &options));
    let json: Value =
        serde_json::from_str(&code_json(&subject, CodeUnit::Function, &options)).unwrap();
    let program = &json["domains"][0]["regression"]["programs"][0];
    let names = program["functions"].as_array().unwrap().iter().map(|it| it["name"].as_str());
    let names: Vec<&str> = names.map(Option::unwrap).collect();
    assert_eq!(names, ["dear", "cheap", "memmove (from dear)", "memmove (from cheap)"]);
    assert_eq!(program["functions"][2]["told_apart"], false);
}

#[test]
fn what_a_library_draws_is_its_callers_matter() {
    let (profile, tree) = regress(&job(&varied(300)));
    let functions = functions(&profile);
    let [cheap, dear] = ["cheap", "dear"].map(|from| &functions[&format!("memmove (from {from})")]);
    assert_near(cheap.power.get(), 10.0, 0.05);
    assert_near(dear.power.get(), 30.0, 0.05);
    assert!(!cheap.told_apart && !dear.told_apart, "always as much as their callers");
    let both = row(&tree, "memmove").own;
    let alone = 0.1 * (total(&tree, "cheap") + total(&tree, "dear"));
    assert_near(both.energy.joules().get(), alone, 0.05);
}

#[test]
fn functions_that_are_always_in_the_same_proportion_share_by_time_and_are_said_not_to_be_told_apart()
 {
    let windows: Vec<[u64; 2]> =
        (0..300).map(|window| [10 + window % 4 * 10, 20 + window % 4 * 20]).collect();
    let recording = job(&windows);
    let (profile, tree) = regress(&recording);
    let by_time =
        profile_and_call_tree(&recording, &options(ModelKind::Time), &CallTreeOptions::default());
    let (_, by_time) = by_time.unwrap();
    for name in ["cheap", "dear", "memmove", "main"] {
        assert_eq!(row(&tree, name).own.energy, row(&by_time, name).own.energy, "{name}");
    }
    assert!(functions(&profile).values().all(|function| !function.told_apart));
    let error = row(&tree, "cheap").total.error.half_width_95().get();
    let off = total(&tree, "cheap") - 10.0 / 50.0 * total(&tree, "main");
    assert!(error > off / 4.0, "it admits to know little: ±{error} of {off}");
}

#[test]
fn a_program_that_is_in_a_dear_function_is_charged_as_dear() {
    // A neighbour of 20 W beside it all the time; who pays depends on where the program is.
    let mut recording = InMemory::new(2);
    recording.thread(2, leader(100, 1, "job")).thread(3, leader(200, 1, "neighbour"));
    for (stack, function) in [(1, "cheap"), (2, "dear")] {
        recording.stack(stack, vec![user(function, "job", None)]);
    }
    let mut truth = [0.0; 3];
    for window in 0..400_u64 {
        let (is_dear, ran) = (window / 10 % 2 == 1, 40 + window % 7 * 10);
        let (job, neighbour) = (40 + window % 5 * 10, ran);
        let watts = if is_dear { 30 } else { 10 };
        let energy = 100 * IDLE + watts * job + 20 * neighbour;
        let ran = [(2, 0, job), (3, 1, neighbour)];
        recording.window(100, &[(PACKAGE, Some((energy, 10)))], &ran);
        let stack = if is_dear { 2 } else { 1 };
        recording.sampled(&[(2, stack, job, u32::try_from(job).unwrap())]);
        #[expect(clippy::cast_precision_loss, reason = "some millijoules")]
        let joules = |watts: u64, milliseconds: u64| (watts * milliseconds) as f64 * 1e-3;
        truth[usize::from(is_dear)] += joules(watts, job);
        truth[2] += joules(20, neighbour);
    }
    let (profile, tree) = regress(&recording);
    assert_near(total(&tree, "cheap"), truth[0], 0.01);
    assert_near(total(&tree, "dear"), truth[1], 0.01);
    let neighbour = profile.threads[&ThreadId(3)].charges[&PACKAGE].energy.joules().get();
    assert_near(neighbour, truth[2], 0.01);
}

#[test]
fn processes_have_the_same_joules_whether_functions_are_shown_or_not() {
    let recording = job(&varied(120));
    let alone = analyze(&recording, &options(ModelKind::Regress)).unwrap();
    assert_eq!(alone, regress(&recording).0);
}

#[test]
fn functions_of_parts_add_up_to_those_of_the_whole() {
    let recording = job(&varied(200));
    let options = options(ModelKind::Regress);
    let of = CallTreeOptions::default();
    let half = |window: &energy_prof::model::Window| window.index / 100;
    let ((_, whole), parts) = call_trees_in_parts(&recording, &options, &of, &half).unwrap();
    for name in ["cheap", "dear", "memmove"] {
        let of_parts: Microjoules =
            parts.values().map(|(_, tree)| row(tree, name).own.energy).sum();
        assert_eq!(of_parts, row(&whole, name).own.energy, "{name}");
    }
    let cut = Some(Nanoseconds::from_millis(10_000));
    let first = AnalyzeOptions { to: cut, ..options.clone() };
    let second = AnalyzeOptions { from: cut, ..options.clone() };
    let energy = |options: &AnalyzeOptions| {
        analyze(&recording, options).unwrap().threads[&ThreadId(2)].charges[&PACKAGE].energy
    };
    assert_eq!(energy(&first) + energy(&second), energy(&options));
}

#[test]
fn watts_of_functions_that_last_are_not_pushed_apart_by_a_library_that_all_call_by_chance() {
    // Threads stay in functions for different times, too, each in its own.
    let code = Some(Code { hertz: 99.0, ratio: 3.0, phases: (0.03, 3.0) });
    let scenario = Scenario { code, programs: Some(2), ..Scenario::new(Loads::Ordinary, 2.0, 60) };
    let mut ratios: Vec<f64> = Vec::new();
    let mut errors: Vec<f64> = Vec::new();
    for seed in 0..4 {
        let simulated = simulate(seed, scenario);
        let given = [(PACKAGE, simulated.idle)].into();
        let options = AnalyzeOptions { given, ..options(ModelKind::Regress) };
        let of = CallTreeOptions::default();
        let (profile, tree) = profile_and_call_tree(&simulated.recording, &options, &of).unwrap();
        let functions = functions(&profile);
        let power = |name: &String| Some(functions.get(name)?.power.get());
        for [(cheap, _), (dear, joules)] in simulated.functions.as_chunks::<2>().0 {
            ratios.extend(power(cheap).zip(power(dear)).map(|(cheap, dear)| dear / cheap));
            if power(dear).is_some() {
                errors.push((total(&tree, dear) / joules - 1.0).abs());
            }
        }
    }
    for middle in [&mut ratios, &mut errors] {
        middle.sort_by(f64::total_cmp);
    }
    assert!(ratios.len() > 5, "{ratios:?}");
    assert_near(ratios[ratios.len() / 2], 3.0, 0.03);
    assert!(errors[errors.len() / 2] < 0.015, "{errors:?}");
}

#[test]
fn the_same_recording_gives_the_same_functions_in_whatever_batches_it_is_read() {
    let code = Some(Code { hertz: 99.0, ratio: 3.0, phases: (0.03, 1.0) });
    let scenario = Scenario { code, ..Scenario::new(Loads::Ordinary, 2.0, 20) };
    let mut recording = simulate(3, scenario).recording;
    let expected = regress(&recording);
    for batch in [1, 7, 100_000] {
        recording.batch = batch;
        assert_eq!(regress(&recording), expected);
    }
}

#[test]
fn a_program_of_very_many_functions_has_a_bounded_number_of_them() {
    let mut recording = InMemory::new(1);
    recording.thread(2, leader(100, 1, "job"));
    for stack in 0..400 {
        recording.stack(stack, vec![user(&format!("f{stack}"), "job", None)]);
    }
    for window in 0..300_u32 {
        let energy = 100 * IDLE + 1000;
        recording.window(100, &[(PACKAGE, Some((energy, 10)))], &[(2, 0, 100)]);
        for place in 0..10 {
            // Fifty functions have a tenth of the time between them, the others are rarer.
            let stack = if place == 0 { window % 350 + 50 } else { (window + 7 * place) % 50 };
            recording.sampled(&[(2, stack, 10, 10)]);
        }
    }
    let functions = functions(&regress(&recording).0);
    assert!((50..=65).contains(&functions.len()), "{}", functions.len());
    assert!(functions.contains_key("all others"));
}

#[test]
fn the_kernels_functions_are_told_by_who_called_them() {
    let mut recording = job(&[]);
    let stacks = ["cheap", "dear"].map(|function| {
        vec![user("main", "job", None), user(function, "job", None), kernel("clear_page")]
    });
    for (id, stack) in (5..).zip(stacks) {
        recording.stack(id, stack);
    }
    for window in 0..200_u64 {
        let dear = window % 5 * 25;
        let energy = 100 * IDLE + 10 * (100 - dear) + 30 * dear;
        recording.window(100, &[(PACKAGE, Some((energy, 10)))], &[(2, 0, 100)]);
        for (stack, time) in [(5, 100 - dear), (6, dear)] {
            if time > 0 {
                recording.sampled(&[(2, stack, time, u32::try_from(time).unwrap())]);
            }
        }
    }
    let functions = functions(&regress(&recording).0);
    assert_near(functions["clear_page (from cheap)"].power.get(), 10.0, 0.05);
    assert_near(functions["clear_page (from dear)"].power.get(), 30.0, 0.05);
}

/// Two functions at one and three times the watts: within 5 % in the mean at 997 Hz, and better than time share
/// at 99. Where phases are as short as the time between samples, watts are found all the same.
#[test]
fn functions_of_simulated_machines_are_divided_as_the_truth_is() {
    let ordinary = (0.03, 3.0);
    for (hertz, phases, most) in
        [(997.0, ordinary, 0.03), (99.0, ordinary, 0.06), (99.0, (0.005, 0.02), 0.25)]
    {
        let code = Some(Code { hertz, ratio: 3.0, phases });
        let scenario = Scenario { code, ..Scenario::new(Loads::Ordinary, 2.0, 30) };
        let mut errors: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut held = Vec::new();
        for seed in 0..6 {
            let simulated = simulate(seed, scenario);
            let all: f64 = simulated.truth.iter().map(|(_, joules)| joules).sum();
            for model in [ModelKind::Time, ModelKind::Regress] {
                let given = [(PACKAGE, simulated.idle)].into();
                let options = AnalyzeOptions { model, given, ..AnalyzeOptions::default() };
                let of = CallTreeOptions::default();
                let (_, tree) = profile_and_call_tree(&simulated.recording, &options, &of).unwrap();
                let large = simulated.functions.iter().filter(|(_, it)| it / all > 0.05);
                for (name, joules) in large {
                    let found = row(&tree, name).total;
                    let off = (found.energy.joules().get() - joules).abs();
                    errors.entry(model.name()).or_default().push(off / joules);
                    if model == ModelKind::Regress {
                        held.push(off <= 2.0 * found.error.half_width_95().get());
                    }
                }
            }
        }
        let mean = |model| {
            let errors: &Vec<f64> = &errors[model];
            errors.iter().sum::<f64>() / f64::from(u32::try_from(errors.len()).unwrap())
        };
        assert!(mean("regress") < most, "{} at {hertz} Hz", mean("regress"));
        assert!(mean("time") > 0.15, "{} at {hertz} Hz", mean("time"));
        // With short phases intervals are too narrow, as docs/benchmarks.md says.
        let least = if phases == ordinary { 9 } else { 7 };
        let count = held.iter().filter(|held| **held).count();
        assert!(count * 10 >= held.len() * least, "{held:?} at {hertz} Hz");
    }
}

proptest! {
    #[test]
    fn what_functions_get_is_what_threads_are_charged_with_whatever_was_sampled(
        windows in prop::collection::vec(
            (
                1..300u64,
                prop::option::weighted(0.9, (0..100_000u64, 0..1000u64)),
                prop::collection::vec((0..6u32, 0..4u16, 0..200u64), 0..6),
                prop::collection::vec((2..6u32, 0..9u32, 0..90u64, 1..9u32), 0..8),
            ),
            1..60,
        ),
        idle in prop::option::of(0.0..50.0f64),
    ) {
        let mut recording = InMemory::new(4);
        for (thread, name) in [(2, "a"), (3, "b"), (4, "a")] {
            recording.thread(thread, leader(100 * thread, 1, name));
        }
        for stack in 0..8 {
            let own = user(&format!("f{}", stack % 3), "a", None);
            let library = user(&format!("g{}", stack % 2), "libc.so.6", None);
            recording.stack(stack, if stack < 4 { vec![own] } else { vec![own, library] });
        }
        for (milliseconds, energy, ran, sampled) in &windows {
            recording.window(*milliseconds, &[(PACKAGE, *energy)], ran).sampled(sampled);
        }
        prop_assume!(!recording.samples.is_empty());
        for policy in IdlePolicy::ALL {
            let options = AnalyzeOptions {
                model: ModelKind::Regress,
                idle: policy,
                given: idle.map(|watts| (PACKAGE, Watts::new(watts))).into_iter().collect(),
                ..AnalyzeOptions::default()
            };
            let of = CallTreeOptions::default();
            let (profile, tree) = profile_and_call_tree(&recording, &options, &of).unwrap();
            prop_assert!(profile.domains[&PACKAGE].ledger.closes());
            for (thread, account) in &profile.threads {
                let charged: Microjoules =
                    account.charges.values().map(|charge| charge.energy).sum();
                let shares = tree.shares.iter().filter(|share| share.thread == *thread);
                let of_code: Microjoules = shares.map(|share| share.energy).sum();
                prop_assert_eq!(of_code, charged);
            }
            for row in tree.rows(CodeUnit::Function) {
                for figures in [row.own, row.total] {
                    prop_assert!(figures.error.deviation().get().is_finite());
                }
            }
        }
    }
}
