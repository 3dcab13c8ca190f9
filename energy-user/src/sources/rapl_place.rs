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

/// The core that a CPU is of. `None` where the CPU's place is unknown. Cores of one number are told apart by their
/// die where sockets have several.
pub(super) fn core_at(cpu: u16, facts: &HostFacts) -> Option<DomainId> {
    let place = facts.topology.cpus.get(&cpu)?;
    let of_socket = facts.topology.cpus.values().filter(|other| other.socket == place.socket);
    let dies = of_socket.clone().any(|other| other.die != place.die);
    let core = DomainId::of_socket(Domain::Core, place.socket);
    Some(DomainId { die: dies.then_some(place.die), core: Some(place.core), ..core })
}

/// The first CPU of each core, with its core.
pub(super) fn cores(facts: &HostFacts) -> Vec<(u16, DomainId)> {
    let mut first = BTreeMap::new();
    for &cpu in facts.topology.cpus.keys() {
        if let Some(core) = core_at(cpu, facts) {
            first.entry(core).or_insert(cpu);
        }
    }
    first.into_iter().map(|(core, cpu)| (cpu, core)).collect()
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
            DomainId { die: dies.then_some(place.die), ..DomainId::of_socket(domain, socket) }
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
    fn cores_of_one_number_are_told_apart_by_their_die() {
        let mut facts = facts(CpuVendor::Amd);
        facts.topology.cpus.insert(8, CpuPlace { socket: 1, die: 1, core: 1 });
        let names: Vec<String> =
            cores(&facts).into_iter().map(|(_, core)| core.to_string()).collect();
        let socket = |socket| {
            let name = move |die, core| format!("core-{socket}-die-{die}-core-{core}");
            [name(0, 0), name(0, 1), name(1, 0), name(1, 1)]
        };
        assert_eq!(names, [socket(0), socket(1)].concat());
    }

    #[test]
    fn the_platform_is_read_once_a_socket() {
        let sockets = [(0, "psys-0".to_owned()), (4, "psys-1".to_owned())];
        assert_eq!(names(CpuVendor::Intel, Domain::Psys), sockets);
    }
}
