//! Groups of threads: by process, program, cgroup and the like, and what each group comes to.

use std::collections::BTreeMap;
use std::str::FromStr;

use thiserror::Error;

use super::account::{Profile, ThreadAccount};
use super::facts::Facts;
use super::name;
use super::process::{ProcessKey, Processes};
use super::uncertainty::{StandardError, Together};
use crate::model::{DomainId, ThreadId, ThreadInfo};
use crate::units::{Microjoules, MonotonicTime, Nanoseconds};

/// What a row of a report stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// A process.
    #[default]
    Process,
    /// A thread.
    Thread,
    /// A program, however many processes ran it.
    Exec,
    /// A cgroup.
    Cgroup,
    /// A container.
    Container,
    /// A systemd unit.
    Unit,
    /// A user.
    User,
    /// An energy domain.
    Domain,
}

impl GroupBy {
    /// Every way of grouping, in the order shown.
    pub const ALL: [Self; 8] = [
        Self::Process,
        Self::Thread,
        Self::Exec,
        Self::Cgroup,
        Self::Container,
        Self::Unit,
        Self::User,
        Self::Domain,
    ];

    /// The name in options and outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Thread => "thread",
            Self::Exec => "exec",
            Self::Cgroup => "cgroup",
            Self::Container => "container",
            Self::Unit => "unit",
            Self::User => "user",
            Self::Domain => "domain",
        }
    }

    /// So many more of them, for people: `1 more process`, `2 more processes`.
    pub(super) fn more(self, count: usize) -> String {
        let (one, many) = match self {
            Self::Process => ("process", "processes"),
            Self::Thread => ("thread", "threads"),
            Self::Exec => ("program", "programs"),
            Self::Cgroup => ("cgroup", "cgroups"),
            Self::Container => ("container", "containers"),
            Self::Unit => ("unit", "units"),
            Self::User => ("user", "users"),
            Self::Domain => ("domain", "domains"),
        };
        format!("{count} more {}", if count == 1 { one } else { many })
    }
}

/// A name that is no way of grouping.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("cannot group by {name:?}: expected {}", GroupBy::ALL.map(GroupBy::name).join(", "))]
pub struct ParseGroupByError {
    name: String,
}

impl FromStr for GroupBy {
    type Err = ParseGroupByError;
    fn from_str(name: &str) -> Result<Self, ParseGroupByError> {
        Self::ALL
            .into_iter()
            .find(|by| by.name() == name)
            .ok_or_else(|| ParseGroupByError { name: name.to_owned() })
    }
}

/// Whose side of the report a thread is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// A target of the recording.
    Target,
    /// Not a target, or there are none.
    Other,
    /// The profiler itself.
    Profiler,
}

/// What makes threads one group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// The same process.
    Process(ProcessKey),
    /// The same thread, whatever programs it became.
    Thread(ProcessKey, u32, MonotonicTime),
    /// The same program, cgroup, container or unit.
    Named(String),
    /// The same user.
    User(u32),
    /// Nothing is known by which to group.
    Unknown,
    /// A thread the trace does not name.
    Unnamed(ThreadId),
}

/// Threads that make one row.
#[derive(Clone, Debug)]
pub(super) struct Group<'a> {
    pub side: Side,
    pub key: Key,
    pub threads: Vec<(ThreadId, &'a ThreadAccount)>,
}

/// The threads that ran, in groups, ordered by side and key.
pub(super) fn groups<'a>(
    profile: &'a Profile,
    by: GroupBy,
    processes: &Processes<'_>,
) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(Side, Key), Vec<(ThreadId, &'a ThreadAccount)>> = BTreeMap::new();
    for (thread, account) in profile.threads.iter().filter(|(_, account)| account.took_part()) {
        let side = side(&profile.facts, &account.info);
        let key = match side {
            Side::Profiler => Key::Unknown,
            Side::Target | Side::Other => key(*thread, account, by, processes),
        };
        groups.entry((side, key)).or_default().push((*thread, account));
    }
    groups.into_iter().map(|((side, key), threads)| Group { side, key, threads }).collect()
}

