//! Where in the programs the energy went: the tree adds up to what its threads are charged with.

use energy_prof::analyze::{
    AnalyzeError, AnalyzeOptions, CallTreeOptions, analyze, call_tree, profile_and_call_tree,
};
use energy_prof::model::{StackId, ThreadId};
use energy_prof::profile::{
    CallTree, CodeUnit, CodeViewOptions, CutShort, FindFunctionError, NodeKind, Roots, RowKind,
    Scope, SortBy, ThreadFilter, ViewOptions,
};
use energy_prof::units::{Microjoules, Nanoseconds};
use proptest::prelude::*;

use crate::support::in_memory::{InMemory, build};
use crate::support::sampled::{one_thread, sampled_build, user};

const MJ: u64 = 1000;

fn tree_of(recording: &InMemory, of: &CallTreeOptions) -> CallTree {
    call_tree(recording, &AnalyzeOptions::default(), of).unwrap()
}

fn chosen(filter: ThreadFilter) -> CallTreeOptions {
    CallTreeOptions { filter, ..CallTreeOptions::default() }
}

/// Every node that has energy: depth, name, and its own and total energy in mJ.
fn outline(tree: &CallTree) -> Vec<(usize, &str, u64, u64)> {
    let totals = tree.total();
    let depth = |mut node: usize| {
        let mut depth = 0;
        while let Some(parent) = tree.nodes[node].parent {
            assert!(parent < node, "parents come first");
            (node, depth) = (parent, depth + 1);
        }
        depth
    };
    (0..tree.nodes.len())
        .map(|node| {
            let own = tree.nodes[node].self_energy.get() / MJ;
            (depth(node), tree.frame(node).name.as_str(), own, totals[node].get() / MJ)
        })
        .collect()
}

/// Each function's own and total energy in mJ.
fn functions(tree: &CallTree) -> Vec<(String, u64, u64)> {
    let rows = tree.rows(CodeUnit::Function).into_iter();
    let energies = |row: energy_prof::profile::CodeRow| {
        (row.frame.name, row.own.energy.get() / MJ, row.total.energy.get() / MJ)
    };
    rows.map(energies).collect()
}

fn named<T: Clone>(rows: &[(&str, T, T)]) -> Vec<(String, T, T)> {
    rows.iter().map(|(name, own, total)| ((*name).to_owned(), own.clone(), total.clone())).collect()
}

#[test]
fn stacks_that_do_not_reach_their_threads_beginning_are_cut_short() {
    use crate::support::call_tree::{frame, tree};
    let user = |name: &str| frame(name, NodeKind::User, "/bin/make", "");
    let process = |name: &str, pid| frame(name, NodeKind::Process { pid }, "", "");
    let tree = tree(&[
        (1, process("make (pid 12)", 12), 0),
        (2, user("_start"), 0),
        (3, user("main"), 10),
        (2, user("parse"), 5),
        (3, user("lex"), 20),
        (2, frame("make+0x1200", NodeKind::User, "/bin/make", ""), 40),
        (3, user("called"), 80),
        (2, frame("[unknown]", NodeKind::User, "", ""), 0),
        (3, user("astray"), 160),
        (2, frame("schedule", NodeKind::Kernel, "[kernel]", ""), 320),
        (2, frame("[unsampled]", NodeKind::Unsampled, "", ""), 640),
        (1, process("make (pid 13)", 13), 0),
        (2, frame("jitted", NodeKind::Jit, "", ""), 1000),
        (1, process("go (pid 14)", 14), 0),
        (2, frame("runtime.goexit.abi0", NodeKind::User, "/bin/go", ""), 2000),
    ]);
    let made = CutShort {
        name: "make".to_owned(),
        energy: Microjoules::new(10 + 5 + 20 + 40 + 80 + 160 + 1000),
        cut: Microjoules::new(5 + 20 + 40 + 160 + 1000),
    };
    assert_eq!(tree.cut_short(), [made]);
}

