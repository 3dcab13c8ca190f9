//! The derived table: a trace's energy divided, and stored beside what was measured.

use std::path::Path;
use std::sync::mpsc;

use super::{AnalyzeError, AnalyzeOptions, attribute, windows::of_recording};
use crate::model::AttributedSample;
use crate::trace::TraceReader;

/// Windows that may wait to be written.
const WAITING: usize = 64;

/// Divides the energy of the trace in `directory` and stores the charges there as the table
/// `attributed`, in place of an older one. Gives the number of rows. Memory is bounded.
pub fn store_attributed(directory: &Path, options: &AnalyzeOptions) -> Result<u64, AnalyzeError> {
    let source = TraceReader::open(directory).map_err(of_recording)?;
    let mut trace = TraceReader::open(directory).map_err(of_recording)?;
    let (windows, arriving) = mpsc::sync_channel::<Vec<AttributedSample>>(WAITING);
    std::thread::scope(|scope| {
        let divide = scope.spawn(move || {
            attribute(&source, options, |window| {
                let charges = window.domains.into_iter().flat_map(|domain| domain.samples);
                // Nobody receiving means that writing failed, which is reported below.
                let _ = windows.send(charges.collect());
                Ok::<(), AnalyzeError>(())
            })
        });
        let stored = trace.write_attributed(arriving.into_iter().flatten());
        divide.join().expect("dividing does not panic")?;
        stored.map_err(of_recording)
    })
}
