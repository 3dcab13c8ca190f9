//! How a table's files are named, marked and encoded.

use std::sync::LazyLock;

use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::SCHEMA_VERSION;
use super::tables::Table;

/// The directory of the part files.
pub(super) const PARTS: &str = "parts";

/// Metadata of every file: the trace's schema version.
pub(super) const VERSION_KEY: &str = "energy_prof.schema_version";
/// Metadata of every file: the table's name.
const TABLE_KEY: &str = "energy_prof.table";
/// Metadata of a merged table: the last part it contains. A crash after the merged table was renamed
/// into place and before its parts were removed leaves both; readers then pass over those parts.
pub(super) const PARTS_THROUGH_KEY: &str = "energy_prof.parts_through";

/// Parquet's own field for the program; the word `version` is part of its grammar.
const CREATED_BY: &str = concat!("energy-prof version ", env!("CARGO_PKG_VERSION"));

/// A row group is held in memory until it is full, so these bound the memory of a merge.
const ROW_GROUP_ROWS: usize = 1 << 20;
const ROW_GROUP_BYTES: usize = 64 << 20;

/// The file of a merged table.
pub(super) fn table_name(table: &str) -> String {
    format!("{table}.parquet")
}

/// The file of one part.
pub(super) fn part_name(table: &str, sequence: u32) -> String {
    format!("{table}.{sequence:06}.parquet")
}

/// The table and number of a part file, if it is one.
pub(super) fn parse_part_name(name: &str) -> Option<(&str, u32)> {
    let (table, sequence) = name.strip_suffix(".parquet")?.rsplit_once('.')?;
    let digits = sequence.len() >= 6 && sequence.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some(())?;
    Some((table, sequence.parse().ok()?))
}

/// How a part is written: cheaply, since one is written every second beside the measured load.
pub(super) fn part_options<T: Table>() -> ArrowWriterOptions {
    let properties = properties::<T>(Vec::new())
        .set_compression(Compression::UNCOMPRESSED)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build();
    // The Parquet types say all; a copy of the Arrow schema would double the size of a small part.
    ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true)
}

/// How a merged table is written: small, and with statistics that let readers skip.
pub(super) fn table_options<T: Table>(parts_through: Option<u32>) -> ArrowWriterOptions {
    static ZSTD_1: LazyLock<Compression> =
        LazyLock::new(|| Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a zstd level")));
    let through =
        parts_through.map(|last| KeyValue::new(PARTS_THROUGH_KEY.to_owned(), last.to_string()));
    let properties = properties::<T>(through.into_iter().collect())
        .set_compression(*ZSTD_1)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .build();
    ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true)
}

fn properties<T: Table>(mut metadata: Vec<KeyValue>) -> WriterPropertiesBuilder {
    metadata.push(KeyValue::new(VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string()));
    metadata.push(KeyValue::new(TABLE_KEY.to_owned(), T::NAME.to_owned()));
    let builder = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_key_value_metadata(Some(metadata));
    T::DELTA_COLUMNS.iter().fold(builder, |builder, column| {
        let path = ColumnPath::from(*column);
        builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_names_are_read_back_and_sort_beyond_a_million() {
        assert_eq!(part_name("energy", 7), "energy.000007.parquet");
        assert_eq!(parse_part_name("energy.000007.parquet"), Some(("energy", 7)));
        assert_eq!(parse_part_name("energy.1000000.parquet"), Some(("energy", 1_000_000)));
        for other in
            ["energy.parquet", "energy.000007.parquet.tmp", "energy.+00007.parquet", "notes.txt"]
        {
            assert_eq!(parse_part_name(other), None, "{other}");
        }
    }
}
