//! Energy and power from the kernel's hardware monitoring: graphics cards, boards, meters of whole machines.
//! Counters of energy are read as they are; readings of power are added up over time, and flagged so.

use std::collections::BTreeMap;
use std::path::Path;

use super::discover::{Machine, Sought};
use super::hwmon_chip::{Channel, ChannelFiles, Chip, chips};
use super::hwmon_place::{Place, place};
use super::number_file::NumberFile;
use super::power_integral::PowerIntegral;
use super::rapl_registers::ceiling;
use super::undisturbed::read_between;
use super::{ClockFn, CounterReading, CounterSpec, EnergySource, Finding, Shown, SourceError};
use crate::model::{Domain, DomainId, Provenance};
use crate::units::{Microjoules, Nanoseconds};

/// What a sensor is taken for that does not say how often it is brought up to date. It is part of the error.
const USUAL_UPDATE: Nanoseconds = Nanoseconds::from_millis(100);

/// Counters of energy are registers like RAPL's, of such a unit or a finer one.
const USUAL_QUANTUM: Microjoules = Microjoules::new(61);

/// The sensors of hardware monitoring.
#[derive(Debug)]
pub struct Hwmon {
    counters: Vec<CounterSpec>,
    sensors: Vec<Sensor>,
}

/// What [`Hwmon::open`] found.
#[derive(Debug)]
pub struct HwmonSensors {
    /// The sensors that can be read; `None` where there is not one.
    pub source: Option<Hwmon>,
    /// One for each sensor: read, or why not.
    pub findings: Vec<Finding>,
}

/// Looks for sensors on a machine.
pub(super) fn seek(machine: &Machine) -> Sought {
    let found = Hwmon::open_beside(machine.sysfs, &machine.cards);
    let source = found.source.map(|source| Box::new(source) as Box<dyn EnergySource>);
    Sought { source, findings: found.findings, ..Sought::default() }
}

impl Hwmon {
    /// Opens every sensor of energy or power under `class/hwmon` of a sysfs.
    pub fn open(sysfs: &Path) -> HwmonSensors {
        Self::open_beside(sysfs, &[])
    }

    /// [`Self::open`] where graphics cards at these PCI addresses are measured already: they are passed over,
    /// and the numbers of cards go on after theirs.
    pub fn open_beside(sysfs: &Path, cards: &[String]) -> HwmonSensors {
        let mut findings = Vec::new();
        let mut opened: Vec<(Place, Sensor, Nanoseconds)> = Vec::new();
        for chip in chips(sysfs) {
            for (index, channel) in chip.channels().iter().enumerate() {
                let place = place(&chip.name, index, channel.label.as_deref());
                let measured = place == Place::Device(Domain::Gpu)
                    && chip.pci_address().is_some_and(|address| cards.contains(&address));
                if place == Place::Contained || measured {
                    continue;
                }
                match Sensor::open(&chip, channel) {
                    Ok(sensor) => {
                        let update = chip.update_interval_ms().filter(|interval| *interval > 0);
                        let update = update.map_or(USUAL_UPDATE, Nanoseconds::from_millis);
                        opened.push((place, sensor, update));
                    }
                    Err(error) => findings.push(unreadable(&chip, &error)),
                }
            }
        }
        let mut numbers = Numbers::of(opened.iter().map(|(place, ..)| *place));
        numbers.begin_at(Domain::Gpu, u16::try_from(cards.len()).unwrap_or(u16::MAX));
        let (mut counters, mut sensors): (Vec<CounterSpec>, Vec<Sensor>) = Default::default();
        for (place, sensor, update) in opened {
            let Some(domain) = numbers.next(place) else { continue };
            let what = format!("{domain}, {}", sensor.name);
            if counters.iter().any(|spec| spec.domain == domain) {
                let detail = "another sensor has the same name: not used, so energy is missing";
                findings.push(Finding::degraded(what, detail));
                continue;
            }
            findings.push(Finding::ok(what, sensor.in_words()));
            counters.push(sensor.spec(domain, update));
            sensors.push(sensor);
        }
        let source = (!counters.is_empty()).then_some(Self { counters, sensors });
        HwmonSensors { source, findings }
    }
}

impl EnergySource for Hwmon {
    fn name(&self) -> &'static str {
        "hwmon"
    }

    fn provenance(&self) -> Provenance {
        Provenance::Measured
    }

    fn note(&self) -> Option<String> {
        let of =
            |(spec, sensor): (&CounterSpec, &Sensor)| format!("{} is {}", spec.domain, sensor.name);
        let names: Vec<String> = self.counters.iter().zip(&self.sensors).map(of).collect();
        let mut note = names.join(", ");
        if self.counters.iter().any(|spec| spec.shows == Shown::Power) {
            note.push_str(
                "; energy flagged `integrated` is made of one reading of power per window: peaks between \
                 readings are missed",
            );
        }
        Some(note)
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>) {
        for (counter, sensor) in self.sensors.iter_mut().enumerate() {
            out.push(sensor.read(counter, clock));
        }
    }
}

