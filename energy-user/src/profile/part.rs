//! A part of a profile: of the same recording and choices, of some of its windows. Parts that have every
//! window once add up to the whole, row by row, to the microjoule.

use std::collections::{BTreeMap, BTreeSet};

use super::account::Profile;
use super::call_tree::{CallTree, StackShare};
use super::code_view::{CodeView, CodeViewRow};
use super::group::Sum;
use super::row::{Row, RowKind};
use super::uncertainty::ErrorSum;
use super::view::View;
use crate::units::{Microjoules, Nanoseconds};

impl Profile {
    /// Counts the same domains in the total as `whole` does, which this is a part of: a domain that
    /// is silent for a while changes nothing about which domains overlap.
    pub fn count_as(&mut self, whole: &Self) {
        for (domain, account) in &mut self.domains {
            account.in_total = whole.domains.get(domain).is_some_and(|account| account.in_total);
        }
    }
}

impl CallTree {
    /// What of the tree belongs to some windows: the same nodes, with the energy and the time that the
    /// tree's moments have there. Samples and errors are the whole's, and are not told of a part.
    pub fn of_windows(&self, windows: &BTreeSet<u32>) -> Self {
        let mut part = self.clone();
        part.moments.retain(|moment| windows.contains(&moment.window));
        for share in &mut part.shares {
            *share = StackShare {
                energy: Microjoules::ZERO,
                oncpu: Nanoseconds::ZERO,
                samples: 0,
                error: ErrorSum::default(),
                direction: None,
                ..*share
            };
        }
        for moment in &part.moments {
            let share = &mut part.shares[moment.share];
            share.energy += moment.energy;
            share.oncpu += moment.oncpu;
        }
        part.add_up();
        part
    }
}

impl View {
    /// What of each row is of a part, in the order of the rows.
    pub fn energies_of(&self, part: &Profile) -> Vec<Microjoules> {
        self.rows.iter().map(|row| energy_of(row, part)).collect()
    }
}

fn energy_of(row: &Row, part: &Profile) -> Microjoules {
    match row.kind {
        RowKind::Idle => part.total().idle,
        RowKind::Unattributed => part.total().unattributed,
        RowKind::Domain | RowKind::ContainedDomain => {
            let domains = row.by_domain.keys().filter_map(|domain| part.domains.get(domain));
            domains.map(|account| account.ledger.measured).sum()
        }
        _ => {
            let mut sum = Sum::default();
            for account in row.threads.iter().filter_map(|thread| part.threads.get(thread)) {
                sum.add(account);
            }
            sum.energy(part)
        }
    }
}

impl CodeView {
    /// What of each row is of a part whose rows are `part`, none of them cut off. Code that has no row
    /// here is in the row of all that was cut off.
    pub fn energies_of(&self, part: &Self) -> Vec<Microjoules> {
        let mut energies = vec![Microjoules::ZERO; self.rows.len()];
        let key = |row: &CodeViewRow| (row.kind.name(), row.frame.clone());
        let places: BTreeMap<_, usize> =
            self.rows.iter().enumerate().map(|(place, row)| (key(row), place)).collect();
        let more = self.rows.iter().position(|row| row.kind == RowKind::More);
        for row in &part.rows {
            if let Some(place) = places.get(&key(row)).copied().or(more) {
                energies[place] += row.own;
            }
        }
        energies
    }
}
