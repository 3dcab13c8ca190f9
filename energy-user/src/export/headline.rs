//! What every export says about its figures: how much, in how long, and whether it was measured.

use super::folded::one_line;
use crate::model::{Domain, Provenance};
use crate::profile::{Profile, Targets};
use crate::units::scale;

/// What was recorded, in a few words.
pub(super) fn target(profile: &Profile) -> String {
    match &profile.facts.targets {
        Targets::All => profile.facts.hostname.clone(),
        Targets::Pids(pids) => {
            let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
            format!("pid {}", pids.join(", "))
        }
        Targets::Command { argv, .. } => argv.join(" "),
    }
}

/// `ESTIMATED` or `ASSUMED` where any figure is not measured.
pub(super) fn warning(profile: &Profile) -> Option<String> {
    match profile.provenance()? {
        kind @ (Provenance::Estimated | Provenance::Assumed) => Some(kind.name().to_uppercase()),
        Provenance::Measured | Provenance::Attributed => None,
    }
}

/// The whole energy with its error, its duration and power.
pub(super) fn total(profile: &Profile) -> String {
    let measured = profile.total().measured;
    let Some(kind) = profile.provenance() else {
        return format!("energy unknown in all of {}", scale::duration(profile.span.duration));
    };
    format!(
        "{} {} {kind} in {}, {} on average",
        scale::energy(measured),
        scale::plus_minus(profile.total_error().half_width_95()),
        scale::duration(profile.span.duration),
        scale::power(measured.joules() / profile.span.duration),
    )
}

/// Where the energy that is in no stack went.
pub(super) fn ledger(profile: &Profile) -> String {
    let ledger = profile.total();
    format!(
        "{} attributed to threads, {} idle, {} unattributed",
        scale::energy(ledger.attributed),
        scale::energy(ledger.idle),
        scale::energy(ledger.unattributed),
    )
}

/// All of it, in sentences, for formats with room for comments.
pub(super) fn comments(profile: &Profile) -> Vec<String> {
    let warning = warning(profile)
        .map(|kind| format!("{kind}: no counter stands behind some or all of these joules."));
    let described = [
        format!("{}: {}", target(profile), total(profile)),
        format!("Of that: {}.", ledger(profile)),
        format!(
            "{} on {}, {}, Linux {}; {}",
            profile.facts.tool,
            profile.facts.hostname,
            profile.facts.cpu_model,
            profile.facts.kernel,
            profile.facts.ending
        ),
    ];
    warning.into_iter().chain(described).chain(notes(profile)).collect()
}

/// What must be said about the sources whose figures are shown.
pub(super) fn notes(profile: &Profile) -> impl Iterator<Item = String> + use<'_> {
    let used = |name: &str| profile.domains.values().any(|account| account.source == name);
    let sources = profile.facts.sources.iter().filter(move |source| used(&source.name));
    sources.filter_map(|source| source.note.clone())
}

/// How many graphics cards have energy.
pub(super) fn cards(profile: &Profile) -> usize {
    profile.domains.keys().filter(|id| id.domain == Domain::Gpu).count()
}

/// At most so many characters, with dots where some are missing.
pub(super) fn shortened(text: &str, room: usize) -> String {
    let text = one_line(text);
    if text.chars().count() <= room {
        return text;
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_cut() {
        assert_eq!(shortened("make -j4", 80), "make -j4");
        assert_eq!(shortened("abcdef", 4), "abc…");
    }
}
