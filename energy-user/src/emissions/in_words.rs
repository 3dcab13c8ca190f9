//! The factors of a site and what they come to, in labelled sentences for people.

use super::equivalents::{self, Equivalent};
use super::{Footprint, FunctionalUnits, Grid, Sci, Site, world};
use crate::units::{CarbonIntensity, GramsCo2e, scale};

/// The label of equivalents.
const AS_MUCH: &str = "as much as";

/// The label of embodied emissions.
pub const EMBODIED: &str = "embodied";

/// A sentence with its label; without one it goes on under the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// In a word or two.
    pub label: &'static str,
    /// The sentence.
    pub text: String,
    /// Whether the reader must not miss it.
    pub warning: bool,
}

impl Labelled {
    fn plain(label: &'static str, text: String) -> Self {
        Self { label, text, warning: false }
    }

    fn warning(label: &'static str, text: String) -> Self {
        Self { label, text, warning: true }
    }
}

/// The factors of a site, and what they make of an amount of energy that has this error.
pub fn in_words(
    site: &Site,
    footprint: &Footprint,
    error: Option<GramsCo2e>,
    equivalents: bool,
) -> Vec<Labelled> {
    let by = site.said_by.as_ref().map_or_else(String::new, |by| format!(" ({by})"));
    let name = format!("{}{by}", site.name);
    let mut lines = vec![Labelled::plain("site", name), facility(site, footprint)];
    match &site.grid {
        Some(grid) => lines.extend(of_grid(grid, footprint, error)),
        None => lines.extend(of_the_world(footprint)),
    }
    lines.extend(market(site, footprint));
    lines.extend(embodied(site, footprint));
    lines.extend(water(site, footprint));
    if equivalents {
        lines.extend(as_much(site, footprint));
    }
    lines
}

fn facility(site: &Site, footprint: &Footprint) -> Labelled {
    let it = scale::electricity(footprint.it);
    let Some(pue) = &site.pue else {
        let text = format!(
            "{it} of IT equipment; no PUE is known for the site, so that nothing is added for its \
             cooling and power supply (give one with --pue)"
        );
        return Labelled::plain("facility", text);
    };
    let facility = scale::electricity(footprint.facility);
    let text = format!(
        "{it} of IT equipment × PUE {} = {facility} of the facility ({})",
        pue.value.get(),
        pue.about()
    );
    Labelled::plain("facility", text)
}

fn of_grid(grid: &Grid, footprint: &Footprint, error: Option<GramsCo2e>) -> Vec<Labelled> {
    let factor = format!("{} gCO2e/kWh ({})", grams(grid.intensity.value), grid.intensity.about());
    let mut lines = vec![Labelled::plain("grid", factor)];
    for other in &grid.others {
        let text = format!("also {} gCO2e/kWh ({})", grams(other.value), other.about());
        lines.push(Labelled::plain("", text));
    }
    let emissions = footprint.emissions.unwrap_or_default();
    let (least, most) = footprint.range;
    let range = if grid.others.is_empty() {
        String::new()
    } else {
        format!("; {} … {} by other tables", scale::emissions(least), scale::emissions(most))
    };
    let error = error.map_or_else(String::new, |error| {
        format!(" ±{} by the energy's error", scale::emissions(error))
    });
    let text = format!("{}{error}, location-based{range}", scale::emissions(emissions));
    lines.push(Labelled::plain("emissions", text));
    lines
}

