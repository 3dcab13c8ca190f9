//! Power where nothing measures: watts per busy CPU and per gigabyte of memory, from tables.
//! An estimate is never silent: [`PowerModel::note`] says what it rests on, and every sample is
//! [`Provenance::Estimated`].

use super::HostFacts;
use super::cpu_architecture::server_architecture;
use super::power_table::{constant, cpu_power_of, family_power_of};
use crate::model::{CounterFlags, Domain, DomainId, EnergySample, Provenance, Window};
use crate::units::{Joules, Nanoseconds, Watts};

/// The name of estimates in the trace.
const SOURCE: &str = "model";

/// Relative standard errors. They are assumptions of ours, as no tool publishes how far such estimates are
/// off: "anything between nothing and twice the figure" (1/√3) for a design power that says little
/// about a load, and about 30 % for curves of measured servers, of which a load's kind alone makes 20 %
/// (Zhai et al., USENIX ATC 2014: 20.5 % for a model that knows busy time only).
const ERROR_OF_CURVE: f64 = 0.3;
const ERROR_OF_FIGURE: f64 = 0.577;

const GIBIBYTE: f64 = 1_073_741_824.0;

/// A model of one machine's power.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerModel {
    cpus: Vec<ModelledCpu>,
    memory: Option<Watts>,
    basis: Basis,
    note: String,
}

/// A CPU, its socket, and what it draws idle and busy.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ModelledCpu {
    cpu: u16,
    socket: u16,
    idle: Watts,
    busy: Watts,
}

/// What the watts of a CPU rest on.
#[derive(Clone, Debug, PartialEq)]
enum Basis {
    /// Idle and full power of a vCPU of such servers.
    Curve { architecture: &'static str, idle_w: f64, full_w: f64 },
    /// The design power, all of it this machine's.
    DesignPower { name: String, tdp_w: f64 },
    /// A virtual machine's share of the design power: one of so many hardware threads for each CPU.
    ShareOfDesignPower { name: String, tdp_w: f64, threads: u32, counted: bool },
    /// A figure for any CPU.
    AnyCpu { full_w: f64 },
}

impl PowerModel {
    /// The model of a machine, the best that its tables allow: a curve of its architecture's servers, else
    /// its design power, else a figure for any CPU.
    pub fn for_host(facts: &HostFacts) -> Self {
        let basis = Basis::of(facts);
        let sockets = facts.topology.cpus.iter().map(|(cpu, place)| (*cpu, place.socket));
        let in_socket = |socket| {
            facts.topology.cpus.values().filter(|place| place.socket == socket).count().max(1)
        };
        let cpus = sockets
            .map(|(cpu, socket)| {
                let (idle, busy) = basis.watts_of_cpu(in_socket(socket));
                ModelledCpu { cpu, socket, idle, busy }
            })
            .collect();
        let per_gigabyte = constant("memory_power_greenalgorithms");
        let gibibytes = gibibytes(facts.memory_bytes);
        let memory = (gibibytes > 0.0).then(|| Watts::new(per_gigabyte * gibibytes));
        let note = note(facts, &basis, per_gigabyte, gibibytes);
        Self { cpus, memory, basis, note }
    }

    /// The name of its estimates in the trace.
    pub const fn name(&self) -> &'static str {
        SOURCE
    }

    /// What kind of figure it gives.
    pub const fn provenance(&self) -> Provenance {
        Provenance::Estimated
    }

    /// What the estimate rests on, in one sentence that every report must show.
    pub fn note(&self) -> String {
        self.note.clone()
    }

    /// What it estimates: a package for each socket, and the machine's memory.
    pub fn domains(&self) -> Vec<DomainId> {
        let mut domains: Vec<DomainId> =
            self.sockets().map(|socket| DomainId::of_socket(Domain::Package, socket)).collect();
        domains.extend(self.memory.map(|_| DomainId::of_machine(Domain::Dram)));
        domains
    }

    /// What each domain draws without load. Memory's figure does not depend on load at all; a
    /// design power says nothing of idling, so there it is nothing, which the note tells.
    pub fn idle_power(&self) -> Vec<(DomainId, Watts)> {
        let of_socket = |socket| {
            let cpus = self.cpus.iter().filter(|cpu| cpu.socket == socket);
            let idle = cpus.fold(Watts::default(), |sum, cpu| sum + cpu.idle);
            (DomainId::of_socket(Domain::Package, socket), idle)
        };
        let packages = self.sockets().map(of_socket);
        packages
            .chain(self.memory.map(|memory| (DomainId::of_machine(Domain::Dram), memory)))
            .collect()
    }

