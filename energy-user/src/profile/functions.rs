//! A call tree by function and by line, and the callers and callees of a function.
//!
//! A function is a name in an object, wherever it was called from and whether it was inlined or not.
//! Its own energy is what was used in its code; its total is that of all stacks it is in. A stack
//! counts once, however often a function that calls itself appears in it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;

use thiserror::Error;

use super::call_tree::{CallTree, FunctionFrame, NodeKind};
use super::tally::{Figures, Tally};

/// What a row of a report on code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeUnit {
    /// A function.
    Function,
    /// A source line, as far as lines are known.
    Line,
}

impl CodeUnit {
    /// Every unit, in the order shown.
    pub const ALL: [Self; 2] = [Self::Function, Self::Line];

    /// The name in options and outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Line => "line",
        }
    }
}

/// A name that is no unit of code.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name:?} is no unit of code: expected {}", CodeUnit::ALL.map(CodeUnit::name).join(", "))]
pub struct ParseCodeUnitError {
    name: String,
}

impl FromStr for CodeUnit {
    type Err = ParseCodeUnitError;
    fn from_str(name: &str) -> Result<Self, ParseCodeUnitError> {
        Self::ALL
            .into_iter()
            .find(|unit| unit.name() == name)
            .ok_or_else(|| ParseCodeUnitError { name: name.to_owned() })
    }
}

/// A function or line, and what was used there.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeRow {
    /// Which. A function's `file` and `line` are those of its line with the most energy. It is
    /// [`NodeKind::Inlined`] only if it was found inlined everywhere.
    pub frame: FunctionFrame,
    /// What was used in its own code.
    pub own: Figures,
    /// What was used there and in all it called.
    pub total: Figures,
}

/// A function with those that called it and those it called.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbourhood {
    /// The function; without a module where functions of several objects have the name.
    pub function: CodeRow,
    /// From where it was called, the most energy first; `None` for stacks that begin with it. They
    /// add up to its total. Of a function that calls itself, it is the call from outside.
    pub callers: Vec<(Option<FunctionFrame>, Figures)>,
    /// Whom it called, the most energy first; `None` for its own code. They add up to its total.
    /// Of a function that calls itself, it is the call that goes elsewhere.
    pub callees: Vec<(Option<FunctionFrame>, Figures)>,
}

/// Why a function was not found by its name.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FindFunctionError {
    /// There is none with that in its name.
    #[error(
        "no function of the recording is called {name:?}, nor has that in its name; \
         `energy-prof report --by function --top 0` lists all"
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// There are several with that in their name, and none is called so.
    #[error("{count} functions have {name:?} in their name: give one of them whole, {}{}",
        .some.join(", "), if .some.len() < *.count { ", …" } else { "" })]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// How many there are.
        count: usize,
        /// The first of them.
        some: Vec<String>,
    },
}

/// How many names an error lists.
const NAMES_LISTED: usize = 10;

impl CallTree {
    /// What was used in each function or at each line, the most energy of its own first.
    pub fn rows(&self, unit: CodeUnit) -> Vec<CodeRow> {
        self.numbered_rows(unit).into_iter().map(|(_, row)| row).collect()
    }

    /// [`Self::rows`] with a number for each, by which [`Self::own_of`] knows it.
    pub(super) fn numbered_rows(&self, unit: CodeUnit) -> Vec<(usize, CodeRow)> {
        let units = Units::of(self, unit);
        let mut own = vec![self.tally(); units.frames.len()];
        let mut total = own.clone();
        let mut seen = vec![usize::MAX; units.frames.len()];
        let mut stack = 0;
        self.for_each_share(|share, run| {
            for node in self.upward(share.node) {
                let Some(unit) = units.of_node(self, node) else { continue };
                if node == share.node {
                    own[unit].add(share, run);
                }
                if std::mem::replace(&mut seen[unit], stack) != stack {
                    total[unit].add(share, run);
                }
            }
            stack += 1;
        });
        let figures = own.into_iter().map(Tally::finish).zip(total.into_iter().map(Tally::finish));
        let rows = units.frames.into_iter().zip(figures);
        let row = |(frame, (own, total))| CodeRow { frame, own, total };
        let mut rows: Vec<(usize, CodeRow)> = rows.map(row).enumerate().collect();
        // A stack told twice leaves frames behind that no node has.
        rows.retain(|(unit, _)| seen[*unit] != usize::MAX);
        rows.sort_by(|(_, a), (_, b)| {
            let energies = |row: &CodeRow| (row.own.energy, row.total.energy);
            energies(b).cmp(&energies(a)).then_with(|| a.frame.cmp(&b.frame))
        });
        rows
    }

    /// What several of [`Self::numbered_rows`] come to together, of their own.
    pub(super) fn own_of(&self, unit: CodeUnit, numbers: &HashSet<usize>) -> Figures {
        let units = Units::of(self, unit);
        let mut tally = self.tally();
        self.for_each_share(|share, run| {
            if units.of_node(self, share.node).is_some_and(|unit| numbers.contains(&unit)) {
                tally.add(share, run);
            }
        });
        tally.finish()
    }

