//! How much it took to make hardware, as somebody says it: a mass, or the parts of a server, which a table
//! has figures of.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::citation::cite;
use super::figure::Figure;
use super::tables::HARDWARE_EMBODIED;
use crate::units::GramsCo2e;

/// The part that holds some of the others.
const SERVER: &str = "server";
/// Grams in the units that a mass may have, the longest names first.
const UNITS: [(&str, f64); 3] = [("kg", 1e3), ("t", 1e6), ("g", 1.0)];
/// A hundred thousand tonnes, which is a data centre.
const MOST_GRAMS: f64 = 1e11;
/// How many of a part there may be.
const MOST_PARTS: f64 = 1e6;

/// All emissions embodied in some hardware (TE).
#[derive(Clone, Debug, PartialEq)]
pub enum EmbodiedTotal {
    /// So much; off by so much where that is known.
    Mass(GramsCo2e, Option<GramsCo2e>),
    /// Of so many of these parts of the table.
    Parts(Vec<(String, f64)>),
}

/// An embodied total that makes no sense.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ParseEmbodiedError {
    /// Neither a mass nor parts.
    #[error(
        "{0:?} is no mass of CO2e and no part of a server: write it as 1200kg, 1.2t, 1200kg±300kg, or \
         server,cpu=2,memory-gb=512,ssd=2,gpu=8 (parts: {names})", names = names()
    )]
    Unknown(String),
    /// Not a possible mass.
    #[error("{0:?} is no mass from 0 to 100000 t")]
    Mass(String),
    /// More doubt than mass.
    #[error("{0:?} may be less than nothing: what follows ± is more than what stands before it")]
    BelowNothing(String),
    /// Not a number of parts.
    #[error("{0:?} is no number of parts from 0 to 1000000")]
    Count(String),
    /// Named twice.
    #[error("{0} is given twice")]
    Twice(String),
}

impl EmbodiedTotal {
    /// All of it.
    pub fn total(&self) -> GramsCo2e {
        match self {
            Self::Mass(grams, _) => *grams,
            Self::Parts(parts) => {
                let kilograms: f64 = parts.iter().map(|part| self.kilograms(part)).sum();
                GramsCo2e::new(1e3 * kilograms)
            }
        }
    }

    /// The least and the most, where they were said.
    pub fn range(&self) -> Option<(GramsCo2e, GramsCo2e)> {
        let Self::Mass(grams, Some(off_by)) = self else { return None };
        let (grams, off_by) = (grams.get(), off_by.get());
        Some((GramsCo2e::new(grams - off_by), GramsCo2e::new(grams + off_by)))
    }

    /// The source of the table that parts are looked up in; `None` of a mass.
    pub(super) fn of_table(&self) -> Option<Figure<GramsCo2e>> {
        let Self::Parts(parts) = self else { return None };
        let row = HARDWARE_EMBODIED.iter().find(|row| parts.iter().any(|it| it.0 == row.part))?;
        let source = cite(&row.source).title;
        Some(Figure { value: self.total(), year: None, source, covers: None })
    }

    /// What a part takes besides what the servers hold of it already.
    fn kilograms(&self, (part, count): &(String, f64)) -> f64 {
        let row = HARDWARE_EMBODIED.iter().find(|row| row.part == *part);
        let row = row.expect("parts are checked when they are read");
        let within = self.servers() * f64::from(row.within_server);
        (count - within).max(0.0) * row.kgco2e_per_unit
    }

    fn servers(&self) -> f64 {
        let Self::Parts(parts) = self else { return 0.0 };
        parts.iter().find(|(part, _)| part == SERVER).map_or(0.0, |(_, count)| *count)
    }
}

impl FromStr for EmbodiedTotal {
    type Err = ParseEmbodiedError;
    fn from_str(text: &str) -> Result<Self, ParseEmbodiedError> {
        let text = text.trim();
        let is_number = text.starts_with(|c: char| c.is_ascii_digit() || ".-+".contains(c));
        if is_number { of_mass(text) } else { of_parts(text) }
    }
}

impl fmt::Display for EmbodiedTotal {
    /// As it is parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mass(grams, None) => write!(f, "{}kg", grams.kilograms()),
            Self::Mass(grams, Some(off_by)) => {
                write!(f, "{}kg±{}kg", grams.kilograms(), off_by.kilograms())
            }
            Self::Parts(parts) => {
                let parts = parts.iter().map(|(part, count)| format!("{part}={count}"));
                f.write_str(&parts.collect::<Vec<_>>().join(","))
            }
        }
    }
}

