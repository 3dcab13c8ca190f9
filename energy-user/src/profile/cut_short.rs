//! Stacks that do not reach the function their thread began with: callers are missing, mostly because
//! a program was built without frame pointers.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::call_tree::{CallTree, NodeKind};
use crate::units::{Microjoules, Share};

/// Functions that threads begin with: of the C libraries and the loader, Rust and Go.
const BEGINNINGS: [&str; 14] = [
    "_start",
    "_start_c",
    "main",
    "__libc_start_call_main",
    "__libc_start_main",
    "__libc_start_main_impl",
    "_dl_start",
    "_dl_start_user",
    "start_thread",
    "clone",
    "clone3",
    "__clone",
    "__clone3",
    "thread_start",
];
/// How those of Go begin, which has several.
const GO: &str = "runtime.";

/// How much of what programs of one name used lies at stacks that were cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutShort {
    /// The programs' name.
    pub name: String,
    /// What was sampled in the programs, at whole stacks and others.
    pub energy: Microjoules,
    /// What of it at stacks cut short.
    pub cut: Microjoules,
}

impl CutShort {
    /// The part that was cut short.
    pub fn share(&self) -> Option<Share> {
        Share::of(self.cut.get(), self.energy.get())
    }
}

impl CallTree {
    /// For each program's name what lies at stacks of programs, and at those cut short; the most cut
    /// first, and only where there is any.
    pub fn cut_short(&self) -> Vec<CutShort> {
        let totals = self.total();
        let mut programs: BTreeMap<&str, (Microjoules, Microjoules)> = BTreeMap::new();
        for (node, total) in totals.iter().enumerate() {
            let Some(cut) = self.cut_of_outermost(node, *total) else { continue };
            let process = self
                .upward(node)
                .find(|node| matches!(self.frame(*node).kind, NodeKind::Process { .. }));
            let name = process.map_or("", |node| without_pid(&self.frame(node).name));
            let (energy, cut_energy) = programs.entry(name).or_default();
            *energy += *total;
            *cut_energy += cut;
        }
        let mut cut: Vec<CutShort> = programs
            .into_iter()
            .filter(|(_, (_, cut))| *cut > Microjoules::ZERO)
            .map(|(name, (energy, cut))| CutShort { name: name.to_owned(), energy, cut })
            .collect();
        cut.sort_by_key(|program| Reverse(program.cut));
        cut
    }

    /// How much below a program's outermost frame lies at stacks cut short; `None` for other nodes.
    fn cut_of_outermost(&self, node: usize, total: Microjoules) -> Option<Microjoules> {
        let frame = self.frame(node);
        let outermost =
            self.nodes[node].parent.is_some_and(|node| self.frame(node).kind.is_owner());
        if !outermost || !matches!(frame.kind, NodeKind::User | NodeKind::Inlined | NodeKind::Jit) {
            return None;
        }
        // Of a stripped program only the offset is known: it may be where the thread began, but a
        // thread seldom runs there.
        let unnamed = frame.module.is_some() && frame.name.contains("+0x");
        let begins = BEGINNINGS.contains(&frame.name.as_str()) || frame.name.starts_with(GO);
        Some(match (begins, unnamed) {
            (true, _) => Microjoules::ZERO,
            (false, true) => self.nodes[node].self_energy,
            (false, false) => total,
        })
    }
}

/// A process's name as nodes have it, `make (pid 12)`, without the pid.
fn without_pid(name: &str) -> &str {
    name.rsplit_once(" (pid ").map_or(name, |(name, _)| name)
}