#[test]
fn a_builds_energy_is_where_its_stacks_were() {
    assert_eq!(
        outline(&tree_of(&sampled_build(), &CallTreeOptions::default())),
        [
            (0, "all", 0, 35_200),
            (1, "make (pid 100)", 0, 2_200),
            (2, "[unsampled]", 2_200, 2_200),
            (1, "cc1 (pid 101)", 0, 22_000),
            (2, "main", 0, 15_400),
            (3, "parse", 11_000, 11_000),
            (2, "main", 0, 6_600),
            (3, "fold", 0, 6_600),
            (4, "fold", 0, 6_600),
            (5, "hash", 6_600, 6_600),
            (3, "parse", 0, 4_400),
            (4, "page_fault", 0, 4_400),
            (5, "clear_page", 4_400, 4_400),
            (1, "cc1 (pid 102)", 0, 11_000),
            (2, "main", 0, 11_000),
            (3, "parse", 11_000, 11_000),
        ]
    );
}

#[test]
fn the_root_is_what_the_targets_are_charged_with() {
    let recording = sampled_build();
    let (profile, tree) =
        profile_and_call_tree(&recording, &AnalyzeOptions::default(), &CallTreeOptions::default())
            .unwrap();
    let targets = profile.view(&ViewOptions::default(), &|_| None).targets.unwrap();
    assert_eq!(tree.energy(), targets.0);
    assert_eq!(tree.total()[0], targets.0);
    assert_eq!(analyze(&recording, &AnalyzeOptions::default()).unwrap(), profile);
    let samples: u64 = tree.nodes.iter().map(|node| node.samples).sum();
    assert_eq!((samples, tree.samples()), (500, (500, 2)));
    let oncpu: Nanoseconds = tree.nodes.iter().map(|node| node.self_oncpu).sum();
    assert_eq!(oncpu, Nanoseconds::from_millis(5000));
}

#[test]
fn moments_are_the_shares_by_window() {
    let of = CallTreeOptions { timed: true, ..CallTreeOptions::default() };
    let recording = sampled_build();
    let tree = tree_of(&recording, &of);
    assert!(tree.moments.is_sorted() && tree.moments.len() > tree.shares.len());
    let mut sums = vec![(0, 0); tree.shares.len()];
    for moment in &tree.moments {
        assert!(recording.windows.iter().any(|window| window.index == moment.window));
        let (energy, oncpu) = &mut sums[moment.share];
        *energy += moment.energy.get();
        *oncpu += moment.oncpu.get();
    }
    let shares = tree.shares.iter().map(|share| (share.energy.get(), share.oncpu.get()));
    assert_eq!(sums, shares.collect::<Vec<_>>());
    assert_eq!(
        CallTree { moments: Vec::new(), ..tree },
        tree_of(&recording, &CallTreeOptions::default())
    );
}

#[test]
fn threads_have_nodes_of_their_own_where_they_are_asked_for() {
    let of = CallTreeOptions { roots: Roots::Threads, ..CallTreeOptions::default() };
    let tree = tree_of(&sampled_build(), &of);
    let kinds: Vec<NodeKind> = (0..3).map(|node| tree.frame(node).kind).collect();
    assert_eq!(
        kinds,
        [NodeKind::All, NodeKind::Process { pid: 100 }, NodeKind::Thread { tid: 100 }]
    );
    assert_eq!(
        outline(&tree)[1..4],
        [(1, "make (pid 100)", 0, 2_200), (2, "make", 0, 2_200), (3, "[unsampled]", 2_200, 2_200),]
    );
}

#[test]
fn cgroups_stand_above_their_processes_where_they_are_asked_for() {
    let of = CallTreeOptions { roots: Roots::Cgroups, ..CallTreeOptions::default() };
    let mut recording = sampled_build();
    for thread in recording.threads.values_mut() {
        thread.cgroup = Some("/system.slice/ci.service".to_owned());
    }
    let tree = tree_of(&recording, &of);
    let kinds: Vec<NodeKind> = (0..3).map(|node| tree.frame(node).kind).collect();
    assert_eq!(kinds, [NodeKind::All, NodeKind::Cgroup, NodeKind::Process { pid: 100 }]);
    let whole = tree_of(&sampled_build(), &CallTreeOptions::default()).energy().get() / MJ;
    assert_eq!(outline(&tree)[1], (1, "ci.service", 0, whole));
    let (processes, unnamed): (Vec<_>, Vec<_>) =
        outline(&tree).into_iter().filter(|row| row.0 == 2).partition(|row| row.1.contains("pid"));
    assert!(processes.len() > 1 && unnamed.is_empty(), "{processes:?} {unnamed:?}");
}

