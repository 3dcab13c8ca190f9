//! Whatever the idle policy, energy closes, and idle energy is as much as it ever was.

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::attribution::{
    AttributedWindow, Baselines, IdlePolicy, IdleRule, ProcessNumbers, Rules, TimeShare,
    attribute_window,
};
use energy_prof::model::{Component, ThreadId, ThreadInfo};
use energy_prof::units::{Microjoules, Nanoseconds, Watts};
use proptest::prelude::*;

use crate::support::in_memory::{InMemory, PACKAGE, build, leader};
use crate::support::one_window::{Case, cases, on, sample, window};

/// Threads 2 and 3 are one process, 4 and 5 another; the others are not named.
fn processes() -> ProcessNumbers {
    let thread =
        |number: u32| ThreadInfo { tgid: number / 2, tid: number, ..ThreadInfo::default() };
    ProcessNumbers::new(&(2..6).map(|number| (ThreadId(number), thread(number))).collect())
}

fn divide(case: &Case, policy: IdlePolicy) -> AttributedWindow {
    let processes = processes();
    let baselines = Baselines::given(&case.given);
    let idle = IdleRule::new(policy, &processes);
    let rules = Rules { topology: &case.topology, baselines: &baselines, model: &TimeShare, idle };
    attribute_window(&window(case.milliseconds), &case.energy, &case.residency, &rules)
}

/// What threads are charged with for idle energy, ascending by thread.
fn idle_charges(divided: &AttributedWindow, domain: usize) -> Vec<(u32, u64)> {
    let samples = divided.domains[domain].samples.iter();
    let idle = samples.filter(|charge| charge.component == Component::Idle);
    idle.map(|charge| (charge.thread.0, charge.energy.get())).collect()
}

/// A tenth of a second at 5 W of idle power, with threads 2 and 3 of one process and 4 of another.
fn a_window(policy: IdlePolicy, energy: u64, ran: &[(u32, u64)]) -> AttributedWindow {
    let case = Case {
        topology: InMemory::new(2).topology,
        energy: vec![sample(PACKAGE, Some(energy), Some(0))],
        residency: ran.iter().map(|(thread, milliseconds)| on(*thread, 0, *milliseconds)).collect(),
        given: [(PACKAGE, Watts::new(5.0))].into(),
        milliseconds: 100,
    };
    divide(&case, policy)
}

#[test]
fn half_a_joule_of_idle_energy_is_divided_as_each_policy_says() {
    let divided = |policy| a_window(policy, 1_500_000, &[(2, 10), (3, 20), (4, 10)]);
    let separate = divided(IdlePolicy::Separate);
    assert_eq!(idle_charges(&separate, 0), []);
    assert_eq!(separate.domains[0].ledger.unwrap().idle.get(), 500_000);
    let proportional = divided(IdlePolicy::Proportional);
    assert_eq!(idle_charges(&proportional, 0), [(2, 125_000), (3, 250_000), (4, 125_000)]);
    let equal = divided(IdlePolicy::Equal);
    assert_eq!(idle_charges(&equal, 0), [(2, 83_333), (3, 166_667), (4, 250_000)]);
    for divided in [proportional, equal] {
        assert_eq!(divided.domains[0].ledger.unwrap().idle.get(), 0);
        assert_eq!(divided.domains[0].shared_idle.get(), 500_000);
    }
}

#[test]
fn idle_energy_does_not_shrink_because_load_grows() {
    for policy in IdlePolicy::ALL {
        let idle = |energy, milliseconds| {
            let divided = a_window(policy, energy, &[(2, milliseconds), (4, 10)]);
            let ledger = divided.domains[0].ledger.unwrap();
            (ledger.idle + divided.domains[0].shared_idle).get()
        };
        assert_eq!(idle(600_000, 1), 500_000, "{}", policy.name());
        assert_eq!(idle(9_000_000, 100), 500_000, "{}", policy.name());
    }
}

#[test]
fn what_did_not_run_is_charged_no_idle_energy_and_a_quiet_window_stays_idle() {
    for policy in IdlePolicy::ALL {
        let quiet = a_window(policy, 500_000, &[]);
        assert_eq!(quiet.domains[0].ledger.unwrap().idle.get(), 500_000);
        let charged = a_window(policy, 700_000, &[(2, 1), (4, 0)]);
        assert!(charged.domains[0].samples.iter().all(|charge| charge.thread == ThreadId(2)));
    }
}

#[test]
fn a_report_says_how_much_idle_energy_was_shared() {
    let profile =
        |idle| analyze(&build(), &AnalyzeOptions { idle, ..AnalyzeOptions::default() }).unwrap();
    // 10 J of the package and 5 J of DRAM, all of it while something ran.
    assert_eq!(profile(IdlePolicy::Separate).total().idle.get(), 15_000_000);
    for policy in [IdlePolicy::Proportional, IdlePolicy::Equal] {
        let profile = profile(policy);
        assert!(profile.total().closes());
        assert_eq!(profile.total().idle.get(), 0);
        assert_eq!(profile.shared_idle().get(), 15_000_000);
    }
    // In the quiet second the profiler alone ran: 2 J. In each of three others the package's 2 J are
    // shared by five processes, and in the last by lost time,
    // too; of what is left over the first has a microjoule.
    let equal = profile(IdlePolicy::Equal);
    let make = equal.threads[&ThreadId(2)].charges[&PACKAGE].energy.get();
    assert_eq!(make, 4 * 500_000 + 3 * 400_000 + 333_334);
}

#[test]
fn a_cut_changes_no_windows_idle_charges() {
    let mut recording = InMemory::new(1);
    recording.thread(2, leader(100, 1, "a")).thread(3, leader(200, 1, "b"));
    for milliseconds in [100, 300, 500, 700] {
        recording.window(1000, &[(PACKAGE, Some((4000, 1)))], &[(2, 0, milliseconds), (3, 0, 200)]);
    }
    for idle in IdlePolicy::ALL {
        let given = [(PACKAGE, Watts::new(3.0))].into();
        let whole = AnalyzeOptions { idle, given, ..AnalyzeOptions::default() };
        let cut = Some(Nanoseconds::from_millis(2000));
        let parts = [
            AnalyzeOptions { to: cut, ..whole.clone() },
            AnalyzeOptions { from: cut, ..whole.clone() },
        ];
        let energy = |options: &AnalyzeOptions| -> Microjoules {
            analyze(&recording, options).unwrap().threads[&ThreadId(2)].charges[&PACKAGE].energy
        };
        assert_eq!(parts.iter().map(energy).sum::<Microjoules>(), energy(&whole));
    }
}

proptest! {
    #[test]
    fn every_ledger_closes_with_every_policy(case in cases()) {
        let separate = divide(&case, IdlePolicy::Separate);
        for policy in IdlePolicy::ALL {
            let divided = divide(&case, policy);
            for (domain, apart) in divided.domains.iter().zip(&separate.domains) {
                let (Some(ledger), Some(before)) = (domain.ledger, apart.ledger) else {
                    prop_assert_eq!(domain, apart);
                    continue;
                };
                prop_assert!(ledger.closes());
                let charged: Microjoules = domain.samples.iter().map(|charge| charge.energy).sum();
                prop_assert_eq!(charged, ledger.attributed);
                prop_assert_eq!(ledger.idle + domain.shared_idle, before.idle);
                let active = domain.samples.iter().filter(|it| it.component == Component::Active);
                prop_assert!(active.eq(&apart.samples), "the policy is of idle energy only");
                let keys = domain.samples.iter().map(|charge| (charge.thread, charge.component));
                prop_assert!(keys.is_sorted());
            }
        }
    }
}
