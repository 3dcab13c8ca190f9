//! Energy closes, whatever ran and whatever the counters said.

use energy_prof::analyze::{AnalyzeError, AnalyzeOptions, analyze, attribute};
use energy_prof::attribution::{Baseline, Baselines, IdleRule, Rules, TimeShare, attribute_window};
use energy_prof::model::{
    BusyCpus, CpuPlace, Domain, DomainId, Provenance, Residency, ThreadId, Topology,
};
use energy_prof::units::{Microjoules, Nanoseconds, Watts};
use proptest::prelude::*;

use crate::support::in_memory::{CORE, DRAM, InMemory, PACKAGE, build};
use crate::support::one_window::{cases, on, sample, window};

fn two_sockets() -> Topology {
    let place = |cpu| (cpu, CpuPlace { socket: cpu / 2, die: 0, core: cpu % 2 });
    Topology { cpus: (0..4).map(place).collect() }
}

fn rules<'a>(topology: &'a Topology, baselines: &'a Baselines) -> Rules<'a> {
    Rules { topology, baselines, model: &TimeShare, idle: IdleRule::Separate }
}

/// The worked example of docs/attribution.md.
#[test]
fn the_worked_example_comes_out_as_written() {
    let topology = two_sockets();
    let baselines = Baselines::given(&[(PACKAGE, Watts::new(5.0))].into());
    let divided = attribute_window(
        &window(100),
        &[sample(PACKAGE, Some(2_000_001), Some(30_000))],
        &[on(2, 0, 100), on(3, 1, 50), on(0, 1, 50)],
        &rules(&topology, &baselines),
    );
    let [package] = divided.domains.as_slice() else { panic!("one domain") };
    let ledger = package.ledger.unwrap();
    assert_eq!(ledger.idle, Microjoules::new(500_000), "5 W over 100 ms");
    assert_eq!(ledger.attributed, Microjoules::new(1_500_001));
    assert_eq!(ledger.unattributed, Microjoules::ZERO);
    let charges: Vec<_> =
        package.samples.iter().map(|s| (s.thread.0, s.energy.get(), s.error.get())).collect();
    assert_eq!(charges, [(2, 1_000_001, 20_001), (3, 500_000, 10_001)]);
}

#[test]
fn a_socket_pays_only_for_what_ran_on_it() {
    let topology = two_sockets();
    let baselines = Baselines::default();
    let other = DomainId::of_socket(Domain::Package, 1);
    let divided = attribute_window(
        &window(100),
        &[sample(PACKAGE, Some(10), Some(0)), sample(other, Some(1000), Some(0))],
        &[on(2, 0, 100), on(3, 3, 1)],
        &rules(&topology, &baselines),
    );
    let of = |domain: usize| divided.domains[domain].samples.clone();
    assert_eq!((of(0)[0].thread, of(0)[0].energy.get(), of(0).len()), (ThreadId(2), 10, 1));
    assert_eq!((of(1)[0].thread, of(1)[0].energy.get(), of(1).len()), (ThreadId(3), 1000, 1));
}

#[test]
fn where_nothing_ran_all_is_idle() {
    let topology = two_sockets();
    let baselines = Baselines::default();
    let divided = attribute_window(
        &window(100),
        &[sample(PACKAGE, Some(7), Some(1))],
        &[on(0, 0, 100), on(0, 1, 100), on(2, 2, 100)],
        &rules(&topology, &baselines),
    );
    let ledger = divided.domains[0].ledger.unwrap();
    assert_eq!((ledger.idle.get(), ledger.attributed.get(), ledger.unattributed.get()), (7, 0, 0));
}

#[test]
fn an_unknown_energy_is_a_gap_and_not_nothing() {
    let topology = two_sockets();
    let baselines = Baselines::default();
    let divided = attribute_window(
        &window(100),
        &[sample(PACKAGE, None, None)],
        &[on(2, 0, 100)],
        &rules(&topology, &baselines),
    );
    assert_eq!(divided.domains[0].ledger, None);
    assert!(divided.domains[0].samples.is_empty());
}

