//! The call tree as exporters walk it: paths, sums of subtrees, and whose stack it is.

use crate::profile::{CallNode, CallTree, Figures, FunctionFrame, NodeKind};
use crate::units::{Microjoules, Nanoseconds};

/// A call tree with what every exporter needs to know of its nodes.
#[derive(Debug)]
pub(super) struct Stacks<'a> {
    tree: &'a CallTree,
    totals: Vec<Figures>,
}

/// Whose stack it is, as far as the tree tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner<'a> {
    pub process: Option<(u32, &'a str)>,
    pub thread: Option<(u32, &'a str)>,
}

impl<'a> Stacks<'a> {
    pub(super) fn of(tree: &'a CallTree) -> Self {
        Self { tree, totals: tree.total_figures() }
    }

    /// What all of it comes to.
    pub(super) fn all(&self) -> Figures {
        self.totals.first().copied().unwrap_or_default()
    }

    /// What a node and all below it come to.
    pub(super) fn total(&self, node: usize) -> Figures {
        self.totals[node]
    }

    pub(super) fn node(&self, node: usize) -> &'a CallNode {
        &self.tree.nodes[node]
    }

    pub(super) fn frame(&self, node: usize) -> &'a FunctionFrame {
        self.tree.frame(node)
    }

    /// The nodes below the root.
    pub(super) fn below_root(&self) -> impl Iterator<Item = usize> + use<> {
        1..self.tree.nodes.len()
    }

    /// The nodes that have energy, time or samples of their own, the root included.
    pub(super) fn own(&self) -> impl Iterator<Item = usize> + use<'_, 'a> {
        let is_own = |index: &usize| {
            let node = self.node(*index);
            (node.self_energy, node.self_oncpu, node.samples)
                != (Microjoules::ZERO, Nanoseconds::ZERO, 0)
        };
        (0..self.tree.nodes.len()).filter(is_own)
    }

    /// The nodes from below the root down to this one; none for the root.
    pub(super) fn path(&self, node: usize) -> Vec<usize> {
        let mut path: Vec<usize> = self.upward(node).collect();
        path.reverse();
        path
    }

    /// Whose stack this node is in.
    pub(super) fn owner(&self, node: usize) -> Owner<'a> {
        let mut owner = Owner::default();
        for frame in self.upward(node).map(|index| self.frame(index)) {
            match frame.kind {
                NodeKind::Thread { tid } => owner.thread = Some((tid, frame.name.as_str())),
                NodeKind::Process { pid } => owner.process = Some((pid, frame.name.as_str())),
                _ => {}
            }
        }
        owner
    }

    /// This node and those above it, without the root.
    fn upward(&self, node: usize) -> impl Iterator<Item = usize> + use<'_, 'a> {
        std::iter::successors(Some(node), |index| self.node(*index).parent)
            .take_while(|index| *index != 0)
    }
}
