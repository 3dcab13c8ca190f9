//! Exports: a profile in the formats of other tools, in joules.
//!
//! **You give** a [`Subject`]: a [`Profile`], the [`CallTree`] of its functions, and a [`Timeline`].
//! **You get** a document that another tool opens, with the same joules: no format rounds a
//! microjoule away, and every one says where figures are estimates. docs/export.md tells, format by
//! format, what is in it and which readers opened it.
//! **It is not** a viewer, and nothing is divided here.
//!
//! A new format is a file with an [`Exporter`] and a line in [`Format`].

mod codecarbon;
mod comparison;
mod csv;
mod differential;
mod error;
mod firefox;
mod flamegraph;
mod folded;
mod format;
mod headline;
mod html;
mod huggingface;
mod pprof;
mod score;
mod sentence;
mod speedscope;
mod stacks;
mod timeline;

use std::collections::BTreeMap;
use std::io::Write;

pub use self::csv::Csv;
pub use codecarbon::CodeCarbon;
pub use comparison::comparison;
pub use differential::DifferentialFlamegraph;
pub use error::ExportError;
pub use firefox::Firefox;
pub use flamegraph::{Direction, Flamegraph, Unit};
pub use folded::Folded;
pub use format::{Format, ParseFormatError};
pub use html::Html;
pub use huggingface::HuggingFace;
pub use pprof::Pprof;
pub use sentence::Sentence;
pub use speedscope::Speedscope;
pub use timeline::{ProcessTrack, Timeline};

use crate::emissions::{FunctionalUnits, Site};
use crate::profile::{CallTree, Profile};

/// What is exported. A format takes of it what it can hold.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// About the recording, and its ledger.
    pub profile: &'a Profile,
    /// Where in the programs the energy went.
    pub tree: &'a CallTree,
    /// When it went there.
    pub timeline: &'a Timeline,
    /// The build ids of objects by their paths, as far as known.
    pub build_ids: &'a BTreeMap<String, String>,
    /// Where the machine stands; with a grid only where that was said.
    pub site: &'a Site,
    /// What was done for somebody meanwhile, where that was said.
    pub units: Option<&'a FunctionalUnits>,
}

/// A format another tool reads.
pub trait Exporter {
    /// Writes all of the document.
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError>;
}
