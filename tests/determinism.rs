//! The same trace gives the same result, bit for bit, on however many CPUs its threads are worked on.

use std::path::Path;

use energy_prof::analyze::{AnalyzeOptions, CallTreeOptions, analyze, profile_and_call_tree};
use energy_prof::attribution::{IdlePolicy, ModelKind};
use energy_prof::model::{StackId, StackSample};
use energy_prof::profile::{CallTree, Profile};
use energy_prof::trace::TraceReader;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::in_memory::InMemory;
use crate::support::on_disk;
use crate::support::outcome::Outcome;
use crate::support::simulated_code::Code;
use crate::support::simulated_load::{Loads, Scenario, simulate};
use crate::support::skip::skip;

/// Some programs with functions, sampled so often that adding up is a thread's work of its own.
fn recording() -> InMemory {
    let code = Some(Code { hertz: 997.0, ratio: 3.0, phases: (0.03, 1.0) });
    let scenario = Scenario { code, ..Scenario::new(Loads::Ordinary, 2.0, 20) };
    let mut recording = simulate(9, scenario).recording;
    // The same samples again at many stacks, so that there are enough.
    let samples = std::mem::take(&mut recording.samples);
    let copies = 300_000 / samples.len() + 1;
    let copy = |sample: &StackSample, number: usize| {
        let number = u32::try_from(number).unwrap();
        StackSample { stack: StackId(sample.stack.0 + 4 * number), ..*sample }
    };
    recording.samples =
        samples.iter().flat_map(|sample| (0..copies).map(move |n| copy(sample, n))).collect();
    recording
}

/// What `work` gives on these CPUs. Threads and programs that it starts stay there, too.
fn on<T: Send>(cpus: &[usize], work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let pinned = scope.spawn(|| {
            let mut set = CpuSet::new();
            for cpu in cpus {
                set.set(*cpu).unwrap();
            }
            sched_setaffinity(Pid::from_raw(0), &set).unwrap();
            work()
        });
        pinned.join().unwrap()
    })
}

/// Two CPUs that this test may use, if there are two.
fn two_cpus() -> Option<[usize; 2]> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let mut cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap());
    Some([cpus.next()?, cpus.next()?])
}

fn options(model: ModelKind) -> AnalyzeOptions {
    AnalyzeOptions { model, idle: IdlePolicy::Proportional, ..AnalyzeOptions::default() }
}

fn analyzed(trace: &Path, model: ModelKind) -> (Profile, CallTree) {
    let trace = TraceReader::open(trace).unwrap();
    let of = CallTreeOptions { timed: true, ..CallTreeOptions::default() };
    profile_and_call_tree(&trace, &options(model), &of).unwrap()
}

#[test]
fn profiles_are_the_same_whether_windows_are_added_up_one_by_one_or_shared_out() {
    let place = Place::new();
    on_disk::write(&recording(), &place.trace());
    let Some(cpus) = two_cpus() else { return skip("needs two CPUs") };
    for model in [ModelKind::Time, ModelKind::Regress] {
        let (one_by_one, _) = analyzed(&place.trace(), model);
        let profile = || {
            let trace = TraceReader::open(&place.trace()).unwrap();
            analyze(&trace, &options(model)).unwrap()
        };
        for cpus in [&cpus[..1], &cpus] {
            assert!(on(cpus, profile) == one_by_one, "{model:?} on {cpus:?}");
        }
    }
}

#[test]
fn profiles_and_call_trees_are_the_same_on_one_cpu_and_on_two() {
    let place = Place::new();
    on_disk::write(&recording(), &place.trace());
    let Some(cpus) = two_cpus() else { return skip("needs two CPUs") };
    for model in [ModelKind::Time, ModelKind::Regress] {
        let one = on(&cpus[..1], || analyzed(&place.trace(), model));
        let two = on(&cpus, || analyzed(&place.trace(), model));
        assert!(one.1.moments.len() > 2 << 17, "{} are added up on a thread", one.1.moments.len());
        assert!(one == two, "{model:?}");
        // And both at once, as when several reports are asked for.
        let [first, second] = std::thread::scope(|scope| {
            let start = || scope.spawn(|| analyzed(&place.trace(), model));
            [start(), start()].map(|started| started.join().unwrap())
        });
        assert!(first == one && second == one, "{model:?}");
    }
}

#[test]
fn what_is_printed_and_stored_is_the_same_on_one_cpu_and_on_two() {
    let place = Place::new();
    on_disk::write(&recording(), &place.trace());
    let Some(cpus) = two_cpus() else { return skip("needs two CPUs") };
    let trace = place.trace();
    let shown = |arguments: &[&str]| {
        let mut command = energy_prof();
        command.arg(arguments[0]).arg(&trace).args(&arguments[1..]);
        Outcome::of(&mut command).succeeded().stdout
    };
    let stored = || {
        shown(&["attribute", "--model", "regress"]);
        std::fs::read(trace.join("attributed.parquet")).unwrap()
    };
    for arguments in [
        &["report", "--by", "function", "--model", "regress", "--json"][..],
        &["report", "--compare-models", "--json"],
        &["export", "--model", "regress", "--format", "folded", "-o", "-"],
    ] {
        let [one, two] = [&cpus[..1], &cpus[..]].map(|cpus| on(cpus, || shown(arguments)));
        assert!(!one.is_empty() && one == two, "{arguments:?}");
    }
    assert_eq!(on(&cpus[..1], stored), on(&cpus, stored));
}
