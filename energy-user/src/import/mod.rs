//! Logs of other tools become traces, so that their energy gets the same reports.
//!
//! **You give** a log of Intel Power Gadget, turbostat, `nvidia-smi` or CodeCarbon.
//! **You get** a trace with the log's rows for windows and the log's energy to the microjoule.
//! **It is not** a recording: such a log tells what the machine drew and not for whom, so the trace
//! has no threads, and nothing in it is divided.
//!
//! A format is a `LogFormat`: a new one is one file here and one line in `format.rs`.
//! What is taken from each: docs/import.md.

mod cell;
mod codecarbon;
mod columns;
mod format;
mod local_time;
mod log;
mod nvidia_smi;
mod power_gadget;
mod text;
mod turbostat;
mod write;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use format::{FormatChoice, ParseFormatError};
pub use write::{Imported, import};

use crate::trace::{Existing, Owner, TraceError};
use crate::units::Nanoseconds;

/// What to import, and what the log does not say itself.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The log; `-` is standard input.
    pub log: PathBuf,
    /// Where the trace goes.
    pub output: PathBuf,
    /// What becomes of an older trace there.
    pub existing: Existing,
    /// Who owns the trace.
    pub owner: Option<Owner>,
    /// What kind of log it is; `None` to tell by its content.
    pub format: Option<FormatChoice>,
    /// What is not in the log.
    pub missing: Missing,
}

/// What some logs leave out, given by the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// How long a row is, where the log has no times.
    pub interval: Option<Nanoseconds>,
    /// How far the log's clock is ahead of UTC, in seconds, where it does not say.
    pub utc_offset_seconds: Option<i32>,
    /// Which run is wanted, where the log has several: its id or how that begins.
    pub run: Option<String>,
}

/// Why a log could not be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The system refused to read the log.
    #[error("cannot read {}: {why}; give the file that the tool wrote", .path.display())]
    Read {
        /// The log.
        path: PathBuf,
        /// The kind of refusal.
        kind: io::ErrorKind,
        /// The refusal in words.
        why: String,
    },
    /// The log has nothing in it.
    #[error("{} is empty; let the tool run until it has written a row", .path.display())]
    Empty {
        /// The log.
        path: PathBuf,
    },
    /// No format fits.
    #[error("{} is no log of a kind known here: it has {tried}; where it is one all the same, name it with --format", .path.display())]
    Unrecognised {
        /// The log.
        path: PathBuf,
        /// What was looked for and not found.
        tried: String,
    },
    /// The format fits, but the log cannot be used.
    #[error("cannot import {} as a log of {tool}: {why}", .path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// The tool whose log it is taken for.
        tool: &'static str,
        /// What is wrong with it, and the way out.
        why: LogError,
    },
    /// The trace could not be written.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// What makes a log of a known kind useless.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LogError {
    /// Nothing says which column is which.
    #[error("it has no line of headers with {wanted}; log again with the tool's headers")]
    NoHeader {
        /// The columns looked for.
        wanted: &'static str,
    },
    /// A column that is needed is not there.
    #[error("its header has no column {wanted}; log again with it")]
    NoColumn {
        /// The column.
        wanted: &'static str,
    },
    /// There are headers and nothing usable below them.
    #[error("{0}; let the tool run for longer")]
    NoRows(String),
    /// Two runs tell of one time.
    #[error(
        "run {first} and run {second} overlap by {seconds:.0} s, and their energy may be the same; \
         import them one at a time with --run {first} and --run {second}"
    )]
    OverlappingRuns {
        /// A run's id.
        first: String,
        /// The id of a run that began before that had ended.
        second: String,
        /// For how long both ran.
        seconds: f64,
    },
    /// There is no run of that id.
    #[error("it has no run {wanted}; it has {present}")]
    NoSuchRun {
        /// What was asked for.
        wanted: String,
        /// The runs there are.
        present: String,
    },
    /// More energy than a trace can hold.
    #[error("its energy adds up to more than a trace can hold, 4 TJ; it is damaged")]
    TooMuch,
    /// Its first and last row are further apart than a trace can hold.
    #[error("its rows span more than a trace can hold, 292 years; its times are damaged")]
    TooLong,
}
