//! Machines that never were: that what models are judged by is true.

use energy_prof::model::ThreadId;
use energy_prof::units::Nanoseconds;
use proptest::prelude::*;

use crate::support::chance::Chance;
use crate::support::simulated_code::Code;
use crate::support::simulated_cores::{Cores, Placement};
use crate::support::simulated_crowd;
use crate::support::simulated_filter::Filter;
use crate::support::simulated_frequency::Turbo;
use crate::support::simulated_load::{
    COMMON_WOBBLE, Frequency, IDLE_WOBBLE, Loads, STEP, Scenario, Simulated, Size, simulate,
};

const ORDINARY: Scenario = Scenario::new(Loads::Ordinary, 5.0, 2);

fn shown(simulated: &Simulated) -> f64 {
    let energy = simulated.recording.energy.iter().filter_map(|it| it.energy);
    energy.map(|energy| energy.joules().get()).sum()
}

fn ran(simulated: &Simulated) -> Nanoseconds {
    simulated.recording.residency.iter().map(|row| row.oncpu).sum()
}

/// Figures in docs/benchmarks.md are of the machines of these scenarios: what other scenarios add must not change them.
#[test]
fn machines_of_published_figures_stay_as_they_are() {
    let code = Some(Code { hertz: 99.0, ratio: 3.0, phases: (0.03, 3.0) });
    let scenarios = [
        ORDINARY,
        Scenario { loads: Loads::FirstAlways, ..ORDINARY },
        Scenario { loads: Loads::Together, ..ORDINARY },
        Scenario { code, ..ORDINARY },
    ];
    let found = scenarios.map(|scenario| {
        let simulated = simulate(7, scenario);
        let samples = simulated.recording.samples.len();
        format!("{:.3} J, {:.4} s, {samples} samples", shown(&simulated), ran(&simulated).seconds())
    });
    insta::assert_snapshot!(found.join("\n"), @r"
    340.406 J, 19.3569 s, 0 samples
    401.433 J, 22.5541 s, 0 samples
    87.979 J, 1.6347 s, 0 samples
    261.418 J, 11.6651 s, 322 samples
    ");
}

#[test]
fn a_pair_of_threads_on_one_core_draws_by_how_long_both_are_busy() {
    let mut cores = Cores::new(Placement::Pairs, 4, 4, Chance::new(1));
    let factor = cores.factor;
    for (wanted, worth) in [
        ([1.0, 1.0, 1.0, 0.0], [factor, factor, 1.0]),
        // The second runs only while the first does, the first beside it for two fifths of the time.
        ([1.0, 0.4, 0.5, 0.0], [1.0 - (1.0 - factor) * 0.4, factor, 1.0]),
    ] {
        let turns = cores.run(0.0, STEP, &wanted);
        for ((turn, wanted), worth) in turns.iter().zip(wanted).zip(worth) {
            assert!((turn.part - wanted).abs() < 1e-9, "{turn:?}");
            assert!((turn.worth - worth).abs() < 1e-9, "{turn:?}, not {worth}");
        }
    }
    let rows = cores.end_window();
    let first = rows.iter().find(|row| row.0 == ThreadId::FIRST).unwrap();
    assert_eq!((first.1, first.2), (0, 2.0 * STEP));
}

#[test]
fn halves_of_cores_that_are_busy_by_chance_meet_as_chance_has_it() {
    let mut cores = Cores::new(Placement::Pairs, 2, 2, Chance::new(2));
    let factor = cores.factor;
    let steps = 20_000;
    let mean = (0..steps).map(|_| cores.run(0.0, STEP, &[0.5, 0.4])[0].worth).sum::<f64>()
        / f64::from(steps);
    assert!((mean - (1.0 - (1.0 - factor) * 0.4)).abs() < 0.002, "{mean}");
}

#[test]
fn threads_that_are_spread_have_cores_of_their_own_while_there_are_any() {
    let mut cores = Cores::new(Placement::Spread, 8, 6, Chance::new(3));
    let four = cores.run(0.0, STEP, &[1.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
    assert!(four.iter().all(|turn| turn.worth >= 1.0), "{four:?}");
    let six = cores.run(STEP, STEP, &[1.0; 6]);
    assert_eq!(six.iter().filter(|turn| turn.worth < 1.0).count(), 4, "{six:?}");
}

#[test]
fn the_more_cores_are_busy_the_less_a_second_draws() {
    for seed in 0..20 {
        let turbo = Turbo::new(16, Chance::new(seed));
        assert!([0.0, 1.0, 2.0].iter().all(|busy| turbo.worth(*busy) >= 1.0));
        let worth: Vec<f64> = (2..=16).map(|busy| turbo.worth(f64::from(busy))).collect();
        assert!(worth.is_sorted_by(|few, more| few > more), "{worth:?}");
        assert!((0.7f64.powi(3)..=0.9f64.powi(2)).contains(&worth[14]), "{worth:?}");
        assert!(turbo.worth(40.0) >= worth[14], "more than all is all");
    }
}

#[test]
fn noise_of_a_counter_is_large_at_once_and_nothing_in_the_long_run() {
    for (lasts, spread) in [(0.001, 0.5 / 15f64.sqrt()), (0.1, 0.5 / 3f64.sqrt())] {
        let mut filter = Filter::new(lasts, Chance::new(4));
        let shown: Vec<f64> = (0..100_000).map(|_| filter.next()).collect();
        let mean = shown.iter().sum::<f64>() / 1e5;
        let variance = shown.iter().map(|shown| (shown - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(shown.iter().all(|shown| (0.5..=1.5).contains(shown)));
        assert!((mean - 1.0).abs() < 0.015, "{mean}");
        assert!((variance.sqrt() / spread - 1.0).abs() < 0.03, "{}", variance.sqrt());
    }
}

#[test]
fn large_machines_have_hundreds_of_processes_and_thousands_of_threads() {
    for seed in 0..3 {
        let large = Scenario { size: Size::Large, seconds: 1, ..ORDINARY };
        let simulated = simulate(seed, large);
        assert!((3..=8).contains(&simulated.programs));
        assert!((93..=408).contains(&simulated.truth.len()), "{}", simulated.truth.len());
        let threads = simulated.recording.threads.len();
        assert!((1000..=10_500).contains(&threads), "{threads}");
        assert!((128..=512).contains(&simulated.recording.topology.cpus.len()));
        let mut tids: Vec<u32> = simulated.recording.threads.values().map(|it| it.tid).collect();
        tids.sort_unstable();
        assert!(tids.is_sorted_by(|a, b| a < b), "every thread has a number of its own");
    }
}

fn scenarios() -> impl Strategy<Value = Scenario> {
    let placement = prop::sample::select(vec![
        None,
        Some(Placement::Pairs),
        Some(Placement::Spread),
        Some(Placement::Random),
    ]);
    let code = prop::sample::select(vec![
        None,
        Some(Code { hertz: 99.0, ratio: 3.0, phases: (0.03, 3.0) }),
    ]);
    let frequency = prop::sample::select(vec![Frequency::Fixed, Frequency::ByLoad]);
    let size = prop::sample::select(vec![Size::Ordinary, Size::Ordinary, Size::Large]);
    (placement, code, frequency, size).prop_map(|(smt, code, frequency, size)| {
        let large = size == Size::Large;
        let seconds = if large { 1 } else { 3 };
        // Thousands of threads are not moved about, nor sampled.
        let smt = smt.filter(|_| !large);
        let code = code.filter(|_| !large);
        Scenario { seconds, code, smt, frequency, size, ..ORDINARY }
    })
}

/// A program's joules are those of its watts for as long as it ran, within six standard deviations of what these vary by, were
/// they off by as much all the time; so are those at a window's end.
#[test]
fn what_programs_draw_follows_their_laws() {
    for seed in 0..10 {
        let simulated = simulate(seed, Scenario { seconds: 10, ..ORDINARY });
        let recording = &simulated.recording;
        for ((pid, joules), law) in simulated.truth.iter().zip(&simulated.laws) {
            let rows = recording.residency.iter();
            let own = rows.filter(|row| recording.threads[&row.thread].tgid == *pid);
            let ran: f64 = own.map(|row| row.oncpu.seconds()).sum();
            let varies = 6.0 * law.wobble.deviation.hypot(COMMON_WOBBLE.deviation);
            assert!((joules / (law.watts * ran) - 1.0).abs() < varies, "{joules} J, {law:?}");
            assert!((0.2..2.0).contains(&law.wobble.seconds));
            assert!((simulated.least..=5.0 * simulated.least).contains(&law.watts), "{law:?}");
        }
        let least = simulated.idle.get() * (1.0 - 6.0 * IDLE_WOBBLE.deviation);
        assert_eq!(simulated.at_edges.len(), recording.windows.len());
        assert!(simulated.at_edges.iter().all(|power| *power >= least));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_true_adds_up_to_what_the_counter_shows(seed in 0..u64::MAX, scenario in scenarios()) {
        let simulated = simulate(seed, scenario);
        let seconds = f64::from(scenario.seconds);
        let programs: f64 = simulated.truth.iter().map(|(_, joules)| joules).sum();
        let threads: f64 = simulated.threads.iter().map(|(_, joules)| joules).sum();
        prop_assert!((threads / programs - 1.0).abs() < 1e-9, "{threads}, not {programs}");
        let all = programs + simulated.idle.get() * seconds;
        // The counter lags behind by a millisecond of a moment that draws no more than all CPUs at once can.
        prop_assert!(shown(&simulated) <= all + 1e-3, "{}, not {all}", shown(&simulated));
        let cpus = simulated.recording.topology.cpus.len();
        let most = f64::from(u32::try_from(cpus).unwrap()) * 40.0 + 2.0 * simulated.idle.get();
        prop_assert!(shown(&simulated) >= all - 0.001 * most - 1e-3, "{}", shown(&simulated));
        for (thread, joules) in &simulated.threads {
            prop_assert!(simulated.recording.threads.contains_key(thread));
            prop_assert!(*joules >= 0.0);
        }
    }

    #[test]
    fn nothing_runs_for_longer_than_there_is(seed in 0..u64::MAX, scenario in scenarios()) {
        let simulated = simulate(seed, scenario);
        let window = simulated.recording.facts.window;
        let cpus = u64::try_from(simulated.recording.topology.cpus.len()).unwrap();
        let mut of_thread = std::collections::BTreeMap::<_, u64>::new();
        let mut of_cpu = std::collections::BTreeMap::<_, u64>::new();
        for row in &simulated.recording.residency {
            *of_thread.entry((row.window, row.thread)).or_default() += row.oncpu.get();
            *of_cpu.entry((row.window, row.cpu)).or_default() += row.oncpu.get();
        }
        prop_assert!(of_thread.values().all(|ran| *ran <= window.get() + 1000));
        prop_assert!(scenario.smt.is_none() || of_cpu.values().all(|ran| *ran <= window.get() + 1000));
        for index in 0..scenario.seconds * 10 {
            let ran: u64 = of_cpu.range((index, 0)..(index + 1, 0)).map(|(_, ran)| ran).sum();
            prop_assert!(ran <= cpus * (window.get() + 1000), "{ran} ns on {cpus} CPUs");
        }
    }

    #[test]
    fn some_of_many_threads_run_and_share_what_all_ran(
        seed in 0..u64::MAX,
        threads in 1..3000usize,
        busy in 0.0001..1.0f64,
    ) {
        let number = f64::from(u32::try_from(threads).unwrap());
        let seconds = 0.1 * busy * number;
        let ran = simulated_crowd::ran(threads, seconds, 0.1, &mut Chance::new(seed));
        let all: f64 = ran.iter().map(|(_, seconds)| seconds).sum();
        prop_assert!((all / seconds - 1.0).abs() < 1e-9);
        prop_assert!(ran.iter().all(|(thread, ran)| *thread < threads && *ran <= 0.1 + 1e-9));
        let mut different: Vec<usize> = ran.iter().map(|(thread, _)| *thread).collect();
        different.sort_unstable();
        prop_assert!(different.is_sorted_by(|a, b| a < b));
    }
}
