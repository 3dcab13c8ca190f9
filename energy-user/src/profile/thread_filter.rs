//! Whose energy a call tree is of.

use super::facts::Facts;
use super::group::{Side, side};
use crate::model::ThreadInfo;

/// Chooses threads. Of each kind of which any is given, a thread must be one; where nothing is
/// given, [`Scope`] decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadFilter {
    /// Process ids.
    pub pids: Vec<u32>,
    /// Thread ids.
    pub tids: Vec<u32>,
    /// The kernel's names of threads, whole.
    pub comms: Vec<String>,
    /// Who is chosen where nothing else is said.
    pub scope: Scope,
}

/// Who is chosen where nothing else is said. The profiler itself never is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The recording's targets, or all threads where it has none.
    #[default]
    Targets,
    /// All threads.
    All,
}

impl ThreadFilter {
    /// Whether anything is given.
    pub fn is_given(&self) -> bool {
        !(self.pids.is_empty() && self.tids.is_empty() && self.comms.is_empty())
    }

    /// Whether a thread of a recording is chosen.
    pub fn includes(&self, info: &ThreadInfo, facts: &Facts) -> bool {
        if self.is_given() {
            return (self.pids.is_empty() || self.pids.contains(&info.tgid))
                && (self.tids.is_empty() || self.tids.contains(&info.tid))
                && (self.comms.is_empty() || self.comms.contains(&info.comm));
        }
        match side(facts, info) {
            Side::Profiler => false,
            Side::Target => true,
            Side::Other => self.scope == Scope::All || !facts.targets.chosen(),
        }
    }

    /// What is given, for people: `pid 100 or 101, thread cc1`; empty where nothing is.
    pub fn in_words(&self) -> String {
        let any = |what: &str, given: Vec<String>| {
            (!given.is_empty()).then(|| format!("{what} {}", given.join(" or ")))
        };
        let numbers = |ids: &[u32]| ids.iter().map(ToString::to_string).collect();
        let parts = [
            any("pid", numbers(&self.pids)),
            any("tid", numbers(&self.tids)),
            any("thread name", self.comms.clone()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Targets;
    use super::*;

    fn thread(pid: u32, tid: u32, comm: &str, target: bool) -> ThreadInfo {
        ThreadInfo { tgid: pid, tid, comm: comm.to_owned(), target, ..ThreadInfo::default() }
    }

    #[test]
    fn each_kind_that_is_given_must_fit() {
        let filter = ThreadFilter {
            pids: vec![7, 8],
            comms: vec!["worker".to_owned()],
            ..ThreadFilter::default()
        };
        let fits = |info| filter.includes(&info, &Facts::default());
        assert!(fits(thread(8, 9, "worker", false)));
        assert!(!fits(thread(8, 8, "main", true)));
        assert!(!fits(thread(6, 9, "worker", true)));
        assert_eq!(filter.in_words(), "pid 7 or 8, thread name worker");
    }

    #[test]
    fn targets_are_chosen_unless_all_are_wanted_and_the_profiler_never() {
        let facts =
            Facts { targets: Targets::Pids(vec![7]), recorder_tgid: 900, ..Facts::default() };
        let (target, other) = (thread(7, 7, "job", true), thread(8, 8, "sshd", false));
        let profiler = thread(900, 901, "energy-prof", false);
        let targets = ThreadFilter::default();
        let all = ThreadFilter { scope: Scope::All, ..ThreadFilter::default() };
        let chosen = |filter: &ThreadFilter| {
            [&target, &other, &profiler].map(|info| filter.includes(info, &facts))
        };
        assert_eq!(chosen(&targets), [true, false, false]);
        assert_eq!(chosen(&all), [true, true, false]);
        let asked_for = ThreadFilter { pids: vec![900], ..ThreadFilter::default() };
        assert_eq!(chosen(&asked_for), [false, false, true]);
        let facts = Facts { targets: Targets::All, ..facts };
        assert!(targets.includes(&other, &facts));
    }
}