fn of_mass(text: &str) -> Result<EmbodiedTotal, ParseEmbodiedError> {
    let Some((grams, off_by)) = text.split_once('±').or_else(|| text.split_once("+-")) else {
        return Ok(EmbodiedTotal::Mass(mass(text)?, None));
    };
    let (grams, off_by) = (mass(grams)?, mass(off_by)?);
    if off_by > grams {
        return Err(ParseEmbodiedError::BelowNothing(text.to_owned()));
    }
    Ok(EmbodiedTotal::Mass(grams, Some(off_by)))
}

fn mass(text: &str) -> Result<GramsCo2e, ParseEmbodiedError> {
    let text = text.trim();
    let unknown = || ParseEmbodiedError::Unknown(text.to_owned());
    let with_unit = |(unit, grams): &(&str, f64)| Some((text.strip_suffix(unit)?, *grams));
    let (number, unit) = UNITS.iter().find_map(with_unit).ok_or_else(unknown)?;
    let number: f64 = number.trim().parse().map_err(|_| unknown())?;
    let grams = number * unit;
    if !(0.0..=MOST_GRAMS).contains(&grams) {
        return Err(ParseEmbodiedError::Mass(text.to_owned()));
    }
    Ok(GramsCo2e::new(grams))
}

fn of_parts(text: &str) -> Result<EmbodiedTotal, ParseEmbodiedError> {
    let mut parts: Vec<(String, f64)> = Vec::new();
    for part in text.split(',') {
        let (name, count) = part.split_once('=').unwrap_or((part, "1"));
        let name = name.trim().to_lowercase();
        if !HARDWARE_EMBODIED.iter().any(|row| row.part == name) {
            return Err(ParseEmbodiedError::Unknown(part.trim().to_owned()));
        }
        let number = count.trim().parse().ok();
        let number = number.filter(|count| (0.0..=MOST_PARTS).contains(count));
        let number = number.ok_or_else(|| ParseEmbodiedError::Count(part.trim().to_owned()))?;
        if parts.iter().any(|(known, _)| *known == name) {
            return Err(ParseEmbodiedError::Twice(name));
        }
        parts.push((name, number));
    }
    Ok(EmbodiedTotal::Parts(parts))
}

/// The parts there are, with what they are counted in.
fn names() -> String {
    let rows = HARDWARE_EMBODIED.iter().map(|row| format!("{} ({})", row.part, row.unit));
    rows.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kilograms(text: &str) -> f64 {
        text.parse::<EmbodiedTotal>().unwrap().total().kilograms()
    }

    #[test]
    fn a_mass_has_its_unit() {
        for text in ["1200kg", "1.2t", "1200000g", " 1200 kg "] {
            assert!((kilograms(text) - 1200.0).abs() < 1e-9, "{text}");
        }
        let doubtful: EmbodiedTotal = "1200kg±0.3t".parse().unwrap();
        assert_eq!(doubtful.to_string(), "1200kg±300kg");
        assert_eq!(doubtful.to_string().parse(), Ok(doubtful.clone()));
        let (least, most) = doubtful.range().unwrap();
        assert_eq!((least.kilograms(), most.kilograms()), (900.0, 1500.0));
    }

    #[test]
    fn a_server_holds_its_first_processor_and_16_gb() {
        assert!((kilograms("server") - 1_000.0).abs() < 1e-9);
        assert!((kilograms("server,cpu=1,memory-gb=16") - 1_000.0).abs() < 1e-9);
        // 1000 + 100 + 384 × 1.388 + 2 × 100 + 8 × 150.
        let whole = "Server, cpu=2, memory-gb=400, ssd=2, gpu=8";
        assert!((kilograms(whole) - 3_032.992).abs() < 1e-9);
        assert!((kilograms("gpu=4") - 600.0).abs() < 1e-9);
        assert!((kilograms("server=2,cpu=4") - 2_200.0).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_told_apart() {
        let error = |text: &str| text.parse::<EmbodiedTotal>().unwrap_err().to_string();
        assert!(error("1200").contains("write it as 1200kg"));
        assert!(error("toaster").contains("gpu (graphics card)"));
        assert!(error("-3kg").contains("no mass from 0"));
        assert!(error("1kg±2kg").contains("less than nothing"));
        assert!(error("gpu=many").contains("no number of parts"));
        assert_eq!(error("gpu=1,gpu=2"), "gpu is given twice");
    }
}
