//! One file of a table, read as rows.

use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow_schema::ArrowError;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::FileMetaData;
use parquet::file::reader::ChunkReader;

use super::file::{PARTS_THROUGH_KEY, VERSION_KEY};
use super::tables::{ColumnError, Columns, Table};
use super::{SCHEMA_VERSION, TraceError};

/// A file up to this size is read in one go: a part has dozens of pages of a few bytes, and the
/// library would seek to each.
const READ_AT_ONCE_BYTES: u64 = 4 << 20;

/// The rows of one file, batch by batch, in the file's order. After an error it is not to be used.
pub(super) struct TableInput<T> {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    parts_through: Option<u32>,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> TableInput<T> {
    /// Opens a table's file or one of its parts, and checks that it has the table's columns.
    pub(super) fn open(file: File, path: &Path) -> Result<Self, TraceError> {
        let length = file.metadata().map_err(|error| TraceError::read(path, &error))?.len();
        if length > READ_AT_ONCE_BYTES {
            return Self::read(file, path);
        }
        let mut content = Vec::new();
        (&file).read_to_end(&mut content).map_err(|error| TraceError::read(path, &error))?;
        Self::read(Bytes::from(content), path)
    }

    fn read(source: impl ChunkReader + 'static, path: &Path) -> Result<Self, TraceError> {
        // The Parquet types alone say how to read: a writer's Arrow schema (large strings,
        // dictionaries, views) would only multiply the types to understand.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = contained(path, || {
            ParquetRecordBatchReaderBuilder::try_new_with_options(source, options)
                .map_err(|error| parquet_error(path, &error))
        })?;
        let metadata = builder.metadata().file_metadata();
        check_version(path, metadata)?;
        let parts_through =
            value_of(metadata, PARTS_THROUGH_KEY).and_then(|last| last.parse().ok());
        let known = T::schema();
        for column in known.fields().iter().filter(|column| !column.is_nullable()) {
            if builder.schema().column_with_name(column.name()).is_none() {
                return Err(foreign(path, ColumnError::Missing(column.name().clone())));
            }
        }
        let mask = ProjectionMask::columns(
            builder.parquet_schema(),
            known.fields().iter().map(|column| column.name().as_str()),
        );
        let batches = contained(path, || {
            let builder = builder.with_projection(mask).with_batch_size(T::BATCH_ROWS);
            builder.build().map_err(|error| parquet_error(path, &error))
        })?;
        Ok(Self { path: path.to_owned(), batches, parts_through, table: PhantomData })
    }

    /// The last part that a merged table contains.
    pub(super) fn parts_through(&self) -> Option<u32> {
        self.parts_through
    }
}

impl<T: Table> Iterator for TableInput<T> {
    type Item = Result<Vec<T::Row>, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (path, batches) = (&self.path, &mut self.batches);
        let batch = contained(path, || {
            batches.next().transpose().map_err(|error| arrow_error(path, error))
        });
        let rows = |batch| T::decode(&Columns::of(&batch)).map_err(|why| foreign(path, why));
        batch.transpose().map(|batch| batch.and_then(rows))
    }
}

/// The Parquet library panics on some damaged pages (an overlong integer, for one). What it was
/// reading with is given up after that, so nothing half-changed is seen.
fn contained<R>(
    path: &Path,
    read: impl FnOnce() -> Result<R, TraceError>,
) -> Result<R, TraceError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(damaged(path, "its pages make no sense")))
}

fn check_version(path: &Path, metadata: &FileMetaData) -> Result<(), TraceError> {
    let version = value_of(metadata, VERSION_KEY).and_then(|version| version.parse().ok());
    match version {
        Some(found) if found > SCHEMA_VERSION => {
            let writer = metadata.created_by().unwrap_or("a newer energy-prof");
            let writer = writer.replace(" version ", " ");
            Err(TraceError::NewerSchema { path: path.to_owned(), found, writer })
        }
        // Tables that another program rewrote have lost the mark; their columns decide.
        _ => Ok(()),
    }
}

fn value_of<'a>(metadata: &'a FileMetaData, key: &str) -> Option<&'a str> {
    metadata.key_value_metadata()?.iter().find(|pair| pair.key == key)?.value.as_deref()
}

fn foreign(path: &Path, why: ColumnError) -> TraceError {
    TraceError::Foreign { path: path.to_owned(), why }
}

fn arrow_error(path: &Path, error: ArrowError) -> TraceError {
    match error {
        ArrowError::ExternalError(inner) => match inner.downcast_ref::<io::Error>() {
            Some(error) => TraceError::read(path, error),
            None => damaged(path, &inner.to_string()),
        },
        other => damaged(path, &other.to_string()),
    }
}

fn parquet_error(path: &Path, error: &ParquetError) -> TraceError {
    match error {
        ParquetError::External(inner) => match inner.downcast_ref::<io::Error>() {
            Some(error) => TraceError::read(path, error),
            None => damaged(path, &inner.to_string()),
        },
        other => damaged(path, &other.to_string()),
    }
}

fn damaged(path: &Path, why: &str) -> TraceError {
    TraceError::Damaged { path: path.to_owned(), why: why.to_owned() }
}
