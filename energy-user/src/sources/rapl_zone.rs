//! What the names of powercap zones mean.
//! Reference: Linux v6.12, `drivers/powercap/intel_rapl_common.c`, `rapl_domain_names`, `rapl_init_domains`
//! (`psys-%d` from the second socket on) and `rapl_add_package_cpuslocked` (`package-%d-die-%d`).

use crate::model::{Domain, DomainId};

/// The domain of a zone called `name` inside one that covers `parent`; `None` for a name not known.
///
/// A bare `psys` is taken for the whole machine; see [`psys_of_first_socket`].
pub(super) fn domain_of_zone(name: &str, parent: Option<DomainId>) -> Option<DomainId> {
    if let Some(place) = name.strip_prefix("package-") {
        let (socket, die) = match place.split_once("-die-") {
            Some((socket, die)) => (socket, Some(die.parse().ok()?)),
            None => (place, None),
        };
        let package = DomainId::of_socket(Domain::Package, socket.parse().ok()?);
        return Some(DomainId { die, ..package });
    }
    if let Some(socket) = name.strip_prefix("psys-") {
        return Some(DomainId::of_socket(Domain::Psys, socket.parse().ok()?));
    }
    let within = |domain| {
        let parent = parent?;
        Some(DomainId { domain, ..parent })
    };
    match name {
        "psys" => Some(DomainId::of_machine(Domain::Psys)),
        "core" => within(Domain::Core),
        "uncore" => within(Domain::Uncore),
        "dram" => within(Domain::Dram),
        _ => None,
    }
}

/// The kernel numbers `psys` from the second socket on only: beside a `psys-1`, the bare `psys` is the
/// first socket's and not the machine's.
pub(super) fn psys_of_first_socket(domains: &mut [DomainId]) {
    let numbered = domains.iter().any(|id| id.domain == Domain::Psys && id.socket.is_some());
    if numbered {
        for id in domains.iter_mut().filter(|id| id.domain == Domain::Psys && id.socket.is_none()) {
            id.socket = Some(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_name_and_parent() {
        let package = domain_of_zone("package-1", None);
        assert_eq!(package, Some(DomainId::of_socket(Domain::Package, 1)));
        assert_eq!(domain_of_zone("dram", package), Some(DomainId::of_socket(Domain::Dram, 1)));
        let die = domain_of_zone("package-0-die-1", None);
        assert_eq!(die.unwrap().to_string(), "package-0-die-1");
        assert_eq!(domain_of_zone("core", die).unwrap().to_string(), "core-0-die-1");
        assert_eq!(domain_of_zone("psys", None), Some(DomainId::of_machine(Domain::Psys)));
        for unknown in ["core", "package", "package-x", "package-0-die-", "gpu", ""] {
            assert_eq!(domain_of_zone(unknown, None), None, "{unknown}");
        }
    }

    #[test]
    fn a_bare_psys_beside_a_numbered_one_is_the_first_sockets() {
        let first = DomainId::of_socket(Domain::Psys, 0);
        let second = DomainId::of_socket(Domain::Psys, 1);
        let mut both = [DomainId::of_machine(Domain::Psys), second];
        psys_of_first_socket(&mut both);
        assert_eq!(both, [first, second]);
        let mut alone = [DomainId::of_machine(Domain::Psys)];
        psys_of_first_socket(&mut alone);
        assert_eq!(alone, [DomainId::of_machine(Domain::Psys)]);
    }
}