#[test]
fn samples_in_any_order_within_a_window_make_the_same_tree() {
    let recording = sampled_build();
    let mut shuffled = recording.clone();
    shuffled.samples.sort_by_key(|sample| (sample.window, std::cmp::Reverse(sample.thread)));
    shuffled.batch = 4;
    let of = CallTreeOptions::default();
    assert_eq!(tree_of(&recording, &of), tree_of(&shuffled, &of));
}

#[test]
fn functions_have_an_energy_of_their_own_and_a_total() {
    let tree = tree_of(&sampled_build(), &CallTreeOptions::default());
    let expected = [
        ("parse", 22_000, 26_400),
        ("hash", 6_600, 6_600),
        ("clear_page", 4_400, 4_400),
        ("[unsampled]", 2_200, 2_200),
        ("main", 0, 33_000),
        ("fold", 0, 6_600),
        ("page_fault", 0, 4_400),
    ];
    assert_eq!(functions(&tree), named(&expected), "fold calls itself and counts once");
    let kinds = tree.rows(CodeUnit::Function).into_iter().map(|row| row.frame.kind);
    assert_eq!(
        kinds.take(3).collect::<Vec<_>>(),
        [NodeKind::User, NodeKind::Inlined, NodeKind::Kernel]
    );
}

#[test]
fn lines_of_a_function_are_told_apart() {
    let tree = tree_of(&sampled_build(), &CallTreeOptions::default());
    let rows = tree.rows(CodeUnit::Line).into_iter();
    let parse: Vec<_> = rows
        .filter(|row| row.frame.name == "parse")
        .map(|row| {
            (row.frame.line.unwrap(), row.own.energy.get() / MJ, row.total.energy.get() / MJ)
        })
        .collect();
    assert_eq!(parse, [(7, 11_000, 11_000), (9, 11_000, 11_000), (8, 0, 4_400)]);
}

#[test]
fn a_function_of_two_objects_is_two_functions_and_inlined_or_not_is_one() {
    let mut recording = one_thread(&[(100, &[(1, 1), (2, 1), (3, 2)])]);
    recording.stacks.clear();
    let inlined = |file, line| energy_prof::model::Frame {
        kind: energy_prof::model::FrameKind::Inlined,
        ..user("copy", "job", Some((file, line)))
    };
    recording
        .stack(1, vec![inlined("copy.h", 1)])
        .stack(2, vec![user("copy", "job", Some(("copy.h", 2)))])
        .stack(3, vec![user("copy", "libc.so.6", None)]);
    let tree = tree_of(&recording, &CallTreeOptions::default());
    let rows = tree.rows(CodeUnit::Function);
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.frame.module.as_deref().unwrap(), row.frame.kind, row.own.energy.get()))
        .collect();
    assert_eq!(
        found,
        [
            ("/usr/bin/job", NodeKind::User, 500_000),
            ("/usr/bin/libc.so.6", NodeKind::User, 500_000)
        ]
    );
}

#[test]
fn callers_and_callees_add_up_to_a_functions_total() {
    let tree = tree_of(&sampled_build(), &CallTreeOptions::default());
    let neighbours = |name: &str| {
        let around = tree.neighbourhood(name).unwrap();
        let named = |of: Vec<(Option<energy_prof::profile::FunctionFrame>, _)>| -> Vec<_> {
            let name = |(frame, figures): (Option<_>, energy_prof::profile::Figures)| {
                let frame: Option<energy_prof::profile::FunctionFrame> = frame;
                (frame.map(|frame| frame.name).unwrap_or_default(), figures.energy.get() / MJ)
            };
            of.into_iter().map(name).collect()
        };
        let total: u64 = around.function.total.energy.get() / MJ;
        let (callers, callees) = (named(around.callers), named(around.callees));
        assert_eq!(callers.iter().map(|(_, energy)| energy).sum::<u64>(), total);
        assert_eq!(callees.iter().map(|(_, energy)| energy).sum::<u64>(), total);
        (callers, callees)
    };
    let of = |name: &str, energy: u64| (name.to_owned(), energy);
    assert_eq!(
        neighbours("parse"),
        (vec![of("main", 26_400)], vec![of("", 22_000), of("page_fault", 4_400)])
    );
    assert_eq!(neighbours("fold"), (vec![of("main", 6_600)], vec![of("hash", 6_600)]));
    assert_eq!(
        neighbours("main"),
        (vec![of("", 33_000)], vec![of("parse", 26_400), of("fold", 6_600)])
    );
}

