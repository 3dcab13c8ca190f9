//! Why a series of intensities cannot be used.

use std::path::PathBuf;

use thiserror::Error;

use crate::units::{WallTime, scale::utc};

/// Why a series of intensities cannot be used, and what to do about it.
#[derive(Debug, Error)]
pub enum SeriesError {
    /// The file cannot be read.
    #[error("cannot read the series {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no table of intensities.
    #[error("cannot use the series {name}: {why}")]
    Table {
        /// What it is called.
        name: String,
        /// What is wrong, and the way out.
        why: String,
    },
    /// A cell makes no sense.
    #[error("cannot use the series {name}: line {line} has {text:?} for {expected}")]
    Cell {
        /// What it is called.
        name: String,
        /// The line in the file, from 1.
        line: u64,
        /// What stands there.
        text: String,
        /// What should.
        expected: &'static str,
    },
    /// The recording is not within the series.
    #[error(
        "cannot use the series {name}: it covers {} to {}, and windows of the recording begin from {} \
         to {}; take a series of that time, or a part of the recording with --from and --to",
        utc(*.from), utc(*.to), utc(*.first), utc(*.last)
    )]
    Uncovered {
        /// What it is called.
        name: String,
        /// Where the series begins.
        from: WallTime,
        /// Where it ends.
        to: WallTime,
        /// Where the first window begins.
        first: WallTime,
        /// Where the last window begins.
        last: WallTime,
    },
    /// No start is left for a recording of that length.
    #[error(
        "cannot start the recording at other hours of the series {name}: it lasts {recorded} and the \
         series {covered}; take a longer series"
    )]
    TooShort {
        /// What it is called.
        name: String,
        /// How long the recording is.
        recorded: String,
        /// How long the series is.
        covered: String,
    },
}
