//! The table of a comparison: what changed, by how much, and whether that may be noise.

use super::flamegraph::signed;
use super::headline;
use crate::profile::{Change, Diff, Profile};
use crate::units::scale;

/// The table of a comparison of two profiles, `before` and `after`, with its `top` rows or all of
/// them; the largest change first. Changes within their 95 % interval are marked: they may be noise.
pub fn comparison(diff: &Diff, [before, after]: [&Profile; 2], top: Option<usize>) -> String {
    let mut out = String::new();
    let warning = headline::warning(before).or_else(|| headline::warning(after));
    if let Some(warning) = warning {
        out.push_str(&format!("{warning}: no counter stands behind some or all of these joules\n"));
    }
    for (label, profile) in [("before", before), ("after", after)] {
        let (target, total) = (headline::target(profile), headline::total(profile));
        out.push_str(&format!("{label:<7} {target}: {total}\n"));
    }
    out.push_str(&format!(
        "\n{:>9} {:>9} {:>10} {:>10} {:>8}  {:<6} name\n",
        "before", "after", "change", "±95 %", "%", "real?"
    ));
    let shown = top.unwrap_or(diff.changes.len());
    for change in std::iter::once(&diff.total).chain(diff.changes.iter().take(shown)) {
        out.push_str(&row(change));
    }
    if let Some(more) = diff.changes.len().checked_sub(shown).filter(|more| *more > 0) {
        out.push_str(&format!("{more} more with smaller changes: --top 0 shows all\n"));
    }
    out
}

fn row(change: &Change) -> String {
    let percent = change
        .relative()
        .map_or_else(|| "new".to_owned(), |relative| format!("{:+.1}", relative * 100.0));
    let error = scale::plus_minus(change.error().half_width_95());
    format!(
        "{:>9} {:>9} {:>10} {error:>10} {percent:>8}  {:<6} {}\n",
        scale::energy(change.before.energy),
        scale::energy(change.after.energy),
        signed(change.joules()),
        if change.is_beyond_noise() { "yes" } else { "noise?" },
        change.name
    )
}
