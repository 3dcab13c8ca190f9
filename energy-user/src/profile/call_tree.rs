//! The call tree: a recording's energy by process, thread if asked, and stack.
//!
//! A node is a frame below its caller's. Its own energy is what was used there and in nothing it
//! called; with the energies of the nodes below, that is its total. The root's total is exactly
//! what the tree's threads were charged with.

use std::sync::Arc;

use super::tally::{Figures, Run, Tally};
use super::uncertainty::{ErrorSum, StandardError};
use crate::model::{FrameKind, ThreadId};
use crate::units::{Microjoules, Nanoseconds};

/// A frame's place in [`CallTree::frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRef(pub usize);

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// Everything: the root.
    All,
    /// A cgroup.
    Cgroup,
    /// A process.
    Process {
        /// Its id.
        pid: u32,
    },
    /// A thread of a process.
    Thread {
        /// Its id.
        tid: u32,
    },
    /// A function of a program or library.
    User,
    /// A function inlined into the frame before it.
    Inlined,
    /// A function of the kernel.
    Kernel,
    /// Code that was made while running.
    Jit,
    /// Energy without a sample near enough to tell where it was used.
    Unsampled,
    /// Energy of graphics cards: samples of CPUs do not tell where it was used.
    Gpu,
}

impl NodeKind {
    /// The name in outputs that machines read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Cgroup => "cgroup",
            Self::Process { .. } => "process",
            Self::Thread { .. } => "thread",
            Self::User => FrameKind::User.name(),
            Self::Inlined => FrameKind::Inlined.name(),
            Self::Kernel => FrameKind::Kernel.name(),
            Self::Jit => FrameKind::Jit.name(),
            Self::Unsampled => "unsampled",
            Self::Gpu => "gpu",
        }
    }

    /// Whether it stands for whoever ran, and not for a place in code.
    pub const fn is_owner(self) -> bool {
        matches!(self, Self::All | Self::Cgroup | Self::Process { .. } | Self::Thread { .. })
    }
}

impl NodeKind {
    /// Whether it is a place in code, known or not.
    pub(super) const fn is_code(self) -> bool {
        !self.is_owner() && !matches!(self, Self::Unsampled | Self::Gpu)
    }
}

impl From<FrameKind> for NodeKind {
    fn from(kind: FrameKind) -> Self {
        match kind {
            FrameKind::User => Self::User,
            FrameKind::Inlined => Self::Inlined,
            FrameKind::Kernel => Self::Kernel,
            FrameKind::Jit => Self::Jit,
        }
    }
}

/// What nodes are called. Each is in the tree once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionFrame {
    /// The function, or the best that is known instead; `make (pid 12)` for a process, the thread's
    /// name for a thread, `[unsampled]` for energy without samples, `[gpu]` for that of graphics cards, `[unknown]` for code of which
    /// nothing is known.
    pub name: String,
    /// The object the code is in: a path, `[kernel]`, or a kernel module's name.
    pub module: Option<String>,
    /// The source file.
    pub file: Option<String>,
    /// The line in it that was running, or from which the next frame was called.
    pub line: Option<u32>,
    /// What it stands for.
    pub kind: NodeKind,
}

impl FunctionFrame {
    /// A frame that is no place in code.
    pub(super) fn named(name: impl Into<String>, kind: NodeKind) -> Self {
        Self { name: name.into(), module: None, file: None, line: None, kind }
    }
}

/// A frame below its caller's.
#[derive(Clone, Debug, PartialEq)]
pub struct CallNode {
    /// The caller's node, which stands before this one; `None` for the root.
    pub parent: Option<usize>,
    /// What it is called.
    pub frame: FrameRef,
    /// The energy used there and in nothing it called.
    pub self_energy: Microjoules,
    /// The on-CPU time of [`Self::samples`].
    pub self_oncpu: Nanoseconds,
    /// How many samples found it running.
    pub samples: u64,
    /// Standard error of [`Self::self_energy`], that of sampling included.
    pub self_error: StandardError,
}

/// What one thread used at one stack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StackShare {
    /// The thread.
    pub thread: ThreadId,
    /// The node of the stack's innermost frame.
    pub node: usize,
    /// The energy.
    pub energy: Microjoules,
    /// The on-CPU time of the samples there.
    pub oncpu: Nanoseconds,
    /// How many samples.
    pub samples: u64,
    /// The error of the energy but for that of sampling.
    pub error: ErrorSum,
    /// Where the model tells pieces of code apart, which of [`CallTree::directions`] this one errs in: in place of
    /// what the model adds to its thread's error.
    pub direction: Option<usize>,
}