#[test]
fn an_error_no_source_states_is_as_large_as_the_energy() {
    let topology = two_sockets();
    let baselines = Baselines::default();
    let divided = attribute_window(
        &window(100),
        &[sample(PACKAGE, Some(100), None)],
        &[on(2, 0, 100)],
        &rules(&topology, &baselines),
    );
    assert_eq!(divided.domains[0].error, Microjoules::new(100));
}

#[test]
fn a_recording_of_a_build_is_divided_as_by_hand() {
    let profile = analyze(&build(), &AnalyzeOptions::default()).unwrap();
    let package = &profile.domains[&PACKAGE];
    assert_eq!(package.ledger.measured.get(), 50_000_000);
    assert_eq!(package.ledger.idle.get(), 10_000_000);
    assert_eq!(package.ledger.unattributed.get(), 1_000_000, "a fifth of a CPU second at 5 J");
    let Baseline::LowestSeen { power, busy, .. } = package.baseline else { panic!("quiet second") };
    assert!((power.get() - 2.0).abs() < 1e-9 && (busy.percent() - 5.0).abs() < 1e-9);
    let charge = |thread: u32, domain| profile.threads[&ThreadId(thread)].charges[&domain].energy;
    assert_eq!(charge(3, PACKAGE).get(), 20_000_000, "4 s at 5 J");
    assert_eq!(charge(4, PACKAGE).get(), 10_000_000, "2 s at 5 J");
    assert_eq!(charge(4, DRAM).get(), 1_000_000, "2 s at 0.5 J");
    assert!(!profile.domains[&CORE].in_total);
    assert_eq!(profile.total().measured.get(), 59_000_000);
    assert!(profile.total().closes());
}

#[test]
fn stored_charges_add_up_to_the_profile() {
    let recording = build();
    let options = AnalyzeOptions::default();
    let profile = analyze(&recording, &options).unwrap();
    let rows: Vec<_> =
        attribute(&recording, &options, |rows| rows.collect::<Result<_, AnalyzeError>>()).unwrap();
    for (domain, account) in &profile.domains {
        let sum: Microjoules =
            rows.iter().filter(|row| row.domain == *domain).map(|row| row.energy).sum();
        assert_eq!(sum, account.ledger.attributed);
    }
    assert!(rows.is_sorted_by_key(|row| (row.window, row.domain, row.thread)));
}

#[test]
fn a_part_of_a_recording_is_whole_windows_that_begin_in_it() {
    let options = AnalyzeOptions {
        from: Some(Nanoseconds::from_millis(500)),
        to: Some(Nanoseconds::from_millis(2001)),
        ..AnalyzeOptions::default()
    };
    let profile = analyze(&build(), &options).unwrap();
    assert_eq!(profile.span.windows, 2);
    assert_eq!(profile.span.from, Nanoseconds::from_millis(1000));
    assert_eq!(profile.span.to, Nanoseconds::from_millis(3000));
    assert_eq!(profile.domains[&PACKAGE].ledger.measured.get(), 24_000_000);
    assert_eq!(
        profile.domains[&PACKAGE].ledger.idle.get(),
        4_000_000,
        "the baseline is still known"
    );
}

#[test]
fn a_part_without_a_window_is_refused_with_the_recordings_length() {
    let options =
        AnalyzeOptions { from: Some(Nanoseconds::from_millis(9000)), ..AnalyzeOptions::default() };
    let error = analyze(&build(), &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot analyse from 9.000 s to 5.000 s: no window begins there; the recording lasts \
         5.000 s, choose --from and --to within it"
    );
}

#[test]
fn idle_watts_of_a_domain_that_was_not_recorded_are_refused() {
    let options = AnalyzeOptions {
        given: [(DomainId::of_machine(Domain::Psys), Watts::new(1.0))].into(),
        ..AnalyzeOptions::default()
    };
    let error = analyze(&build(), &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot use the idle watts given for psys: the recording has no such domain; it has \
         package-0, core-0, dram-0"
    );
}