/// To three decimals, which is what tables have; a mean has no end of them.
fn grams(intensity: CarbonIntensity) -> String {
    let text = format!("{:.3}", intensity.get());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn of_the_world(footprint: &Footprint) -> Vec<Labelled> {
    let world = world();
    let (least, most) = footprint.range;
    let range = format!(
        "{} … {} in four fifths of {} countries ({:.0} … {:.0} gCO2e/kWh, of all electricity {:.0} in {}; \
         {})",
        scale::emissions(least),
        scale::emissions(most),
        world.countries,
        world.low.get(),
        world.high.get(),
        world.mean.get(),
        world.year,
        world.source,
    );
    let how = "where it ran was not said, so no single figure is given: say it with --zone FR, \
               --cloud aws/eu-west-3, --intensity 56 or --mix coal=10,wind=90";
    vec![Labelled::plain("emissions", range), Labelled::warning("", how.to_owned())]
}

/// What contracts say, beside what the grid emits; nothing where nobody says anything.
fn market(site: &Site, footprint: &Footprint) -> Vec<Labelled> {
    let market = &site.market;
    let factor = market.intensity.as_ref().zip(footprint.market).map(|(figure, emitted)| {
        format!(
            "{}, market-based, at {} gCO2e/kWh ({}): beside the location-based figure, not in its place",
            scale::emissions(emitted),
            grams(figure.value),
            figure.about()
        )
    });
    let carbon_free = market.carbon_free.as_ref().map(|share| {
        let percent = scale::percent(share.value);
        format!(
            "{percent} % of the electricity there is free of carbon ({}): not subtracted",
            share.about()
        )
    });
    let offset = market.offset.as_ref().map(|share| {
        let percent = scale::percent(share.value);
        format!(
            "{percent} % of the emissions there are offset already ({}): not subtracted",
            share.about()
        )
    });
    let said = carbon_free.into_iter().chain(offset);
    let said: Vec<String> = said.map(|text| format!("market-based: {text}")).collect();
    let texts = factor.into_iter().chain(said).enumerate();
    texts
        .map(|(place, text)| Labelled::plain(if place == 0 { "market" } else { "" }, text))
        .collect()
}

/// What falls to the use of what it took to make the machine; nothing where that was not said.
fn embodied(site: &Site, footprint: &Footprint) -> Option<Labelled> {
    let (embodied, part) = site.embodied.as_ref().zip(footprint.embodied)?;
    let range = part.range.map_or_else(String::new, |(least, most)| {
        format!(", {} … {} by the total's doubt", scale::emissions(least), scale::emissions(most))
    });
    let text = format!(
        "{}{range}, apart from the emissions above: {} to make the machine ({}) × {} of its life of {} ({}) \
         × {} % of it ({})",
        scale::emissions(part.emissions),
        scale::emissions(embodied.total.value),
        embodied.total.about(),
        scale::duration(part.lasted),
        embodied.lifespan.value,
        embodied.lifespan.about(),
        scale::percent(embodied.resource_share.value),
        embodied.resource_share.about(),
    );
    Some(Labelled::plain(EMBODIED, text))
}

/// The score per functional unit, of all that is looked at and of the targets among it, or why there is none.
pub fn sci_in_words(all: Sci, targets: Option<Sci>, units: &FunctionalUnits) -> Vec<Labelled> {
    let of = |sci: Sci, whose: &str| {
        let score = scale::emissions(sci.score(units)?);
        let (operational, embodied) = (sci.operational?, sci.embodied?);
        Some(format!(
            "{score} per {}, {whose}: (operational {} + embodied {}) / {} ({})",
            units.per,
            scale::emissions(operational),
            scale::emissions(embodied),
            units.done,
            units.name(),
        ))
    };
    if let Some(text) = of(all, "of all of it") {
        let targets = targets.and_then(|targets| of(targets, "of the targets alone"));
        let targets = targets.map(|text| Labelled::plain("", text));
        return std::iter::once(Labelled::plain("SCI", text)).chain(targets).collect();
    }
    let mut why = Vec::new();
    if all.operational.is_none() {
        why.push("operational emissions are not known without a place (--zone FR)");
    }
    if all.embodied.is_none() {
        why.push("embodied emissions are not known (--embodied 1200kg)");
    }
    vec![Labelled::warning("SCI", format!("no score per {}: {}", units.per, why.join("; ")))]
}

fn water(site: &Site, footprint: &Footprint) -> Vec<Labelled> {
    let water = &footprint.water;
    let on_site = match (water.on_site, &site.wue) {
        (Some(litres), Some(wue)) => format!(
            "on site {} at a WUE of {} L/kWh ({})",
            scale::water(litres),
            wue.value.get(),
            wue.about()
        ),
        _ => "on site unknown: no WUE is known for the site (give one with --wue)".to_owned(),
    };
    let figure = site.grid.as_ref().and_then(|grid| grid.water.as_ref());
    let off_site = match (water.off_site, figure) {
        (Some(litres), Some(figure)) => {
            let without = water.off_site_without_hydro.map_or_else(String::new, |litres| {
                format!(", {} without what evaporates from reservoirs", scale::water(litres))
            });
            format!(
                "off site {}{without}, at {:.2} L/kWh ({})",
                scale::water(litres),
                figure.value.get(),
                figure.about()
            )
        }
        _ => "off site unknown: the mix of the grid is not known".to_owned(),
    };
    vec![Labelled::plain("water", on_site), Labelled::plain("", off_site)]
}

/// What else emits as much as all of it.
fn as_much(site: &Site, footprint: &Footprint) -> Vec<Labelled> {
    let Some((emissions, grid)) = footprint.emissions.zip(site.grid.as_ref()) else {
        return Vec::new();
    };
    let fitting = equivalents::fitting(emissions, grid.intensity.value);
    let line = |(place, it): (usize, &Equivalent)| {
        let year = it.year.map_or_else(String::new, |year| format!("{year}; "));
        let text =
            format!("{} × {} ({}; {year}{})", scale::count(it.count), it.label, it.unit, it.source);
        Labelled::plain(if place == 0 { AS_MUCH } else { "" }, text)
    };
    if fitting.is_empty() {
        let nothing = "nothing in the table: it is too little".to_owned();
        return vec![Labelled::plain(AS_MUCH, nothing)];
    }
    fitting.iter().enumerate().map(line).collect()
}
