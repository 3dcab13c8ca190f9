//! The tree of processes: who launched whom, so that a build is read from `make` downward.

use std::collections::BTreeMap;

use super::group::Group;
use super::process::{ProcessKey, Processes};
use super::row::Row;
use super::sort::SortBy;

/// Arranges sorted rows of processes so that each follows the nearest shown process that launched
/// it, one level deeper. Siblings are in order of what they and their descendants come to.
/// No row is lost, whatever the trace says about parents.
pub(super) fn arrange(
    groups: Vec<(Row, Group<'_>)>,
    processes: &Processes<'_>,
    sort: SortBy,
) -> Vec<Row> {
    let place: BTreeMap<ProcessKey, usize> = groups
        .iter()
        .enumerate()
        .filter_map(|(index, (_, group))| Some((group.process()?, index)))
        .collect();
    let parents: Vec<Option<usize>> =
        groups.iter().map(|(_, group)| shown_parent(group, &place, processes)).collect();
    let weights = subtree_weights(&groups, &parents, sort);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
    let mut roots = Vec::new();
    for (index, parent) in parents.iter().enumerate() {
        parent.map_or(&mut roots, |parent| &mut children[parent]).push(index);
    }
    // The sort is stable: where weights are equal, or by name, the given order stays.
    for siblings in children.iter_mut().chain([&mut roots]) {
        siblings.sort_by_key(|index| std::cmp::Reverse(weights[*index]));
    }
    let mut rows: Vec<Option<Row>> = groups.into_iter().map(|(row, _)| Some(row)).collect();
    let mut arranged = Vec::with_capacity(rows.len());
    // Last in, first out; processes that are each other's ancestors hang from no root and come last.
    let mut next: Vec<(usize, usize)> = (0..rows.len()).rev().map(|index| (index, 0)).collect();
    next.extend(roots.iter().rev().map(|index| (*index, 0)));
    while let Some((index, depth)) = next.pop() {
        if let Some(row) = rows[index].take() {
            arranged.push(Row { depth, ..row });
            next.extend(children[index].iter().rev().map(|child| (*child, depth + 1)));
        }
    }
    arranged
}

/// The nearest ancestor of a process that has a row.
fn shown_parent(
    group: &Group<'_>,
    place: &BTreeMap<ProcessKey, usize>,
    processes: &Processes<'_>,
) -> Option<usize> {
    let mut process = group.process()?;
    for _ in 0..MAX_DEPTH {
        process = processes.parent(process)?;
        if let Some(index) = place.get(&process) {
            return Some(*index);
        }
    }
    None
}

/// More generations than any machine has; ends the walk where parents form a ring.
const MAX_DEPTH: usize = 1000;

/// What each row and its descendants come to, in the unit of the order.
fn subtree_weights(
    groups: &[(Row, Group<'_>)],
    parents: &[Option<usize>],
    sort: SortBy,
) -> Vec<u128> {
    let mut weights = vec![0; groups.len()];
    for (index, (row, _)) in groups.iter().enumerate() {
        let weight = match sort {
            SortBy::Joules | SortBy::Total | SortBy::Watts => u128::from(row.energy.get()),
            SortBy::Cpu => u128::from(row.oncpu.unwrap_or_default().get()),
            SortBy::Name => 0,
        };
        let mut at = Some(index);
        for _ in 0..MAX_DEPTH {
            let Some(ancestor) = at else { break };
            weights[ancestor] += weight;
            at = parents[ancestor];
        }
    }
    weights
}