#[test]
fn a_function_is_found_by_a_part_of_its_name_if_no_other_has_it() {
    let tree = tree_of(&sampled_build(), &CallTreeOptions::default());
    assert_eq!(tree.neighbourhood("pars").unwrap().function.frame.name, "parse");
    assert_eq!(
        tree.neighbourhood("pa").unwrap_err().to_string(),
        "3 functions have \"pa\" in their name: give one of them whole, clear_page, page_fault, parse"
    );
    assert!(matches!(tree.neighbourhood("nowhere"), Err(FindFunctionError::Unknown { .. })));
}

#[test]
fn a_share_of_samples_is_as_sure_as_their_number() {
    // 1 J in each of ten windows; half of ten samples: sqrt(0.5 × (0.5 + 0.1) / 10) = 17.3 % of 10 J.
    // The counter itself is sure to 1 µJ a window.
    let halves: (u64, &[(u32, u64)]) = (100, &[(1, 10)]);
    let other: (u64, &[(u32, u64)]) = (100, &[(2, 10)]);
    let windows: Vec<_> = (0..10).map(|n| if n % 2 == 0 { halves } else { other }).collect();
    let tree = tree_of(&one_thread(&windows), &CallTreeOptions::default());
    let rows = tree.rows(CodeUnit::Function);
    assert_eq!(rows[0].own.energy.get(), 5_000_000);
    let error = rows[0].own.error.deviation().get();
    assert!((error - 1.732).abs() < 0.001, "{error}");
    let process = tree.total_figures()[1];
    assert!(process.error.deviation().get() < 1e-5, "what a process used is not sampled");
}

/// The worked example of docs/attribution.md.
#[test]
fn the_worked_example_comes_out_as_written() {
    let mut recording = one_thread(&[(100, &[])]);
    recording.stacks.clear();
    let function = |name| user(name, "job", None);
    recording
        .stack(1, vec![function("a"), function("b")])
        .stack(2, vec![function("a")])
        .stack(3, vec![function("c")])
        .sampled(&[(2, 1, 20, 2), (2, 2, 50, 5), (2, 3, 30, 3)]);
    let tree = tree_of(&recording, &CallTreeOptions::default());
    assert_eq!(functions(&tree), named(&[("a", 500, 700), ("c", 300, 300), ("b", 200, 200)]));
    let a = tree.rows(CodeUnit::Function).into_iter().next().unwrap();
    assert!((a.total.error.half_width_95().get() - 0.328).abs() < 0.001);
}

#[test]
fn threads_are_chosen_by_process_thread_and_name() {
    let recording = sampled_build();
    let energy = |filter: ThreadFilter| tree_of(&recording, &chosen(filter)).energy().get() / MJ;
    assert_eq!(energy(ThreadFilter { pids: vec![101], ..ThreadFilter::default() }), 22_000);
    assert_eq!(energy(ThreadFilter { tids: vec![102], ..ThreadFilter::default() }), 11_000);
    let cc1 = vec!["cc1".to_owned()];
    assert_eq!(energy(ThreadFilter { comms: cc1.clone(), ..ThreadFilter::default() }), 33_000);
    let both = ThreadFilter { comms: cc1, pids: vec![102, 80], ..ThreadFilter::default() };
    assert_eq!(energy(both), 11_000);
    assert_eq!(energy(ThreadFilter { scope: Scope::All, ..ThreadFilter::default() }), 40_700);
    let nobody = chosen(ThreadFilter { pids: vec![7], ..ThreadFilter::default() });
    let error = call_tree(&recording, &AnalyzeOptions::default(), &nobody).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot show functions of pid 7: no such thread was recorded; \
         `energy-prof report --by thread --all` lists those that were"
    );
}

#[test]
fn a_part_of_the_time_has_its_own_tree() {
    let options = AnalyzeOptions {
        from: Some(Nanoseconds::from_millis(2000)),
        to: Some(Nanoseconds::from_millis(3000)),
        ..AnalyzeOptions::default()
    };
    let tree = call_tree(&sampled_build(), &options, &CallTreeOptions::default()).unwrap();
    // Neither make nor the second compiler is sampled in that second.
    let expected = [
        ("[unsampled]", 3_300, 3_300),
        ("parse", 2_750, 3_850),
        ("hash", 1_650, 1_650),
        ("clear_page", 1_100, 1_100),
    ];
    assert_eq!(functions(&tree)[..4], named(&expected));
}

