//! The ledger: where all of a domain's energy went.

use std::ops::AddAssign;

use crate::units::{Microjoules, Share};

/// `measured = attributed + idle + unattributed`, exactly, in whole microjoules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// What the counter gave.
    pub measured: Microjoules,
    /// What was charged to threads.
    pub attributed: Microjoules,
    /// What the machine would have drawn anyway.
    pub idle: Microjoules,
    /// What could not be charged to anyone.
    pub unattributed: Microjoules,
}

impl Ledger {
    /// Whether the sum closes to the microjoule.
    pub fn closes(&self) -> bool {
        self.measured == self.attributed + self.idle + self.unattributed
    }

    /// The part of the measured energy that is explained: attributed or idle.
    pub fn coverage(&self) -> Option<Share> {
        Share::of((self.attributed + self.idle).get(), self.measured.get())
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        self.measured += other.measured;
        self.attributed += other.attributed;
        self.idle += other.idle;
        self.unattributed += other.unattributed;
    }
}
