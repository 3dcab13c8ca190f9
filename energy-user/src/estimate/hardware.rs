//! Hardware by its name: what it draws by design.

use std::sync::LazyLock;

use serde::Deserialize;
use thiserror::Error;

use crate::sources::cpu_powers;
use crate::units::Watts;

/// How many names are proposed.
const PROPOSED: usize = 6;
/// Names less alike than this are not proposed; 1 is the same.
const ALIKE: f64 = 0.75;

/// Words that say who makes hardware and for whom.
const BRANDS: [&str; 7] = ["nvidia", "geforce", "tesla", "amd", "radeon", "intel", "google"];

static GPUS: LazyLock<Vec<GpuRow>> = LazyLock::new(|| {
    let mut reader = csv::Reader::from_reader(include_str!("../../data/gpu_tdp.csv").as_bytes());
    let rows: Result<_, csv::Error> = reader.deserialize().collect();
    rows.expect("the embedded table is read by a test")
});

#[derive(Debug, Deserialize)]
struct GpuRow {
    name: String,
    tdp_w: f64,
    release_year: Option<u16>,
    source: String,
}

/// A processor or card and what it draws at most for long: its thermal design power.
#[derive(Clone, Debug, PartialEq)]
pub struct Hardware {
    /// Its name in the table.
    pub name: String,
    /// Its thermal design power.
    pub power: Watts,
    /// When it was released, where that is known.
    pub released: Option<u16>,
    /// The code of where the figure comes from (`energy-user/data/SOURCES.md`).
    pub source: String,
}

/// A kind of hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HardwareKind {
    /// A graphics card or other accelerator.
    Gpu,
    /// A processor.
    Cpu,
}

impl HardwareKind {
    /// What it is called in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gpu => "GPU",
            Self::Cpu => "CPU",
        }
    }

    fn rows(self) -> Vec<Hardware> {
        match self {
            Self::Gpu => GPUS.iter().map(of_gpu).collect(),
            Self::Cpu => {
                let rows = cpu_powers().expect("the embedded table is read by a test");
                let hardware = |row: crate::sources::CpuPower| Hardware {
                    name: row.name,
                    power: Watts::new(row.tdp_w),
                    released: None,
                    source: row.source,
                };
                rows.into_iter().map(hardware).collect()
            }
        }
    }
}

fn of_gpu(row: &GpuRow) -> Hardware {
    Hardware {
        name: row.name.clone(),
        power: Watts::new(row.tdp_w),
        released: row.release_year,
        source: row.source.clone(),
    }
}

/// A name that no table has, or more than one row.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum UnknownHardware {
    /// None has it.
    #[error("no table has the {kind} {asked:?}{}", proposal(.nearest))]
    NotFound {
        /// `GPU` or `CPU`.
        kind: &'static str,
        /// What was asked for.
        asked: String,
        /// Names like it, the nearest first.
        nearest: Vec<String>,
    },
    /// Rows of different power have it.
    #[error("{asked:?} is the name of more than one {kind}: say which of {}", .of.join(", "))]
    Ambiguous {
        /// `GPU` or `CPU`.
        kind: &'static str,
        /// What was asked for.
        asked: String,
        /// Which.
        of: Vec<String>,
    },
}

/// The hardware of a name, or of a part of one that tells it from all others: `A100 80GB PCIe`, `T4`.
pub fn hardware(kind: HardwareKind, asked: &str) -> Result<Hardware, UnknownHardware> {
    let wanted = words(asked);
    let rows = kind.rows();
    let same = rows.iter().find(|row| words(&row.name) == wanted);
    // All of a name but its maker's and family's: a GTX 1080 is no GTX 1080 Ti.
    let bare = without_brands(asked);
    let mut alike = rows.iter().filter(|row| without_brands(&row.name) == bare);
    let bare = || {
        let first = alike.next()?;
        alike.all(|row| row.power == first.power).then_some(first)
    };
    if let Some(same) = same.or_else(bare).filter(|_| !wanted.is_empty()) {
        return Ok(same.clone());
    }
    let has = |row: &&Hardware| {
        let words = words(&row.name);
        !wanted.is_empty() && wanted.iter().all(|word| words.contains(word))
    };
    let found: Vec<&Hardware> = rows.iter().filter(has).collect();
    match found[..] {
        [] => Err(UnknownHardware::NotFound {
            kind: kind.name(),
            asked: asked.to_owned(),
            nearest: nearest(asked, &rows),
        }),
        [first, ..] if found.iter().all(|row| row.power == first.power) => Ok(first.clone()),
        _ => Err(UnknownHardware::Ambiguous {
            kind: kind.name(),
            asked: asked.to_owned(),
            of: found.iter().map(|row| row.name.clone()).collect(),
        }),
    }
}

/// The words of a name in lower case; a number stays with its unit, `40 GB` is `40gb`.
fn words(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let mut words: Vec<String> = Vec::new();
    for word in name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        match words.last_mut() {
            Some(number) if word == "gb" && number.chars().all(|c| c.is_ascii_digit()) => {
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// Its words but those that many cards have.
fn without_brands(name: &str) -> Vec<String> {
    let mut words = words(name);
    words.retain(|word| !BRANDS.contains(&word.as_str()));
    words
}

fn nearest(asked: &str, rows: &[Hardware]) -> Vec<String> {
    let wanted = asked.to_lowercase();
    // A maker's name before it makes any two names alike.
    let alike = |name: &str| {
        let name = name.to_lowercase();
        let bare = name.split_once(' ').map_or(name.as_str(), |(_, rest)| rest);
        strsim::jaro_winkler(&wanted, &name).max(strsim::jaro_winkler(&wanted, bare))
    };
    let mut all: Vec<(f64, &str)> =
        rows.iter().map(|row| (alike(&row.name), row.name.as_str())).collect();
    all.retain(|(alike, _)| *alike >= ALIKE);
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    all.into_iter().take(PROPOSED).map(|(_, name)| name.to_owned()).collect()
}

fn proposal(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        nearest => format!("; is one of these meant: {}?", nearest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_has_a_power_that_can_be_and_is_found_by_its_name() {
        for row in GPUS.iter() {
            assert!((5.0..=3_000.0).contains(&row.tdp_w), "{row:?}");
            assert_eq!(hardware(HardwareKind::Gpu, &row.name).unwrap().name, row.name);
        }
    }

    #[test]
    fn usual_spellings_are_understood() {
        let watts = |name: &str| hardware(HardwareKind::Gpu, name).unwrap().power.get();
        for (name, expected) in [
            ("A100 PCIe 40GB", 250.0),
            ("t4", 70.0),
            ("nvidia h100 pcie", 350.0),
            ("GTX 1080", 180.0),
        ] {
            assert!((watts(name) - expected).abs() < 1e-9, "{name}");
        }
        let epyc = hardware(HardwareKind::Cpu, "AMD EPYC 7742").unwrap();
        assert!((epyc.power.get() - 225.0).abs() < 1e-9, "{epyc:?}");
    }

    #[test]
    fn a_name_of_several_is_not_guessed_at() {
        let error = hardware(HardwareKind::Gpu, "A100").unwrap_err().to_string();
        assert!(error.contains("more than one GPU") && error.contains("A100 80GB PCIe"), "{error}");
        let error = hardware(HardwareKind::Gpu, "A1000 PCI").unwrap_err().to_string();
        assert!(error.contains("is one of these meant"), "{error}");
        assert!(hardware(HardwareKind::Gpu, "").is_err());
    }
}
