//! What sysfs says of a performance monitoring unit: its number, its events, and the CPUs to open them on.
//! Reference: Linux v6.12, Documentation/ABI/testing/sysfs-bus-event_source-devices-events (`.scale`, `.unit`)
//! and Documentation/ABI/testing/sysfs-bus-event_source-devices (`cpumask`).

use std::fs;
use std::path::{Path, PathBuf};

use super::SourceError;
use super::host_facts::parse_cpu_list;
use crate::units::Microjoules;

/// Opens an event: the PMU's number, the event's code, and the CPU; gives what reads its count. Passed in
/// so that no source calls perf_event_open(2) by itself.
pub type OpenEvent<'a> = dyn Fn(u32, u64, u16) -> std::io::Result<ReadCount> + 'a;

/// Reads an event's count.
pub type ReadCount = Box<dyn FnMut() -> std::io::Result<u64> + Send>;

/// A performance monitoring unit, e.g. `power`.
#[derive(Debug)]
pub(super) struct PerfPmu {
    /// What the kernel calls it.
    pub name: &'static str,
    directory: PathBuf,
    /// The `type` to open its events with.
    pub number: u32,
    /// One CPU for each place that has a counter, ascending.
    pub cpus: Vec<u16>,
}

impl PerfPmu {
    /// The unit `name` of a sysfs; `None` where there is none.
    pub(super) fn find(sysfs: &Path, name: &'static str) -> Result<Option<Self>, SourceError> {
        let directory = sysfs.join("bus/event_source/devices").join(name);
        if !directory.is_dir() {
            return Ok(None);
        }
        let number = described(&directory.join("type"), "number", |text| text.parse().ok())?;
        let cpus = described(&directory.join("cpumask"), "list of CPUs", |text| {
            Some(parse_cpu_list(text)).filter(|cpus| !cpus.is_empty())
        })?;
        Ok(Some(Self { name, directory, number, cpus }))
    }

    /// The event `name`; `None` where this unit has none of that name.
    pub(super) fn event(&self, name: &str) -> Result<Option<EnergyEvent>, SourceError> {
        let file = self.directory.join("events").join(name);
        if !file.exists() {
            return Ok(None);
        }
        let config = described(&file, "event code such as event=0x02", parse_code)?;
        let beside = |ending: &str| file.with_file_name(format!("{name}.{ending}"));
        described(&beside("unit"), "unit known here (Joules)", |text| {
            (text == "Joules").then_some(())
        })?;
        let scale = described(&beside("scale"), "number of joules from 1e-15 to 1", Scale::parse)?;
        Ok(Some(EnergyEvent { config, scale }))
    }
}

/// An event that counts energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EnergyEvent {
    /// The `config` to open it with.
    pub config: u64,
    /// What a count is worth.
    pub scale: Scale,
}

/// What a count is worth: microjoules in fixed point with 64 binary places, so that RAPL's 2⁻³² J and its
/// multiples are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale(u128);

impl Scale {
    const BINARY_PLACES: i32 = 64;

    /// From joules, as the kernel writes them.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number from 1e-15 to 1 was asked for: 10⁶ × 2⁶⁴ of it fit"
    )]
    fn parse(text: &str) -> Option<Self> {
        let joules: f64 = text.parse().ok()?;
        let fixed = joules * 1e6 * f64::powi(2.0, Self::BINARY_PLACES);
        (1e-15..=1.0).contains(&joules).then_some(Self(fixed.round() as u128))
    }

    /// The energy of a count, rounded down; `None` beyond what a microjoule counter can hold.
    pub(super) fn energy(self, count: u64) -> Option<Microjoules> {
        let energy_uj = u128::from(count).checked_mul(self.0)? >> Self::BINARY_PLACES;
        energy_uj.try_into().ok().map(Microjoules::new)
    }
}

/// `event=0x02` → 2.
fn parse_code(text: &str) -> Option<u64> {
    let code = text.strip_prefix("event=")?;
    match code.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => code.parse().ok(),
    }
}

/// Reads a file and understands it, or says what it should have held.
fn described<T>(
    path: &Path,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SourceError> {
    let text = fs::read_to_string(path).map_err(|cause| SourceError::read(path, cause))?;
    let text = text.trim();
    parse(text).ok_or_else(|| SourceError::NotAnEvent {
        path: path.to_owned(),
        text: text.to_owned(),
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_to_the_32_counts_of_rapl_are_one_joule() {
        let scale = Scale::parse("2.3283064365386962890625e-10").unwrap();
        assert_eq!(scale.energy(1 << 32), Some(Microjoules::new(1_000_000)));
        assert_eq!(scale.energy((1 << 32) - 1), Some(Microjoules::new(999_999)));
        // One unit of 2⁻¹⁴ J is 61.035 µJ, and 2³² of them, a turn of the register, are 262 144 J.
        assert_eq!(scale.energy(1 << 18), Some(Microjoules::new(61)));
        assert_eq!(scale.energy(1 << 50), Some(Microjoules::new(262_144_000_000)));
    }

    #[test]
    fn a_count_beyond_all_microjoules_is_none() {
        assert_eq!(Scale::parse("1").unwrap().energy(u64::MAX), None);
        for scale in ["0", "-1", "1e9", "nan", "inf", "a joule", ""] {
            assert_eq!(Scale::parse(scale), None, "{scale}");
        }
    }

    #[test]
    fn an_events_code_is_one_number() {
        assert_eq!(parse_code("event=0x02"), Some(2));
        assert_eq!(parse_code("event=5"), Some(5));
        for other in ["event=0x02,umask=0x1", "config=2", "event=", ""] {
            assert_eq!(parse_code(other), None, "{other}");
        }
    }
}
