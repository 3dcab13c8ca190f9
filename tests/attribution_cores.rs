//! Packages whose cores have counters of their own: what a core drew is of those that ran on it.

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::attribution::{
    AttributedDomain, Baselines, IdlePolicy, IdleRule, ModelKind, ProcessNumbers, Rules, TimeShare,
    attribute_window,
};
use energy_prof::model::{CpuPlace, DomainId, EnergySample, Residency, ThreadId, Topology};
use energy_prof::profile::{GroupBy, Profile};
use energy_prof::report::{ReportOptions, json, text};
use energy_prof::units::{Microjoules, Watts};
use proptest::prelude::*;

use crate::support::in_memory::{DRAM, InMemory, PACKAGE, leader};
use crate::support::one_window::{on, sample, window};

fn core(number: u16) -> DomainId {
    format!("core-0-core-{number}").parse().unwrap()
}

/// One socket of two cores with two CPUs each: 0 and 2 are of core 0.
fn two_cores() -> Topology {
    let place = |cpu| (cpu, CpuPlace { socket: 0, die: 0, core: cpu % 2 });
    Topology { cpus: (0..4).map(place).collect() }
}

/// The package, of which 5 W are idle, divided by time where cores do not tell.
fn divide(energy: &[EnergySample], ran: &[Residency], idle: IdleRule<'_>) -> AttributedDomain {
    let baselines = Baselines::given(&[(PACKAGE, Watts::new(5.0))].into());
    let topology = two_cores();
    let rules = Rules { topology: &topology, baselines: &baselines, model: &TimeShare, idle };
    let divided = attribute_window(&window(100), energy, ran, &rules);
    divided.domains.into_iter().find(|divided| divided.domain == PACKAGE).unwrap()
}

/// What each thread is charged with, and the standard error of that, in µJ.
fn charges(divided: &AttributedDomain) -> Vec<(u32, u64, u64)> {
    let charge =
        |s: &energy_prof::model::AttributedSample| (s.thread.0, s.energy.get(), s.error.get());
    divided.samples.iter().map(charge).collect()
}

fn energies(divided: &AttributedDomain) -> Vec<u64> {
    charges(divided).into_iter().map(|(_, energy, _)| energy).collect()
}

/// The example of docs/attribution.md.
#[test]
fn what_a_core_drew_goes_to_those_on_it_and_the_rest_to_all() {
    let energy = [
        sample(PACKAGE, Some(2_000_000), Some(3_000)),
        sample(core(0), Some(300_000), Some(400)),
        sample(core(1), Some(900_000), Some(1_200)),
    ];
    let divided = divide(&energy, &[on(2, 0, 100), on(3, 1, 100)], IdleRule::Separate);
    assert!(divided.by_core);
    // 1.5 J are active, of which 0.3 J are of neither core: half of them for each. The error of that is
    // √(3000² + 400² + 1200²) = 3256 µJ, of which each has half, and one for rounding.
    assert_eq!(charges(&divided), [(2, 450_000, 401 + 1_629), (3, 1_050_000, 1_201 + 1_629)]);
    let ledger = divided.ledger.unwrap();
    assert_eq!((ledger.attributed.get(), ledger.idle.get()), (1_500_000, 500_000));
}

#[test]
fn threads_on_both_cpus_of_a_core_share_it_by_time() {
    let energy = [
        sample(PACKAGE, Some(1_500_000), Some(0)),
        sample(core(0), Some(1_000_000), Some(0)),
        sample(core(1), Some(5), Some(0)),
    ];
    let divided = divide(&energy, &[on(2, 0, 75), on(3, 2, 25)], IdleRule::Separate);
    assert_eq!(energies(&divided), [750_000, 250_000]);
}

#[test]
fn what_cores_drew_is_never_more_than_the_package_drew_above_idle() {
    let energy = [
        sample(PACKAGE, Some(1_000_000), Some(0)),
        sample(core(0), Some(600_000), Some(0)),
        sample(core(1), Some(200_000), Some(0)),
    ];
    let divided = divide(&energy, &[on(2, 0, 100), on(3, 1, 100)], IdleRule::Separate);
    assert_eq!(energies(&divided), [375_000, 125_000], "500 mJ are active, shared as 600 to 200");
}

#[test]
fn where_one_core_does_not_tell_the_model_divides_all() {
    let package = sample(PACKAGE, Some(1_500_000), Some(0));
    let (one, other) = (sample(core(0), Some(900_000), Some(0)), sample(core(1), None, None));
    for energy in [vec![package.clone(), one.clone(), other], vec![package, one]] {
        let divided = divide(&energy, &[on(2, 0, 50), on(3, 1, 50)], IdleRule::Separate);
        assert!(!divided.by_core);
        assert_eq!(energies(&divided), [500_000, 500_000]);
    }
}

