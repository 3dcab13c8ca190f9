//! A view of a profile: its rows in the order a reader wants them. They add up to what was measured.

use std::collections::BTreeMap;
use std::str::FromStr;

use thiserror::Error;

use super::account::Profile;
use super::group::{Group, GroupBy, Key, Side, Sum, groups};
use super::process::Processes;
use super::tree;
use super::uncertainty::StandardError;
use crate::model::{DomainId, Ledger};
use crate::units::{Microjoules, Nanoseconds, Share};

/// Gives a user's name by number, where there is one.
pub type UserNames<'a> = dyn Fn(u32) -> Option<String> + 'a;

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// The most energy first.
    #[default]
    Joules,
    /// The most power first: the same order, as all rows are means over the same time.
    Watts,
    /// The most CPU time first.
    Cpu,
    /// By name.
    Name,
}

impl SortBy {
    /// Every order, in the order shown.
    pub const ALL: [Self; 4] = [Self::Joules, Self::Watts, Self::Cpu, Self::Name];

    /// The name in options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joules => "joules",
            Self::Watts => "watts",
            Self::Cpu => "cpu",
            Self::Name => "name",
        }
    }
}

/// A name that is no order of rows.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("cannot sort by {name:?}: expected {}", SortBy::ALL.map(SortBy::name).join(", "))]
pub struct ParseSortByError {
    name: String,
}

impl FromStr for SortBy {
    type Err = ParseSortByError;
    fn from_str(name: &str) -> Result<Self, ParseSortByError> {
        Self::ALL
            .into_iter()
            .find(|order| order.name() == name)
            .ok_or_else(|| ParseSortByError { name: name.to_owned() })
    }
}

/// Which rows, and in what order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewOptions {
    /// What a row stands for.
    pub by: GroupBy,
    /// What rows are ordered by.
    pub sort: SortBy,
    /// How many rows of targets, and as many of others; the rest of each become one row.
    pub top: Option<usize>,
    /// Whether all of the system is shown in rows of its own although targets were chosen.
    pub all: bool,
}

/// The rows of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// In the order shown. Those that are [`RowKind::counts`] add up to the measured energy.
    pub rows: Vec<Row>,
    /// What they add up to.
    pub total: Ledger,
    /// What the targets come to, with their standard error; `None` where none were chosen.
    pub targets: Option<(Microjoules, StandardError)>,
}

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
    /// What [`ViewOptions::top`] cut off, as one row.
    More,
    /// All that is no target, as one row.
    RestOfSystem,
    /// The profiler itself.
    Profiler,
    /// What the machine would have drawn anyway.
    Idle,
    /// What could not be charged to anyone.
    Unattributed,
    /// A domain that is in the total.
    Domain,
    /// A domain that another domain contains.
    ContainedDomain,
}

impl RowKind {
    /// The name in outputs that machines read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Other => "other",
            Self::More => "more",
            Self::RestOfSystem => "rest_of_system",
            Self::Profiler => "profiler",
            Self::Idle => "idle",
            Self::Unattributed => "unattributed",
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
        !matches!(self, Self::Target | Self::Other | Self::Domain | Self::ContainedDomain)
    }
}

impl Profile {
    /// The rows of a report; `users` names users by number.
    pub fn view(&self, options: &ViewOptions, users: &UserNames<'_>) -> View {
        let total = self.total();
        if options.by == GroupBy::Domain {
            return View { rows: domain_rows(self), total, targets: None };
        }
        let maker = RowMaker {
            profile: self,
            processes: Processes::new(&self.threads),
            by: options.by,
            users,
        };
        let (mut targets, mut others, mut profiler) = (Vec::new(), Vec::new(), Vec::new());
        for group in groups(self, options.by, &maker.processes) {
            match group.side {
                Side::Target => targets.push(group),
                Side::Other => others.push(group),
                Side::Profiler => profiler.push(group),
            }
        }
        let chosen = self.facts.targets.chosen();
        let of_targets = chosen.then(|| {
            let sum = sum_of(&targets);
            (sum.energy(self), sum.error(self))
        });
        let mut rows = maker.section(RowKind::Target, targets, options);
        if chosen && !options.all {
            if !others.is_empty() {
                let name = "[rest of the system]".to_owned();
                rows.push(maker.remainder(RowKind::RestOfSystem, name, &others));
            }
        } else {
            rows.append(&mut maker.section(RowKind::Other, others, options));
        }
        if !profiler.is_empty() {
            let name = "[energy-prof]".to_owned();
            let mut row = maker.remainder(RowKind::Profiler, name, &profiler);
            row.pid = Some(self.facts.recorder_tgid);
            rows.push(row);
        }
        rows.push(ledger_row(self, RowKind::Idle));
        rows.push(ledger_row(self, RowKind::Unattributed));
        View { rows, total, targets: of_targets }
    }
}

