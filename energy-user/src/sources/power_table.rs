//! The tables behind the power model: embedded, parsed, and looked up by whole names.
//! Where the figures come from and under which licence: `energy-user/data/SOURCES.md`.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::cpu_name::comparable_name;

const CPU_TDP: &str = include_str!("../../data/cpu_tdp.csv");
const CPU_FAMILY_WATTS: &str = include_str!("../../data/cpu_family_watts.csv");
const MODEL_CONSTANTS: &str = include_str!("../../data/model_constants.csv");

/// A table that does not say what its columns promise.
#[derive(Debug, Error)]
#[error("cannot read the embedded table {table}: {cause}; this is a fault of this build")]
pub struct TableError {
    table: &'static str,
    cause: csv::Error,
}

/// A processor's thermal design power.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct CpuPower {
    /// Its marketing name.
    pub name: String,
    /// Thermal design power of one package in watts.
    pub tdp_w: f64,
    /// Cores of one package, where known.
    pub cores: Option<u32>,
    /// Hardware threads of one package, where known.
    pub threads: Option<u32>,
    /// Where the row comes from: a code of `SOURCES.md`.
    pub source: String,
}

impl CpuPower {
    /// Hardware threads of a package; two for each core where the table has only those.
    pub fn threads_or_twice_cores(&self) -> Option<u32> {
        self.threads.or(self.cores.map(|cores| 2 * cores))
    }
}

/// What a vCPU of a server draws.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct FamilyPower {
    /// Whose servers were looked at.
    pub provider: String,
    /// The micro-architecture.
    pub architecture: String,
    /// Watts per vCPU of an idle server.
    pub min_w_per_vcpu: f64,
    /// Watts per vCPU of a fully loaded server.
    pub max_w_per_vcpu: f64,
    /// Memory per processor in GB.
    pub memory_gb_per_chip: Option<f64>,
    /// Where the row comes from: a code of `SOURCES.md`.
    pub source: String,
    /// The year of the figures.
    pub year: u16,
}

/// A single figure.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ModelConstant {
    /// Its name.
    pub id: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Where it comes from: a code of `SOURCES.md`.
    pub source: String,
    /// What else is to be known.
    pub notes: Option<String>,
}

/// Every processor of the table.
pub fn cpu_powers() -> Result<Vec<CpuPower>, TableError> {
    rows("cpu_tdp.csv", CPU_TDP)
}

/// Every architecture of every provider.
pub fn family_powers() -> Result<Vec<FamilyPower>, TableError> {
    rows("cpu_family_watts.csv", CPU_FAMILY_WATTS)
}

/// Every single figure.
pub fn model_constants() -> Result<Vec<ModelConstant>, TableError> {
    rows("model_constants.csv", MODEL_CONSTANTS)
}

fn rows<Row: DeserializeOwned>(table: &'static str, text: &str) -> Result<Vec<Row>, TableError> {
    csv::Reader::from_reader(text.as_bytes())
        .into_deserialize()
        .collect::<Result<_, _>>()
        .map_err(|cause| TableError { table, cause })
}

/// The row whose name is `cpu_model`'s in every part that tells; `None` where no row is, where rows of that
/// name disagree, and for names without a number, which name a range and not a processor.
pub(super) fn cpu_power_of(cpu_model: &str) -> Option<CpuPower> {
    let wanted = comparable_name(cpu_model);
    if !wanted.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rows = cpu_powers().expect("the embedded table is read by a test");
    let mut found: Option<CpuPower> = None;
    for row in rows.into_iter().filter(|row| comparable_name(&row.name) == wanted) {
        match &found {
            Some(other) if (other.tdp_w - row.tdp_w).abs() > f64::EPSILON => return None,
            Some(other) if other.cores.is_some() => {}
            _ => found = Some(row),
        }
    }
    found
}

/// Idle and full watts per vCPU of a server architecture: the mean over providers.
pub(super) fn family_power_of(architecture: &str) -> Option<(f64, f64)> {
    let rows = family_powers().expect("the embedded table is read by a test");
    let rows: Vec<FamilyPower> =
        rows.into_iter().filter(|row| row.architecture == architecture).collect();
    let count = f64::from(u32::try_from(rows.len()).ok().filter(|count| *count > 0)?);
    let mean = |watts: fn(&FamilyPower) -> f64| rows.iter().map(watts).sum::<f64>() / count;
    Some((mean(|row| row.min_w_per_vcpu), mean(|row| row.max_w_per_vcpu)))
}

/// The single figure called `id`.
pub(super) fn constant(id: &str) -> f64 {
    let constants = model_constants().expect("the embedded table is read by a test");
    let found = constants.iter().find(|constant| constant.id == id);
    found.expect("the model asks for rows that the table has").value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_found_by_their_whole_name_only() {
        let tdp = |name| cpu_power_of(name).map(|row| row.tdp_w);
        assert_eq!(tdp("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz"), Some(145.0));
        assert_eq!(tdp("AMD EPYC 9654 96-Core Processor"), Some(360.0));
        assert_eq!(tdp("AMD Ryzen 9 7950X 16-Core Processor"), Some(170.0));
        assert_eq!(tdp("12th Gen Intel(R) Core(TM) i7-12700K"), Some(190.0));
        assert_eq!(tdp("AMD FX(tm)-8350 Eight-Core Processor"), Some(125.0));
        assert_eq!(tdp("AMD EPYC"), None);
        assert_eq!(tdp("Intel(R) Xeon(R) Processor @ 2.60GHz"), None);
        assert_eq!(tdp("AMD EPYC 965"), None);
    }

    #[test]
    fn providers_are_averaged() {
        let (idle, full) = family_power_of("Emerald Rapids").unwrap();
        assert!((idle - 0.814).abs() < 1e-9);
        assert!((full - f64::midpoint(4.482, 4.3817)).abs() < 1e-9);
        assert_eq!(family_power_of("EPYC 5th Gen"), None);
    }
}
