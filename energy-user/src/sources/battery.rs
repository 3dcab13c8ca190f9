//! What a machine draws from its batteries, while they discharge: the last resort, for a battery's gauge is
//! brought up to date every few seconds, and tells of the screen and all else too.
//! Reference: Linux v6.12, Documentation/ABI/testing/sysfs-class-power (µW, µA, µV; the sign of a current is the
//! driver's own)

use std::fs;
use std::path::{Path, PathBuf};

use super::discover::{Machine, Sought};
use super::number_file::NumberFile;
use super::power_integral::PowerIntegral;
use super::rapl_registers::ceiling;
use super::{ClockFn, CounterReading, CounterSpec, EnergySource, Finding, Shown, SourceError};
use crate::model::{Domain, DomainId, Provenance};
use crate::units::{Microjoules, Nanoseconds};

/// Gauges are brought up to date every 1 to 30 s; no file says how often. It is part of the error.
const UPDATE_PERIOD: Nanoseconds = Nanoseconds::from_millis(10_000);

/// The batteries that feed the machine.
#[derive(Debug)]
pub struct Batteries {
    counters: [CounterSpec; 1],
    fed_by: Vec<Battery>,
    integral: PowerIntegral,
}

/// What [`Batteries::open`] found.
#[derive(Debug)]
pub struct BatteryGauges {
    /// All batteries together; `None` where none discharges.
    pub source: Option<Batteries>,
    /// Why not, or what is read.
    pub findings: Vec<Finding>,
}

/// Looks for batteries on a machine.
pub(super) fn seek(machine: &Machine) -> Sought {
    let found = Batteries::open(machine.sysfs);
    let source = found.source.map(|source| Box::new(source) as Box<dyn EnergySource>);
    Sought { source, findings: found.findings, ..Sought::default() }
}

impl Batteries {
    /// Opens the batteries under `class/power_supply` of a sysfs. Those of mice and keyboards are passed over.
    pub fn open(sysfs: &Path) -> BatteryGauges {
        let mut findings = Vec::new();
        let mut batteries = Vec::new();
        for directory in battery_directories(sysfs) {
            match Battery::open(&directory) {
                Ok(battery) => batteries.push(battery),
                Err(error) => findings.push(Finding::degraded("battery", error.to_string())),
            }
        }
        if batteries.is_empty() {
            return BatteryGauges { source: None, findings };
        }
        match power_of_all(&mut batteries) {
            Ok(_) => {
                let names: Vec<String> = batteries
                    .iter()
                    .map(|battery| battery.directory.display().to_string())
                    .collect();
                let detail = format!(
                    "power measured by {} while discharging, integrated over time",
                    names.join(" and ")
                );
                findings.push(Finding::degraded("battery (machine)", detail));
            }
            Err(error) => {
                let finding = Finding::missing("battery", error.to_string());
                findings.push(finding.remedied_by("unplug the machine to measure what it draws"));
                return BatteryGauges { source: None, findings };
            }
        }
        let spec = CounterSpec {
            domain: DomainId::of_machine(Domain::Machine),
            range: None,
            quantum: Microjoules::new(1),
            update_period: UPDATE_PERIOD,
            ceiling: ceiling(Domain::Machine),
            shows: Shown::Power,
        };
        let integral = PowerIntegral::default();
        BatteryGauges {
            source: Some(Self { counters: [spec], fed_by: batteries, integral }),
            findings,
        }
    }
}

impl EnergySource for Batteries {
    fn name(&self) -> &'static str {
        "battery"
    }

    fn provenance(&self) -> Provenance {
        Provenance::Measured
    }

    fn note(&self) -> Option<String> {
        Some(
            "the machine's energy is its battery's power, one reading per window, integrated over time; a \
             gauge changes every few seconds only, so shares of single windows say little"
                .to_owned(),
        )
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>) {
        let fed_by = &mut self.fed_by;
        out.push(self.integral.read(0, clock, || power_of_all(fed_by)));
    }
}

/// A battery of the machine.
#[derive(Debug)]
struct Battery {
    directory: PathBuf,
    gauge: Gauge,
}

/// What a battery's gauge shows.
#[derive(Debug)]
enum Gauge {
    Power(NumberFile),
    CurrentAndVoltage(NumberFile, NumberFile),
}

/// What a battery does.
enum Flow {
    /// It gives so many microwatts.
    Discharging(u64),
    /// It gives and takes nothing: it is full, or the other battery's turn.
    Resting,
}

impl Battery {
    fn open(directory: &Path) -> Result<Self, SourceError> {
        let open = |name: &str, unit| NumberFile::open(directory.join(name), unit);
        let gauge = match open("power_now", "microwatts") {
            Ok(power) => Gauge::Power(power),
            Err(no_power) => match open("current_now", "microamperes") {
                Ok(current) => {
                    Gauge::CurrentAndVoltage(current, open("voltage_now", "microvolts")?)
                }
                Err(_) => return Err(no_power),
            },
        };
        Ok(Self { directory: directory.to_owned(), gauge })
    }

    fn flow(&mut self) -> Result<Flow, SourceError> {
        let path = self.directory.join("status");
        let status = fs::read_to_string(&path).map_err(|cause| SourceError::read(&path, cause))?;
        match status.trim() {
            "Discharging" => Ok(Flow::Discharging(self.gauge.power_uw()?)),
            "Full" | "Not charging" => Ok(Flow::Resting),
            other => Err(SourceError::NotDischarging { path, status: other.to_owned() }),
        }
    }
}

impl Gauge {
    fn power_uw(&mut self) -> Result<u64, SourceError> {
        match self {
            Self::Power(power) => Ok(power.read_signed()?.unsigned_abs()),
            Self::CurrentAndVoltage(current, voltage) => {
                let (current_ua, voltage_uv) =
                    (current.read_signed()?.unsigned_abs(), voltage.read()?);
                let power_pw = u128::from(current_ua) * u128::from(voltage_uv);
                Ok(u64::try_from(power_pw / 1_000_000).unwrap_or(u64::MAX))
            }
        }
    }
}

/// What all batteries give, in microwatts. At least one must discharge, and none be charged.
fn power_of_all(batteries: &mut [Battery]) -> Result<u64, SourceError> {
    let mut power_uw: Option<u64> = None;
    for battery in batteries.iter_mut() {
        if let Flow::Discharging(gives_uw) = battery.flow()? {
            power_uw = Some(power_uw.unwrap_or(0).saturating_add(gives_uw));
        }
    }
    power_uw.ok_or(SourceError::NoneDischarges)
}

/// The batteries of the machine itself, by name.
fn battery_directories(sysfs: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(sysfs.join("class/power_supply")) else { return Vec::new() };
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| text(path.join("type")) == "Battery" && text(path.join("scope")) != "Device")
        .collect();
    paths.sort();
    paths
}
