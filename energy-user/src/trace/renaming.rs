//! Putting better names into the stacks of a trace.

use std::collections::HashMap;
use std::fs::TryLockError;
use std::path::Path;

use super::TraceError;
use super::directory::Directory;
use super::file::parse_part_name;
use super::listing::Listing;
use super::output::TableOutput;
use super::reader::TraceReader;
use super::tables::{Stacks, Table};
use crate::model::Stack;

/// A trace, held so that nobody else writes it while its stacks are written anew.
pub struct Renaming {
    directory: Directory,
    reader: TraceReader,
    /// The last part of the stacks: readers pass over it and those before, once all are written.
    last_part: Option<u32>,
}

impl Renaming {
    /// Opens the trace in `path`, finished or cut off.
    ///
    /// Fails where it is being recorded or changed, and where a part of its stacks cannot be read.
    pub fn begin(path: &Path) -> Result<Self, TraceError> {
        // What is no trace is told by the reader, in its words.
        TraceReader::open(path)?;
        let directory = Directory::open_to_add(path)?;
        if let Err(TryLockError::WouldBlock) = directory.handle().try_lock() {
            return Err(TraceError::InUse { path: path.to_owned() });
        }
        // From now on it stays the trace that it is.
        let reader = TraceReader::open(path)?;
        for finding in reader.findings() {
            let name = finding.file.file_name().and_then(|name| name.to_str());
            if name.and_then(parse_part_name).is_some_and(|(table, _)| table == Stacks::NAME) {
                return Err(TraceError::PartLeftOut { path: finding.file.clone() });
            }
        }
        let last_part = Listing::of(path)?.last_part::<Stacks>()?;
        Ok(Self { directory, reader, last_part })
    }

    /// The trace as it is.
    pub fn reader(&self) -> &TraceReader {
        &self.reader
    }

    /// Writes the table anew, each stack as `better` gives it, and puts it into the place of the old
    /// one when all are written. Returns how many stacks there are.
    pub fn write(self, mut better: impl FnMut(Stack) -> Stack) -> Result<u64, TraceError> {
        let mut last_rows = HashMap::new();
        let mut position = 0_u64;
        for rows in self.reader.stack_batches()? {
            for (stack, _) in rows? {
                last_rows.insert(stack, position);
                position += 1;
            }
        }
        let mut output = TableOutput::<Stacks>::create(&self.directory, self.last_part)?;
        let mut position = 0_u64;
        for rows in self.reader.stack_batches()? {
            let mut written = Vec::new();
            for (stack, frames) in rows? {
                if last_rows.get(&stack) == Some(&position) {
                    written.push((stack, better(frames)));
                }
                position += 1;
            }
            output.write(&written)?;
        }
        output.commit()
    }
}
