//! RAPL counters read from the processor's own registers: the last resort, for kernels without a driver for
//! them. Never taken unless named.
//!
//! One CPU of each package (or die) is read and, where that is asked for, one of each core.
//! Reference: Intel SDM vol. 4, table 2-2 ff.; AMD PPR for family 17h, `MSRC001_0299`, `_029A` and `_029B`;
//! Linux v6.12, arch/x86/include/asm/msr-index.h

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::discover::{Machine, Sought};
use super::msr_device::MsrDevice;
use super::rapl_place::{cores, domains_at, first_cpus};
use super::rapl_registers::{CORE_CEILING, ceiling, update_period};
use super::rapl_unit::RegisterUnit;
use super::undisturbed::read_undisturbed;
use super::{
    ClockFn, CounterReading, CounterSpec, CpuVendor, EnergySource, Finding, HostFacts, Shown,
    SourceError,
};
use crate::model::{Domain, DomainId, Provenance};

/// The name of what is looked for, in findings.
const WHAT: &str = "RAPL (registers)";

/// Where a maker's processors keep their counters.
struct Addresses {
    unit: u32,
    energy: &'static [(u32, Domain)],
    /// Of a single core.
    core: Option<u32>,
}

const INTEL: Addresses = Addresses {
    unit: 0x606,
    energy: &[
        (0x611, Domain::Package),
        (0x639, Domain::Core),
        (0x641, Domain::Uncore),
        (0x619, Domain::Dram),
        (0x64d, Domain::Psys),
    ],
    core: None,
};

const AMD: Addresses = Addresses {
    unit: 0xc001_0299,
    energy: &[(0xc001_029b, Domain::Package)],
    core: Some(0xc001_029a),
};

/// The energy registers of a machine's processors.
#[derive(Debug)]
pub struct RaplMsr {
    counters: Vec<CounterSpec>,
    registers: Vec<Register>,
    devices: BTreeMap<u16, MsrDevice>,
}

/// What [`RaplMsr::open`] found.
#[derive(Debug)]
pub struct MsrCounters {
    /// The registers that count; `None` where there is not one.
    pub source: Option<RaplMsr>,
    /// One for each register that counts, and why others cannot be read.
    pub findings: Vec<Finding>,
}

/// An energy register, read on one CPU.
#[derive(Debug)]
struct Register {
    cpu: u16,
    address: u32,
    unit: RegisterUnit,
}

/// Looks for registers on a machine.
pub(super) fn seek(machine: &Machine) -> Sought {
    let Some(dev) = machine.dev else { return Sought::default() };
    let found = RaplMsr::open(dev, machine.facts, machine.core_counters);
    let source = found.source.map(|source| Box::new(source) as Box<dyn EnergySource>);
    Sought { source, findings: found.findings, ..Sought::default() }
}

/// Says that registers could be read, where they were not asked for; opens nothing.
pub(super) fn offer(machine: &Machine) -> Option<Finding> {
    let (dev, facts) = (machine.dev?, machine.facts);
    addresses(facts).filter(|_| facts.virtualisation.is_none())?;
    let cpu = *facts.topology.cpus.keys().next()?;
    let path = MsrDevice::path_of(dev, cpu);
    let detail = format!(
        "{} is there, and read with --source rapl-msr only, as a last resort",
        path.display()
    );
    path.exists().then(|| Finding::ok(WHAT, detail))
}

