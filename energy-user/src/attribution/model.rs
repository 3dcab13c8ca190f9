//! Models: rules for dividing what a domain drew above idle among the threads that ran.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::doubt::Doubt;
use crate::model::{DomainId, Residency, ThreadId};
use crate::units::{Microjoules, Nanoseconds};

/// A rule for dividing a domain's active energy among the threads that ran.
pub trait Model: fmt::Debug + Sync {
    /// What each thread's share is in proportion to, in any unit, ascending by thread.
    ///
    /// `ran` is what ran in the window on the CPUs that feed the domain, [`ThreadId::LOST`]
    /// included and [`ThreadId::IDLE`] not, ascending by thread. A thread that ran weighs more than
    /// nothing.
    fn weights(&self, domain: DomainId, ran: &[Residency]) -> Vec<(ThreadId, u64)>;

    /// Whether threads weigh the same in every domain that the same CPUs feed.
    fn weighs_alike(&self) -> bool {
        false
    }

    /// How far the shares of `active` may be off because the rule itself is uncertain: an entry for
    /// each of `weights`. Nothing where the rule claims to be exact. Idle power was taken away from it for
    /// `above_idle_for`.
    fn doubt(
        &self,
        _domain: DomainId,
        _above_idle_for: Nanoseconds,
        _active: Microjoules,
        _weights: &[(ThreadId, u64)],
    ) -> Doubt {
        Doubt::default()
    }
}

/// The models there are. A new one is a file with its [`Model`] and a line in each place here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelKind {
    /// By on-CPU time.
    #[default]
    Time,
    /// By on-CPU time, each program's times what its CPU second draws, and where it was sampled, that of the
    /// functions it was in.
    Regress,
    /// By counted cycles and, of memory, misses of the last cache.
    Cycles,
}

impl ModelKind {
    /// Every model, in the order shown.
    pub const ALL: [Self; 3] = [Self::Time, Self::Regress, Self::Cycles];

    /// The name in options, trace and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Regress => "regress",
            Self::Cycles => "cycles",
        }
    }

    /// The rule in a few words, for reports.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Time => "active energy in proportion to on-CPU time",
            Self::Regress => {
                "active energy in proportion to on-CPU time, each program's times its watts per CPU second, \
                 or where it was sampled, those of the functions it was in"
            }
            Self::Cycles => {
                "active energy in proportion to cycles, of memory to misses of the last cache, and to on-CPU time \
                 where those were not counted"
            }
        }
    }
}

/// A name that is no model of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name:?} is no model: expected {}", ModelKind::ALL.map(ModelKind::name).join(", "))]
pub struct ParseModelError {
    name: String,
}

impl FromStr for ModelKind {
    type Err = ParseModelError;
    fn from_str(name: &str) -> Result<Self, ParseModelError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| ParseModelError { name: name.to_owned() })
    }
}
