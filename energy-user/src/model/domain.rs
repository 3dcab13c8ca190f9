//! Energy domains: what a counter covers, and which of them may be added up.
//! Reference: Linux v6.12, drivers/powercap/intel_rapl_common.c (zone names) and
//! Documentation/power/powercap/powercap.rst.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::CpuPlace;

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
    /// The whole platform (`psys`, or a module with all on it); contains the packages.
    Psys,
    /// The whole machine at a meter of its supply or at its battery; contains everything.
    Machine,
    /// A graphics card, or a graphics processor that counts for itself.
    Gpu,
    /// One supply of a board, whatever it feeds.
    Rail,
}

impl Domain {
    /// Every domain, in the order reports show them.
    pub const ALL: [Self; 8] = [
        Self::Package,
        Self::Core,
        Self::Uncore,
        Self::Dram,
        Self::Psys,
        Self::Machine,
        Self::Gpu,
        Self::Rail,
    ];

    /// The name used in the trace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Core => "core",
            Self::Uncore => "uncore",
            Self::Dram => "dram",
            Self::Psys => "psys",
            Self::Machine => "machine",
            Self::Gpu => "gpu",
            Self::Rail => "rail",
        }
    }

    /// Whether the time that threads run on CPUs says who draws its energy. It says nothing of graphics
    /// cards, nor of supplies that may feed anything.
    pub const fn is_fed_by_cpus(self) -> bool {
        !matches!(self, Self::Gpu | Self::Rail)
    }

    /// Whether its number is that of a device and not of a socket.
    pub(super) const fn counts_devices(self) -> bool {
        matches!(self, Self::Machine | Self::Gpu | Self::Rail)
    }

    /// The domain that already contains this one's energy, if any.
    const fn inside(self) -> Option<Self> {
        match self {
            Self::Core | Self::Uncore => Some(Self::Package),
            Self::Package | Self::Dram => Some(Self::Psys),
            Self::Psys | Self::Machine | Self::Gpu | Self::Rail => None,
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
    "{0:?} is no energy domain: expected package, core, uncore, dram, psys, machine, gpu or rail, and \
     where needed a socket, die and core, or a device, as in package-0, package-1-die-0, core-0-core-3 or gpu-0"
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

/// One counter's domain: what it covers, and of which socket, die and core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DomainId {
    /// What the counter covers.
    pub domain: Domain,
    /// The socket (physical package id); `None` where the counter covers them all. Of a machine's meter,
    /// a graphics card or a rail, its number among its kind.
    pub socket: Option<u16>,
    /// The die within the socket, on parts with a counter per die.
    pub die: Option<u16>,
    /// The core within the die or, where that is `None`, the socket, where a single core has a counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<u16>,
}

impl DomainId {
    /// The domain of one socket.
    pub const fn of_socket(domain: Domain, socket: u16) -> Self {
        Self { domain, socket: Some(socket), die: None, core: None }
    }

    /// The domain of the whole machine.
    pub const fn of_machine(domain: Domain) -> Self {
        Self { domain, socket: None, die: None, core: None }
    }

    /// Whether it is the counter of a single core.
    pub const fn is_one_core(self) -> bool {
        matches!(self.domain, Domain::Core) && self.core.is_some()
    }

    /// Whether a CPU there is in the part of the machine that it covers.
    pub fn holds(self, place: CpuPlace) -> bool {
        self.socket.is_none_or(|socket| socket == place.socket)
            && self.die.is_none_or(|die| die == place.die)
            && self.core.is_none_or(|core| core == place.core)
    }

    /// Whether all of `other`'s energy is in its own, as that of cores is in their package's.
    pub fn contains(self, other: Self) -> bool {
        other.domain.inside() == Some(self.domain) && self.covers_place(other)
    }

    /// Whether `self`'s silicon includes all of `other`'s place.
    const fn covers_place(self, other: Self) -> bool {
        covers(self.socket, other.socket)
            && covers(self.die, other.die)
            && covers(self.core, other.core)
    }
}

/// Whether a part that is `None` for all includes another.
const fn covers(mine: Option<u16>, theirs: Option<u16>) -> bool {
    match (mine, theirs) {
        (None, _) => true,
        (Some(mine), Some(theirs)) => mine == theirs,
        (Some(_), None) => false,
    }
}

impl FromStr for DomainId {
    type Err = ParseDomainError;
    /// From the form it is shown in: `package-0`, `package-1-die-0`, `core-0-core-3`, `dram`.
    fn from_str(text: &str) -> Result<Self, ParseDomainError> {
        let invalid = || ParseDomainError(text.to_owned());
        let number = |text: &str| text.parse().map_err(|_| invalid());
        let (name, rest) = text.split_once('-').map_or((text, None), |(n, rest)| (n, Some(rest)));
        let domain = name.parse().map_err(|_| invalid())?;
        let Some(rest) = rest else { return Ok(Self::of_machine(domain)) };
        let (rest, core) = rest.split_once("-core-").map_or((rest, None), |(r, c)| (r, Some(c)));
        let (socket, die) = rest.split_once("-die-").map_or((rest, None), |(s, d)| (s, Some(d)));
        let (die, core) = (die.map(number).transpose()?, core.map(number).transpose()?);
        Ok(Self { domain, socket: Some(number(socket)?), die, core })
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
        if let Some(core) = self.core {
            name.push_str(&format!("-core-{core}"));
        }
        f.pad(&name)
    }
}

/// The domains among `present` whose energies may be added without counting any silicon twice.
///
/// `psys` is left out wherever a package is present: makers differ in what it covers, and on some
/// servers it counts whole joules. It is the total only where nothing finer is measured, and a meter of
/// the whole machine only where neither is; of several meters the first, as they may measure the same.
/// Graphics cards are the total where there is nothing else. Rails may feed each other, so that only a
/// single one is, alone.
pub fn disjoint_cover(present: &[DomainId]) -> Vec<DomainId> {
    disjoint_cover_with(present, &[])
}

/// [`disjoint_cover`] where the graphics cards in `discrete` are known to lie in no package: they are added to
/// packages and memory. A platform or a meter of the machine may feed them, and stands without them.
pub fn disjoint_cover_with(present: &[DomainId], discrete: &[DomainId]) -> Vec<DomainId> {
    let any = |domain| present.iter().any(|id| id.domain == domain);
    let processors = [Domain::Package, Domain::Core, Domain::Dram].into_iter().any(any);
    let platform = !processors && any(Domain::Psys);
    let machine = !processors && !platform && any(Domain::Machine);
    let first_machine = present.iter().filter(|id| id.domain == Domain::Machine).min();
    present
        .iter()
        .copied()
        .filter(|id| match id.domain {
            Domain::Psys => platform,
            Domain::Machine => machine && Some(id) == first_machine,
            Domain::Package | Domain::Dram => true,
            Domain::Core | Domain::Uncore => {
                let inside = |other: &DomainId| {
                    let wider = other.domain == id.domain && other.core.is_none();
                    other.contains(*id) || (wider && id.is_one_core() && other.covers_place(*id))
                };
                !platform && !machine && !present.iter().any(inside)
            }
            Domain::Gpu if discrete.contains(id) => !platform && !machine,
            Domain::Gpu => present.iter().all(|other| !other.domain.is_fed_by_cpus()),
            Domain::Rail => present.len() == 1,
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
    fn single_cores_are_part_of_their_package_or_of_all_cores() {
        let [one, other] =
            ["core-0-core-1", "core-1-die-2-core-1"].map(|name| name.parse().unwrap());
        let package = DomainId::of_socket(Domain::Package, 0);
        let cores = DomainId::of_socket(Domain::Core, 1);
        assert_eq!(disjoint_cover(&[package, one, other]), [package, other]);
        assert_eq!(disjoint_cover(&[cores, one, other]), [cores, one]);
    }

    #[test]
    fn psys_is_the_total_only_when_it_is_alone() {
        let psys = DomainId::of_machine(Domain::Psys);
        assert_eq!(disjoint_cover(&[psys]), [psys]);
    }

    #[test]
    fn a_machines_meter_is_the_total_only_where_no_part_is_measured() {
        let package = DomainId::of_socket(Domain::Package, 0);
        let uncore = DomainId::of_socket(Domain::Uncore, 0);
        let psys = DomainId::of_machine(Domain::Psys);
        let machine = DomainId::of_machine(Domain::Machine);
        assert_eq!(disjoint_cover(&[package, psys, machine]), [package]);
        assert_eq!(disjoint_cover(&[psys, uncore, machine]), [psys]);
        assert_eq!(disjoint_cover(&[machine, uncore]), [machine]);
        let meters = [1, 0].map(|number| DomainId::of_socket(Domain::Machine, number));
        assert_eq!(disjoint_cover(&meters), [meters[1]], "both may measure the same");
    }

    #[test]
    fn cards_and_rails_are_beside_the_total() {
        let package = DomainId::of_socket(Domain::Package, 0);
        let cards = [0, 1].map(|number| DomainId::of_socket(Domain::Gpu, number));
        let rails = [0, 1].map(|number| DomainId::of_socket(Domain::Rail, number));
        assert_eq!(disjoint_cover(&[package, cards[0], cards[1], rails[0]]), [package]);
        assert_eq!(disjoint_cover(&[cards[0], cards[1], rails[0]]), cards);
        assert_eq!(disjoint_cover(&rails), [], "one may feed the other");
        assert_eq!(disjoint_cover(&rails[..1]), rails[..1]);
    }

    #[test]
    fn a_card_that_lies_in_no_package_is_added_to_it_and_not_to_what_may_feed_it() {
        let package = DomainId::of_socket(Domain::Package, 0);
        let dram = DomainId::of_socket(Domain::Dram, 0);
        let [discrete, other] = [0, 1].map(|number| DomainId::of_socket(Domain::Gpu, number));
        let cover = |present: &[DomainId]| disjoint_cover_with(present, &[discrete]);
        assert_eq!(cover(&[package, dram, discrete, other]), [package, dram, discrete]);
        assert_eq!(cover(&[discrete, other]), [discrete, other]);
        for whole in [Domain::Psys, Domain::Machine].map(DomainId::of_machine) {
            assert_eq!(cover(&[whole, discrete, other]), [whole]);
            assert_eq!(cover(&[package, whole, discrete]), [package, discrete]);
        }
    }

    #[test]
    fn a_domain_id_reads_like_a_powercap_zone() {
        let die = DomainId { die: Some(0), ..DomainId::of_socket(Domain::Package, 1) };
        assert_eq!(die.to_string(), "package-1-die-0");
        assert_eq!("package-1-die-0".parse(), Ok(die));
        let core = DomainId { core: Some(3), ..DomainId::of_socket(Domain::Core, 0) };
        assert_eq!(core.to_string(), "core-0-core-3");
        assert_eq!("core-0-core-3".parse(), Ok(core));
        let core_of_die = DomainId { die: Some(1), ..core };
        assert_eq!(core_of_die.to_string(), "core-0-die-1-core-3");
        assert_eq!("core-0-die-1-core-3".parse(), Ok(core_of_die));
        assert!("core-0-core-".parse::<DomainId>().is_err());
        assert_eq!("psys".parse(), Ok(DomainId::of_machine(Domain::Psys)));
        assert_eq!("gpu-1".parse(), Ok(DomainId::of_socket(Domain::Gpu, 1)));
        assert!("package-x".parse::<DomainId>().is_err());
        assert_eq!("dram".parse(), Ok(Domain::Dram));
        assert!("gpu0".parse::<Domain>().is_err());
    }
}