#[test]
fn stacks_the_recording_does_not_tell_are_unknown() {
    let mut recording = sampled_build();
    recording.stacks.retain(|(stack, _)| *stack != StackId(2));
    let tree = tree_of(&recording, &CallTreeOptions::default());
    assert_eq!(tree.frameless.get() / MJ, 6_600);
    assert!(functions(&tree).contains(&("[unknown]".to_owned(), 6_600, 6_600)));
}

#[test]
fn of_a_stack_told_twice_the_last_holds() {
    let mut recording = sampled_build();
    recording.stack(2, vec![user("better", "cc1", None)]);
    let tree = tree_of(&recording, &CallTreeOptions::default());
    assert!(functions(&tree).contains(&("better".to_owned(), 6_600, 6_600)));
}

#[test]
fn samples_of_threads_that_are_charged_nothing_are_counted() {
    let mut recording = sampled_build();
    for sample in &mut recording.energy {
        sample.energy = None;
    }
    let tree = tree_of(&recording, &CallTreeOptions::default());
    assert_eq!((tree.energy().get(), tree.samples()), (0, (500, 2)));
}

#[test]
fn a_recording_without_stacks_says_how_to_get_them() {
    let of = CallTreeOptions::default();
    let error = call_tree(&build(), &AnalyzeOptions::default(), &of).unwrap_err();
    assert!(matches!(error, AnalyzeError::NoStacks));
    assert!(error.to_string().contains("without --no-stacks"), "{error}");
}

#[test]
fn samples_out_of_the_windows_order_are_refused() {
    let mut recording = sampled_build();
    recording.samples.reverse();
    let of = CallTreeOptions::default();
    let error = call_tree(&recording, &AnalyzeOptions::default(), &of).unwrap_err();
    assert!(matches!(error, AnalyzeError::OutOfOrder { table: "samples", .. }), "{error}");
}

#[test]
fn the_rows_of_a_report_on_code_add_up_to_what_was_measured() {
    let recording = sampled_build();
    let by_pid = ThreadFilter { pids: vec![101], ..ThreadFilter::default() };
    let all = ThreadFilter { scope: Scope::All, ..ThreadFilter::default() };
    for filter in [ThreadFilter::default(), by_pid, all] {
        let of = chosen(filter);
        let (profile, tree) =
            profile_and_call_tree(&recording, &AnalyzeOptions::default(), &of).unwrap();
        for unit in CodeUnit::ALL {
            for top in [None, Some(0), Some(2)] {
                let options = CodeViewOptions { unit, sort: SortBy::Total, top };
                let view = profile.code_view(&tree, &of.filter, options);
                let sum: u64 = view.rows.iter().map(|row| row.own.get()).sum();
                assert_eq!(sum, profile.total().measured.get(), "{unit:?} {top:?}");
                let unsampled = view.rows.iter().find(|row| row.kind == RowKind::Unsampled);
                assert_eq!(unsampled.map_or(0, |row| row.own.get()), tree.unsampled().get());
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_was_sampled_the_tree_adds_up(
        windows in prop::collection::vec(
            (0..=100u64, prop::collection::vec((1..=4u32, 0..1000u64), 0..4)), 1..40,
        ),
    ) {
        let windows: Vec<(u64, &[(u32, u64)])> =
            windows.iter().map(|(ran, stacks)| (*ran, stacks.as_slice())).collect();
        let recording = one_thread(&windows);
        let (options, of) = (AnalyzeOptions::default(), CallTreeOptions::default());
        let Ok((profile, tree)) = profile_and_call_tree(&recording, &options, &of) else {
            prop_assume!(windows.iter().all(|(_, stacks)| stacks.is_empty()));
            return Ok(());
        };
        prop_assert_eq!(tree.energy(), profile.total().attributed);
        prop_assert_eq!(tree.total()[0], tree.energy());
        let of_thread: u64 = tree
            .shares
            .iter()
            .filter(|share| share.thread == ThreadId(2))
            .map(|share| share.energy.get())
            .sum();
        prop_assert_eq!(of_thread, tree.energy().get());
        let rows = tree.rows(CodeUnit::Function);
        prop_assert_eq!(rows.iter().map(|row| row.own.energy.get()).sum::<u64>(), of_thread);
        for row in rows {
            prop_assert!(row.total.energy >= row.own.energy);
            prop_assert!(row.total.energy <= tree.energy());
        }
    }
}
