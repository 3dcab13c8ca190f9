//! What was counted, window by window, for the model that asks for it.

use super::windows::{InOrder, of_recording};
use super::{AnalyzeError, Recording};
use crate::attribution::ModelKind;
use crate::model::Counted;

/// The counts of a recording, if `model` is one that divides by them, to be asked for window by window in order:
/// those of a window ascend by thread and CPU, and are `None` where the model asks for none. A recording
/// without any is an error then.
pub(super) fn counts_for<R: Recording>(
    recording: &R,
    model: ModelKind,
) -> Result<impl FnMut(u32) -> Result<Option<Vec<Counted>>, AnalyzeError>, AnalyzeError> {
    let mut rows = None;
    if model == ModelKind::Cycles {
        let counts = recording.counts().map_err(of_recording)?;
        let mut counts = InOrder::new("counts", counts, |row: &Counted| row.window);
        if counts.is_empty()? {
            return Err(AnalyzeError::NothingCounted);
        }
        rows = Some(counts);
    }
    Ok(move |window| {
        let Some(rows) = &mut rows else { return Ok(None) };
        let mut counts = rows.of_window(window)?;
        counts.sort_unstable_by_key(|row| (row.thread, row.cpu));
        Ok(Some(counts))
    })
}
