//! Folded stacks: `outer;inner;innermost MICROJOULES`, one line for each stack, sorted.
//! What flamegraph.pl, inferno, speedscope and many others read. Reference:
//! <https://github.com/brendangregg/FlameGraph> (stackcollapse-*.pl), 2024.

use std::collections::BTreeMap;
use std::io::Write;

use super::stacks::Stacks;
use super::{ExportError, Exporter, Subject};

/// Folded stacks in whole microjoules: readers drop fractions, and joules would become 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded;

impl Exporter for Folded {
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let tree = subject.tree.by_function();
        let stacks = Stacks::of(&tree);
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        for node in stacks.own() {
            *lines.entry(stack(&stacks, node)).or_default() += stacks.node(node).self_energy.get();
        }
        for (stack, energy_uj) in lines.into_iter().filter(|(_, energy_uj)| *energy_uj > 0) {
            writeln!(out, "{stack} {energy_uj}")?;
        }
        Ok(())
    }
}

fn stack(stacks: &Stacks<'_>, node: usize) -> String {
    let names: Vec<String> =
        stacks.path(node).into_iter().map(|index| folded(&stacks.frame(index).name)).collect();
    // What the root has of its own still needs a name.
    if names.is_empty() { folded(&stacks.frame(node).name) } else { names.join(";") }
}

/// A name that cannot be read as two frames, as a value, or as a comment.
fn folded(name: &str) -> String {
    let mut name = one_line(name).replace(';', ":");
    // `worker 3` before a value would be read as two values: the space becomes one that does not
    // separate.
    let last_word = name.rfind(' ').map(|space| (space, &name[space + 1..]));
    if let Some((space, word)) = last_word
        && word.chars().all(|c| c.is_ascii_digit() || c == '.')
    {
        name.replace_range(space..=space, "\u{a0}");
    }
    if name.starts_with('#') {
        name.insert(0, '\u{a0}');
    }
    name
}

/// A name without what breaks lines and tables; never empty.
pub(super) fn one_line(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match name.trim() {
        "" => "[unknown]".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_taken_for_something_else() {
        assert_eq!(folded("sum<[u8; 8]>"), "sum<[u8: 8]>");
        assert_eq!(folded("worker 3"), "worker\u{a0}3");
        assert_eq!(folded("make (pid 12)"), "make (pid 12)");
        assert_eq!(folded("# main"), "\u{a0}# main");
        assert_eq!(folded("two\nlines\t"), "two lines");
        assert_eq!(folded(" "), "[unknown]");
    }
}
