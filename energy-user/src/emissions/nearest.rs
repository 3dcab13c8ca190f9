//! Names that were meant.

use thiserror::Error;

/// How many names are proposed.
const PROPOSED: usize = 5;
/// Names less alike than this are not proposed; 1 is the same.
const ALIKE: f64 = 0.72;

/// A place that no table has.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no table has the {kind} {asked:?}{}", proposal(.nearest))]
pub struct UnknownPlace {
    /// `zone`, `cloud region` or the like.
    pub kind: &'static str,
    /// What was asked for.
    pub asked: String,
    /// The names nearest to it, the nearest first.
    pub nearest: Vec<String>,
}

impl UnknownPlace {
    /// With the nearest of these names; of each, what it is called for and what is shown.
    pub(super) fn new(
        kind: &'static str,
        asked: &str,
        names: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self { kind, asked: asked.to_owned(), nearest: nearest(asked, names) }
    }
}

/// The names nearest to one, the nearest first; of each, what it is called and what is shown.
pub(super) fn nearest(
    asked: &str,
    names: impl IntoIterator<Item = (String, String)>,
) -> Vec<String> {
    let wanted = asked.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&wanted, &name.to_lowercase());
    let mut found: Vec<(f64, String)> = names
        .into_iter()
        .map(|(name, shown)| (likeness(&name), shown))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut nearest: Vec<String> = Vec::new();
    for (_, shown) in found {
        if nearest.len() < PROPOSED && !nearest.contains(&shown) {
            nearest.push(shown);
        }
    }
    nearest
}

fn proposal(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        nearest => format!("; is one of these meant: {}?", nearest.join(", ")),
    }
}
