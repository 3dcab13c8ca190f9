//! Emissions in a model card of Hugging Face: the `co2_eq_emissions` of its YAML front matter, by itself or put
//! into a card that is there, of which nothing else is touched. In grams, as the hub wants them.
//! Reference: huggingface/hub-docs, modelcard.md (seen 2026-03)

use std::io::Write;

use super::headline;
use super::{ExportError, Exporter, Subject};
use crate::emissions::{Footprint, Site};
use crate::profile::Profile;
use crate::units::GramsCo2e;

/// What stands before and after the front matter.
const FENCE: &str = "---";
const KEY: &str = "co2_eq_emissions:";

/// A model card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HuggingFace {
    card: Option<String>,
}

impl HuggingFace {
    /// To be put into this card.
    pub fn into_card(card: String) -> Self {
        Self { card: Some(card) }
    }
}

impl Exporter for HuggingFace {
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let block = block(subject.profile, subject.site)?;
        let card = self.card.as_deref().unwrap_or_default();
        out.write_all(merged(card, &block).as_bytes())?;
        Ok(())
    }
}

fn block(profile: &Profile, site: &Site) -> Result<String, ExportError> {
    let footprint = Footprint::of(profile.total().measured, site);
    let grams = footprint.emissions.map(GramsCo2e::get).ok_or(ExportError::NoIntensity)?;
    let kind = headline::warning(profile).map_or("measured", |_| "estimated");
    let mut hardware = format!("{} × {}", profile.facts.cpus, profile.facts.cpu_model);
    let cards = headline::cards(profile);
    if cards > 0 {
        hardware.push_str(&format!(", {cards} graphics cards"));
    }
    let lines = [
        format!("  emissions: {grams}"),
        format!("  source: {}", quoted(&format!("{}, {kind} energy", profile.facts.tool))),
        format!("  geographical_location: {}", quoted(&site.name)),
        format!("  hardware_used: {}", quoted(&hardware)),
    ];
    Ok(format!("{KEY}\n{}\n", lines.join("\n")))
}

/// Text as YAML takes it, whatever is in it.
fn quoted(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    let escaped = plain.flat_map(|c| {
        let escape = matches!(c, '"' | '\\').then_some('\\');
        escape.into_iter().chain([c])
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// The card with the block in its front matter, in place of an older one.
fn merged(card: &str, block: &str) -> String {
    let mut lines = card.split_inclusive('\n');
    if lines.next().map(str::trim_end) != Some(FENCE) {
        let gap = if card.is_empty() { "" } else { "\n" };
        return format!("{FENCE}\n{block}{FENCE}\n{gap}{card}");
    }
    let mut front = String::new();
    let mut rest = String::new();
    let (mut within, mut dropping) = (true, false);
    for line in lines {
        if within && line.trim_end() == FENCE {
            within = false;
        }
        if !within {
            rest.push_str(line);
            continue;
        }
        // A value's lines are indented below its key.
        dropping = line.starts_with(KEY) || dropping && line.starts_with([' ', '\t']);
        if !dropping {
            front.push_str(line);
        }
    }
    if within {
        // The front matter never ends: it is none.
        return format!("{FENCE}\n{block}{FENCE}\n\n{card}");
    }
    format!("{FENCE}\n{front}{block}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "co2_eq_emissions:\n  emissions: 5\n";

    #[test]
    fn a_card_keeps_all_else() {
        let card = "---\nlicense: mit\nco2_eq_emissions:\n  emissions: 1\n  source: \"x\"\ntags:\n- a\n---\n# Model\n";
        assert_eq!(
            merged(card, BLOCK),
            "---\nlicense: mit\ntags:\n- a\nco2_eq_emissions:\n  emissions: 5\n---\n# Model\n"
        );
        assert_eq!(merged(&merged(card, BLOCK), BLOCK), merged(card, BLOCK));
        let bare = "---\nco2_eq_emissions: 3.2\n---\n";
        assert_eq!(merged(bare, BLOCK), format!("---\n{BLOCK}---\n"));
    }

    #[test]
    fn a_card_without_front_matter_gets_one() {
        assert_eq!(merged("", BLOCK), format!("---\n{BLOCK}---\n"));
        assert_eq!(merged("# Model\n", BLOCK), format!("---\n{BLOCK}---\n\n# Model\n"));
        let endless = "---\nlicense: mit\n";
        assert_eq!(merged(endless, BLOCK), format!("---\n{BLOCK}---\n\n{endless}"));
    }

    #[test]
    fn names_cannot_break_out() {
        assert_eq!(quoted("a \"b\\\nc"), r#""a \"b\\c""#);
    }
}
