//! Embodied emissions: what was emitted to make hardware, to move it and to scrap it, and how much of that
//! falls to the time and the part of it that was used.
//!
//! `M = TE × TS × RS`, `TS = time reserved / expected lifespan`, `RS = resources reserved / all resources`.
//! Reference: Green Software Foundation, Software Carbon Intensity 1.0 (ISO/IEC 21031:2024), "Embodied
//! emissions"

use super::citation::cite;
use super::figure::Figure;
use super::site_options::SiteOptions;
use crate::units::{GramsCo2e, Lifespan, Nanoseconds, Share};

/// Where the lifespan comes from that is taken where nobody gives one.
const LIFESPAN_SOURCE: &str = "ccf-coefficients";
const LIFESPAN_YEARS: f64 = 4.0;

/// What it took to make the hardware that is used, and what of it falls to a use.
#[derive(Clone, Debug, PartialEq)]
pub struct Embodied {
    /// All of it (TE).
    pub total: Figure<GramsCo2e>,
    /// The least and the most it may be, where that was said.
    pub range: Option<(GramsCo2e, GramsCo2e)>,
    /// How long the hardware is expected to serve.
    pub lifespan: Figure<Lifespan>,
    /// The part of the hardware that is reserved (RS).
    pub resource_share: Figure<Share>,
}

impl Embodied {
    /// What was said of it; `None` where no total was.
    pub(super) fn of(options: &SiteOptions) -> Option<Self> {
        let total = options.embodied.clone()?;
        let range = total.value.range();
        let (value, of_table) = (total.value.total(), total.value.of_table());
        let total = match of_table {
            Some(table) => Figure { value, covers: Some(total.value.to_string()), ..table },
            None => Figure { value, year: None, source: total.by, covers: None },
        };
        Some(Self {
            total,
            range,
            lifespan: options.lifespan.clone().map_or_else(usual_lifespan, Figure::from),
            resource_share: options.resource_share.clone().map_or_else(all_of_it, Figure::from),
        })
    }

    /// Which part of the hardware's life and of its resources a use of this length is.
    pub fn part(&self, lasted: Nanoseconds) -> f64 {
        self.lifespan.value.part(lasted) * self.resource_share.value.get()
    }

    /// What falls to a use of this length.
    pub fn over(&self, lasted: Nanoseconds) -> EmbodiedPart {
        let part = self.part(lasted);
        EmbodiedPart {
            lasted,
            emissions: self.total.value * part,
            range: self.range.map(|(least, most)| (least * part, most * part)),
        }
    }
}

/// What falls to a use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmbodiedPart {
    /// How long the use was.
    pub lasted: Nanoseconds,
    /// What falls to it (M).
    pub emissions: GramsCo2e,
    /// The least and the most of that, where they are known.
    pub range: Option<(GramsCo2e, GramsCo2e)>,
}

fn usual_lifespan() -> Figure<Lifespan> {
    Figure {
        value: Lifespan::from_years(LIFESPAN_YEARS).expect("four years are a lifespan"),
        year: None,
        source: cite(LIFESPAN_SOURCE).title,
        covers: Some("assumed: no lifespan was given".to_owned()),
    }
}

fn all_of_it() -> Figure<Share> {
    Figure {
        value: Share::new(1.0).expect("all is a share"),
        year: None,
        source: "the whole machine".to_owned(),
        covers: Some("assumed: no resource share was given".to_owned()),
    }
}