/// Whose side a thread is on.
pub(super) fn side(facts: &Facts, info: &ThreadInfo) -> Side {
    if facts.recorder_tgid != 0 && info.tgid == facts.recorder_tgid {
        Side::Profiler
    } else if info.target && facts.targets.chosen() {
        Side::Target
    } else {
        Side::Other
    }
}

/// What a thread is grouped by.
fn key(thread: ThreadId, account: &ThreadAccount, by: GroupBy, processes: &Processes<'_>) -> Key {
    let info = &account.info;
    let unnamed = info.tgid == 0 && info.tid == 0 && info.comm.is_empty();
    let named = |name: Option<&str>| name.map_or(Key::Unknown, |name| Key::Named(name.to_owned()));
    match by {
        GroupBy::Process | GroupBy::Thread if unnamed => Key::Unnamed(thread),
        GroupBy::Process => Key::Process(processes.of(info)),
        GroupBy::Thread => Key::Thread(processes.of(info), info.tid, info.start),
        GroupBy::Exec => named(Some(name::of_program(info))),
        GroupBy::Cgroup => named(info.cgroup.as_deref()),
        GroupBy::Container => named(info.container()),
        GroupBy::Unit => named(info.unit()),
        GroupBy::User => info.uid.map_or(Key::Unknown, Key::User),
        GroupBy::Domain => Key::Unknown,
    }
}

impl Group<'_> {
    /// What the group is called.
    pub(super) fn name(
        &self,
        by: GroupBy,
        processes: &Processes<'_>,
        users: &dyn Fn(u32) -> Option<String>,
    ) -> String {
        match &self.key {
            Key::Process(process) => processes.leader(*process).map_or_else(
                || self.newest().map_or_else(String::new, name::of_thread),
                name::of_process,
            ),
            Key::Thread(..) => self.newest().map_or_else(String::new, name::of_thread),
            Key::Named(name) => name.clone(),
            Key::User(uid) => users(*uid).unwrap_or_else(|| uid.to_string()),
            Key::Unnamed(thread) => format!("[unnamed thread {}]", thread.0),
            Key::Unknown => match by {
                GroupBy::Container => "[no container]".to_owned(),
                GroupBy::Unit => "[no unit]".to_owned(),
                by => format!("[unknown {}]", by.name()),
            },
        }
    }

    /// The group's thread as its last program.
    fn newest(&self) -> Option<&ThreadInfo> {
        self.threads
            .iter()
            .map(|(_, account)| &account.info)
            .max_by_key(|info| (info.exec, info.start))
    }

    /// The process the group is, or is a part of.
    pub(super) fn process(&self) -> Option<ProcessKey> {
        match &self.key {
            Key::Process(process) | Key::Thread(process, ..) => Some(*process),
            _ => None,
        }
    }

    /// What the group comes to.
    pub(super) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for (_, account) in &self.threads {
            sum.add(account);
        }
        sum
    }
}

/// What some threads come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub oncpu: Nanoseconds,
    pub by_domain: BTreeMap<DomainId, Microjoules>,
    errors: BTreeMap<DomainId, Together>,
}

impl Sum {
    /// Adds a thread.
    pub(super) fn add(&mut self, account: &ThreadAccount) {
        self.oncpu += account.oncpu;
        for (domain, charge) in &account.charges {
            *self.by_domain.entry(*domain).or_default() += charge.energy;
            self.errors.entry(*domain).or_default().add(&charge.error);
        }
    }

    /// The energy of the domains that make up the total.
    pub(super) fn energy(&self, profile: &Profile) -> Microjoules {
        let counted = profile.total_domains().filter_map(|(id, _)| self.by_domain.get(&id));
        counted.copied().sum()
    }

    /// The standard error of [`Self::energy`].
    pub(super) fn error(&self, profile: &Profile) -> StandardError {
        profile
            .total_domains()
            .filter_map(|(id, _)| self.errors.get(&id))
            .map(Together::standard)
            .fold(StandardError::default(), StandardError::and)
    }
}
