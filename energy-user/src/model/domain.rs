//! Energy domains: what a counter covers, and which of them may be added up.
//! Reference: Linux v6.12, drivers/powercap/intel_rapl_common.c (zone names) and
//! Documentation/power/powercap/powercap.rst.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a counter covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// A processor package: cores, caches, memory controller, integrated graphics.
    Package,
    /// The cores of a package (powercap's `core`, PP0); part of `Package`.
    Core,
    /// The rest of a client package (powercap's `uncore`, PP1); part of `Package`.
    Uncore,
    /// Memory beside a package.
    Dram,
    /// The whole platform (`psys`); contains the packages.
    Psys,
}

impl Domain {
    /// Every domain, in the order reports show them.
    pub const ALL: [Self; 5] = [Self::Package, Self::Core, Self::Uncore, Self::Dram, Self::Psys];

    /// The name used in the trace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Core => "core",
            Self::Uncore => "uncore",
            Self::Dram => "dram",
            Self::Psys => "psys",
        }
    }

    /// The domain that already contains this one's energy, if any.
    const fn inside(self) -> Option<Self> {
        match self {
            Self::Core | Self::Uncore => Some(Self::Package),
            Self::Package | Self::Dram => Some(Self::Psys),
            Self::Psys => None,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no domain of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{0:?} is no energy domain: expected package, core, uncore, dram or psys, and where needed a \
     socket and die as in package-0 or package-1-die-0"
)]
pub struct ParseDomainError(String);

impl FromStr for Domain {
    type Err = ParseDomainError;
    fn from_str(name: &str) -> Result<Self, ParseDomainError> {
        Self::ALL
            .into_iter()
            .find(|domain| domain.name() == name)
            .ok_or_else(|| ParseDomainError(name.to_owned()))
    }
}

/// One counter's domain: what it covers, and of which socket and die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DomainId {
    /// What the counter covers.
    pub domain: Domain,
    /// The socket (physical package id); `None` where the counter covers them all.
    pub socket: Option<u16>,
    /// The die within the socket, on parts with a counter per die.
    pub die: Option<u16>,
}

impl DomainId {
    /// The domain of one socket.
    pub const fn of_socket(domain: Domain, socket: u16) -> Self {
        Self { domain, socket: Some(socket), die: None }
    }

    /// The domain of the whole machine.
    pub const fn of_machine(domain: Domain) -> Self {
        Self { domain, socket: None, die: None }
    }

    /// Whether `self`'s silicon includes all of `other`'s place.
    const fn covers_place(self, other: Self) -> bool {
        let socket = match (self.socket, other.socket) {
            (None, _) => true,
            (Some(mine), Some(theirs)) => mine == theirs,
            (Some(_), None) => false,
        };
        let die = match (self.die, other.die) {
            (None, _) => true,
            (Some(mine), Some(theirs)) => mine == theirs,
            (Some(_), None) => false,
        };
        socket && die
    }
}

impl FromStr for DomainId {
    type Err = ParseDomainError;
    /// From the form it is shown in: `package-0`, `package-1-die-0`, `dram`.
    fn from_str(text: &str) -> Result<Self, ParseDomainError> {
        let invalid = || ParseDomainError(text.to_owned());
        let number = |text: &str| text.parse().map_err(|_| invalid());
        let (name, rest) = text.split_once('-').map_or((text, None), |(n, rest)| (n, Some(rest)));
        let domain = name.parse().map_err(|_| invalid())?;
        let Some(rest) = rest else { return Ok(Self::of_machine(domain)) };
        let (socket, die) = rest.split_once("-die-").map_or((rest, None), |(s, d)| (s, Some(d)));
        let die = die.map(number).transpose()?;
        Ok(Self { domain, socket: Some(number(socket)?), die })
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = self.domain.name().to_owned();
        if let Some(socket) = self.socket {
            name.push_str(&format!("-{socket}"));
        }
        if let Some(die) = self.die {
            name.push_str(&format!("-die-{die}"));
        }
        f.pad(&name)
    }
}

/// The domains among `present` whose energies may be added without counting any silicon twice.
///
/// `psys` is left out wherever a package is present: makers differ in what it covers, and on some
/// servers it counts whole joules. It is the total only where nothing finer is measured.
pub fn disjoint_cover(present: &[DomainId]) -> Vec<DomainId> {
    let measured_inside_psys =
        present.iter().any(|id| matches!(id.domain, Domain::Package | Domain::Core | Domain::Dram));
    present
        .iter()
        .copied()
        .filter(|id| match id.domain {
            Domain::Psys => !measured_inside_psys,
            Domain::Package | Domain::Dram => true,
            Domain::Core | Domain::Uncore => !present
                .iter()
                .any(|other| Some(other.domain) == id.domain.inside() && other.covers_place(*id)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_inside_a_package_are_not_added_to_it() {
        let package = DomainId::of_socket(Domain::Package, 0);
        let core = DomainId::of_socket(Domain::Core, 0);
        let dram = DomainId::of_socket(Domain::Dram, 0);
        let psys = DomainId::of_machine(Domain::Psys);
        assert_eq!(disjoint_cover(&[package, core, dram, psys]), [package, dram]);
    }

    #[test]
    fn cores_without_their_package_are_a_total_of_their_own() {
        let core = DomainId::of_socket(Domain::Core, 1);
        let package = DomainId::of_socket(Domain::Package, 0);
        assert_eq!(disjoint_cover(&[package, core]), [package, core]);
    }

    #[test]
    fn psys_is_the_total_only_when_it_is_alone() {
        let psys = DomainId::of_machine(Domain::Psys);
        assert_eq!(disjoint_cover(&[psys]), [psys]);
    }

    #[test]
    fn a_domain_id_reads_like_a_powercap_zone() {
        let die = DomainId { domain: Domain::Package, socket: Some(1), die: Some(0) };
        assert_eq!(die.to_string(), "package-1-die-0");
        assert_eq!("package-1-die-0".parse(), Ok(die));
        assert_eq!("psys".parse(), Ok(DomainId::of_machine(Domain::Psys)));
        assert!("package-x".parse::<DomainId>().is_err());
        assert_eq!("dram".parse(), Ok(Domain::Dram));
        assert!("gpu0".parse::<Domain>().is_err());
    }
}
