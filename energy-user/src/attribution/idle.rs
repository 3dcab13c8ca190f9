//! What becomes of the energy the machine would have drawn anyway.
//!
//! How much that is does not depend on the policy, nor on who ran: it is the baseline's power over the
//! window's length, at most what was measured. A policy only says who is charged with it.

use std::str::FromStr;

use thiserror::Error;

use super::processes::ProcessNumbers;
use super::rounding::split;
use crate::model::ThreadId;
use crate::units::Microjoules;

/// What becomes of the energy the machine would have drawn anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdlePolicy {
    /// It is a row of its own and charged to no one.
    #[default]
    Separate,
    /// It is charged to the threads that ran in the window, in proportion to their active energy.
    Proportional,
    /// It is charged to the processes that ran in the window, to each the same.
    Equal,
}

impl IdlePolicy {
    /// Every policy, in the order shown.
    pub const ALL: [Self; 3] = [Self::Separate, Self::Proportional, Self::Equal];

    /// The name in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Separate => "separate",
            Self::Proportional => "proportional",
            Self::Equal => "equal",
        }
    }

    /// The policy in a few words, for reports.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Separate => "idle energy is charged to no one",
            Self::Proportional => {
                "idle energy is charged to what ran in the window, in proportion to active energy"
            }
            Self::Equal => {
                "idle energy is charged to the processes that ran in the window, to each the same"
            }
        }
    }
}

/// A name that is no idle policy of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name:?} is no idle policy: expected {}", IdlePolicy::ALL.map(IdlePolicy::name).join(", "))]
pub struct ParseIdlePolicyError {
    name: String,
}

impl FromStr for IdlePolicy {
    type Err = ParseIdlePolicyError;
    fn from_str(name: &str) -> Result<Self, ParseIdlePolicyError> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.name() == name)
            .ok_or_else(|| ParseIdlePolicyError { name: name.to_owned() })
    }
}

/// A policy with what it needs to know.
#[derive(Clone, Copy, Debug)]
pub enum IdleRule<'a> {
    /// [`IdlePolicy::Separate`].
    Separate,
    /// [`IdlePolicy::Proportional`].
    Proportional,
    /// [`IdlePolicy::Equal`], among these processes.
    Equal(&'a ProcessNumbers),
}

impl<'a> IdleRule<'a> {
    /// The rule of a policy, among `processes`.
    pub const fn new(policy: IdlePolicy, processes: &'a ProcessNumbers) -> Self {
        match policy {
            IdlePolicy::Separate => Self::Separate,
            IdlePolicy::Proportional => Self::Proportional,
            IdlePolicy::Equal => Self::Equal(processes),
        }
    }

    /// Divides idle energy among what ran, an entry for each of `weights`, ascending by thread, which
    /// say what each weighs in the active energy. `None` where it stays nobody's.
    pub(super) fn divide(
        self,
        idle: Microjoules,
        weights: impl FnOnce() -> Vec<(ThreadId, u64)>,
    ) -> Option<Vec<u64>> {
        match self {
            _ if idle == Microjoules::ZERO => None,
            Self::Separate => None,
            Self::Proportional => {
                let weights: Vec<u64> = weights().iter().map(|(_, weight)| *weight).collect();
                split(idle.get(), &weights)
            }
            Self::Equal(processes) => equally(idle, &weights(), processes),
        }
    }
}

/// The same for each process; within a process in proportion to the threads' weights, as for them it
/// is one process's. Lost time counts as a process, as at least one thread was lost.
fn equally(
    idle: Microjoules,
    weights: &[(ThreadId, u64)],
    processes: &ProcessNumbers,
) -> Option<Vec<u64>> {
    let mut members: Vec<(Result<u32, ThreadId>, usize)> = (0..weights.len())
        .filter(|index| weights[*index].1 > 0)
        .map(|index| (processes.of(weights[index].0), index))
        .collect();
    members.sort_unstable();
    let of_each: Vec<&[(Result<u32, ThreadId>, usize)]> =
        members.chunk_by(|a, b| a.0 == b.0).collect();
    let parts = split(idle.get(), &vec![1; of_each.len()])?;
    let mut charges = vec![0; weights.len()];
    for (members, part) in of_each.into_iter().zip(parts) {
        let within: Vec<u64> = members.iter().map(|(_, index)| weights[*index].1).collect();
        for ((_, index), part) in members.iter().zip(split(part, &within)?) {
            charges[*index] = part;
        }
    }
    Some(charges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ThreadInfo;

    #[test]
    fn each_process_is_charged_the_same_however_many_threads_it_has() {
        let thread = |tgid, tid| ThreadInfo { tgid, tid, ..ThreadInfo::default() };
        let threads = [thread(10, 10), thread(20, 20), thread(20, 21)];
        let processes = ProcessNumbers::new(&(2..).map(ThreadId).zip(threads).collect());
        let weights = [(ThreadId(2), 1), (ThreadId(3), 30), (ThreadId(4), 10)];
        let divided = IdleRule::Equal(&processes).divide(Microjoules::new(80), || weights.to_vec());
        assert_eq!(divided, Some(vec![40, 30, 10]));
    }

    #[test]
    fn what_weighs_three_times_as_much_is_charged_three_times_the_idle_energy() {
        let weights = [(ThreadId(2), 1), (ThreadId(3), 3)];
        let divided = IdleRule::Proportional.divide(Microjoules::new(80), || weights.to_vec());
        assert_eq!(divided, Some(vec![20, 60]));
    }

    #[test]
    fn where_nothing_ran_idle_energy_is_nobodys() {
        let processes = ProcessNumbers::default();
        for rule in [IdleRule::Proportional, IdleRule::Equal(&processes)] {
            assert_eq!(rule.divide(Microjoules::new(80), Vec::new), None);
        }
    }
}
