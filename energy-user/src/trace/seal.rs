//! Rows waiting for the next seal, and how they become a part file.

use std::fs::File;
use std::io::Write;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;

use super::TraceError;
use super::directory::Directory;
use super::file::{part_name, part_options};
use super::output::{unstorable, write_error};
use super::tables::Table;

/// One table's side of a seal, whatever the table. The steps are taken for all tables together:
/// every file is written, then every file synced, then every file renamed.
pub(super) trait Seal {
    /// Writes the waiting rows, if any, to a file that no reader looks at yet.
    fn stage(&mut self, parts: &Directory, sequence: u32) -> Result<(), TraceError>;
    /// Waits until the staged file is on the disk.
    fn sync(&self, parts: &Directory, sequence: u32) -> Result<(), TraceError>;
    /// Makes the staged file a part.
    fn publish(&mut self, parts: &Directory, sequence: u32) -> Result<(), TraceError>;
    /// Removes the staged file after a failure; its rows wait on.
    fn discard(&mut self, parts: &Directory, sequence: u32);
    /// Whether no rows wait.
    fn is_empty(&self) -> bool;
}

/// The waiting rows of one table.
pub(super) struct Unsealed<T: Table> {
    rows: Vec<T::Row>,
    sealed: Vec<u32>,
    options: ArrowWriterOptions,
    encoded: Vec<u8>,
    staged: Option<File>,
}

impl<T: Table> Unsealed<T> {
    /// No rows and no parts.
    pub(super) fn new() -> Self {
        Self {
            rows: Vec::new(),
            sealed: Vec::new(),
            options: part_options::<T>(),
            encoded: Vec::new(),
            staged: None,
        }
    }

    /// Adds rows.
    pub(super) fn append(&mut self, mut rows: Vec<T::Row>) {
        self.rows.append(&mut rows);
    }

    /// The numbers of the parts made so far, in order.
    pub(super) fn parts(&self) -> &[u32] {
        &self.sealed
    }
}

impl<T: Table> Seal for Unsealed<T> {
    fn stage(&mut self, parts: &Directory, sequence: u32) -> Result<(), TraceError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let name = part_name(T::NAME, sequence);
        let path = parts.path().join(&name);
        let batch = T::encode(&self.rows).map_err(unstorable::<T>)?;
        self.encoded.clear();
        ArrowWriter::try_new_with_options(&mut self.encoded, T::schema(), self.options.clone())
            .and_then(|mut writer| {
                writer.write(&batch)?;
                writer.close()
            })
            .map_err(|error| write_error(&path, &error))?;
        let file = self.staged.insert(parts.create_file(&staged(&name))?);
        file.write_all(&self.encoded).map_err(|error| TraceError::write("write", &path, &error))
    }

    fn sync(&self, parts: &Directory, sequence: u32) -> Result<(), TraceError> {
        let Some(file) = &self.staged else { return Ok(()) };
        file.sync_data().map_err(|error| {
            TraceError::write("write", &parts.path().join(part_name(T::NAME, sequence)), &error)
        })
    }

    fn publish(&mut self, parts: &Directory, sequence: u32) -> Result<(), TraceError> {
        if self.staged.is_none() {
            return Ok(());
        }
        let name = part_name(T::NAME, sequence);
        parts.rename(&staged(&name), &name)?;
        self.staged = None;
        self.rows.clear();
        self.sealed.push(sequence);
        Ok(())
    }

    fn discard(&mut self, parts: &Directory, sequence: u32) {
        if self.staged.take().is_some() {
            // The failure that led here is being told; a leftover `.tmp` is ignored by readers.
            let _ = parts.remove_file(&staged(&part_name(T::NAME, sequence)));
        }
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

fn staged(name: &str) -> String {
    format!("{name}.tmp")
}
