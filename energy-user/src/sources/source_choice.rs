//! The sources there are, by name. A new one is its file and a line in each place here.

use std::str::FromStr;

use thiserror::Error;

use super::discover::{Machine, Sought};
use super::{battery, hwmon, nvml, rapl_msr, rapl_perf, rapl_powercap};

/// Where energy is to come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceChoice {
    /// The best there is.
    #[default]
    Auto,
    /// RAPL by perf events.
    RaplPerf,
    /// RAPL by powercap zones.
    RaplPowercap,
    /// RAPL by the processor's registers; only where named.
    RaplMsr,
    /// NVIDIA's graphics cards.
    Nvml,
    /// Sensors of hardware monitoring.
    Hwmon,
    /// Batteries, while they discharge; where nothing better measures.
    Battery,
    /// The model, even where counters could be read.
    Model,
}

impl SourceChoice {
    /// Every choice, in the order shown; what measures comes best first.
    pub const ALL: [Self; 8] = [
        Self::Auto,
        Self::RaplPerf,
        Self::RaplPowercap,
        Self::RaplMsr,
        Self::Nvml,
        Self::Hwmon,
        Self::Battery,
        Self::Model,
    ];

    /// The name in options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::RaplPerf => "rapl-perf",
            Self::RaplPowercap => "rapl-powercap",
            Self::RaplMsr => "rapl-msr",
            Self::Nvml => "nvml",
            Self::Hwmon => "hwmon",
            Self::Battery => "battery",
            Self::Model => "model",
        }
    }

    /// What looks for it on a machine, where it is one source that measures.
    pub(super) fn seeker(self) -> Option<fn(&Machine) -> Sought> {
        match self {
            Self::Auto | Self::Model => None,
            Self::RaplPerf => Some(rapl_perf::seek),
            Self::RaplPowercap => Some(rapl_powercap::seek),
            Self::RaplMsr => Some(rapl_msr::seek),
            Self::Nvml => Some(nvml::seek),
            Self::Hwmon => Some(hwmon::seek),
            Self::Battery => Some(battery::seek),
        }
    }
}

/// A name that is no source of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name:?} is no energy source: expected {}", SourceChoice::ALL.map(SourceChoice::name).join(", "))]
pub struct ParseSourceError {
    name: String,
}

impl FromStr for SourceChoice {
    type Err = ParseSourceError;
    fn from_str(name: &str) -> Result<Self, ParseSourceError> {
        Self::ALL
            .into_iter()
            .find(|choice| choice.name() == name)
            .ok_or_else(|| ParseSourceError { name: name.to_owned() })
    }
}