/// A sensor that is open.
#[derive(Debug)]
struct Sensor {
    /// `amdgpu PPT (hwmon2)`.
    name: String,
    reads: Reads,
}

#[derive(Debug)]
enum Reads {
    Energy(NumberFile),
    Power(NumberFile, PowerIntegral),
    VoltageAndCurrent(NumberFile, NumberFile, PowerIntegral),
}

impl Sensor {
    /// Opens a channel's files and reads them once.
    fn open(chip: &Chip, channel: &Channel) -> Result<Self, SourceError> {
        let reads = match &channel.files {
            ChannelFiles::Energy(path) => {
                Reads::Energy(NumberFile::open(path.clone(), "microjoules")?)
            }
            ChannelFiles::Power(path) => {
                let file = NumberFile::open(path.clone(), "microwatts")?;
                Reads::Power(file, PowerIntegral::default())
            }
            ChannelFiles::VoltageAndCurrent(voltage, current) => Reads::VoltageAndCurrent(
                NumberFile::open(voltage.clone(), "millivolts")?,
                NumberFile::open(current.clone(), "milliamperes")?,
                PowerIntegral::default(),
            ),
        };
        let label = channel.label.as_ref().map(|label| format!(" {label}")).unwrap_or_default();
        let name = format!("{}{label} ({})", chip.name, chip.directory_name);
        let mut sensor = Self { name, reads };
        let clock = crate::units::MonotonicTime::default;
        sensor.read(0, &clock).value?;
        sensor.reads.begin_anew();
        Ok(sensor)
    }

    fn read(&mut self, counter: usize, clock: &ClockFn) -> CounterReading {
        match &mut self.reads {
            Reads::Energy(file) => {
                read_between(counter, clock, || file.read().map(Microjoules::new))
            }
            // A supply that is switched off reads as a little below nothing, for noise.
            Reads::Power(file, integral) => {
                integral.read(counter, clock, || Ok(at_least_nothing(file.read_signed()?)))
            }
            Reads::VoltageAndCurrent(voltage, current, integral) => {
                integral.read(counter, clock, || {
                    let (voltage_mv, current_ma) = (voltage.read_signed()?, current.read_signed()?);
                    Ok(at_least_nothing(voltage_mv.saturating_mul(current_ma)))
                })
            }
        }
    }

    fn spec(&self, domain: DomainId, update: Nanoseconds) -> CounterSpec {
        let (quantum, update_period, shows) = match self.reads {
            Reads::Energy(_) => (USUAL_QUANTUM, Nanoseconds::from_millis(1), Shown::Energy),
            _ => (Microjoules::new(1), update, Shown::Power),
        };
        let ceiling = ceiling(domain.domain);
        CounterSpec { domain, range: None, quantum, update_period, ceiling, shows }
    }

    fn in_words(&self) -> String {
        match &self.reads {
            Reads::Energy(file) => format!("measured by {}", file.path().display()),
            Reads::Power(file, _) => {
                format!("power measured by {}, integrated over time", file.path().display())
            }
            Reads::VoltageAndCurrent(voltage, current, _) => format!(
                "power measured by {} times {}, integrated over time",
                voltage.path().display(),
                current.path().display()
            ),
        }
    }
}

impl Reads {
    /// Forgets what was read, so that the next reading is the first.
    fn begin_anew(&mut self) {
        if let Self::Power(_, integral) | Self::VoltageAndCurrent(_, _, integral) = self {
            *integral = PowerIntegral::default();
        }
    }
}

/// Gives out the numbers of devices, kind by kind.
struct Numbers {
    /// How many of a kind there are, and how many have theirs.
    kinds: BTreeMap<Domain, (u16, u16)>,
}

impl Numbers {
    fn of(places: impl Iterator<Item = Place>) -> Self {
        let mut kinds: BTreeMap<Domain, (u16, u16)> = BTreeMap::new();
        for place in places {
            if let Place::Device(kind) = place {
                kinds.entry(kind).or_default().0 += 1;
            }
        }
        Self { kinds }
    }

    /// Leaves the numbers below `first` to others of the kind.
    fn begin_at(&mut self, kind: Domain, first: u16) {
        if let Some((_, given)) = self.kinds.get_mut(&kind) {
            *given = first;
        }
    }

    /// The domain of the next channel; a single meter of the machine has no number.
    fn next(&mut self, place: Place) -> Option<DomainId> {
        match place {
            Place::Domain(domain) => Some(domain),
            Place::Contained => None,
            Place::Device(kind) => {
                let (all, given) = self.kinds.get_mut(&kind)?;
                let number = *given;
                *given = given.checked_add(1)?;
                Some(if kind == Domain::Machine && *all == 1 {
                    DomainId::of_machine(kind)
                } else {
                    DomainId::of_socket(kind, number)
                })
            }
        }
    }
}

fn at_least_nothing(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn unreadable(chip: &Chip, error: &SourceError) -> Finding {
    let what = format!("{} ({})", chip.name, chip.directory_name);
    let finding = Finding::degraded(what, error.to_string());
    if error.is_permission() { finding.remedied_by("sudo energy-prof …") } else { finding }
}