/// What rows of groups are made with.
struct RowMaker<'a> {
    profile: &'a Profile,
    processes: Processes<'a>,
    by: GroupBy,
    users: &'a UserNames<'a>,
}

impl RowMaker<'_> {
    /// The rows of one side, in order, cut at the top, as a tree where they are target processes.
    fn section(&self, kind: RowKind, groups: Vec<Group<'_>>, options: &ViewOptions) -> Vec<Row> {
        let mut groups: Vec<(Row, Group<'_>)> =
            groups.into_iter().map(|group| (self.row(kind, &group), group)).collect();
        groups.sort_by(|(a, _), (b, _)| {
            let by_energy = b.energy.cmp(&a.energy);
            match options.sort {
                SortBy::Joules | SortBy::Watts => by_energy,
                SortBy::Cpu => b.oncpu.cmp(&a.oncpu),
                SortBy::Name => a.name.cmp(&b.name).then(by_energy),
            }
        });
        let cut = options.top.map_or(groups.len(), |top| top.min(groups.len()));
        let more: Vec<Group<'_>> = groups.split_off(cut).into_iter().map(|(_, g)| g).collect();
        let is_tree = kind == RowKind::Target && self.by == GroupBy::Process;
        let mut rows = if is_tree {
            tree::arrange(groups, &self.processes, options.sort)
        } else {
            groups.into_iter().map(|(row, _)| row).collect()
        };
        if !more.is_empty() {
            let name = format!("[{} more {}]", more.len(), self.by.plural());
            rows.push(self.remainder(RowKind::More, name, &more));
        }
        rows
    }

    /// The row of one group.
    fn row(&self, kind: RowKind, group: &Group<'_>) -> Row {
        let sum = group.sum();
        let (tid, uid) = match group.key {
            Key::Thread(_, tid, _) => (Some(tid), None),
            Key::User(uid) => (None, Some(uid)),
            _ => (None, None),
        };
        Row {
            kind,
            name: group.name(self.by, &self.processes, self.users),
            pid: group.process().map(|process| process.tgid),
            tid,
            uid,
            depth: 0,
            energy: sum.energy(self.profile),
            error: Some(sum.error(self.profile)),
            oncpu: Some(sum.oncpu),
            by_domain: sum.by_domain,
        }
    }

    /// One row for several groups.
    fn remainder(&self, kind: RowKind, name: String, groups: &[Group<'_>]) -> Row {
        let sum = sum_of(groups);
        Row {
            kind,
            name,
            pid: None,
            tid: None,
            uid: None,
            depth: 0,
            energy: sum.energy(self.profile),
            error: Some(sum.error(self.profile)),
            oncpu: Some(sum.oncpu),
            by_domain: sum.by_domain,
        }
    }
}

/// What several groups come to.
fn sum_of(groups: &[Group<'_>]) -> Sum {
    let mut sum = Sum::default();
    for account in groups.iter().flat_map(|group| &group.threads) {
        sum.add(account);
    }
    sum
}

/// The row of idle or of unattributed energy.
fn ledger_row(profile: &Profile, kind: RowKind) -> Row {
    let (name, part, oncpu): (_, fn(&Ledger) -> Microjoules, _) = match kind {
        RowKind::Idle => ("[idle]", |ledger| ledger.idle, None),
        _ => ("[unattributed]", |ledger| ledger.unattributed, Some(profile.lost_oncpu)),
    };
    Row {
        kind,
        name: name.to_owned(),
        pid: None,
        tid: None,
        uid: None,
        depth: 0,
        energy: part(&profile.total()),
        error: None,
        oncpu,
        by_domain: profile.domains.iter().map(|(id, a)| (*id, part(&a.ledger))).collect(),
    }
}

/// A row for each domain.
fn domain_rows(profile: &Profile) -> Vec<Row> {
    let row = |(domain, account): (&DomainId, &super::DomainAccount)| Row {
        kind: if account.in_total { RowKind::Domain } else { RowKind::ContainedDomain },
        name: domain.to_string(),
        pid: None,
        tid: None,
        uid: None,
        depth: 0,
        energy: account.ledger.measured,
        error: Some(account.error()),
        oncpu: None,
        by_domain: [(*domain, account.ledger.measured)].into(),
    };
    profile.domains.iter().map(row).collect()
}