#[test]
fn a_recording_without_windows_or_energy_is_refused() {
    let mut recording = InMemory::new(1);
    let options = AnalyzeOptions::default();
    assert!(matches!(analyze(&recording, &options), Err(AnalyzeError::NoWindows { .. })));
    recording.window(100, &[], &[(2, 0, 100)]);
    assert!(matches!(analyze(&recording, &options), Err(AnalyzeError::NoEnergy)));
}

#[test]
fn a_window_that_does_not_say_who_ran_is_unattributed() {
    let mut recording = InMemory::new(1);
    recording.window(1000, &[(PACKAGE, Some((10, 1)))], &[(2, 0, 1000)]);
    recording.window(1000, &[(PACKAGE, Some((5, 1)))], &[]);
    let profile = analyze(&recording, &AnalyzeOptions::default()).unwrap();
    assert_eq!(profile.span.windows_without_residency, 1);
    assert_eq!(profile.total().unattributed.get(), 5000);
    assert_eq!(profile.domains[&PACKAGE].baseline, Baseline::Unknown, "it may have been busy");
}

/// Lets the samples of a recording tell how busy CPUs were.
fn tell_who_was_busy(recording: &mut InMemory) {
    for sample in &mut recording.energy {
        let rows = recording.residency.iter().filter(|row| row.window == sample.window);
        let rows: Vec<Residency> = rows.copied().collect();
        sample.busy = BusyCpus::new(&recording.topology, &rows).feeding(sample.domain);
    }
}

#[test]
fn samples_that_tell_how_busy_cpus_were_are_believed() {
    let baseline = |recording: &InMemory| {
        let profile = analyze(recording, &AnalyzeOptions::default()).unwrap();
        profile.domains[&PACKAGE].baseline
    };
    let mut recording = InMemory::new(1);
    recording.window(1000, &[(PACKAGE, Some((10, 1)))], &[(2, 0, 50), (0, 0, 950)]);
    let found = baseline(&recording);
    assert_eq!(found.kind(), "lowest_seen");
    tell_who_was_busy(&mut recording);
    assert_eq!(baseline(&recording), found);
    recording.energy[0].busy = Some(Nanoseconds::from_millis(500));
    assert_eq!(baseline(&recording), Baseline::Unknown);
    // One that does not tell has the residency asked about all.
    recording.window(1000, &[(PACKAGE, Some((10, 1)))], &[(2, 0, 1000)]);
    assert_eq!(baseline(&recording), found);
}

#[test]
fn residency_out_of_order_is_an_error_and_not_a_loss() {
    let mut recording = build();
    recording.residency.swap(0, 12);
    let error = analyze(&recording, &AnalyzeOptions::default()).unwrap_err();
    assert!(matches!(error, AnalyzeError::OutOfOrder { found: 0 | 1, .. }), "{error}");
}

#[test]
fn of_two_sources_of_a_domain_the_firmer_is_believed() {
    let mut recording = build();
    let mut estimates = recording.energy.clone();
    for estimate in &mut estimates {
        estimate.source = "model".into();
        estimate.provenance = Provenance::Estimated;
    }
    let expected = analyze(&recording, &AnalyzeOptions::default()).unwrap();
    recording.energy.splice(0..0, estimates);
    assert_eq!(analyze(&recording, &AnalyzeOptions::default()).unwrap(), expected);
}

#[test]
fn the_size_of_batches_changes_nothing() {
    let mut recording = build();
    let expected = analyze(&recording, &AnalyzeOptions::default()).unwrap();
    for batch in [1, 2, 7, 100] {
        recording.batch = batch;
        assert_eq!(analyze(&recording, &AnalyzeOptions::default()).unwrap(), expected);
    }
}