impl RaplMsr {
    /// Opens `cpu/N/msr` under `dev` for one CPU of each package, and takes every energy register that it has.
    /// One that holds 0 counts nothing, as the kernel takes it. With `core_counters` also those of single cores.
    pub fn open(dev: &Path, facts: &HostFacts, core_counters: bool) -> MsrCounters {
        let mut findings = Vec::new();
        let Some(addresses) = addresses(facts) else {
            let detail = "only processors of Intel's and AMD's have such registers";
            return MsrCounters { source: None, findings: vec![Finding::missing(WHAT, detail)] };
        };
        let places = first_cpus(facts);
        let cores = if core_counters { cores(facts) } else { Vec::new() };
        let of_cores = addresses
            .core
            .into_iter()
            .flat_map(|address| cores.iter().map(move |(cpu, core)| (address, *cpu, *core)));
        let of_packages = addresses.energy.iter().flat_map(|(address, domain)| {
            let domains = domains_at(*domain, &places);
            domains.into_iter().map(|(cpu, id)| (*address, cpu, id))
        });
        let wanted: Vec<(u32, u16, DomainId)> = of_packages.chain(of_cores).collect();
        let cpus: BTreeSet<u16> = wanted.iter().map(|(_, cpu, _)| *cpu).collect();
        let mut devices = BTreeMap::new();
        let mut units = BTreeMap::new();
        for cpu in cpus {
            let opened = MsrDevice::open(dev, cpu)
                .and_then(|device| Ok((device.read(addresses.unit)?, device)));
            match opened {
                Ok((unit, device)) => {
                    units.insert(cpu, unit);
                    devices.insert(cpu, device);
                }
                Err(error) => findings.push(refused(&error)),
            }
        }
        let (mut counters, mut registers) = (Vec::new(), Vec::new());
        for (address, cpu, id) in wanted {
            let (Some(device), Some(unit)) = (devices.get(&cpu), units.get(&cpu)) else {
                continue;
            };
            let what = format!("RAPL {id} (register)");
            let place = format!("register 0x{address:x} of {}", device.path().display());
            if device.read(address).is_ok_and(|value| value != 0) {
                findings.push(Finding::ok(what, format!("measured by {place}")));
                let unit = RegisterUnit::of(id.domain, *unit, facts);
                counters.push(spec(id, unit, facts));
                registers.push(Register { cpu, address, unit });
            } else if id.domain == Domain::Package || id.is_one_core() {
                let detail = format!(
                    "{place} counts nothing: this processor has no RAPL, or its \
                    hypervisor hides it"
                );
                findings.push(Finding::missing(what, detail));
            }
        }
        let source = (!registers.is_empty()).then_some(Self { counters, registers, devices });
        MsrCounters { source, findings }
    }
}

impl EnergySource for RaplMsr {
    fn name(&self) -> &'static str {
        "rapl-msr"
    }

    fn provenance(&self) -> Provenance {
        Provenance::Measured
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>) {
        for (counter, register) in self.registers.iter().enumerate() {
            let device = &self.devices[&register.cpu];
            out.push(read_undisturbed(counter, clock, || {
                device.read(register.address).map(|value| register.unit.energy(value))
            }));
        }
    }
}

fn addresses(facts: &HostFacts) -> Option<&'static Addresses> {
    match facts.vendor {
        CpuVendor::Intel => Some(&INTEL),
        CpuVendor::Amd | CpuVendor::Hygon => Some(&AMD),
        CpuVendor::Other => None,
    }
}

fn spec(domain: DomainId, unit: RegisterUnit, facts: &HostFacts) -> CounterSpec {
    CounterSpec {
        domain,
        range: Some(unit.turn()),
        quantum: unit.quantum(),
        update_period: update_period(&facts.vendor),
        ceiling: if domain.is_one_core() { CORE_CEILING } else { ceiling(domain.domain) },
        shows: Shown::Energy,
    }
}

fn refused(error: &SourceError) -> Finding {
    let finding = Finding::missing(WHAT, error.to_string());
    match error {
        SourceError::Registers { cause, .. } if cause.kind() == std::io::ErrorKind::NotFound => {
            finding.remedied_by("sudo modprobe msr")
        }
        _ if error.is_permission() => finding.remedied_by(
            "sudo energy-prof …; in a container also --cap-add SYS_RAWIO and the devices",
        ),
        _ => finding,
    }
}
