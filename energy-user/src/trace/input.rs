//! One file of a table, read as rows.

use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{ArrowError, DataType, FieldRef, Fields, Schema};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::FileMetaData;
use parquet::file::reader::ChunkReader;

use super::file::{PARTS_THROUGH_KEY, VERSION_KEY};
use super::file_at::FileAt;
use super::tables::{ColumnError, Columns, Table};
use super::{SCHEMA_VERSION, TraceError};

/// A file up to this size is read in one go: a part has dozens of pages of a few bytes, and the
/// library would seek to each.
const READ_AT_ONCE_BYTES: u64 = 4 << 20;

/// The rows of one file or of one of its row groups, batch by batch, in the file's order. After an error it is
/// not to be used.
pub(super) struct TableInput<T> {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    parts_through: Option<u32>,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> TableInput<T> {
    /// Opens a table's file or one of its parts, and checks that it has the table's columns.
    pub(super) fn open(file: File, path: &Path) -> Result<Self, TraceError> {
        let length = length_of(&file, path)?;
        if length > READ_AT_ONCE_BYTES {
            return LargeFile::with_length(file, length, path)?.rows(None);
        }
        let mut content = Vec::new();
        (&file).read_to_end(&mut content).map_err(|error| TraceError::read(path, &error))?;
        let content = Bytes::from(content);
        Footer::of::<T>(&content, path)?.rows(content, None, path)
    }

    /// The last part that a merged table contains.
    pub(super) fn parts_through(&self) -> Option<u32> {
        self.parts_through
    }
}

/// A table's file of which the row groups can be read by several threads at once.
pub(super) struct LargeFile<T> {
    path: PathBuf,
    file: FileAt,
    footer: Footer,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> LargeFile<T> {
    /// Opens a file as [`TableInput::open`] does; `None` where it is so small that it is read in one go.
    pub(super) fn open(file: File, path: &Path) -> Result<Option<Self>, TraceError> {
        let length = length_of(&file, path)?;
        let is_large = length > READ_AT_ONCE_BYTES;
        is_large.then(|| Self::with_length(file, length, path)).transpose()
    }

    fn with_length(file: File, length: u64, path: &Path) -> Result<Self, TraceError> {
        let file = FileAt::new(file, length);
        let footer = Footer::of::<T>(&file, path)?;
        Ok(Self { path: path.to_owned(), file, footer, table: PhantomData })
    }

    /// How many row groups it has.
    pub(super) fn row_groups(&self) -> usize {
        self.footer.metadata.metadata().num_row_groups()
    }

    /// How many bytes one of them takes there.
    pub(super) fn bytes_of(&self, row_group: usize) -> u64 {
        let bytes = self.footer.metadata.metadata().row_group(row_group).compressed_size();
        u64::try_from(bytes).unwrap_or_default()
    }

    /// The rows of one row group, or of all.
    pub(super) fn rows(&self, row_group: Option<usize>) -> Result<TableInput<T>, TraceError> {
        self.footer.clone().rows(self.file.clone(), row_group, &self.path)
    }
}

/// What a file says about itself, once it was found to be a table's.
#[derive(Clone)]
struct Footer {
    metadata: ArrowReaderMetadata,
    columns: ProjectionMask,
    parts_through: Option<u32>,
}

impl Footer {
    /// Of table `T`'s file.
    fn of<T: Table>(source: &impl ChunkReader, path: &Path) -> Result<Self, TraceError> {
        let metadata = contained(path, || {
            ArrowReaderMetadata::load(source, options())
                .and_then(with_few_texts::<T>)
                .map_err(|error| parquet_error(path, &error))
        })?;
        let of_file = metadata.metadata().file_metadata();
        check_version(path, of_file)?;
        let parts_through = value_of(of_file, PARTS_THROUGH_KEY).and_then(|last| last.parse().ok());
        let known = T::schema();
        for column in known.fields().iter().filter(|column| !column.is_nullable()) {
            if metadata.schema().column_with_name(column.name()).is_none() {
                return Err(foreign(path, ColumnError::Missing(column.name().clone())));
            }
        }
        let names = known.fields().iter().map(|column| column.name().as_str());
        let columns = ProjectionMask::columns(metadata.parquet_schema(), names);
        Ok(Self { metadata, columns, parts_through })
    }

    /// The rows of a row group, or of all, of the `source` that it was read from.
    fn rows<T: Table>(
        self,
        source: impl ChunkReader + 'static,
        row_group: Option<usize>,
        path: &Path,
    ) -> Result<TableInput<T>, TraceError> {
        let batches = contained(path, || {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(source, self.metadata)
                .with_projection(self.columns)
                .with_batch_size(T::BATCH_ROWS);
            let builder = match row_group {
                Some(row_group) => builder.with_row_groups(vec![row_group]),
                None => builder,
            };
            builder.build().map_err(|error| parquet_error(path, &error))
        })?;
        let parts_through = self.parts_through;
        Ok(TableInput { path: path.to_owned(), batches, parts_through, table: PhantomData })
    }
}

/// The Parquet types alone say how to read: a writer's Arrow schema (large strings, dictionaries, views) would only
/// multiply the types to understand.
fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}

/// The same file, of which text of a few different values is read as those, and for each row which of them it has.
fn with_few_texts<T: Table>(
    metadata: ArrowReaderMetadata,
) -> Result<ArrowReaderMetadata, ParquetError> {
    if T::FEW_TEXTS.is_empty() {
        return Ok(metadata);
    }
    let few = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let read_as = |field: &FieldRef| {
        let is_text = field.data_type() == &DataType::Utf8;
        if is_text && T::FEW_TEXTS.contains(&field.name().as_str()) {
            Arc::new(field.as_ref().clone().with_data_type(few.clone()))
        } else {
            Arc::clone(field)
        }
    };
    let fields: Fields = metadata.schema().fields().iter().map(read_as).collect();
    let schema = Arc::new(Schema::new(fields));
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options().with_schema(schema))
}

/// How many bytes a file has.
pub(super) fn length_of(file: &File, path: &Path) -> Result<u64, TraceError> {
    Ok(file.metadata().map_err(|error| TraceError::read(path, &error))?.len())
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
