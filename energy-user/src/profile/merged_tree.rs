//! Two call trees laid over each other: each place in the programs with what both say of it.

use std::collections::HashMap;

use super::call_tree::{CallTree, FunctionFrame, NodeKind};
use super::diff::{Amount, Change, Yardstick};

/// Two call trees as one. Nodes meet where the way to them has the same names in the same objects;
/// processes meet by their names, because their ids are never the same twice.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedTree {
    /// The nodes. The first is the root; children come after their parents.
    pub nodes: Vec<MergedNode>,
}

/// A place in one or both trees.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedNode {
    /// Its parent; `None` for the root.
    pub parent: Option<usize>,
    /// What it is.
    pub frame: FunctionFrame,
    /// What it has of its own, before and after.
    pub own: Change,
    /// What it and all below it come to, before and after.
    pub total: Change,
}

/// Where a node is: below which other, and what it is.
type Place = (usize, String, Option<String>);

impl MergedTree {
    /// Lays `after` over `before`.
    pub fn of(before: &CallTree, after: &CallTree, yardstick: Yardstick) -> Self {
        let mut nodes: Vec<MergedNode> = Vec::new();
        let mut places: HashMap<Place, usize> = HashMap::new();
        for (tree, side) in [(before, Side::Before), (after, Side::After)] {
            let tree = tree.by_function();
            let mut merged: Vec<usize> = Vec::with_capacity(tree.nodes.len());
            for ((index, node), total) in tree.nodes.iter().enumerate().zip(tree.total_figures()) {
                let frame = tree.frame(index);
                let parent = node.parent.map(|parent| merged[parent]);
                let name = name_in_both(frame);
                let place =
                    (parent.map_or(0, |parent| parent + 1), name.clone(), frame.module.clone());
                let index = *places.entry(place).or_insert_with(|| {
                    let own = Change { name: name.clone(), yardstick, ..Change::default() };
                    let frame = FunctionFrame { name: name.clone(), ..frame.clone() };
                    nodes.push(MergedNode { parent, frame, total: own.clone(), own });
                    nodes.len() - 1
                });
                let own = Amount { energy: node.self_energy, error: node.self_error };
                side.of(&mut nodes[index].own).add(own);
                let total = Amount { energy: total.energy, error: total.error };
                side.of(&mut nodes[index].total).add(total);
                merged.push(index);
            }
        }
        Self { nodes }
    }
}

/// Which of the two.
#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

impl Side {
    const fn of(self, change: &mut Change) -> &mut Amount {
        match self {
            Self::Before => &mut change.before,
            Self::After => &mut change.after,
        }
    }
}

/// A frame's name, without the id where it is of a process.
fn name_in_both(frame: &FunctionFrame) -> String {
    match frame.kind {
        NodeKind::Process { .. } => {
            frame.name.split_once(" (pid ").map_or(&*frame.name, |(name, _)| name).to_owned()
        }
        _ => frame.name.clone(),
    }
}
