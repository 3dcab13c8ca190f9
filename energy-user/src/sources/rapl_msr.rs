//! RAPL counters read from the processor's own registers: the last resort, for kernels without a driver for
//! them. Never taken unless named.
//!
//! One CPU of each package (or die) is read. AMD's registers of single cores (0xC001029A) are not: a domain
//! has no core to name.
//! Reference: Intel SDM vol. 4, table 2-2 ff.; AMD PPR for family 17h, `MSRC001_0299` and `_029B`;
//! Linux v6.12, arch/x86/include/asm/msr-index.h

use std::collections::BTreeMap;
use std::path::Path;

use super::discover::{Machine, Sought};
use super::msr_device::MsrDevice;
use super::rapl_place::{domains_at, first_cpus};
use super::rapl_registers::{ceiling, update_period};
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
};

const AMD: Addresses = Addresses { unit: 0xc001_0299, energy: &[(0xc001_029b, Domain::Package)] };

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
    let found = RaplMsr::open(dev, machine.facts);
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
    /// One that holds 0 counts nothing, as the kernel takes it.
    pub fn open(dev: &Path, facts: &HostFacts) -> MsrCounters {
        let mut findings = Vec::new();
        let Some(addresses) = addresses(facts) else {
            let detail = "only processors of Intel's and AMD's have such registers";
            return MsrCounters { source: None, findings: vec![Finding::missing(WHAT, detail)] };
        };
        let places = first_cpus(facts);
        let mut devices = BTreeMap::new();
        let mut units = BTreeMap::new();
        for &cpu in places.keys() {
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
        for &(address, domain) in addresses.energy {
            for (cpu, id) in domains_at(domain, &places) {
                let (Some(device), Some(unit)) = (devices.get(&cpu), units.get(&cpu)) else {
                    continue;
                };
                let what = format!("RAPL {id} (register)");
                let place = format!("register 0x{address:x} of {}", device.path().display());
                if device.read(address).is_ok_and(|value| value != 0) {
                    findings.push(Finding::ok(what, format!("measured by {place}")));
                    let unit = RegisterUnit::of(domain, *unit, facts);
                    counters.push(spec(id, unit, facts));
                    registers.push(Register { cpu, address, unit });
                } else if domain == Domain::Package {
                    let detail = format!(
                        "{place} counts nothing: this processor has no RAPL, or its \
                        hypervisor hides it"
                    );
                    findings.push(Finding::missing(what, detail));
                }
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
        ceiling: ceiling(domain.domain),
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
