//! A file of sysfs that holds one whole number, kept open and read again and again at offset 0, so that
//! privileges can be dropped after opening.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::SourceError;

/// An open file of one number.
#[derive(Debug)]
pub(super) struct NumberFile {
    path: PathBuf,
    /// What it counts, for complaints: `microjoules`.
    unit: &'static str,
    file: File,
    /// Whether the last read failed, so that the file may have been replaced (a module loaded again).
    failed: bool,
}

impl NumberFile {
    pub(super) fn open(path: PathBuf, unit: &'static str) -> Result<Self, SourceError> {
        match File::open(&path) {
            Ok(file) => Ok(Self { path, unit, file, failed: false }),
            Err(cause) => Err(SourceError::read(&path, cause)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The number, which must not be negative.
    pub(super) fn read(&mut self) -> Result<u64, SourceError> {
        self.read_as()
    }

    /// The number, which may be negative.
    pub(super) fn read_signed(&mut self) -> Result<i64, SourceError> {
        self.read_as()
    }

    fn read_as<T: FromStr>(&mut self) -> Result<T, SourceError> {
        if self.failed
            && let Ok(file) = File::open(&self.path)
        {
            self.file = file;
        }
        let value = self.read_once();
        self.failed = value.is_err();
        value
    }

    fn read_once<T: FromStr>(&self) -> Result<T, SourceError> {
        let mut text = [0; 32];
        let length = self
            .file
            .read_at(&mut text, 0)
            .map_err(|cause| SourceError::read(&self.path, cause))?;
        let text = &text[..length];
        parse(text).ok_or_else(|| SourceError::not_a_number(&self.path, text, self.unit))
    }
}

/// A whole number, as the kernel prints it.
fn parse<T: FromStr>(text: &[u8]) -> Option<T> {
    str::from_utf8(text).ok()?.trim_ascii_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_whole_and_nothing_else() {
        assert_eq!(parse(b"262143328849\n"), Some(262_143_328_849_u64));
        assert_eq!(parse(b"00000000000000000061\n"), Some(61_u64));
        assert_eq!(parse(b"-5\n"), Some(-5_i64));
        for garbage in [&b""[..], b"\n", b"-5\n", b"12 34\n", b"0x10\n", b"\xff\n"] {
            assert_eq!(parse::<u64>(garbage), None);
        }
    }
}
