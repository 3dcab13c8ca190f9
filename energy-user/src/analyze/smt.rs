//! Time beside a busy sibling of the same core, where it is to count less.

use std::borrow::Cow;

use super::{AnalyzeError, AnalyzeOptions, Recording};
use crate::attribution::{ModelKind, SharedCores, SmtFactor};
use crate::model::{Residency, Topology, Window};

/// What time beside siblings is worth, of a recording.
pub(super) struct Weighing {
    factor: SmtFactor,
    cores: SharedCores,
}

impl Weighing {
    /// With a factor that was given, on a machine whose CPUs are placed so.
    pub(super) fn new(factor: SmtFactor, topology: &Topology) -> Self {
        Self { factor, cores: SharedCores::of(topology) }
    }
}

/// Who ran in a window, with what their time is worth.
pub(super) fn weighed<'a>(
    weighing: Option<&Weighing>,
    window: &Window,
    residency: &'a [Residency],
) -> Cow<'a, [Residency]> {
    match weighing {
        Some(Weighing { factor, cores }) => {
            Cow::Owned(factor.weighed(window.length(), residency, cores))
        }
        None => Cow::Borrowed(residency),
    }
}

/// Refuses a factor for siblings where it would do nothing, or twice.
pub(super) fn check_smt<R: Recording>(
    recording: &R,
    options: &AnalyzeOptions,
) -> Result<(), AnalyzeError> {
    match options.smt {
        Some(_) if options.model == ModelKind::Cycles => Err(AnalyzeError::CyclesKnowSiblings),
        Some(_) if !recording.topology().has_siblings() => Err(AnalyzeError::NoSiblings),
        _ => Ok(()),
    }
}