    /// The energy of `window`, given how long each CPU was not idle in it. A CPU is never busier than
    /// the window is long.
    pub fn estimate(
        &self,
        window: &Window,
        busy: &dyn Fn(u16) -> Nanoseconds,
    ) -> Vec<EnergySample> {
        let length = window.length();
        let sample = |domain, energy: Joules, relative_error: f64| EnergySample {
            window: window.index,
            domain,
            source: SOURCE.into(),
            provenance: Provenance::Estimated,
            energy: Some(energy.to_microjoules()),
            error: Some(Joules::new(energy.get() * relative_error).to_microjoules()),
            flags: CounterFlags::NONE,
            busy: None,
        };
        let mut samples = Vec::new();
        for socket in self.sockets() {
            let cpus = self.cpus.iter().filter(|cpu| cpu.socket == socket);
            let energy = cpus.fold(Joules::default(), |energy, cpu| {
                let busy = busy(cpu.cpu).min(length);
                energy + cpu.busy * busy + cpu.idle * length.saturating_sub(busy)
            });
            let domain = DomainId::of_socket(Domain::Package, socket);
            samples.push(sample(domain, energy, self.basis.relative_error()));
        }
        if let Some(memory) = self.memory {
            let domain = DomainId::of_machine(Domain::Dram);
            samples.push(sample(domain, memory * length, ERROR_OF_FIGURE));
        }
        samples
    }

    fn sockets(&self) -> impl Iterator<Item = u16> {
        let mut sockets: Vec<u16> = self.cpus.iter().map(|cpu| cpu.socket).collect();
        sockets.sort_unstable();
        sockets.dedup();
        sockets.into_iter()
    }
}

impl Basis {
    fn of(facts: &HostFacts) -> Self {
        if let Some(architecture) = server_architecture(facts)
            && let Some((idle_w, full_w)) = family_power_of(architecture)
        {
            return Self::Curve { architecture, idle_w, full_w };
        }
        let row = facts.cpu_model.as_deref().and_then(cpu_power_of);
        match row {
            Some(row) if facts.virtualisation.is_none() => {
                Self::DesignPower { name: row.name, tdp_w: row.tdp_w }
            }
            Some(row) if row.threads_or_twice_cores().is_some() => Self::ShareOfDesignPower {
                threads: row.threads_or_twice_cores().expect("checked by the guard"),
                counted: row.threads.is_some(),
                name: row.name,
                tdp_w: row.tdp_w,
            },
            _ => Self::AnyCpu { full_w: constant("cpu_default_w_per_thread") },
        }
    }

    /// Idle and busy watts of one of `in_socket` CPUs.
    fn watts_of_cpu(&self, in_socket: usize) -> (Watts, Watts) {
        let in_socket = u32::try_from(in_socket).expect("CPU numbers are 16 bits wide");
        let (idle_w, full_w) = match *self {
            Self::Curve { idle_w, full_w, .. } => (idle_w, full_w),
            Self::DesignPower { tdp_w, .. } => (0.0, tdp_w / f64::from(in_socket)),
            Self::ShareOfDesignPower { tdp_w, threads, .. } => {
                (0.0, tdp_w / f64::from(threads.max(1)))
            }
            Self::AnyCpu { full_w } => (0.0, full_w),
        };
        (Watts::new(idle_w), Watts::new(full_w))
    }

    const fn relative_error(&self) -> f64 {
        match self {
            Self::Curve { .. } => ERROR_OF_CURVE,
            _ => ERROR_OF_FIGURE,
        }
    }

    /// "4 W per busy CPU (…)".
    fn in_words(&self, cpu_model: &str) -> String {
        const NO_IDLE: &str = "idle power is not included";
        match self {
            Self::Curve { architecture, idle_w, full_w } => format!(
                "{idle_w:.2} W idle to {full_w:.2} W busy per CPU (Cloud Carbon Footprint, servers with \
                 {architecture})"
            ),
            Self::DesignPower { name, tdp_w } => format!(
                "the design power of {name}, {tdp_w} W, times the share of busy CPUs ({NO_IDLE})"
            ),
            Self::ShareOfDesignPower { name, tdp_w, threads, counted } => {
                let threads_known =
                    if *counted { "" } else { ", counting two threads for each core" };
                format!(
                    "{:.2} W per busy CPU (a CPU here is taken for one of the {threads} hardware threads of \
                     {name} with its {tdp_w} W{threads_known}; {NO_IDLE})",
                    tdp_w / f64::from(*threads)
                )
            }
            Self::AnyCpu { full_w } => format!(
                "{full_w} W per busy CPU (default of CodeCarbon 3, because model \"{cpu_model}\" is in no \
                 table; {NO_IDLE})"
            ),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "memory is exact below 8 PiB, shown to a few digits"
)]
fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / GIBIBYTE
}

