//! Time beside a busy sibling of the same core, where it is to count less.

use std::borrow::Cow;

use super::{AnalyzeError, AnalyzeOptions, Recording};
use crate::attribution::{ModelKind, SmtFactor};
use crate::model::{Residency, Topology, Window};

/// Who ran in a window, with what their time is worth.
pub(super) fn weighed<'a>(
    smt: Option<SmtFactor>,
    window: &Window,
    residency: &'a [Residency],
    topology: &Topology,
) -> Cow<'a, [Residency]> {
    match smt {
        Some(factor) => Cow::Owned(factor.weighed(window.length(), residency, topology)),
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
