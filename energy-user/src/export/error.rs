//! Why a profile could not be exported.

use std::io;

use thiserror::Error;

/// Why a profile could not be exported, and what to do about it.
#[derive(Debug, Error)]
pub enum ExportError {
    /// There is nothing a picture could be made of.
    #[error(
        "cannot draw the flame graph: no energy was charged to any thread; \
         `energy-prof report` shows where it went"
    )]
    NoEnergy,
    /// The two profiles have nothing to compare.
    #[error("cannot compare the profiles: no energy was charged to any thread in {0}")]
    NothingToCompare(&'static str),
    /// Emissions are wanted, and what a kilowatt-hour emits is not known.
    #[error(
        "cannot tell emissions: where the machine stands was not said; say it with --zone FR, \
         --cloud aws/eu-west-3, --intensity 56 or --mix coal=10,wind=90"
    )]
    NoIntensity,
    /// Writing failed.
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
    /// A table could not be written.
    #[error("cannot write the export: {0}")]
    Table(#[from] csv::Error),
    /// A document could not be written.
    #[error("cannot write the export: {0}")]
    Document(#[from] serde_json::Error),
}
