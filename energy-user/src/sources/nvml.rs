//! NVIDIA's graphics cards through their management library (NVML), which is opened at run time.
//! The library counts millijoules since the driver was loaded, and we microjoules.
//! Reference: NVIDIA, "NVML API Reference Guide", r550 and later (nvmlDeviceGetTotalEnergyConsumption,
//! nvmlDeviceGetFieldValues, nvmlDeviceGetProcessUtilization, nvmlDeviceGetMigMode)

mod card;
mod failure;

use std::fs;
use std::path::Path;

use nvml_wrapper::Nvml as Library;

use super::discover::{Machine, Sought};
use super::rapl_registers::ceiling;
use super::{ClockFn, CounterReading, CounterSpec, EnergySource, Finding, Shown, SourceChoice};
use crate::model::{Domain, DomainId, GpuSample, Provenance};
use crate::units::{Microjoules, Nanoseconds};
use card::{Card, address};
use failure::missing;

/// What the driver installs where the system looks for libraries.
pub(super) const LIBRARY: &str = "libnvidia-ml.so.1";

/// Cards bring their figures up to date every 20 ms (Volta and older) to 100 ms (Yang, Adamek and Armour,
/// arXiv 2312.02741, table of results). It is part of the error.
const UPDATE_PERIOD: Nanoseconds = Nanoseconds::from_millis(100);

/// The counter counts millijoules.
const COUNTED: Microjoules = Microjoules::new(1000);

/// NVIDIA's number among makers of PCI devices, and the class of displays and of what computes like them.
const VENDOR: &str = "0x10de";
const DISPLAYS: &str = "0x03";

/// NVIDIA's cards.
#[derive(Debug)]
pub struct Nvml {
    library: Library,
    counters: Vec<CounterSpec>,
    cards: Vec<Card>,
}

/// What [`Nvml::open`] found.
#[derive(Debug)]
pub struct NvmlCards {
    /// The cards that tell of energy; `None` where there is not one.
    pub source: Option<Nvml>,
    /// One for each card, or why there is none.
    pub findings: Vec<Finding>,
    /// The PCI address of each card that there is, as sysfs has it, in the order of their numbers; empty
    /// where it is not known.
    pub addresses: Vec<String>,
}

/// Looks for cards on a machine. Where it has none and nobody named a library, there is nothing to say.
pub(super) fn seek(machine: &Machine) -> Sought {
    let Some(library) = machine.nvml_library else { return Sought::default() };
    let found = Nvml::open(library);
    let asked_for = machine.choice == SourceChoice::Nvml || library != Path::new(LIBRARY);
    let expected = found.source.is_some() || asked_for || has_card(machine.sysfs);
    let source = found.source.map(|source| Box::new(source) as Box<dyn EnergySource>);
    let findings = if expected { found.findings } else { Vec::new() };
    Sought { source, findings, cards: found.addresses }
}

impl Nvml {
    /// Opens the library at `path`, or of that name where the system looks for libraries, and its cards.
    pub fn open(path: &Path) -> NvmlCards {
        let what = format!("NVIDIA's library {}", path.display());
        let nothing = |findings| NvmlCards { source: None, findings, addresses: Vec::new() };
        let library = match Library::builder().lib_path(path.as_os_str()).init() {
            Ok(library) => library,
            Err(error) => return nothing(vec![missing(what, &error)]),
        };
        let count = match library.device_count() {
            Ok(0) => return nothing(vec![Finding::missing(what, "it knows of no card")]),
            Ok(count) => u16::try_from(count).unwrap_or(u16::MAX),
            Err(error) => return nothing(vec![missing(what, &error)]),
        };
        let mut findings = Vec::new();
        let mut addresses = Vec::new();
        let (mut counters, mut cards): (Vec<CounterSpec>, Vec<Card>) = Default::default();
        for number in 0..count {
            addresses.push(address(&library, number).unwrap_or_default());
            match Card::open(&library, number) {
                Ok(card) => {
                    findings.push(card.finding());
                    counters.push(spec(&card));
                    cards.push(card);
                }
                Err(error) => {
                    let domain = DomainId::of_socket(Domain::Gpu, number);
                    findings.push(missing(domain.to_string(), &error));
                }
            }
        }
        let source = (!cards.is_empty()).then_some(Self { library, counters, cards });
        NvmlCards { source, findings, addresses }
    }
}

impl EnergySource for Nvml {
    fn name(&self) -> &'static str {
        "nvml"
    }

    fn provenance(&self) -> Provenance {
        Provenance::Measured
    }

    fn note(&self) -> Option<String> {
        let names = self.cards.iter().map(|card| format!("{} is {}", card.domain(), card.name()));
        let mut sentences = vec![names.collect::<Vec<_>>().join(", ")];
        let those = |which: fn(&Card) -> bool| {
            let cards = self.cards.iter().filter(|card| which(card));
            cards.map(|card| card.domain().to_string()).collect::<Vec<_>>().join(", ")
        };
        for (cards, sentence) in [
            (
                those(Card::looks_part_of_the_time),
                "the sensor looks for a quarter of the time only (A100, H100 and their kin): of what changes within \
                 0.1 s a part is seen",
            ),
            (
                those(Card::is_partitioned),
                "divided by MIG: nothing tells which process draws its power, so it is unattributed",
            ),
            (
                those(Card::is_integrated_over_time),
                "no counter of energy: the energy, flagged `integrated`, is made of one reading of power per window, \
                 and peaks between readings are missed",
            ),
        ] {
            if !cards.is_empty() {
                sentences.push(format!("{cards}: {sentence}"));
            }
        }
        Some(sentences.join("; "))
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    fn discrete_cards(&self) -> Vec<DomainId> {
        self.cards.iter().filter(|card| card.is_discrete()).map(Card::domain).collect()
    }

    fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>) {
        for (counter, card) in self.cards.iter_mut().enumerate() {
            out.push(card.read(&self.library, counter, clock));
        }
    }

    fn read_cards(&mut self, out: &mut Vec<GpuSample>) {
        for card in &mut self.cards {
            card.read_use(&self.library, out);
        }
    }
}

fn spec(card: &Card) -> CounterSpec {
    let (quantum, shows) = if card.is_integrated_over_time() {
        (Microjoules::new(1), Shown::Power)
    } else {
        (COUNTED, Shown::Energy)
    };
    CounterSpec {
        domain: card.domain(),
        range: None,
        quantum,
        update_period: UPDATE_PERIOD,
        ceiling: ceiling(Domain::Gpu),
        shows,
    }
}

/// Whether the kernel sees one of NVIDIA's cards, whatever its driver.
fn has_card(sysfs: &Path) -> bool {
    let Ok(devices) = fs::read_dir(sysfs.join("bus/pci/devices")) else { return false };
    devices.flatten().any(|device| {
        let is = |file: &str, value: &str| {
            let text = fs::read_to_string(device.path().join(file));
            text.is_ok_and(|text| text.starts_with(value))
        };
        is("vendor", VENDOR) && is("class", DISPLAYS)
    })
}
