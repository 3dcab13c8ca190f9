//! Time beside a busy sibling of the same core, through a whole recording.

use energy_prof::analyze::{AnalyzeError, AnalyzeOptions, analyze};
use energy_prof::attribution::{ModelKind, SmtFactor};
use energy_prof::model::ThreadId;
use energy_prof::profile::{GroupBy, Profile};
use energy_prof::report::{ReportOptions, json, text};
use energy_prof::units::{Nanoseconds, Watts};

use crate::support::in_memory::{InMemory, PACKAGE, leader};
use crate::support::simulated_cores::Placement;
use crate::support::simulated_load::{Loads, Scenario, Simulated, simulate};

/// Four CPUs of two cores. Two programs share one, a third has the other alone; a core draws 10 W with one busy
/// thread and 11.5 W with two.
fn shared_and_alone() -> InMemory {
    let mut recording = InMemory::new(4);
    for (cpu, place) in &mut recording.topology.cpus {
        place.core = cpu % 2;
    }
    for (thread, name) in [(2, "one"), (3, "other"), (4, "alone")] {
        recording.thread(thread, leader(10 * thread, 1, name));
    }
    for _ in 0..4 {
        let ran = [(2, 0, 1000), (3, 2, 1000), (4, 1, 1000)];
        recording.window(1000, &[(PACKAGE, Some((25_500, 10)))], &ran);
    }
    recording
}

fn by(recording: &InMemory, model: ModelKind, smt: Option<&str>) -> Result<Profile, AnalyzeError> {
    let smt = smt.map(|factor| factor.parse().unwrap());
    let given = [(PACKAGE, Watts::new(4.0))].into();
    analyze(recording, &AnalyzeOptions { model, smt, given, ..AnalyzeOptions::default() })
}

fn joules(profile: &Profile, thread: u32) -> f64 {
    profile.threads[&ThreadId(thread)].charges[&PACKAGE].energy.joules().get()
}

#[test]
fn threads_on_one_core_pay_for_what_it_draws_and_not_for_two() {
    let recording = shared_and_alone();
    let time = by(&recording, ModelKind::Time, None).unwrap();
    assert!((joules(&time, 4) - 4.0 * 21.5 / 3.0).abs() < 0.001, "{}", joules(&time, 4));
    for model in [ModelKind::Time, ModelKind::Regress] {
        let profile = by(&recording, model, Some("0.575")).unwrap();
        for (thread, watts) in [(2, 5.75), (3, 5.75), (4, 10.0)] {
            let found = joules(&profile, thread);
            assert!((found - 4.0 * watts).abs() < 0.001, "{thread}: {found} J");
        }
        assert!(profile.total().closes());
        let oncpu = profile.threads[&ThreadId(2)].oncpu;
        assert_eq!(oncpu, Nanoseconds::from_millis(4_000), "CPU time stays what it was");
    }
}

#[test]
fn a_factor_of_one_changes_nothing() {
    let recording = shared_and_alone();
    let plain = by(&recording, ModelKind::Time, None).unwrap();
    let one = by(&recording, ModelKind::Time, Some("1")).unwrap();
    assert_eq!(plain.threads, one.threads);
}

#[test]
fn a_factor_that_would_do_nothing_or_twice_is_refused() {
    let mut recording = shared_and_alone();
    recording.counted(&[(2, 0, Some(1), None)]);
    let error = by(&recording, ModelKind::Cycles, Some("0.6")).unwrap_err();
    assert!(matches!(error, AnalyzeError::CyclesKnowSiblings), "{error}");
    let error = by(&InMemory::new(1), ModelKind::Time, Some("0.6")).unwrap_err();
    assert!(matches!(error, AnalyzeError::NoWindows { .. }), "{error}");
    for (cpu, place) in &mut recording.topology.cpus {
        place.core = *cpu;
    }
    let error = by(&recording, ModelKind::Time, Some("0.6")).unwrap_err();
    assert!(error.to_string().contains("no two CPUs share a core; leave --smt out"), "{error}");
}

#[test]
fn reports_say_what_a_busy_sibling_counts() {
    let profile = by(&shared_and_alone(), ModelKind::Time, Some("0.575")).unwrap();
    let options = ReportOptions { by: GroupBy::Process, ..ReportOptions::default() };
    let report = text(&profile, &options, &|_| None);
    let words: Vec<&str> = report.split_whitespace().collect();
    assert!(words.join(" ").contains("a CPU second beside a busy sibling counts as 0.575"));
    let json: serde_json::Value =
        serde_json::from_str(&json(&profile, &options, &|_| None)).unwrap();
    let factor = json["method"]["smt_factor"].as_f64().unwrap();
    assert!((factor - 0.575).abs() < 1e-4, "{factor}");
}

/// How far threads' charges are from what they truly used, in the mean, as part of what all threads used in the mean.
fn off(simulated: &Simulated, model: ModelKind, with_factor: bool) -> f64 {
    let factor = simulated.smt_factor.and_then(SmtFactor::new);
    let smt = factor.filter(|_| with_factor);
    let given = [(PACKAGE, simulated.idle)].into();
    let options = AnalyzeOptions { model, smt, given, ..AnalyzeOptions::default() };
    let profile = analyze(&simulated.recording, &options).unwrap();
    assert!(profile.total().closes());
    let off = |(thread, joules): &(ThreadId, f64)| {
        let charge = profile.threads[thread].charges.get(&PACKAGE);
        (charge.map_or(0.0, |charge| charge.energy.joules().get()) - joules).abs()
    };
    let used: f64 = simulated.threads.iter().map(|(_, joules)| joules).sum();
    simulated.threads.iter().map(off).sum::<f64>() / used
}

#[test]
fn threads_of_simulated_machines_with_siblings_are_charged_what_they_drew_with_the_true_factor() {
    for placement in [Placement::Pairs, Placement::Spread, Placement::Random] {
        // Without a factor `regress` finds by itself most of what CPUs that are busy together save.
        for (watts, model, of_without) in
            [(1.0, ModelKind::Time, 0.7), (5.0, ModelKind::Regress, 1.2)]
        {
            let smt = Some(placement);
            let scenario = Scenario { smt, ..Scenario::new(Loads::Ordinary, watts, 20) };
            let simulated: Vec<Simulated> = (0..6).map(|seed| simulate(seed, scenario)).collect();
            let mean = |with_factor| {
                simulated.iter().map(|it| off(it, model, with_factor)).sum::<f64>() / 6.0
            };
            let (with, without) = (mean(true), mean(false));
            assert!(
                with < 0.04 && with < of_without * without,
                "{placement:?}, {model:?}: {with}, {without}"
            );
        }
    }
}
