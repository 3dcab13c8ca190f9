//! What a recording must be able to tell, wherever it is kept: a trace on disk, or memory in a test.

use std::collections::BTreeMap;
use std::error::Error;

use crate::model::{
    Counted, EnergySample, GpuSample, Residency, Stack, StackId, StackSample, ThreadId, ThreadInfo,
    Topology, Window,
};
use crate::profile::Facts;

/// Stacks with their numbers.
pub type NumberedStacks = Vec<(StackId, Stack)>;

/// Some rows, or why they cannot be read.
pub type Batch<R, E> = Result<Vec<R>, E>;

/// A finished or unfinished recording that can be read more than once, also by two threads at a time.
pub trait Recording: Sync {
    /// Why it cannot be read.
    type Error: Error + Send + Sync + 'static;

    /// About the recording.
    fn facts(&self) -> Facts;

    /// Where each CPU sits.
    fn topology(&self) -> &Topology;

    /// The windows, in any order.
    fn windows(&self) -> Result<Vec<Window>, Self::Error>;

    /// The energy samples, in any order; several sources may tell of one domain.
    fn energy(&self) -> Result<Vec<EnergySample>, Self::Error>;

    /// Who used graphics cards, in any order. Nothing where no card tells.
    fn gpu(&self) -> Result<Vec<GpuSample>, Self::Error> {
        Ok(Vec::new())
    }

    /// Who the threads were.
    fn threads(&self) -> Result<BTreeMap<ThreadId, ThreadInfo>, Self::Error>;

    /// Who ran, in the order of the windows, in batches of any size. Called once per pass.
    fn residency(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<Residency>, Self::Error>> + Send, Self::Error>;

    /// The same in parts that follow each other, each to be read by a thread of its own. A window's rows may go on
    /// in the next part.
    fn residency_parts(
        &self,
    ) -> Result<Vec<impl Iterator<Item = Batch<Residency, Self::Error>> + Send>, Self::Error> {
        Ok(vec![self.residency()?])
    }

    /// What was counted while threads ran, in the order of the windows, in batches of any size. Nothing where
    /// nothing was counted.
    fn counts(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<Counted>, Self::Error>> + Send, Self::Error> {
        Ok(std::iter::empty())
    }

    /// Where threads were sampled, in the order of the windows, in batches of any size. Nothing where
    /// the recording has no stacks.
    fn samples(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<StackSample>, Self::Error>> + Send, Self::Error>
    {
        Ok(std::iter::empty())
    }

    /// The frames of stacks, in batches of any size; of a stack that comes twice the last holds.
    fn stacks(
        &self,
    ) -> Result<impl Iterator<Item = Result<NumberedStacks, Self::Error>>, Self::Error> {
        Ok(std::iter::empty())
    }
}
