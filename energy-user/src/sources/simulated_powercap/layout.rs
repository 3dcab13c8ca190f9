//! What a simulated machine looks like: its zones, and what draws how much.

use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

use super::SimulationError;
use crate::model::{Domain, DomainId};
use crate::units::Nanoseconds;

/// 2⁻¹⁴ J as the kernel holds it: packages, cores, and `psys` of clients.
const PACKAGE_UNIT_NJ: u64 = 61_035;
/// Memory of Xeons.
const DRAM_UNIT_NJ: u64 = 15_300;
/// `psys` of Sapphire Rapids.
const COARSE_PSYS_UNIT_NJ: u64 = 1_000_000_000;

/// What anything may draw, in watts.
const WATTS: RangeInclusive<f64> = 0.0..=10_000.0;

/// A simulated machine. Watts are rounded to whole microwatts.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// How many sockets.
    pub sockets: u16,
    /// How many dies, each with a zone of its own, in a socket; zones are named for dies from two on.
    pub dies_per_socket: u16,
    /// What each package (or die) draws at all times.
    pub static_watts: f64,
    /// Processes of known watts.
    pub loads: Vec<Load>,
    /// Watts per CPU second of everything else that runs, shared by all packages alike.
    pub rest_watts: f64,
    /// Whether packages have a `core` zone, which counts all but the static power.
    pub core_zone: bool,
    /// A `dram` zone in each package.
    pub dram: Option<DramPower>,
    /// A `psys` zone.
    pub psys: Option<PsysPower>,
    /// How often counters advance; RAPL's is 1/1024 s.
    pub update_period: Nanoseconds,
    /// An update is up to so much late.
    pub jitter: Nanoseconds,
    /// Where the jitter's random numbers begin.
    pub seed: u64,
    /// How many bits the registers have: 32 in hardware, 8 to 31 to see wraps soon. A package's turn is
    /// 61 µJ × 2^bits: 128 J for 21 bits. A turn must last longer than the hardware's ceiling (1 kW) over
    /// two readings, or a reader rightly calls it ambiguous.
    pub register_bits: u32,
    /// Where counters begin, in microjoules.
    pub start_uj: u64,
    /// Whether every update is remembered and left as a [`History`](super::History) at the end.
    pub keep_history: bool,
}

impl Default for Layout {
    /// A desktop: one socket, 5 W static, 4 W for anything that runs.
    fn default() -> Self {
        Self {
            sockets: 1,
            dies_per_socket: 1,
            static_watts: 5.0,
            loads: Vec::new(),
            rest_watts: 4.0,
            core_zone: false,
            dram: None,
            psys: None,
            update_period: Nanoseconds::new(976_563),
            jitter: Nanoseconds::new(20_000),
            seed: 1,
            register_bits: 32,
            start_uj: 0,
            keep_history: false,
        }
    }
}

/// A process of known watts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// The process; all its threads count.
    pub pid: u32,
    /// Watts per CPU second.
    pub watts: f64,
    /// Which package draws them: sockets' dies counted from 0.
    pub package: u16,
}

/// A load that is not of the form `PID=WATTS` or `PID=WATTS@PACKAGE`.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no load: write PID=WATTS or PID=WATTS@PACKAGE, e.g. 1234=12.5@0")]
pub struct ParseLoadError(String);

impl FromStr for Load {
    type Err = ParseLoadError;
    fn from_str(text: &str) -> Result<Self, ParseLoadError> {
        let parse = || {
            let (pid, draw) = text.split_once('=')?;
            let (watts, package) = draw.split_once('@').unwrap_or((draw, "0"));
            Self::checked(pid, watts, package)
        };
        parse().ok_or_else(|| ParseLoadError(text.to_owned()))
    }
}

impl Load {
    /// From its parts as words; `None` where one is no number or watts are not from 0 to 10000.
    pub(super) fn checked(pid: &str, watts: &str, package: &str) -> Option<Self> {
        let watts = watts.parse().ok().filter(|watts| WATTS.contains(watts))?;
        Some(Self { pid: pid.parse().ok()?, watts, package: package.parse().ok()? })
    }
}

/// What the memory of a package draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DramPower {
    /// At all times.
    pub static_watts: f64,
    /// Per CPU second of anything that runs there.
    pub watts_per_cpu: f64,
}

/// What the platform draws beside packages and memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PsysPower {
    /// At all times.
    pub extra_watts: f64,
    /// Whether it counts whole joules, as Sapphire Rapids does.
    pub whole_joules: bool,
}

