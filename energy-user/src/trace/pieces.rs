//! Long tables in parts that follow each other, so that several threads can read, each from the file to what it makes
//! of the rows: rows that are handed from one to another cost more on the way than decoding them.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::TraceError;
use super::input::{LargeFile, TableInput, length_of};
use super::listing::{open, open_file};
use super::reader::Rows;
use super::tables::Table;
use super::window_set::WindowSet;

/// A part goes on until its pieces have so many bytes in their files: many, so that little time goes by between
/// parts, and few beside a long table.
const PART_BYTES: u64 = 2 << 20;

/// What is read at once of a table.
pub(super) enum Piece<T> {
    /// A file, opened when its turn comes.
    File(PathBuf),
    /// One row group of a file that is open.
    RowGroup(Arc<LargeFile<T>>, usize),
}

impl<T: Table> Piece<T> {
    fn open(self) -> Result<TableInput<T>, TraceError> {
        match self {
            Self::File(path) => open(&path),
            Self::RowGroup(file, row_group) => file.rows(Some(row_group)),
        }
    }
}

/// The rows of `pieces`, one piece after the other, without those of windows outside `sealed`.
/// Ends after an error.
pub(super) fn rows_of_pieces<T: Table>(
    pieces: impl IntoIterator<Item = Piece<T>>,
    sealed: Option<Arc<WindowSet>>,
) -> impl Iterator<Item = Rows<T>> {
    let mut failed = false;
    pieces
        .into_iter()
        .flat_map(|piece| {
            let (input, error) = match piece.open() {
                Ok(input) => (Some(input), None),
                Err(error) => (None, Some(Err(error))),
            };
            input.into_iter().flatten().chain(error)
        })
        .map(move |rows| {
            let mut rows = rows?;
            if let Some(sealed) = &sealed {
                rows.retain(|row| T::window(row).is_none_or(|window| sealed.contains(window)));
            }
            Ok(rows)
        })
        .take_while(move |rows| {
            let go_on = !failed;
            failed = rows.is_err();
            go_on
        })
}

/// The pieces of a table's `files`, together in parts: all of them, in order.
pub(super) fn parts_of<T: Table>(files: &[PathBuf]) -> Result<Vec<Vec<Piece<T>>>, TraceError> {
    let mut parts = Vec::new();
    let (mut part, mut bytes) = (Vec::new(), 0);
    for path in files {
        for (piece, length) in pieces_of(path)? {
            part.push(piece);
            bytes += length;
            if bytes >= PART_BYTES {
                parts.push(mem::take(&mut part));
                bytes = 0;
            }
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    Ok(parts)
}

/// The pieces of a file, with how many bytes each has there.
fn pieces_of<T: Table>(path: &Path) -> Result<Vec<(Piece<T>, u64)>, TraceError> {
    let file = open_file(path)?;
    let length = length_of(&file, path)?;
    if let Some(file) = LargeFile::open(file, path)?.filter(|file| file.row_groups() > 1) {
        let file = Arc::new(file);
        let row_group = |of| (Piece::RowGroup(Arc::clone(&file), of), file.bytes_of(of));
        return Ok((0..file.row_groups()).map(row_group).collect());
    }
    // It is opened again when its turn comes: there may be more of these than a process may have open.
    Ok(vec![(Piece::File(path.to_owned()), length)])
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;

    use super::super::tables::ResidencyTable;
    use super::*;
    use crate::model::{Residency, ThreadId};
    use crate::units::Nanoseconds;

    /// So many rows, in windows of a thousand each, of times that take up many bytes.
    fn rows(count: u32) -> Vec<Residency> {
        let row = |number: u32| Residency {
            window: number / 1_000,
            thread: ThreadId(2 + number % 1_000),
            cpu: 0,
            oncpu: Nanoseconds::new(u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1),
            switches: 1,
        };
        (0..count).map(row).collect()
    }

    fn write(path: &Path, rows: &[Residency], row_group: usize) {
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(row_group))
            .set_dictionary_enabled(false)
            .build();
        let file = File::create(path).unwrap();
        let mut writer =
            ArrowWriter::try_new(file, ResidencyTable::schema(), Some(properties)).unwrap();
        writer.write(&ResidencyTable::encode(rows).unwrap()).unwrap();
        writer.close().unwrap();
    }

    fn parts(
        files: &[PathBuf],
        sealed: Option<&Arc<WindowSet>>,
    ) -> Vec<impl Iterator<Item = Rows<ResidencyTable>> + use<>> {
        let parts = parts_of::<ResidencyTable>(files).unwrap().into_iter();
        parts.map(|pieces| rows_of_pieces(pieces, sealed.cloned())).collect()
    }

    #[test]
    fn the_parts_of_a_large_file_and_of_small_ones_are_all_rows_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let rows = rows(600_000);
        write(&path("large"), &rows[..500_000], 100_000);
        let mut files = vec![path("large")];
        for (number, rows) in rows[500_000..].chunks(10_000).enumerate() {
            files.push(path(&number.to_string()));
            write(&files[number + 1], rows, usize::MAX);
        }
        assert!(parts(&files[..1], None).len() > 1, "row groups are read apart");
        let of_small = parts(&files[1..], None).len();
        assert!((2..10).contains(&of_small), "{of_small} parts, each of several files");
        let read: Vec<_> =
            parts(&files, None).into_iter().flatten().flat_map(Result::unwrap).collect();
        assert!(read == rows);
        let mut sealed = WindowSet::default();
        sealed.extend([7, 8, 550]);
        let sealed = Arc::new(sealed);
        let read: Vec<_> =
            parts(&files, Some(&sealed)).into_iter().flatten().flat_map(Result::unwrap).collect();
        assert!(read.iter().eq(rows.iter().filter(|row| [7, 8, 550].contains(&row.window))));
    }
}
