//! The tables: which columns each has, and how rows become columns and back.
//! Decoding looks columns up by name, so their order and any further ones do not matter.

mod attributed;
mod counts;
mod decode;
mod encode;
mod energy;
mod gpu;
mod residency;
mod samples;
mod stacks;
mod threads;
mod windows;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use thiserror::Error;

pub(super) use attributed::Attributed;
pub(super) use counts::Counts;
pub(super) use decode::Columns;
pub(super) use energy::Energy;
pub(super) use gpu::Gpu;
pub(super) use residency::ResidencyTable;
pub(super) use samples::Samples;
pub(super) use stacks::Stacks;
pub(super) use threads::Threads;
pub(super) use windows::Windows;

/// Every table's name.
pub(super) const NAMES: [&str; 9] = [
    Windows::NAME,
    Energy::NAME,
    Gpu::NAME,
    ResidencyTable::NAME,
    Counts::NAME,
    Samples::NAME,
    Stacks::NAME,
    Threads::NAME,
    Attributed::NAME,
];

/// One table of a trace.
pub(super) trait Table {
    /// What one row is to the rest of the program.
    type Row;

    /// The name, which is also its file's.
    const NAME: &'static str;

    /// The integer columns that are smaller as differences of neighbours than as a dictionary.
    const DELTA_COLUMNS: &'static [&'static str];

    /// The text columns of a few different values, which are decoded once for a batch and not for every row.
    const FEW_TEXTS: &'static [&'static str] = &[];

    /// Whether a later row about the same [`Self::key`] replaces an earlier one.
    const KEYED: bool = false;

    /// Whether a finished trace may be without it.
    const OPTIONAL: bool = false;

    /// How many rows are decoded at once.
    const BATCH_ROWS: usize = 1 << 14;

    /// The columns. A nullable one may be missing from a file.
    fn schema() -> SchemaRef;

    /// Rows to columns.
    fn encode(rows: &[Self::Row]) -> Result<RecordBatch, ColumnError>;

    /// Columns to rows.
    fn decode(columns: &Columns<'_>) -> Result<Vec<Self::Row>, ColumnError>;

    /// The window a row belongs to, where rows belong to one.
    fn window(_row: &Self::Row) -> Option<u32> {
        None
    }

    /// What a row is about, where that is told in several rows.
    fn key(_row: &Self::Row) -> Option<u32> {
        None
    }
}

/// Why a column could not be read or written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ColumnError {
    /// It is not there.
    #[error("it has no column {0}")]
    Missing(String),
    /// It is of another type.
    #[error("its column {column} is of type {found}")]
    WrongType {
        /// The column.
        column: &'static str,
        /// The type found.
        found: String,
    },
    /// It holds a null where a value must be.
    #[error("its column {0} has a null")]
    Null(&'static str),
    /// It holds a value that is not possible there.
    #[error("its column {column} has the impossible value {value}")]
    Impossible {
        /// The column.
        column: &'static str,
        /// The value.
        value: String,
    },
    /// A number to be written is larger than the column's type.
    #[error("{value} is too large for the column {column}")]
    TooLarge {
        /// The column.
        column: &'static str,
        /// The number.
        value: String,
    },
}
