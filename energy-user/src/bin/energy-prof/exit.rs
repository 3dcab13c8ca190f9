//! Exit codes: what each means, and which error gets which. Listed in `energy-prof --help`.

use std::io;
use std::process::ExitCode;

use energy_prof::analyze::AnalyzeError;
use energy_prof::calibrate::CalibrateError;
use energy_prof::emissions::electricity_maps::ElectricityMapsError;
use energy_prof::emissions::series::SeriesError;
use energy_prof::emissions::{SiteFileError, SiteOptionError, UnknownPlace};
use energy_prof::estimate::UnknownHardware;
use energy_prof::export::ExportError;
use energy_prof::import::ImportError;
use energy_prof::probes::ProbeError;
use energy_prof::profile::FindFunctionError;
use energy_prof::record::{RecordError, TargetError};
use energy_prof::sources::CalibrationError;
use energy_prof::trace::TraceError;

/// The table in the long help.
pub(crate) const HELP: &str = "\
Exit codes:
  0    success; a recorded command's own exit code is passed on, 128+N if signal N ended it
  1    an error not listed here
  2    wrong usage
  3    permission denied
  4    this kernel cannot do what is needed
  5    no such process
  6    no energy source
  7    the trace, the log to import, the series, the calibration or the configuration cannot be read
  8    the trace, the calibration or what is kept for the next time cannot be written
  9    --strict, and something was lost
  10   calibrate: the machine is not idle
  11   --electricity-maps: the service gives no answer that can be used
  126  the command cannot be executed
  127  the command was not found";

/// Wrong usage that only the command can see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u8);

impl Status {
    pub(crate) const SUCCESS: Self = Self(0);
    const FAILURE: Self = Self(1);
    pub(crate) const USAGE: Self = Self(2);
    const PERMISSION: Self = Self(3);
    const UNSUPPORTED: Self = Self(4);
    const NO_TARGET: Self = Self(5);
    const NO_SOURCE: Self = Self(6);
    const READ: Self = Self(7);
    const WRITE: Self = Self(8);
    pub(crate) const LOSS: Self = Self(9);
    const NOT_IDLE: Self = Self(10);
    const NO_ANSWER: Self = Self(11);
    const NOT_EXECUTABLE: Self = Self(126);
    const NOT_FOUND: Self = Self(127);

    /// A launched command's own code.
    pub(crate) fn of_command(code: i32) -> Self {
        // Codes of processes are a byte; anything else cannot come from the kernel.
        Self(u8::try_from(code).unwrap_or(1))
    }

    /// The code for an error, by the first cause that has one.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(Self::of_cause).unwrap_or(Self::FAILURE)
    }

    fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Self> {
        if let Some(error) = cause.downcast_ref::<RecordError>() {
            return Self::of_recording(error);
        }
        if let Some(error) = cause.downcast_ref::<TraceError>() {
            return Some(Self::of_trace(error));
        }
        match cause.downcast_ref::<ExportError>() {
            Some(ExportError::NoEnergy | ExportError::NothingToCompare(_)) => {
                return Some(Self::READ);
            }
            Some(ExportError::NoIntensity) => return Some(Self::USAGE),
            _ => {}
        }
        if let Some(error) = cause.downcast_ref::<AnalyzeError>() {
            return Some(match error {
                AnalyzeError::UnknownDomain { .. }
                | AnalyzeError::EmptyRange { .. }
                | AnalyzeError::NoSiblings
                | AnalyzeError::CyclesKnowSiblings
                | AnalyzeError::NoSuchThread { .. } => Self::USAGE,
                _ => Self::READ,
            });
        }
        if let Some(error) = cause.downcast_ref::<CalibrateError>() {
            return Some(match error {
                CalibrateError::NoSource(_) | CalibrateError::NoPower(_) => Self::NO_SOURCE,
                CalibrateError::Busy { .. } => Self::NOT_IDLE,
                CalibrateError::System { .. } => Self::FAILURE,
            });
        }
        if let Some(error) = cause.downcast_ref::<CalibrationError>() {
            let writing = matches!(error, CalibrationError::File { action: "write", .. });
            return Some(if writing { Self::WRITE } else { Self::READ });
        }
        if let Some(error) = cause.downcast_ref::<ImportError>() {
            return Some(match error {
                ImportError::Trace(error) => Self::of_trace(error),
                _ => Self::READ,
            });
        }
        if let Some(error) = cause.downcast_ref::<SeriesError>() {
            return Some(match error {
                SeriesError::Uncovered { .. } | SeriesError::TooShort { .. } => Self::USAGE,
                _ => Self::READ,
            });
        }
        if cause.is::<SiteFileError>() {
            return Some(Self::READ);
        }
        if let Some(error) = cause.downcast_ref::<ElectricityMapsError>() {
            return Some(match error {
                ElectricityMapsError::Address(_)
                | ElectricityMapsError::Zone(_)
                | ElectricityMapsError::NoToken { .. } => Self::USAGE,
                ElectricityMapsError::Cache { .. } => Self::WRITE,
                _ => Self::NO_ANSWER,
            });
        }
        let meant_otherwise = cause.is::<FindFunctionError>()
            || cause.is::<UsageError>()
            || cause.is::<UnknownPlace>()
            || cause.is::<SiteOptionError>()
            || cause.is::<UnknownHardware>();
        meant_otherwise.then_some(Self::USAGE)
    }

    fn of_recording(error: &RecordError) -> Option<Self> {
        match error {
            RecordError::Probes(error) => Some(match error {
                ProbeError::Permission { .. }
                | ProbeError::Forbidden { .. }
                | ProbeError::EventsForbidden { .. } => Self::PERMISSION,
                ProbeError::Counter { source, .. }
                    if source.kind() == io::ErrorKind::PermissionDenied =>
                {
                    Self::PERMISSION
                }
                _ => Self::UNSUPPORTED,
            }),
            RecordError::Source(error) if error.is_permission() => Some(Self::PERMISSION),
            RecordError::Source(_) | RecordError::NoSource(_) | RecordError::NoCoreCounters(_) => {
                Some(Self::NO_SOURCE)
            }
            RecordError::Trace(error) => Some(Self::of_trace(error)),
            RecordError::Target(error) => Some(match error {
                TargetError::NotFound { .. } => Self::NOT_FOUND,
                TargetError::NotExecutable { .. } => Self::NOT_EXECUTABLE,
                TargetError::Watch { .. } => Self::UNSUPPORTED,
                _ => Self::NO_TARGET,
            }),
            RecordError::Privileges(_) => Some(Self::PERMISSION),
            RecordError::PidNamespace => Some(Self::UNSUPPORTED),
            RecordError::Window(_) => Some(Self::USAGE),
            RecordError::System { source, .. } => {
                (source.kind() == io::ErrorKind::PermissionDenied).then_some(Self::PERMISSION)
            }
        }
    }

    fn of_trace(error: &TraceError) -> Self {
        if error.is_write() { Self::WRITE } else { Self::READ }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.0)
    }
}
