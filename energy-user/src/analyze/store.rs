//! The derived table: a trace's energy divided, and stored beside what was measured.

use std::path::Path;

use super::windows::of_recording;
use super::{AnalyzeError, AnalyzeOptions, attribute};
use crate::trace::{TraceError, TraceReader};

/// Divides the energy of the trace in `directory` and stores the charges there as the table
/// `attributed`, in place of an older one. Gives the number of rows.
pub fn store_attributed(directory: &Path, options: &AnalyzeOptions) -> Result<u64, AnalyzeError> {
    let source = TraceReader::open(directory).map_err(of_recording)?;
    let mut trace = TraceReader::open(directory).map_err(of_recording)?;
    attribute(&source, options, |charges| trace.write_attributed(charges))
}

impl From<TraceError> for AnalyzeError {
    fn from(error: TraceError) -> Self {
        of_recording(error)
    }
}