/// A part of a [`StackShare`]: what of it belongs to one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The window.
    pub window: u32,
    /// The share's place in [`CallTree::shares`].
    pub share: usize,
    /// The energy.
    pub energy: Microjoules,
    /// The on-CPU time of the samples there.
    pub oncpu: Nanoseconds,
}

/// Where in the programs the energy of some threads was used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallTree {
    /// The nodes: the root first, and each after its parent.
    pub nodes: Vec<CallNode>,
    /// What they are called.
    pub frames: Vec<FunctionFrame>,
    /// What the nodes' own figures are made of, ascending by thread.
    pub shares: Vec<StackShare>,
    /// When, in order; none where that was not asked for.
    pub moments: Vec<Moment>,
    /// Energy at stacks of which the recording has no frames: it was cut off before it wrote them.
    pub frameless: Microjoules,
    /// How far shares move, for each µJ of their energy, with each of the independent causes that the model is in doubt
    /// about, each of variance 1.
    pub directions: Arc<[Vec<f64>]>,
}

impl CallTree {
    /// A node's frame.
    pub fn frame(&self, node: usize) -> &FunctionFrame {
        &self.frames[self.nodes[node].frame.0]
    }

    /// Each node's own energy with that of all nodes below it.
    pub fn total(&self) -> Vec<Microjoules> {
        let mut totals: Vec<Microjoules> = self.nodes.iter().map(|node| node.self_energy).collect();
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if let Some(parent) = node.parent {
                let total = totals[index];
                totals[parent] += total;
            }
        }
        totals
    }

    /// Each node's figures with those of all nodes below it. What a process or a thread used is no
    /// matter of sampling, so its error has none of that.
    pub fn total_figures(&self) -> Vec<Figures> {
        let mut tallies = vec![self.tally(); self.nodes.len()];
        self.for_each_share(|share, run| {
            for node in self.upward(share.node) {
                let run = run.filter(|_| !self.frame(node).kind.is_owner());
                tallies[node].add(share, run);
            }
        });
        tallies.into_iter().map(Tally::finish).collect()
    }

    /// The energy of all of it.
    pub fn energy(&self) -> Microjoules {
        self.shares.iter().map(|share| share.energy).sum()
    }

    /// The energy without samples near.
    pub fn unsampled(&self) -> Microjoules {
        let is_unsampled = |share: &&StackShare| self.frame(share.node).kind == NodeKind::Unsampled;
        let unsampled = self.shares.iter().filter(is_unsampled);
        unsampled.map(|share| share.energy).sum()
    }

    /// The energy of graphics cards, of which no sample tells.
    pub fn on_cards(&self) -> Microjoules {
        let is_card = |share: &&StackShare| self.frame(share.node).kind == NodeKind::Gpu;
        self.shares.iter().filter(is_card).map(|share| share.energy).sum()
    }

    /// How many samples there are, and of how many threads.
    pub fn samples(&self) -> (u64, usize) {
        let threads = self.shares.chunk_by(|a, b| a.thread == b.thread);
        let samples = threads.map(|shares| shares.iter().map(|share| share.samples).sum::<u64>());
        samples.filter(|count| *count > 0).fold((0, 0), |(all, n), count| (all + count, n + 1))
    }

    /// The node and those above it, up to the root.
    pub(super) fn upward(&self, node: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(node), |node| self.nodes[*node].parent)
    }

    /// Gives every share with the samples it is a share of; none where it was not sampled.
    pub(super) fn for_each_share(&self, mut take: impl FnMut(&StackShare, Option<Run>)) {
        let threads = self.shares.chunk_by(|a, b| a.thread == b.thread);
        for (index, of_thread) in threads.enumerate() {
            let mut run = Run { index, energy: Microjoules::ZERO, samples: 0 };
            for share in of_thread.iter().filter(|share| self.is_sampled(share)) {
                run.energy += share.energy;
                run.samples += share.samples;
            }
            for share in of_thread {
                take(share, self.is_sampled(share).then_some(run));
            }
        }
    }

    /// Makes the nodes' own figures from the shares.
    pub(super) fn add_up(&mut self) {
        let mut tallies = vec![self.tally(); self.nodes.len()];
        self.for_each_share(|share, run| tallies[share.node].add(share, run));
        let figures: Vec<Figures> = tallies.into_iter().map(Tally::finish).collect();
        for (node, figures) in self.nodes.iter_mut().zip(figures) {
            node.self_energy = figures.energy;
            node.self_oncpu = figures.oncpu;
            node.samples = figures.samples;
            node.self_error = figures.error;
        }
    }

    /// What shares can be added to.
    pub(super) fn tally(&self) -> Tally<'_> {
        Tally::new(&self.directions)
    }

    fn is_sampled(&self, share: &StackShare) -> bool {
        !matches!(self.frame(share.node).kind, NodeKind::Unsampled | NodeKind::Gpu)
    }
}