/// One zone to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ZonePlan {
    /// Where it lies below the tree's root, e.g. `intel-rapl:0/intel-rapl:0:1`.
    pub directory: String,
    pub name: String,
    pub domain: DomainId,
    pub unit_nj: u64,
}

impl Layout {
    pub(super) fn check(&self) -> Result<(), SimulationError> {
        let refuse = |reason: &str| Err(SimulationError::Layout(reason.to_owned()));
        if self.sockets == 0 || self.dies_per_socket == 0 {
            return refuse("a machine has at least one socket and one die");
        }
        if !(8..=32).contains(&self.register_bits) {
            return refuse("a register has 8 to 32 bits");
        }
        if self.update_period == Nanoseconds::ZERO {
            return refuse("an update period is longer than nothing");
        }
        let packages = self.packages().len();
        if self.loads.iter().any(|load| usize::from(load.package) >= packages) {
            return refuse("a load names a package that the machine does not have");
        }
        let mut watts = vec![self.static_watts, self.rest_watts];
        watts.extend(self.loads.iter().map(|load| load.watts));
        watts.extend(self.dram.iter().flat_map(|dram| [dram.static_watts, dram.watts_per_cpu]));
        watts.extend(self.psys.iter().map(|psys| psys.extra_watts));
        if watts.iter().any(|watts| !WATTS.contains(watts)) {
            return refuse("watts are numbers from 0 to 10000");
        }
        Ok(())
    }

    /// The packages, or their dies, in order.
    pub(super) fn packages(&self) -> Vec<DomainId> {
        let dies = self.dies_per_socket;
        (0..self.sockets)
            .flat_map(|socket| (0..dies).map(move |die| (socket, die)))
            .map(|(socket, die)| DomainId {
                die: (dies > 1).then_some(die),
                ..DomainId::of_socket(Domain::Package, socket)
            })
            .collect()
    }

    pub(super) fn zones(&self) -> Vec<ZonePlan> {
        let mut zones = Vec::new();
        let mut top = 0;
        if let Some(psys) = self.psys {
            // First, so that reading zones by index instead of by name is found out.
            zones.push(ZonePlan {
                directory: "intel-rapl:0".to_owned(),
                name: "psys".to_owned(),
                domain: DomainId::of_machine(Domain::Psys),
                unit_nj: if psys.whole_joules { COARSE_PSYS_UNIT_NJ } else { PACKAGE_UNIT_NJ },
            });
            top += 1;
        }
        for package in self.packages() {
            let directory = format!("intel-rapl:{top}");
            let inside = [(self.dram.is_some(), Domain::Dram), (self.core_zone, Domain::Core)];
            zones.push(ZonePlan {
                directory: directory.clone(),
                name: package.to_string(),
                domain: package,
                unit_nj: PACKAGE_UNIT_NJ,
            });
            let inside = inside.into_iter().filter(|(present, _)| *present).enumerate();
            for (index, (_, domain)) in inside {
                zones.push(ZonePlan {
                    directory: format!("{directory}/intel-rapl:{top}:{index}"),
                    name: domain.name().to_owned(),
                    domain: DomainId { domain, ..package },
                    unit_nj: if domain == Domain::Dram { DRAM_UNIT_NJ } else { PACKAGE_UNIT_NJ },
                });
            }
            top += 1;
        }
        zones
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_written_as_pid_watts_and_package() {
        assert_eq!("12=7.5".parse(), Ok(Load { pid: 12, watts: 7.5, package: 0 }));
        assert_eq!("12=7.5@1".parse(), Ok(Load { pid: 12, watts: 7.5, package: 1 }));
        for wrong in ["12", "x=7", "12=-7", "12=NaN", "12=7@"] {
            assert!(wrong.parse::<Load>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn zones_are_nested_and_named_as_the_kernel_does() {
        let layout = Layout {
            dies_per_socket: 2,
            dram: Some(DramPower { static_watts: 1.0, watts_per_cpu: 0.5 }),
            psys: Some(PsysPower { extra_watts: 3.0, whole_joules: true }),
            ..Layout::default()
        };
        let zones: Vec<String> = layout
            .zones()
            .into_iter()
            .map(|zone| format!("{} {}", zone.directory, zone.name))
            .collect();
        assert_eq!(
            zones,
            [
                "intel-rapl:0 psys",
                "intel-rapl:1 package-0-die-0",
                "intel-rapl:1/intel-rapl:1:0 dram",
                "intel-rapl:2 package-0-die-1",
                "intel-rapl:2/intel-rapl:2:0 dram",
            ]
        );
    }
}
