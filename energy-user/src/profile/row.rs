//! A row of a report: what it stands for, and its figures.

use std::collections::BTreeMap;

use super::uncertainty::StandardError;
use crate::model::{DomainId, Ledger, ThreadId};
use crate::units::{Microjoules, Nanoseconds, Share};

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it stands for.
    pub kind: RowKind,
    /// What it is called.
    pub name: String,
    /// The process, where it is one or a part of one.
    pub pid: Option<u32>,
    /// The thread, where it is one.
    pub tid: Option<u32>,
    /// The user, where it is one.
    pub uid: Option<u32>,
    /// The threads it stands for; none for idle, unattributed energy and domains.
    pub threads: Vec<ThreadId>,
    /// How deep it is in the tree of processes; a child follows its parent.
    pub depth: usize,
    /// Its energy, over the domains of the total.
    pub energy: Microjoules,
    /// The energy's standard error; `None` where it is not known, as for idle.
    pub error: Option<StandardError>,
    /// How long it ran, where running is what it does.
    pub oncpu: Option<Nanoseconds>,
    /// Its energy in each domain, those outside the total included.
    pub by_domain: BTreeMap<DomainId, Microjoules>,
}

impl Row {
    /// Its part of the whole measured energy.
    pub fn share(&self, total: &Ledger) -> Option<Share> {
        Share::of(self.energy.get(), total.measured.get())
    }
}

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// A target of the recording, or a group of them.
    Target,
    /// A group of threads that are no targets.
    Other,
    /// What [`ViewOptions::top`](super::ViewOptions::top) cut off, as one row.
    More,
    /// All that is no target, as one row.
    RestOfSystem,
    /// The profiler itself.
    Profiler,
    /// A function or a source line.
    Code,
    /// What was used where no sample is near.
    Unsampled,
    /// Threads that were not asked for, as one row.
    NotChosen,
    /// What the machine would have drawn anyway.
    Idle,
    /// What could not be charged to anyone.
    Unattributed,
    /// A stretch of time.
    Time,
    /// A domain that is in the total.
    Domain,
    /// A domain that another domain contains.
    ContainedDomain,
}

impl RowKind {
    /// Whether a row of groups is of targets, in a view that keeps all others together.
    pub const fn is_of_targets(self) -> bool {
        matches!(self, Self::Target | Self::More)
    }

    /// The name in outputs that machines read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Other => "other",
            Self::More => "more",
            Self::RestOfSystem => "rest_of_system",
            Self::Profiler => "profiler",
            Self::Code => "code",
            Self::Unsampled => "unsampled",
            Self::NotChosen => "not_chosen",
            Self::Idle => "idle",
            Self::Unattributed => "unattributed",
            Self::Time => "time",
            Self::Domain => "domain",
            Self::ContainedDomain => "contained_domain",
        }
    }

    /// Whether it is one of the rows that add up to the measured energy.
    pub const fn counts(self) -> bool {
        !matches!(self, Self::ContainedDomain)
    }

    /// Whether it stands for no group of its own.
    pub const fn is_remainder(self) -> bool {
        !matches!(
            self,
            Self::Target
                | Self::Other
                | Self::Code
                | Self::Time
                | Self::Domain
                | Self::ContainedDomain
        )
    }
}
