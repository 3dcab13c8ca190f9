//! A call tree as the rows of a report, by function or by line. Their own energies add up to what was
//! measured, so what no chosen thread used has rows, too.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::account::Profile;
use super::call_tree::{CallTree, FunctionFrame, NodeKind};
use super::functions::{CodeRow, CodeUnit};
use super::group::{Side, Sum, side};
use super::row::RowKind;
use super::sort::SortBy;
use super::tally::Figures;
use super::thread_filter::ThreadFilter;
use super::uncertainty::StandardError;
use crate::model::Ledger;
use crate::units::{Microjoules, Nanoseconds, Share};

/// Which rows, and in what order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeViewOptions {
    /// What a row stands for.
    pub unit: CodeUnit,
    /// What rows are ordered by.
    pub sort: SortBy,
    /// How many rows of code; the rest become one row.
    pub top: Option<usize>,
}

/// The rows of a report on code.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeView {
    /// In the order shown. Their own energies add up to the measured energy.
    pub rows: Vec<CodeViewRow>,
    /// What they add up to.
    pub total: Ledger,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeViewRow {
    /// What it stands for.
    pub kind: RowKind,
    /// What it is called.
    pub name: String,
    /// The function or line; `None` where it is none.
    pub frame: Option<FunctionFrame>,
    /// The energy of its own.
    pub own: Microjoules,
    /// Its standard error; `None` where it is not known, as for idle.
    pub own_error: Option<StandardError>,
    /// Its energy with that of all it called, and the standard error; `None` where it calls nothing.
    pub total: Option<(Microjoules, StandardError)>,
    /// Its on-CPU time: of code, that of its samples.
    pub oncpu: Option<Nanoseconds>,
    /// How many samples found it running.
    pub samples: Option<u64>,
}

impl CodeViewRow {
    /// Its own part of the whole measured energy.
    pub fn share(&self, total: &Ledger) -> Option<Share> {
        Share::of(self.own.get(), total.measured.get())
    }
}

impl Profile {
    /// The rows of a report on code: those of `tree`, which is of the threads that `filter` chooses,
    /// then what other threads used, then what none did.
    pub fn code_view(
        &self,
        tree: &CallTree,
        filter: &ThreadFilter,
        options: CodeViewOptions,
    ) -> CodeView {
        let mut code = tree.numbered_rows(options.unit);
        let unsampled = code.iter().position(|(_, row)| row.frame.kind == NodeKind::Unsampled);
        let unsampled = unsampled.map(|place| code.remove(place).1);
        // They come with the most energy of their own first, and that stays so among equals.
        match options.sort {
            SortBy::Joules | SortBy::Watts => {}
            SortBy::Total => code.sort_by_key(|(_, row)| Reverse(row.total.energy)),
            SortBy::Cpu => code.sort_by_key(|(_, row)| Reverse(row.own.oncpu)),
            SortBy::Name => code.sort_by(|(_, a), (_, b)| a.frame.cmp(&b.frame)),
        }
        let cut = options.top.map_or(code.len(), |top| top.min(code.len()));
        let more: HashSet<usize> = code.split_off(cut).into_iter().map(|(n, _)| n).collect();
        let mut rows: Vec<CodeViewRow> =
            code.into_iter().map(|(_, row)| code_row(RowKind::Code, row)).collect();
        if !more.is_empty() {
            rows.push(more_row(options.unit, more.len(), &tree.own_of(options.unit, &more)));
        }
        rows.extend(unsampled.map(|row| code_row(RowKind::Unsampled, row)));
        rows.extend(self.other_rows(filter));
        rows.push(self.ledger_row(RowKind::Idle));
        rows.push(self.ledger_row(RowKind::Unattributed));
        CodeView { rows, total: self.total() }
    }

    /// What threads used that are not chosen.
    fn other_rows(&self, filter: &ThreadFilter) -> Vec<CodeViewRow> {
        let (mut others, mut profiler) = (None, None);
        for account in self.threads.values().filter(|account| account.took_part()) {
            if filter.includes(&account.info, &self.facts) {
                continue;
            }
            let sum: &mut Option<Sum> = match side(&self.facts, &account.info) {
                Side::Profiler => &mut profiler,
                Side::Target | Side::Other => &mut others,
            };
            sum.get_or_insert_default().add(account);
        }
        let (kind, name) = if filter.is_given() {
            (RowKind::NotChosen, "[other threads]")
        } else {
            (RowKind::RestOfSystem, "[rest of the system]")
        };
        let others = others.map(|sum| self.sum_row(kind, name, &sum));
        let profiler = profiler.map(|sum| self.sum_row(RowKind::Profiler, "[energy-prof]", &sum));
        others.into_iter().chain(profiler).collect()
    }

    fn sum_row(&self, kind: RowKind, name: &str, sum: &Sum) -> CodeViewRow {
        CodeViewRow {
            own: sum.energy(self),
            own_error: Some(sum.error(self)),
            oncpu: Some(sum.oncpu),
            ..plain_row(kind, name.to_owned())
        }
    }

    /// The row of idle or of unattributed energy.
    fn ledger_row(&self, kind: RowKind) -> CodeViewRow {
        let total = self.total();
        let (name, own, oncpu) = match kind {
            RowKind::Idle => ("[idle]", total.idle, None),
            _ => ("[unattributed]", total.unattributed, Some(self.lost_oncpu)),
        };
        CodeViewRow { own, oncpu, ..plain_row(kind, name.to_owned()) }
    }
}

fn code_row(kind: RowKind, row: CodeRow) -> CodeViewRow {
    let CodeRow { frame, own, total } = row;
    CodeViewRow {
        kind,
        name: frame.name.clone(),
        frame: Some(frame),
        own: own.energy,
        own_error: Some(own.error),
        total: Some((total.energy, total.error)),
        oncpu: Some(own.oncpu),
        samples: Some(own.samples),
    }
}

/// What the top cut off.
fn more_row(unit: CodeUnit, count: usize, own: &Figures) -> CodeViewRow {
    let s = if count == 1 { "" } else { "s" };
    CodeViewRow {
        own: own.energy,
        own_error: Some(own.error),
        oncpu: Some(own.oncpu),
        samples: Some(own.samples),
        ..plain_row(RowKind::More, format!("[{count} more {}{s}]", unit.name()))
    }
}

fn plain_row(kind: RowKind, name: String) -> CodeViewRow {
    CodeViewRow {
        kind,
        name,
        frame: None,
        own: Microjoules::ZERO,
        own_error: None,
        total: None,
        oncpu: None,
        samples: None,
    }
}
