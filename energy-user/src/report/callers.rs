//! What to say where callers are missing from stacks.

use super::scale;
use crate::profile::{CallTree, CutShort, Facts};
use crate::units::{Microjoules, Share};

/// Less than this part of all stacks is not worth a sentence: a program's first instructions, and the
/// odd stack that was being changed.
const WORTH_SAYING: f64 = 0.05;
/// How many programs are named.
const NAMED: usize = 3;

/// How much of the stacks lacks its callers, of which programs, and what to do about it; `None` where
/// it is little.
pub fn missing_callers(tree: &CallTree, facts: &Facts) -> Option<String> {
    let cut = tree.cut_short();
    let sum = |part: fn(&CutShort) -> Microjoules| cut.iter().map(part).sum::<Microjoules>();
    let of_all = Share::of(sum(|program| program.cut).get(), tree.energy().get())?;
    if of_all.get() < WORTH_SAYING {
        return None;
    }
    let percent = |share: Option<Share>| share.map_or_else(|| "0".to_owned(), scale::percent);
    let named: Vec<String> = cut
        .iter()
        .take(NAMED)
        .map(|program| format!("{} % of user stacks of {}", percent(program.share()), program.name))
        .collect();
    let more = cut.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and some of {more} more") } else { String::new() };
    let advice = match facts.call_graph.as_deref() {
        Some("dwarf,65536") => {
            "they are deeper than the 64 KiB or 127 calls that are followed, or in code made while \
             running"
        }
        Some(copied) if copied.starts_with("dwarf") => "try record --call-graph dwarf,65536",
        _ => {
            "these programs keep no frame pointers: try record --call-graph dwarf, or build them with \
             -fno-omit-frame-pointer (C, C++) or -C force-frame-pointers=yes (Rust)"
        }
    };
    Some(format!("{}{more} (by joules) are cut short: {advice}", named.join(", ")))
}