    /// The callers and callees of the function called `name`, or else of the only one that has it in
    /// its name.
    pub fn neighbourhood(&self, name: &str) -> Result<Neighbourhood, FindFunctionError> {
        let units = Units::of(self, CodeUnit::Function);
        let chosen = units.find(name)?;
        let mut own = self.tally();
        let mut total = self.tally();
        let mut callers: BTreeMap<Option<usize>, Tally<'_>> = BTreeMap::new();
        let mut callees: BTreeMap<Option<usize>, Tally<'_>> = BTreeMap::new();
        self.for_each_share(|share, run| {
            let Some((caller, callee)) = units.around(self, share.node, &chosen) else { return };
            let add = |tally: &mut Tally<'_>| tally.add(share, run);
            add(&mut total);
            add(callers.entry(caller).or_insert_with(|| self.tally()));
            add(callees.entry(callee).or_insert_with(|| self.tally()));
            if callee.is_none() {
                add(&mut own);
            }
        });
        let mut frame = units.frames[chosen[0]].clone();
        if chosen.len() > 1 {
            frame = FunctionFrame::named(frame.name, frame.kind);
        }
        Ok(Neighbourhood {
            function: CodeRow { frame, own: own.finish(), total: total.finish() },
            callers: units.named(callers),
            callees: units.named(callees),
        })
    }
}

/// The functions or lines of a tree.
struct Units {
    /// What each is called.
    frames: Vec<FunctionFrame>,
    /// Which of them each frame of the tree is; none where it is no code.
    of_frame: Vec<Option<usize>>,
}

impl Units {
    fn of(tree: &CallTree, unit: CodeUnit) -> Self {
        let mut weights = vec![0; tree.frames.len()];
        for (node, total) in tree.nodes.iter().zip(tree.total()) {
            weights[node.frame.0] += total.get();
        }
        let mut units = Self { frames: Vec::new(), of_frame: Vec::new() };
        let mut found: HashMap<_, usize> = HashMap::new();
        let mut heaviest: Vec<u64> = Vec::new();
        for (frame, weight) in tree.frames.iter().zip(weights) {
            if frame.kind.is_owner() {
                units.of_frame.push(None);
                continue;
            }
            let line = (unit == CodeUnit::Line).then_some((&frame.file, frame.line));
            let key = (&frame.name, &frame.module, frame.kind.is_code(), line);
            let place = *found.entry(key).or_insert(units.frames.len());
            units.of_frame.push(Some(place));
            let Some(known) = units.frames.get_mut(place) else {
                units.frames.push(frame.clone());
                heaviest.push(weight);
                continue;
            };
            if known.kind == NodeKind::Inlined {
                known.kind = frame.kind;
            }
            let place_known = |frame: &FunctionFrame| frame.file.is_some();
            if (place_known(frame), weight) > (place_known(known), heaviest[place]) {
                known.file.clone_from(&frame.file);
                known.line = frame.line;
                heaviest[place] = weight;
            }
        }
        units
    }

    fn of_node(&self, tree: &CallTree, node: usize) -> Option<usize> {
        self.of_frame[tree.nodes[node].frame.0]
    }

    /// Those that are called `name`, or else the only one that has it in its name.
    fn find(&self, name: &str) -> Result<Vec<usize>, FindFunctionError> {
        let which = |fits: &dyn Fn(&str) -> bool| -> Vec<usize> {
            let frames = self.frames.iter().enumerate();
            frames.filter(|(_, frame)| fits(&frame.name)).map(|(unit, _)| unit).collect()
        };
        let exact = which(&|known| known == name);
        if !exact.is_empty() {
            return Ok(exact);
        }
        let similar = which(&|known| known.contains(name));
        match similar.as_slice() {
            [] => Err(FindFunctionError::Unknown { name: name.to_owned() }),
            [_] => Ok(similar),
            _ => {
                let mut names: Vec<String> =
                    similar.iter().map(|unit| self.frames[*unit].name.clone()).collect();
                names.sort_unstable();
                names.dedup();
                // The same function in several objects is asked for as one.
                if names.len() == 1 {
                    return Ok(similar);
                }
                let count = names.len();
                names.truncate(NAMES_LISTED);
                Err(FindFunctionError::Ambiguous { name: name.to_owned(), count, some: names })
            }
        }
    }

    /// Who called the outermost of `chosen` in the stack that ends in `node`, and whom the innermost
    /// called; `None` where none of them is in it.
    fn around(
        &self,
        tree: &CallTree,
        node: usize,
        chosen: &[usize],
    ) -> Option<(Option<usize>, Option<usize>)> {
        let mut callee = None;
        let mut inner = None;
        let mut caller = None;
        let mut found = false;
        for unit in tree.upward(node).map(|node| self.of_node(tree, node)) {
            if unit.is_some_and(|unit| chosen.contains(&unit)) {
                if !found {
                    callee = inner;
                }
                found = true;
                caller = None;
            } else if found && caller.is_none() {
                caller = unit;
            }
            inner = unit;
        }
        found.then_some((caller, callee))
    }

    /// Neighbours by name, the most energy first.
    fn named(
        &self,
        tallies: BTreeMap<Option<usize>, Tally<'_>>,
    ) -> Vec<(Option<FunctionFrame>, Figures)> {
        let named = |(unit, tally): (Option<usize>, Tally<'_>)| {
            (unit.map(|unit| self.frames[unit].clone()), tally.finish())
        };
        let mut named: Vec<_> = tallies.into_iter().map(named).collect();
        named.sort_by(|(a, of_a), (b, of_b)| of_b.energy.cmp(&of_a.energy).then_with(|| a.cmp(b)));
        named
    }
}
