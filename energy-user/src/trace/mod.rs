//! The trace: a directory of Parquet tables that holds what was measured, and nothing derived from
//! it except where its name says so (`attributed`).
//!
//! [`TraceWriter`] seals the rows of every second into part files that survive `kill -9` and a power
//! cut, and merges them at the end; [`TraceReader`] reads finished and unfinished traces alike and
//! says how the recording ended. The format is described in `docs/trace-format.md`.

mod compact;
mod directory;
mod file;
mod file_at;
mod input;
mod listing;
mod output;
mod pieces;
mod place;
mod read_ahead;
mod read_times;
mod reader;
mod renaming;
mod seal;
mod session;
mod tables;
mod window_set;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use directory::Owner;
pub use listing::Finding;
pub use place::Existing;
pub use read_times::ReadTimes;
pub use reader::{Ending, TraceReader};
pub use renaming::Renaming;
pub use session::{
    BpfCost, CalibrationInfo, Clock, Host, IdlePower, ImportedLog, SamplingInfo, Session,
    SessionState, SourceInfo, Target,
};
pub use tables::ColumnError;
pub use writer::{Batch, TraceSize, TraceWriter};

/// The version of the tables and of `session.json`. It rises when a reader of the old version would
/// misread a new trace; an added column or field leaves it as it is.
pub const SCHEMA_VERSION: u32 = 1;

/// Why a trace could not be written or read.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The system refused to write. What was sealed before can still be read.
    #[error("cannot {action} {}: {why}; {}", .path.display(), write_remedy(*.kind))]
    Write {
        /// What was tried, e.g. `write`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The kind of refusal, e.g. [`io::ErrorKind::StorageFull`].
        kind: io::ErrorKind,
        /// The refusal in words.
        why: String,
    },
    /// The system refused to read.
    #[error("cannot read {}: {why}; {}", .path.display(), read_remedy(*.kind))]
    Read {
        /// What was read.
        path: PathBuf,
        /// The kind of refusal.
        kind: io::ErrorKind,
        /// The refusal in words.
        why: String,
    },
    /// The place for a new trace is taken by something that is not a trace.
    #[error("cannot record into {}: {why}; remove it yourself or choose another place with -o", .path.display())]
    Occupied {
        /// What is in the way.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// The place for a new trace is a trace that another recording is writing.
    #[error("cannot record into {}: another energy-prof is recording there; choose another place with -o", .path.display())]
    Busy {
        /// The trace being written.
        path: PathBuf,
    },
    /// A trace that is to be changed is being recorded, or being changed already.
    #[error("cannot change {}: an energy-prof is writing it; wait until that has ended", .path.display())]
    InUse {
        /// The trace.
        path: PathBuf,
    },
    /// A part of a table that is to be written anew cannot be read.
    #[error(
        "cannot write the stacks of a damaged trace anew: {} cannot be read, and its stacks would be lost for good; copy the trace again, or remove that file to do without them",
        .path.display()
    )]
    PartLeftOut {
        /// The part.
        path: PathBuf,
    },
    /// A row holds a number the format has no room for.
    #[error("cannot store a row of table {table}: {why}; end this recording and begin another")]
    Unstorable {
        /// The table.
        table: &'static str,
        /// Which column and number.
        why: ColumnError,
    },
    /// A Parquet library error while writing that is not the system's.
    #[error("cannot encode {}: {why}; this is a bug, please report it", .path.display())]
    Encode {
        /// The file being written.
        path: PathBuf,
        /// The library's words.
        why: String,
    },
    /// The path is something else than a trace.
    #[error("{} is not an energy-prof trace: {why}", .path.display())]
    NotATrace {
        /// The path.
        path: PathBuf,
        /// What it is, and what to give instead.
        why: String,
    },
    /// A table's file is Parquet, but its columns are not ours.
    #[error("{} is not a table of an energy-prof trace: {why}; restore the file that was recorded", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Which column is missing, or of another type, or holds an impossible value.
        why: ColumnError,
    },
    /// A table's file is no Parquet or breaks off.
    #[error("cannot read {}: the file is damaged ({why}); copy the trace again, or record again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The library's words.
        why: String,
    },
    /// A finished trace lacks a table.
    #[error("{} is missing from a finished trace; copy the whole directory again", .path.display())]
    MissingTable {
        /// Where the table should be.
        path: PathBuf,
    },
    /// The trace is of a newer format.
    #[error(
        "{} has trace schema {found}, written by {writer}, and this energy-prof reads up to {SCHEMA_VERSION}; read it with {writer} or newer",
        .path.display()
    )]
    NewerSchema {
        /// The trace or its file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The program that wrote it, e.g. `energy-prof 2.0.0`.
        writer: String,
    },
}

impl TraceError {
    /// Whether writing failed, and not reading.
    pub const fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Write { .. }
                | Self::Occupied { .. }
                | Self::Busy { .. }
                | Self::InUse { .. }
                | Self::Unstorable { .. }
                | Self::Encode { .. }
        )
    }

    fn write(action: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::Write { action, path: path.to_owned(), kind: error.kind(), why: in_words(error) }
    }

    fn read(path: &Path, error: &io::Error) -> Self {
        Self::Read { path: path.to_owned(), kind: error.kind(), why: in_words(error) }
    }
}

/// The usual refusals in plain words, any other as the system puts it.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::StorageFull => "no space left on the disk".to_owned(),
        kind @ (io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory) => kind.to_string(),
        _ => error.to_string(),
    }
}

const fn write_remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or choose another disk with -o; what was sealed before can still be read"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a directory you may write to with -o"
        }
        io::ErrorKind::NotFound => {
            "its directory was removed or never existed; create it or choose another place with -o"
        }
        _ => "choose another place with -o; what was sealed before can still be read",
    }
}

const fn read_remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "check the path, or record first with `energy-prof record`",
        io::ErrorKind::PermissionDenied => "read it as its owner or as root",
        _ => "check the disk, or copy the trace again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_in_one_sentence_with_a_way_out() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = TraceError::write("write", Path::new("t/parts/energy.000001.parquet"), &full);
        assert_eq!(
            error.to_string(),
            "cannot write t/parts/energy.000001.parquet: no space left on the disk; free some space \
             or choose another disk with -o; what was sealed before can still be read"
        );
    }
}
