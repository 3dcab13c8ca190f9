//! Why a recording could not be analysed.

use std::error::Error;

use thiserror::Error;

use crate::model::DomainId;
use crate::profile::Facts;
use crate::units::Nanoseconds;

/// Why a recording could not be analysed, and what to do about it.
#[derive(Debug, Error)]
pub enum AnalyzeError {
    /// The recording could not be read; its own words.
    #[error(transparent)]
    Recording(Box<dyn Error + Send + Sync>),
    /// The recording was cut off before its first window.
    #[error(
        "cannot analyse the recording: it has no whole window yet ({ending}); record for longer"
    )]
    NoWindows {
        /// How the recording ended, if it did.
        ending: String,
    },
    /// Nothing told of energy.
    #[error(
        "cannot analyse the recording: it has no energy samples; \
         `energy-prof doctor` says what this machine can measure"
    )]
    NoEnergy,
    /// No window begins in the chosen part.
    #[error(
        "cannot analyse from {:.3} s to {:.3} s: no window begins there; \
         the recording lasts {:.3} s, choose --from and --to within it",
        .from.seconds(), .to.seconds(), .recorded.seconds()
    )]
    EmptyRange {
        /// Where the part begins, since the recording's start.
        from: Nanoseconds,
        /// Where it ends.
        to: Nanoseconds,
        /// How long the recording is.
        recorded: Nanoseconds,
    },
    /// A baseline was given for something that was not recorded.
    #[error(
        "cannot use the idle watts given for {domain}: the recording has no such domain; it has {}",
        .present.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    UnknownDomain {
        /// The domain given.
        domain: DomainId,
        /// The domains recorded.
        present: Vec<DomainId>,
    },
    /// A table is not in the order of the windows.
    #[error(
        "cannot analyse the recording: a row of window {found} follows one of window {after} in its \
         {table} table; the trace was changed or is damaged, record again"
    )]
    OutOfOrder {
        /// The table.
        table: &'static str,
        /// The window of the row that comes too late.
        found: u32,
        /// The window of the row before.
        after: u32,
    },
    /// Nothing tells where in the programs the energy was used.
    #[error(
        "cannot tell functions apart: the recording has no stacks; record again with `energy-prof \
         record` of this version and without --no-stacks, and for longer if its targets were running \
         for less than a tenth of a second"
    )]
    NoStacks,
    /// The trace was made from a log that tells of no one.
    #[error(
        "cannot tell functions apart: {why}; `energy-prof report --by domain` shows what it has"
    )]
    NoThreads {
        /// Which log, in a sentence.
        why: String,
    },
    /// The model divides by what was not recorded.
    #[error(
        "cannot divide by cycles: the recording has counted none; record again with `energy-prof record \
         --counters cycles` on a machine with hardware counters, or choose another --model"
    )]
    NothingCounted,
    /// A factor for siblings was given, and there are none.
    #[error(
        "cannot weigh SMT siblings: on the recorded machine no two CPUs share a core; leave --smt out"
    )]
    NoSiblings,
    /// A factor for siblings was given beside cycles, which know of them.
    #[error(
        "cannot weigh SMT siblings with --model cycles: a thread beside a busy sibling gets fewer cycles already; \
         leave --smt out, or choose another --model"
    )]
    CyclesKnowSiblings,
    /// No thread fits what was asked for.
    #[error(
        "cannot show functions of {asked}: no such thread was recorded; \
         `energy-prof report --by thread --all` lists those that were"
    )]
    NoSuchThread {
        /// What was asked for.
        asked: String,
    },
}

impl AnalyzeError {
    /// What there is to say where nothing was sampled.
    pub(super) fn no_stacks(facts: &Facts) -> Self {
        match &facts.imported {
            Some(log) => Self::NoThreads { why: log.why_nothing_is_divided() },
            None => Self::NoStacks,
        }
    }
}
