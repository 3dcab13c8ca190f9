//! Which part of a machine a RAPL counter covers when it is read on a certain CPU.
//! Reference: Linux v6.14, arch/x86/events/rapl.c (registers of Intel's count a die, AMD's a package) and
//! v6.12, drivers/powercap/intel_rapl_common.c (`psys` once for each package).

use std::collections::BTreeMap;

use super::{CpuVendor, HostFacts};
use crate::model::{CpuPlace, Domain, DomainId};

/// One CPU of every place that has registers of its own: the first of each die, or with AMD's of each
/// socket.
pub(super) fn first_cpus(facts: &HostFacts) -> BTreeMap<u16, CpuPlace> {
    let by_die = facts.vendor == CpuVendor::Intel;
    let mut seen = Vec::new();
    let mut first = BTreeMap::new();
    for (&cpu, &place) in &facts.topology.cpus {
        let key = (place.socket, by_die.then_some(place.die));
        if !seen.contains(&key) {
            seen.push(key);
            first.insert(cpu, place);
        }
    }
    first
}

/// The CPUs among `places` to read a counter on, each with what it counts there. Dies are told apart where a
/// socket has more than one CPU to read; the platform's counter is then read on the first of them.
pub(super) fn domains_at(domain: Domain, places: &BTreeMap<u16, CpuPlace>) -> Vec<(u16, DomainId)> {
    let of_socket = |socket| places.values().filter(move |place| place.socket == socket);
    let sockets = places.values().map(|place| place.socket).max();
    let several_sockets = places.values().any(|place| Some(place.socket) != sockets);
    let first_of_socket = |cpu: u16, socket| {
        places.iter().find(|(_, place)| place.socket == socket).map(|(cpu, _)| *cpu) == Some(cpu)
    };
    let mut domains = Vec::new();
    for (&cpu, place) in places {
        let socket = place.socket;
        let id = if domain != Domain::Psys {
            let dies = of_socket(socket).count() > 1;
            DomainId { domain, socket: Some(socket), die: dies.then_some(place.die) }
        } else if !first_of_socket(cpu, socket) {
            continue;
        } else if several_sockets {
            DomainId::of_socket(domain, socket)
        } else {
            DomainId::of_machine(domain)
        };
        domains.push((cpu, id));
    }
    domains
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sockets of two dies with two CPUs each.
    fn facts(vendor: CpuVendor) -> HostFacts {
        let mut facts = HostFacts { vendor, ..HostFacts::default() };
        for cpu in 0..8 {
            let place = CpuPlace { socket: cpu / 4, die: cpu / 2 % 2, core: cpu % 2 };
            facts.topology.cpus.insert(cpu, place);
        }
        facts
    }

    fn names(vendor: CpuVendor, domain: Domain) -> Vec<(u16, String)> {
        let places = first_cpus(&facts(vendor));
        domains_at(domain, &places).into_iter().map(|(cpu, id)| (cpu, id.to_string())).collect()
    }

    #[test]
    fn intels_registers_are_read_once_a_die_and_amds_once_a_socket() {
        let dies = ["package-0-die-0", "package-0-die-1", "package-1-die-0", "package-1-die-1"];
        let dies: Vec<_> = [0, 2, 4, 6].into_iter().zip(dies.map(str::to_owned)).collect();
        assert_eq!(names(CpuVendor::Intel, Domain::Package), dies);
        let sockets = [(0, "package-0".to_owned()), (4, "package-1".to_owned())];
        assert_eq!(names(CpuVendor::Amd, Domain::Package), sockets);
    }

    #[test]
    fn the_platform_is_read_once_a_socket() {
        let sockets = [(0, "psys-0".to_owned()), (4, "psys-1".to_owned())];
        assert_eq!(names(CpuVendor::Intel, Domain::Psys), sockets);
    }
}
