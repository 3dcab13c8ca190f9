//! The rows of a large table, window by window.

use std::ops::Range;

use super::AnalyzeError;
use super::windows::of_recording;

/// The rows of a table's batches, window by window.
pub(super) struct InOrder<I, R, W> {
    table: &'static str,
    batches: I,
    /// The window of a row.
    window_of: W,
    /// The latest batch.
    rows: Vec<R>,
    /// The first of its rows that is still to come.
    next: usize,
    /// The window of the row before that; `None` before the first.
    last: Option<u32>,
}

impl<I, R, W, E> InOrder<I, R, W>
where
    I: Iterator<Item = Result<Vec<R>, E>>,
    R: Clone,
    W: Fn(&R) -> u32,
    E: std::error::Error + Send + Sync + 'static,
{
    /// The rows of `table`.
    pub(super) fn new(table: &'static str, batches: I, window_of: W) -> Self {
        Self { table, batches, window_of, rows: Vec::new(), next: 0, last: None }
    }

    /// The rows of one window; those of windows before it, which the recording lost, are left out.
    pub(super) fn of_window(&mut self, window: u32) -> Result<Vec<R>, AnalyzeError> {
        let mut found = Vec::new();
        loop {
            self.pass(|of| of < window)?;
            let range = self.pass(|of| of == window)?;
            found.extend_from_slice(&self.rows[range]);
            let later_windows_wait = self.next < self.rows.len();
            if later_windows_wait || !self.take_batch()? {
                return Ok(found);
            }
        }
    }

    /// Whether the table has no row at all, in whatever window. To be asked first.
    pub(super) fn is_empty(&mut self) -> Result<bool, AnalyzeError> {
        while self.rows.is_empty() {
            if !self.take_batch()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Passes rows of the latest batch, as long as they are of windows that are `wanted`. No row may be of an
    /// earlier window than the one before.
    fn pass(&mut self, wanted: impl Fn(u32) -> bool) -> Result<Range<usize>, AnalyzeError> {
        let start = self.next;
        for row in &self.rows[start..] {
            let found = (self.window_of)(row);
            if let Some(after) = self.last.filter(|after| found < *after) {
                return Err(AnalyzeError::OutOfOrder { table: self.table, found, after });
            }
            if !wanted(found) {
                break;
            }
            self.last = Some(found);
            self.next += 1;
        }
        Ok(start..self.next)
    }

    /// Goes on to the next batch, if there is one.
    fn take_batch(&mut self) -> Result<bool, AnalyzeError> {
        let Some(batch) = self.batches.next() else { return Ok(false) };
        self.rows = batch.map_err(of_recording)?;
        self.next = 0;
        Ok(true)
    }
}
