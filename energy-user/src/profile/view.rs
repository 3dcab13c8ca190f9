//! A view of a profile: its rows in the order a reader wants them. They add up to what was measured.

use super::account::Profile;
use super::group::{Group, GroupBy, Key, Side, Sum, groups};
use super::process::Processes;
use super::row::{Row, RowKind};
use super::sort::SortBy;
use super::tree;
use super::uncertainty::StandardError;
use crate::model::{DomainId, Ledger, ThreadId};
use crate::units::Microjoules;

/// Gives a user's name by number, where there is one.
pub type UserNames<'a> = dyn Fn(u32) -> Option<String> + 'a;

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

impl Profile {
    /// The energy of a row, where it is known: no row's is where nothing was measured or modelled,
    /// and the idle row's is not where every baseline is unknown.
    pub fn known_energy(&self, row: &Row) -> Option<Microjoules> {
        self.knows(row.kind).then_some(row.energy)
    }

    /// Whether rows of this kind have a known energy.
    pub fn knows(&self, kind: RowKind) -> bool {
        match kind {
            RowKind::Idle => self.separates_idle(),
            _ => self.provenance().is_some(),
        }
    }

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
                SortBy::Joules | SortBy::Total | SortBy::Watts => by_energy,
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
            let name = format!("[{}]", self.by.more(more.len()));
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
            threads: threads_of(std::slice::from_ref(group)),
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
            threads: threads_of(groups),
            depth: 0,
            energy: sum.energy(self.profile),
            error: Some(sum.error(self.profile)),
            oncpu: Some(sum.oncpu),
            by_domain: sum.by_domain,
        }
    }
}

/// The threads of several groups.
fn threads_of(groups: &[Group<'_>]) -> Vec<ThreadId> {
    groups.iter().flat_map(|group| &group.threads).map(|(thread, _)| *thread).collect()
}

/// What several groups come to.
fn sum_of(groups: &[Group<'_>]) -> Sum {
    let mut sum = Sum::default();
    for (_, account) in groups.iter().flat_map(|group| &group.threads) {
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
        threads: Vec::new(),
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
        threads: Vec::new(),
        depth: 0,
        energy: account.ledger.measured,
        error: Some(account.error()),
        oncpu: None,
        by_domain: [(*domain, account.ledger.measured)].into(),
    };
    profile.domains.iter().map(row).collect()
}
