//! Where each CPU sits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::DomainId;

/// A CPU's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CpuPlace {
    /// The socket (physical package id).
    pub socket: u16,
    /// The die within the socket.
    pub die: u16,
    /// The core within the die; two CPUs with one core are SMT siblings.
    pub core: u16,
}

/// The places of all CPUs that were online.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Topology {
    /// By CPU number.
    pub cpus: BTreeMap<u16, CpuPlace>,
}

impl Topology {
    /// Whether `cpu`'s work draws on `domain`. A CPU of unknown place draws on every socket's, and every CPU
    /// on a meter of the machine.
    pub fn feeds(&self, cpu: u16, domain: DomainId) -> bool {
        Self::is_fed_from(domain, self.cpus.get(&cpu))
    }

    fn is_fed_from(domain: DomainId, place: Option<&CpuPlace>) -> bool {
        if domain.domain.counts_devices() {
            return domain.domain.is_fed_by_cpus();
        }
        place.is_none_or(|place| domain.holds(*place))
    }

    /// The CPUs whose work draws on `domain`, for asking about many rows.
    pub fn feeders(&self, domain: DomainId) -> Feeders {
        let cpus = self.cpus.keys().next_back().map_or(0, |last| usize::from(*last) + 1);
        let mut feeders =
            Feeders { feeds: vec![None; cpus], unknown: domain.domain.is_fed_by_cpus() };
        for (cpu, place) in &self.cpus {
            feeders.feeds[usize::from(*cpu)] = Some(Self::is_fed_from(domain, Some(place)));
        }
        feeders
    }

    /// How many cores the CPUs are of.
    pub fn cores(&self) -> u32 {
        let places: BTreeSet<&CpuPlace> = self.cpus.values().collect();
        u32::try_from(places.len()).unwrap_or(u32::MAX)
    }

    /// Whether any two CPUs are of one core.
    pub fn has_siblings(&self) -> bool {
        usize::try_from(self.cores()).is_ok_and(|cores| cores < self.cpus.len())
    }

    /// The sockets, in order.
    pub fn sockets(&self) -> Vec<u16> {
        let mut sockets: Vec<u16> = self.cpus.values().map(|place| place.socket).collect();
        sockets.sort_unstable();
        sockets.dedup();
        sockets
    }
}

/// Which CPUs feed one domain: [`Topology::feeds`] without the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feeders {
    /// By CPU number; `None` where the place is unknown.
    feeds: Vec<Option<bool>>,
    /// Whether those of unknown place do.
    unknown: bool,
}

impl Feeders {
    /// Whether `cpu` is one of them. A CPU of unknown place is, where CPUs feed the domain at all.
    pub fn contains(&self, cpu: u16) -> bool {
        self.place(cpu).unwrap_or(self.unknown)
    }

    /// Whether every CPU is.
    pub fn are_all(&self) -> bool {
        self.unknown && self.feeds.iter().all(|feeds| feeds.unwrap_or(self.unknown))
    }

    /// Whether the place of `cpu` is known.
    pub fn knows(&self, cpu: u16) -> bool {
        self.place(cpu).is_some()
    }

    /// How many CPUs of known place feed the domain.
    pub fn known(&self) -> usize {
        self.feeds.iter().filter(|feeds| **feeds == Some(true)).count()
    }

    fn place(&self, cpu: u16) -> Option<bool> {
        self.feeds.get(usize::from(cpu)).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain;

    #[test]
    fn a_socket_is_fed_by_its_own_cpus_and_by_those_of_unknown_place() {
        let place = |socket| CpuPlace { socket, ..CpuPlace::default() };
        let topology = Topology { cpus: [(0, place(0)), (1, place(1)), (4, place(1))].into() };
        let domain = DomainId::of_socket(Domain::Package, 1);
        let feeders = topology.feeders(domain);
        for cpu in 0..7 {
            assert_eq!(feeders.contains(cpu), topology.feeds(cpu, domain), "CPU {cpu}");
            assert_eq!(feeders.knows(cpu), topology.cpus.contains_key(&cpu), "CPU {cpu}");
        }
        assert_eq!(feeders.known(), 2);
        assert!(!feeders.are_all());
        assert!(topology.feeders(DomainId::of_socket(Domain::Machine, 0)).are_all());
        assert!(!topology.feeders(DomainId::of_socket(Domain::Gpu, 0)).are_all());
    }

    #[test]
    fn a_core_is_fed_by_both_its_cpus_and_by_no_others() {
        let place = |die, core| CpuPlace { die, core, ..CpuPlace::default() };
        let cpus = [(0, place(0, 0)), (1, place(0, 1)), (2, place(0, 0)), (3, place(1, 0))];
        let topology = Topology { cpus: cpus.into() };
        let core: DomainId = "core-0-die-0-core-0".parse().unwrap();
        let fed: Vec<u16> = (0..4).filter(|cpu| topology.feeds(*cpu, core)).collect();
        assert_eq!(fed, [0, 2]);
    }

    #[test]
    fn every_cpu_draws_on_the_machines_meter_and_none_on_a_card() {
        let topology = Topology { cpus: [(0, CpuPlace::default())].into() };
        assert!(topology.feeds(0, DomainId::of_socket(Domain::Machine, 1)));
        assert!(!topology.feeds(0, DomainId::of_socket(Domain::Gpu, 0)));
        assert!(!topology.feeds(7, DomainId::of_socket(Domain::Rail, 0)), "of unknown place");
    }
}