#[test]
fn idle_energy_is_shared_as_the_energy_of_cores_is() {
    let energy = [
        sample(PACKAGE, Some(1_500_000), Some(0)),
        sample(core(0), Some(250_000), Some(0)),
        sample(core(1), Some(750_000), Some(0)),
    ];
    let ran = [on(2, 0, 100), on(3, 1, 100)];
    let processes = ProcessNumbers::default();
    let idle = IdleRule::new(IdlePolicy::Proportional, &processes);
    assert_eq!(energies(&divide(&energy, &ran, idle)), [250_000, 125_000, 750_000, 375_000]);
}

proptest! {
    #[test]
    fn energy_closes_and_nobody_pays_who_did_not_run(
        whole in 0..10_000_000u64,
        cores in prop::array::uniform2(prop::option::weighted(0.9, 0..10_000_000u64)),
        ran in prop::collection::vec((1..6u32, 0..6u16, 0..100u64), 0..12),
        policy in prop::sample::select(IdlePolicy::ALL.to_vec()),
    ) {
        let energy = [
            sample(PACKAGE, Some(whole), Some(1_000)),
            sample(core(0), cores[0], Some(10)),
            sample(core(1), cores[1], Some(10)),
        ];
        let ran: Vec<Residency> = ran.into_iter().map(|(thread, cpu, ms)| on(thread, cpu, ms)).collect();
        let processes = ProcessNumbers::default();
        let divided = divide(&energy, &ran, IdleRule::new(policy, &processes));
        let ledger = divided.ledger.unwrap();
        prop_assert!(ledger.closes());
        let sum: Microjoules = divided.samples.iter().map(|sample| sample.energy).sum();
        prop_assert_eq!(sum, ledger.attributed);
        prop_assert!(divided.samples.is_sorted_by_key(|sample| (sample.thread, sample.component)));
        for charge in &divided.samples {
            let oncpu: u64 = ran.iter().filter(|row| row.thread == charge.thread).map(|row| row.oncpu.get()).sum();
            prop_assert!(oncpu > 0);
        }
    }
}

/// A minute of a program on each of two cores, one of which draws four times as much.
fn unlike_programs() -> InMemory {
    let mut recording = InMemory::new(2);
    recording.thread(2, leader(50, 1, "pointers")).thread(3, leader(60, 1, "vectors"));
    let energies = |package, one, other| {
        [
            (PACKAGE, Some((package, 10))),
            (DRAM, Some((500, 10))),
            (core(0), Some((one, 5))),
            (core(1), Some((other, 5))),
        ]
    };
    recording.window(1000, &energies(4_000, 100, 100), &[(0, 0, 1000), (0, 1, 1000)]);
    for _ in 0..60 {
        recording.window(1000, &energies(16_000, 2_100, 8_100), &[(2, 0, 1000), (3, 1, 1000)]);
    }
    recording
}

fn profile(model: ModelKind) -> Profile {
    analyze(&unlike_programs(), &AnalyzeOptions { model, ..AnalyzeOptions::default() }).unwrap()
}

/// Both run all the time, so that no model can tell them apart by the package alone.
#[test]
fn programs_that_always_run_together_are_told_apart_by_their_cores() {
    for model in [ModelKind::Time, ModelKind::Regress] {
        let profile = profile(model);
        let charged = |thread| profile.threads[&ThreadId(thread)].charges[&PACKAGE].energy.get();
        // Of 12 W above idle the cores drew 2 and 8 W above their own; of the other 2 W each has half.
        assert_eq!((charged(2), charged(3)), (180_000_000, 540_000_000), "{}", model.name());
        assert_eq!(profile.domains[&PACKAGE].by_core, 60);
        assert!(!profile.domains[&core(1)].in_total);
        assert!(profile.total().closes());
    }
}

#[test]
fn a_report_tells_of_cores_together() {
    let options = ReportOptions { by: GroupBy::Process, ..ReportOptions::default() };
    insta::assert_snapshot!(text(&profile(ModelKind::Regress), &options, &|_| None));
    let json: serde_json::Value =
        serde_json::from_str(&json(&profile(ModelKind::Time), &options, &|_| None)).unwrap();
    let domain = |name: &str| {
        let mut domains = json["domains"].as_array().unwrap().iter();
        domains.find(|domain| domain["name"] == name).unwrap().clone()
    };
    assert_eq!(domain("package-0")["windows_by_core"], 60);
    assert_eq!(domain("core-0-core-1")["core"], 1);
}