fn note(facts: &HostFacts, basis: &Basis, per_gigabyte: f64, gibibytes: f64) -> String {
    let cpu_model = facts.cpu_model.as_deref().unwrap_or("unknown");
    let package = basis.in_words(cpu_model);
    let memory = if gibibytes > 0.0 {
        format!(", and memory as a constant {per_gigabyte} W/GB × {gibibytes:.1} GB")
    } else {
        String::new()
    };
    format!(
        "no energy counter here: package energy is ESTIMATED as {package}{memory}; treat joules as an order of \
         magnitude and shares of them as firmer"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CpuPlace;
    use crate::sources::CpuVendor;
    use crate::units::{Microjoules, MonotonicTime, WallTime};

    fn host(cpu_model: &str, cpus: u16, virtualisation: Option<&str>) -> HostFacts {
        let mut facts = HostFacts {
            cpu_model: Some(cpu_model.to_owned()),
            memory_bytes: 8 << 30,
            virtualisation: virtualisation.map(str::to_owned),
            ..HostFacts::default()
        };
        for cpu in 0..cpus {
            facts.topology.cpus.insert(cpu, CpuPlace { socket: 0, die: 0, core: cpu });
        }
        facts
    }

    fn second() -> Window {
        Window {
            index: 0,
            start: MonotonicTime::from_nanos(0),
            end: MonotonicTime::from_nanos(1_000_000_000),
            start_utc: WallTime::default(),
            lost_switches: 0,
            lost_events: 0,
        }
    }

    fn package_uj(model: &PowerModel, busy_ms: u64) -> u64 {
        let samples = model.estimate(&second(), &|_| Nanoseconds::from_millis(busy_ms));
        samples[0].energy.map(Microjoules::get).unwrap()
    }

    #[test]
    fn an_unknown_processor_draws_four_watts_per_busy_cpu() {
        let model = PowerModel::for_host(&host("AMD EPYC", 2, Some("KVM")));
        assert_eq!(package_uj(&model, 1000), 8_000_000);
        assert_eq!(package_uj(&model, 250), 2_000_000);
        assert_eq!(package_uj(&model, 9999), 8_000_000, "no busier than the window is long");
        assert!(model.note().contains("ESTIMATED as 4 W per busy CPU"), "{}", model.note());
        assert!(model.note().contains("\"AMD EPYC\""), "{}", model.note());
    }

    #[test]
    fn memory_draws_by_its_size() {
        let model = PowerModel::for_host(&host("AMD EPYC", 2, None));
        let samples = model.estimate(&second(), &|_| Nanoseconds::ZERO);
        // 8 GB × 0.3725 W/GB for a second.
        assert_eq!(samples[1].energy, Some(Microjoules::new(2_980_000)));
        assert_eq!(samples[1].domain, DomainId::of_machine(Domain::Dram));
        assert!(samples.iter().all(|sample| sample.provenance == Provenance::Estimated));
        assert_eq!(model.domains().len(), 2);
    }

    #[test]
    fn a_machine_has_its_whole_design_power_and_a_guest_its_share() {
        // 170 W over 32 threads.
        let name = "AMD Ryzen 9 7950X 16-Core Processor";
        let hardware = PowerModel::for_host(&host(name, 32, None));
        assert_eq!(package_uj(&hardware, 1000), 170_000_000);
        let guest = PowerModel::for_host(&host(name, 4, Some("QEMU")));
        assert_eq!(package_uj(&guest, 1000), 21_250_000);
        assert!(guest.note().contains("one of the 32 hardware threads"), "{}", guest.note());
    }

    #[test]
    fn a_known_server_has_idle_power_too() {
        let mut facts = host("Intel(R) Xeon(R) Processor", 1, Some("QEMU"));
        facts.vendor = CpuVendor::Intel;
        (facts.family, facts.model, facts.stepping) = (Some(6), Some(0xcf), Some(2));
        let model = PowerModel::for_host(&facts);
        assert_eq!(package_uj(&model, 0), 814_000);
        assert!(model.note().contains("Emerald Rapids"), "{}", model.note());
    }
}
