//! A file that is read at positions: by several threads at once, and with one call for what is asked for.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// What is read at once of what has no length yet: the header before a page of numbers is shorter than this.
const HEADER_BYTES: usize = 256;

/// A file of this length when it was opened.
#[derive(Clone, Debug)]
pub(super) struct FileAt {
    file: Arc<File>,
    length: u64,
}

impl FileAt {
    /// That file.
    pub(super) fn new(file: File, length: u64) -> Self {
        Self { file: Arc::new(file), length }
    }
}

impl Length for FileAt {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for FileAt {
    type T = BufReader<Onwards>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let from = Onwards { file: Arc::clone(&self.file), at: start };
        Ok(BufReader::with_capacity(HEADER_BYTES, from))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // A damaged file may claim anything, also more than there is memory for.
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(cut_short(start, length));
        }
        let mut bytes = vec![0; length];
        match self.file.read_exact_at(&mut bytes, start) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(cut_short(start, length))
            }
            read => read.map(|()| bytes.into()).map_err(ParquetError::from),
        }
    }
}

fn cut_short(start: u64, length: usize) -> ParquetError {
    ParquetError::EOF(format!("it ends before the {length} bytes from {start}"))
}

/// A file from a position on.
#[derive(Debug)]
pub(super) struct Onwards {
    file: Arc<File>,
    at: u64,
}

impl Read for Onwards {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file_of(bytes: &[u8]) -> FileAt {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        FileAt::new(file, bytes.len() as u64)
    }

    #[test]
    fn positions_do_not_depend_on_what_was_read_before() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(5 * HEADER_BYTES).collect();
        let file = file_of(&bytes);
        let (mut onwards, mut all) = (file.get_read(7).unwrap(), Vec::new());
        onwards.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(file.get_bytes(1, 3).unwrap(), &bytes[1..4]);
        onwards.read_to_end(&mut all).unwrap();
        assert_eq!(all, bytes[10..]);
    }

    #[test]
    fn what_is_not_there_is_an_error_and_no_memory_is_taken_for_it() {
        let file = file_of(b"four");
        for (start, length) in [(0, 5), (4, 1), (0, usize::MAX), (u64::MAX, 1)] {
            let error = file.get_bytes(start, length).unwrap_err().to_string();
            assert!(error.contains("it ends before"), "{error}");
        }
        let shrunk = FileAt { length: 100, ..file };
        assert!(shrunk.get_bytes(0, 5).unwrap_err().to_string().contains("it ends before"));
    }
}
