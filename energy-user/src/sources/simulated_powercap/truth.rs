//! What a simulated machine truly drew, as a file beside its counters.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{SimulationError, file_error};

/// What was drawn from the start to `written_monotonic_ns`. Energies are rounded down to microjoules.
/// `loads`, `rest` and `static` are the packages' energy and add up to it; memory and `psys` are in `domains`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// When the counters began to move, by `CLOCK_MONOTONIC`.
    pub started_monotonic_ns: u64,
    /// When this was written.
    pub written_monotonic_ns: u64,
    /// The time between.
    pub elapsed_ns: u64,
    /// How often counters were brought up to date.
    pub updates: u64,
    /// The processes of known watts.
    pub loads: Vec<LoadTruth>,
    /// CPU time of everything else that ran.
    pub rest_cpu_ns: u64,
    /// And its energy.
    pub rest_microjoules: u64,
    /// What all packages drew at all times.
    pub static_microjoules: u64,
    /// Every domain's energy, zones that were not asked for included.
    pub domains: BTreeMap<String, u64>,
    /// Commands of the control file that could not be obeyed, and why.
    pub refused_commands: Vec<String>,
}

/// What one process drew in its package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadTruth {
    /// The process.
    pub pid: u32,
    /// Its watts per CPU second.
    pub watts: f64,
    /// The package that draws them.
    pub package: u16,
    /// Its CPU time since it was added.
    pub cpu_ns: u64,
    /// Its energy.
    pub microjoules: u64,
}

impl Truth {
    /// The truth last written beside the counters of `directory`.
    pub fn read(directory: &Path) -> Result<Self, SimulationError> {
        let path = directory.join("truth.json");
        let text = fs::read_to_string(&path).map_err(|cause| file_error("read", &path, cause))?;
        serde_json::from_str(&text).map_err(|cause| file_error("understand", &path, cause.into()))
    }

    /// Replaces `truth.json` in one step, so that no reader sees half of it.
    pub(super) fn write(&self, directory: &Path) -> Result<(), SimulationError> {
        let (path, new) = (directory.join("truth.json"), directory.join(".truth.json.new"));
        let text = serde_json::to_string_pretty(self)
            .map_err(|cause| file_error("write", &path, cause.into()))?;
        fs::write(&new, text).map_err(|cause| file_error("write", &new, cause))?;
        fs::rename(&new, &path).map_err(|cause| file_error("replace", &path, cause))
    }
}
