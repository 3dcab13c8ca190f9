//! One window: its energy samples and who ran, by hand or by chance.

use std::collections::BTreeMap;

use energy_prof::model::{
    CounterFlags, CpuPlace, Domain, DomainId, EnergySample, Provenance, Residency, ThreadId,
    Topology, Window,
};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime, Watts};
use proptest::prelude::*;

pub(crate) fn window(milliseconds: u64) -> Window {
    Window {
        index: 4,
        start: MonotonicTime::from_nanos(1_000_000_000),
        end: MonotonicTime::from_nanos(1_000_000_000) + Nanoseconds::from_millis(milliseconds),
        start_utc: WallTime::default(),
        lost_switches: 0,
        lost_events: 0,
    }
}

pub(crate) fn sample(domain: DomainId, energy: Option<u64>, error: Option<u64>) -> EnergySample {
    EnergySample {
        window: 4,
        domain,
        source: "rapl-powercap".into(),
        provenance: Provenance::Measured,
        energy: energy.map(Microjoules::new),
        error: error.map(Microjoules::new),
        flags: CounterFlags::NONE,
        busy: None,
    }
}

pub(crate) fn on(thread: u32, cpu: u16, milliseconds: u64) -> Residency {
    Residency {
        window: 4,
        thread: ThreadId(thread),
        cpu,
        oncpu: Nanoseconds::from_millis(milliseconds),
        switches: 1,
    }
}

/// A machine, what its counters said in one window, and who ran.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) topology: Topology,
    pub(crate) energy: Vec<EnergySample>,
    pub(crate) residency: Vec<Residency>,
    pub(crate) given: BTreeMap<DomainId, Watts>,
    pub(crate) milliseconds: u64,
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let place =
        (0..3u16, 0..2u16, 0..4u16).prop_map(|(socket, die, core)| CpuPlace { socket, die, core });
    // Some CPUs that run are of unknown place.
    let topology =
        prop::collection::btree_map(0..12u16, place, 0..10).prop_map(|cpus| Topology { cpus });
    let domain = (
        prop::sample::select(Domain::ALL.to_vec()),
        prop::option::of(0..3u16),
        prop::option::of(0..2u16),
        prop::option::weighted(0.3, 0..4u16),
    )
        .prop_map(|(domain, socket, die, core)| DomainId {
            domain,
            socket,
            die,
            core: core.filter(|_| domain == Domain::Core),
        });
    let amount = prop_oneof![Just(0), 0..10u64, 0..1_000_000_000u64, 0..1u64 << 62];
    let watts = prop_oneof![Just(0.0), 0.0..500.0, Just(1e12)];
    let entry = (
        domain,
        prop::option::weighted(0.9, amount),
        prop::option::of(0..1u64 << 40),
        prop::option::of(watts),
    );
    let energy = prop::collection::vec(entry, 0..6);
    let row = (0..8u32, 0..12u16, prop_oneof![Just(0), 0..100u64, 0..10_000_000_000u64]);
    let residency = prop::collection::vec(row, 0..30);
    (topology, energy, residency, 1..10_000u64).prop_map(
        |(topology, energy, residency, milliseconds)| Case {
            topology,
            given: energy
                .iter()
                .filter_map(|(domain, _, _, watts)| Some((*domain, Watts::new((*watts)?))))
                .collect(),
            energy: energy
                .into_iter()
                .map(|(domain, energy, error, _)| sample(domain, energy, error))
                .collect(),
            residency: residency
                .into_iter()
                .map(|(thread, cpu, nanoseconds)| Residency {
                    oncpu: Nanoseconds::new(nanoseconds),
                    ..on(thread, cpu, 0)
                })
                .collect(),
            milliseconds,
        },
    )
}
