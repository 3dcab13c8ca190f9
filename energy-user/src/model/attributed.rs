//! Energy charged to a thread.

use super::{DomainId, ThreadId};
use crate::units::Microjoules;

/// Which part of a domain's energy a figure is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Above the idle baseline: caused by work.
    Active,
    /// The idle baseline, where a policy shares it among threads.
    Idle,
}

impl Component {
    /// The name used in the trace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
        }
    }
}

/// Energy of one domain charged to one thread in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributedSample {
    /// The window's index.
    pub window: u32,
    /// Who is charged.
    pub thread: ThreadId,
    /// Whose energy it is a share of.
    pub domain: DomainId,
    /// Which part of it.
    pub component: Component,
    /// The charge.
    pub energy: Microjoules,
    /// Standard error of `energy`.
    pub error: Microjoules,
}
