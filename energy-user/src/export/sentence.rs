//! A sentence for a paper: energy, emissions, the factors and their sources, in Markdown or LaTeX.

use std::io::Write;

use super::headline;
use super::{ExportError, Exporter, Subject};
use crate::emissions::{Footprint, Site};
use crate::profile::Profile;
use crate::units::{KilowattHours, scale};

/// How the sentence is marked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sentence {
    /// For README files and web pages.
    Markdown,
    /// For papers.
    Latex,
}

impl Exporter for Sentence {
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let Subject { profile, site, .. } = *subject;
        let grid = site.grid.as_ref().ok_or(ExportError::NoIntensity)?;
        let footprint = subject.footprint();
        let emitted = footprint.emissions.map(scale::emissions).unwrap_or_default();
        let off_by = KilowattHours::from(profile.total_error().half_width_95());
        let per_kilowatt_hour = site.intensity_of_it().ok_or(ExportError::NoIntensity)?;
        let off_by = scale::emissions(off_by * per_kilowatt_hour);
        let pue = site.pue.as_ref().map_or_else(
            || "Without what cooling and power supply of the site use (no PUE is known)".to_owned(),
            |pue| format!("With a PUE of {} ({})", pue.value.get(), pue.about()),
        );
        let sentences = format!(
            "{} used {} {} of {} energy in {} on {} ({} CPUs; {}; sources: {}). {pue} and a grid of {} \
             gCO2e/kWh ({}; {}), this comes to {emitted} ±{off_by} (95 % interval of the energy, \
             location-based).{}{}\n",
            code(&headline::shortened(&headline::target(profile), 80)),
            scale::energy(profile.total().measured),
            scale::plus_minus(profile.total_error().half_width_95()),
            profile.provenance().map_or("unknown", crate::model::Provenance::name),
            scale::duration(profile.span.duration),
            profile.facts.cpu_model,
            profile.facts.cpus,
            profile.facts.tool,
            sources(profile),
            grid.intensity.value.get(),
            site.name,
            grid.intensity.about(),
            embodied(site, &footprint),
            score(subject),
        );
        out.write_all(self.marked_up(&sentences).as_bytes())?;
        Ok(())
    }
}

/// What it took to make the machine, besides; nothing where that was not said.
fn embodied(site: &Site, footprint: &Footprint) -> String {
    let Some((embodied, part)) = site.embodied.as_ref().zip(footprint.embodied) else {
        return String::new();
    };
    format!(
        " Its part of the emissions embodied in the hardware comes to {} besides ({}, {}; a life of {}, {}; {} % of it, {}).",
        scale::emissions(part.emissions),
        scale::emissions(embodied.total.value),
        embodied.total.about(),
        embodied.lifespan.value,
        embodied.lifespan.about(),
        scale::percent(embodied.resource_share.value),
        embodied.resource_share.about(),
    )
}

/// What it comes to per functional unit; nothing where that was not said, or half of it is not known.
fn score(subject: &Subject<'_>) -> String {
    let score = subject.units.and_then(|units| Some((units, subject.sci().score(units)?)));
    score.map_or_else(String::new, |(units, score)| {
        format!(
            " Its software carbon intensity (ISO/IEC 21031:2024) is {} per {}.",
            scale::emissions(score),
            units.per
        )
    })
}

fn sources(profile: &Profile) -> String {
    let mut names: Vec<&str> =
        profile.total_domains().map(|(_, account)| account.source.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// Stand for the begin and the end of code until the text is marked up.
const CODE: [char; 2] = ['\u{e000}', '\u{e001}'];

fn code(text: &str) -> String {
    let plain = text.chars().filter(|c| !CODE.contains(c) && !c.is_control());
    format!("{}{}{}", CODE[0], plain.collect::<String>(), CODE[1])
}

impl Sentence {
    fn marked_up(self, text: &str) -> String {
        let mut marked = String::with_capacity(text.len());
        for c in text.chars() {
            match (self, c) {
                (Self::Markdown, c) if CODE.contains(&c) => marked.push('`'),
                (Self::Markdown, '`') => marked.push('\''),
                (Self::Latex, c) if c == CODE[0] => marked.push_str("\\texttt{"),
                (Self::Latex, c) if c == CODE[1] => marked.push('}'),
                (Self::Latex, '\\') => marked.push_str("\\textbackslash{}"),
                (Self::Latex, '~') => marked.push_str("\\textasciitilde{}"),
                (Self::Latex, '^') => marked.push_str("\\textasciicircum{}"),
                (Self::Latex, '&' | '%' | '$' | '#' | '_' | '{' | '}') => {
                    marked.push('\\');
                    marked.push(c);
                }
                (Self::Latex, '±') => marked.push_str("$\\pm$"),
                (Self::Latex, 'µ') => marked.push_str("$\\mu$"),
                (Self::Latex, '…') => marked.push_str("\\dots{}"),
                (_, c) => marked.push(c),
            }
        }
        match self {
            Self::Markdown => marked.replace("CO2e", "CO₂e"),
            Self::Latex => marked.replace("CO2e", "CO\\textsubscript{2}e"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out() {
        let text = code("a_b{c}\\d 50%");
        assert_eq!(
            Sentence::Latex.marked_up(&text),
            "\\texttt{a\\_b\\{c\\}\\textbackslash{}d 50\\%}"
        );
        let text = code("echo `id`");
        assert_eq!(Sentence::Markdown.marked_up(&text), "`echo 'id'`");
    }
}
