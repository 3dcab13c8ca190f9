//! On-CPU time of one thread on one CPU in one window.

use super::ThreadId;
use crate::units::Nanoseconds;

/// On-CPU time of one thread on one CPU in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residency {
    /// The window's index.
    pub window: u32,
    /// Who ran.
    pub thread: ThreadId,
    /// Where.
    pub cpu: u16,
    /// For how long.
    pub oncpu: Nanoseconds,
    /// How often it was switched out there in this window.
    pub switches: u32,
}
