//! A call tree without lines: what one function calls from several of its lines is one call.

use rustc_hash::FxHashMap;

use super::call_tree::{CallNode, CallTree, FrameRef, FunctionFrame, NodeKind, StackShare};

/// What makes nodes below one parent the same.
#[derive(PartialEq, Eq, Hash)]
enum Place<'a> {
    /// A process or thread is itself only, whatever it is called.
    Owner(usize),
    /// The same function of the same object.
    Function(usize, &'a str, Option<&'a str>, NodeKind),
}

impl CallTree {
    /// The same tree without lines: siblings that are the same function of the same object are one.
    /// Code of which nothing is known has no callers worth telling apart: a run of it is one.
    /// Energies and their errors are those of the nodes that became one.
    pub fn by_function(&self) -> Self {
        let mut merged = Self {
            frameless: self.frameless,
            moments: self.moments.clone(),
            directions: self.directions.clone(),
            ..Self::default()
        };
        let mut nodes: FxHashMap<Place<'_>, usize> = FxHashMap::default();
        let mut frames: FxHashMap<FunctionFrame, FrameRef> = FxHashMap::default();
        let mut became: Vec<usize> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let frame = self.frame(index);
            let parent = node.parent.map(|parent| became[parent]);
            if let Some(caller) = node.parent.filter(|_| frame.is_unknown())
                && self.frame(caller) == frame
            {
                became.push(became[caller]);
                continue;
            }
            let place = match parent {
                Some(parent) if !frame.kind.is_owner() => {
                    Place::Function(parent, &frame.name, frame.module.as_deref(), frame.kind)
                }
                _ => Place::Owner(index),
            };
            let next = merged.nodes.len();
            let new = *nodes.entry(place).or_insert(next);
            became.push(new);
            if new < next {
                continue;
            }
            let frame = FunctionFrame { line: None, ..frame.clone() };
            let frame = *frames.entry(frame).or_insert_with_key(|frame| {
                merged.frames.push(frame.clone());
                FrameRef(merged.frames.len() - 1)
            });
            merged.nodes.push(CallNode { parent, frame, ..node.clone() });
        }
        let moved = |share: &StackShare| StackShare { node: became[share.node], ..*share };
        merged.shares = self.shares.iter().map(moved).collect();
        merged.add_up();
        merged
    }
}

impl FunctionFrame {
    /// Whether nothing is known of it, not even its object.
    pub fn is_unknown(&self) -> bool {
        self.module.is_none() && self.file.is_none() && self.name == "[unknown]"
    }
}
