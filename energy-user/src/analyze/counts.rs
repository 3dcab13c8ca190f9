//! What was counted, window by window, for models that ask for it.

use super::in_order::InOrder;
use super::windows::of_recording;
use super::{AnalyzeError, Recording};
use crate::model::Counted;

/// The counts of a recording, if they are wanted, to be asked for window by window in order: those of a window
/// ascend by thread and CPU, and are `None` where none are wanted. A recording without any is an error then.
pub(super) fn counts_of<R: Recording>(
    recording: &R,
    wanted: bool,
) -> Result<impl FnMut(u32) -> Result<Option<Vec<Counted>>, AnalyzeError> + Send, AnalyzeError> {
    let mut rows = None;
    if wanted {
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
