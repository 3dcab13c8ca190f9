//! A whole table written row group by row group, and put into place at once.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::path::Path;

use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::TraceError;
use super::directory::Directory;
use super::file::{table_name, table_options};
use super::tables::{ColumnError, Table};

/// A table being written beside the one it will replace. Dropped uncommitted, it leaves no trace.
pub(super) struct TableOutput<'d, T> {
    directory: &'d Directory,
    name: String,
    writer: Option<ArrowWriter<File>>,
    rows: u64,
    table: PhantomData<fn() -> T>,
}

impl<'d, T: Table> TableOutput<'d, T> {
    /// Begins table `T` of the trace in `directory`; `parts_through` is the last part it will contain.
    pub(super) fn create(
        directory: &'d Directory,
        parts_through: Option<u32>,
    ) -> Result<Self, TraceError> {
        let name = table_name(T::NAME);
        let file = directory.create_file(&staged(&name))?;
        let writer =
            ArrowWriter::try_new_with_options(file, T::schema(), table_options::<T>(parts_through))
                .map_err(|error| write_error(&directory.path().join(&name), &error))?;
        Ok(Self { directory, name, writer: Some(writer), rows: 0, table: PhantomData })
    }

    /// Adds rows. After an error the table cannot be committed.
    pub(super) fn write(&mut self, rows: &[T::Row]) -> Result<(), TraceError> {
        let batch = T::encode(rows).map_err(unstorable::<T>)?;
        let writer = self.writer.as_mut().expect("the writer stays until commit");
        writer
            .write(&batch)
            .map_err(|error| write_error(&self.directory.path().join(&self.name), &error))?;
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// Puts the table into place, to last; returns how many rows it has.
    pub(super) fn commit(mut self) -> Result<u64, TraceError> {
        let path = self.directory.path().join(&self.name);
        let writer = self.writer.take().expect("the writer stays until commit");
        let put = || -> Result<(), TraceError> {
            let file = writer.into_inner().map_err(|error| write_error(&path, &error))?;
            file.sync_all().map_err(|error| TraceError::write("write", &path, &error))?;
            self.directory.rename(&staged(&self.name), &self.name)
        };
        if let Err(error) = put() {
            let _ = self.directory.remove_file(&staged(&self.name));
            return Err(error);
        }
        self.directory.sync()?;
        Ok(self.rows)
    }
}

impl<T> Drop for TableOutput<'_, T> {
    fn drop(&mut self) {
        if self.writer.is_some() {
            // What failed before is being told; a leftover `.tmp` is ignored by readers.
            let _ = self.directory.remove_file(&staged(&self.name));
        }
    }
}

fn staged(name: &str) -> String {
    format!("{name}.tmp")
}

/// A row that the table's columns cannot hold.
pub(super) fn unstorable<T: Table>(why: ColumnError) -> TraceError {
    TraceError::Unstorable { table: T::NAME, why }
}

/// The system's refusal inside a Parquet error, or else the library's own.
pub(super) fn write_error(path: &Path, error: &ParquetError) -> TraceError {
    let refusal = match error {
        ParquetError::External(inner) => inner.downcast_ref::<io::Error>(),
        _ => None,
    };
    match refusal {
        Some(refusal) => TraceError::write("write", path, refusal),
        None => TraceError::Encode { path: path.to_owned(), why: error.to_string() },
    }
}