proptest! {
    #[test]
    fn what_samples_tell_of_busy_cpus_gives_what_residency_gives(
        windows in prop::collection::vec((1..900u64, 0..50_000u64, [0..130u64, 0..130u64]), 1..40),
    ) {
        let mut recording = InMemory::new(2);
        for (milliseconds, millijoules, permille) in windows {
            let busy = permille.map(|permille| milliseconds * permille / 1000);
            let ran = |cpu| {
                let busy = busy[usize::from(cpu)];
                [(2 + u32::from(cpu), cpu, busy), (0, cpu, milliseconds - busy)]
            };
            let energy = [(PACKAGE, Some((millijoules, 1))), (DRAM, Some((millijoules / 7, 1)))];
            recording.window(milliseconds, &energy, &[ran(0), ran(1)].concat());
        }
        let expected = analyze(&recording, &AnalyzeOptions::default()).unwrap();
        tell_who_was_busy(&mut recording);
        prop_assert_eq!(analyze(&recording, &AnalyzeOptions::default()).unwrap(), expected);
    }

    #[test]
    fn every_ledger_closes_to_the_microjoule(case in cases()) {
        let baselines = Baselines::given(&case.given);
        let rules = rules(&case.topology, &baselines);
        let window = window(case.milliseconds);
        let divided = attribute_window(&window, &case.energy, &case.residency, &rules);
        prop_assert_eq!(divided.domains.len(), case.energy.len());
        for (domain, sample) in divided.domains.iter().zip(&case.energy) {
            let Some(ledger) = domain.ledger else {
                prop_assert_eq!(sample.energy, None);
                prop_assert!(domain.samples.is_empty());
                continue;
            };
            prop_assert_eq!(Some(ledger.measured), sample.energy);
            prop_assert!(ledger.closes());
            let charged: Microjoules = domain.samples.iter().map(|charge| charge.energy).sum();
            prop_assert_eq!(charged, ledger.attributed);
            let idle = baselines.energy(sample.domain, window.length()).min(ledger.measured);
            prop_assert!(ledger.idle == idle || (ledger.idle == ledger.measured));
            let ran_here = |thread: ThreadId| {
                case.residency.iter().any(|row| {
                    row.thread == thread
                        && row.oncpu > Nanoseconds::ZERO
                        && case.topology.feeds(row.cpu, sample.domain)
                })
            };
            for charge in &domain.samples {
                prop_assert!(charge.thread >= ThreadId::FIRST && ran_here(charge.thread));
            }
            if !sample.domain.domain.is_fed_by_cpus() {
                prop_assert_eq!((ledger.idle, ledger.attributed), (idle, Microjoules::ZERO));
            } else if !ran_here(ThreadId::LOST) {
                prop_assert_eq!(ledger.unattributed, Microjoules::ZERO);
            }
            prop_assert!(domain.samples.is_sorted_by_key(|charge| charge.thread));
        }
    }

    #[test]
    fn the_order_of_rows_changes_nothing(case in cases()) {
        let baselines = Baselines::given(&case.given);
        let rules = rules(&case.topology, &baselines);
        let window = window(case.milliseconds);
        let mut reversed = case.residency.clone();
        reversed.reverse();
        prop_assert_eq!(
            attribute_window(&window, &case.energy, &case.residency, &rules),
            attribute_window(&window, &case.energy, &reversed, &rules)
        );
    }

    #[test]
    fn threads_that_ran_alike_are_charged_alike(
        milliseconds in 1..100u64,
        threads in 1..20u32,
        energy in 0..1_000_000u64,
    ) {
        let topology = two_sockets();
        let baselines = Baselines::default();
        let residency: Vec<_> = (2..2 + threads).map(|id| on(id, 0, milliseconds)).collect();
        let divided = attribute_window(
            &window(10_000),
            &[sample(PACKAGE, Some(energy), Some(0))],
            &residency,
            &rules(&topology, &baselines),
        );
        let charges = divided.domains[0].samples.iter().map(|charge| charge.energy.get());
        let (least, most) = (charges.clone().min(), charges.max());
        prop_assert!(most.unwrap_or(0) - least.unwrap_or(0) <= 1);
    }
}
