//! Which files make up a table: the merged one, the parts it does not contain yet, or both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::TraceError;
use super::file::{PARTS, parse_part_name, table_name};
use super::input::TableInput;
use super::tables::{self, Table};

/// Something wrong with a trace that does not keep the rest of it from being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file concerned.
    pub file: PathBuf,
    /// What is wrong, and what follows.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.what)
    }
}

/// The tables' files in a trace's directory.
pub(super) struct Listing {
    dir: PathBuf,
    merged: BTreeSet<&'static str>,
    /// The parts of each table, by number.
    parts: BTreeMap<&'static str, BTreeMap<u32, PathBuf>>,
    has_parts_directory: bool,
}

impl Listing {
    /// Looks into `dir` and its `parts`.
    pub(super) fn of(dir: &Path) -> Result<Self, TraceError> {
        let merged = tables::NAMES
            .into_iter()
            .filter(|table| fs::symlink_metadata(dir.join(table_name(table))).is_ok())
            .collect();
        let mut listing = Self {
            dir: dir.to_owned(),
            merged,
            parts: BTreeMap::new(),
            has_parts_directory: false,
        };
        listing.look_into_parts()?;
        Ok(listing)
    }

    /// Whether there is no table at all.
    pub(super) fn is_empty(&self) -> bool {
        self.merged.is_empty() && self.parts.is_empty()
    }

    /// Table `T`'s merged file, if there is one.
    pub(super) fn merged_file<T: Table>(&self) -> Option<PathBuf> {
        self.merged.contains(T::NAME).then(|| self.dir.join(table_name(T::NAME)))
    }

    /// The files of table `T` that can be read, in the order of their rows.
    ///
    /// Each part is read once here. One that cannot be is left out and told in `findings`: a crash can
    /// leave one behind on a disk that lied about syncing. A merged table that cannot be read is an
    /// error, and so is the absence of one that must be there where `finished` says that all were merged.
    pub(super) fn files<T: Table>(
        &self,
        finished: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<PathBuf>, TraceError> {
        let mut files = Vec::new();
        let mut contained = None;
        if let Some(merged) = self.merged_file::<T>() {
            // A file that lost its mark was rewritten by another program after it was merged.
            contained = Some(open::<T>(&merged)?.parts_through().unwrap_or(u32::MAX));
            files.push(merged);
        } else if finished && !self.has_parts_directory && !T::OPTIONAL {
            return Err(TraceError::MissingTable { path: self.dir.join(table_name(T::NAME)) });
        }
        for (sequence, path) in self.parts.get(T::NAME).into_iter().flatten() {
            if contained.is_some_and(|last| *sequence <= last) {
                continue;
            }
            match open::<T>(path).and_then(read_through) {
                Ok(()) => files.push(path.clone()),
                Err(error @ TraceError::NewerSchema { .. }) => return Err(error),
                Err(error) => {
                    let what = format!("left out, with its rows of about one second: {error}");
                    findings.push(Finding { file: path.clone(), what });
                }
            }
        }
        Ok(files)
    }

    /// The last part of table `T` that is there or was merged; `None` where there is no row of it.
    pub(super) fn last_part<T: Table>(&self) -> Result<Option<u32>, TraceError> {
        let merged = self.merged_file::<T>().map(|merged| open::<T>(&merged)).transpose()?;
        let merged = merged.map(|merged| merged.parts_through().unwrap_or(u32::MAX));
        let parts = self.parts.get(T::NAME).and_then(|parts| parts.keys().next_back().copied());
        Ok(merged.max(parts))
    }

    fn look_into_parts(&mut self) -> Result<(), TraceError> {
        let parts = self.dir.join(PARTS);
        let failed = |error: io::Error| TraceError::read(&parts, &error);
        let entries = match fs::read_dir(&parts) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        self.has_parts_directory = true;
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let Some((table, sequence)) = name.to_str().and_then(parse_part_name) else {
                continue;
            };
            if let Some(table) = tables::NAMES.into_iter().find(|known| *known == table) {
                self.parts.entry(table).or_default().insert(sequence, entry.path());
            }
        }
        Ok(())
    }
}

/// Opens one file of table `T`.
pub(super) fn open<T: Table>(path: &Path) -> Result<TableInput<T>, TraceError> {
    TableInput::open(open_file(path)?, path)
}

/// The file at `path`.
pub(super) fn open_file(path: &Path) -> Result<File, TraceError> {
    File::open(path).map_err(|error| TraceError::read(path, &error))
}

fn read_through<T: Table>(mut input: TableInput<T>) -> Result<(), TraceError> {
    input.try_for_each(|rows| rows.map(|_| ()))
}
