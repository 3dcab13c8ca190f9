//! What contracts say of a site's electricity, beside what the grid around it emits: market-based figures
//! are never mixed with location-based ones, nor multiplied into them.
//! Reference: GHG Protocol, Scope 2 Guidance (2015): both are reported, apart.

use super::citation::cite;
use super::figure::Figure;
use super::site_options::SiteOptions;
use super::tables::{CLOUD_OFFSETS, CloudRegion};
use crate::units::{CarbonIntensity, Share};

/// Market-based figures of a site; what nobody says is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Market {
    /// What a kilowatt-hour emits by contract, a supplier's factor or a residual mix.
    pub intensity: Option<Figure<CarbonIntensity>>,
    /// The part of a region's electricity that is free of carbon in each hour, with what its provider has
    /// contracts for, as the provider says.
    pub carbon_free: Option<Figure<Share>>,
    /// The part of emissions that a provider says it offsets, which no kilowatt-hour tells.
    pub offset: Option<Figure<Share>>,
}

impl Market {
    /// What the provider of a cloud says of a region.
    pub(super) fn of_region(row: &CloudRegion) -> Self {
        let of_table = CLOUD_OFFSETS.iter();
        let mut offsets =
            of_table.filter(|it| it.provider == row.provider && it.region == row.region);
        let offset = offsets.next().and_then(|it| {
            Some(Figure {
                value: Share::new(it.offset_percent / 100.0)?,
                year: None,
                source: cite(&it.source).title,
                covers: Some("as the provider says".to_owned()),
            })
        });
        let carbon_free = row.carbon_free_fraction.and_then(Share::new).map(|value| Figure {
            value,
            year: row.intensity_year,
            source: cite(&row.source).title,
            covers: Some("in each hour, contracts included, as the provider says".to_owned()),
        });
        Self { intensity: None, carbon_free, offset }
    }

    /// With the factor that was given.
    pub(super) fn with_given(self, options: &SiteOptions) -> Self {
        let given = options.market_intensity.clone().zip(options.market_source.clone());
        let intensity = given.map(|(factor, source)| Figure {
            value: factor.value,
            year: None,
            source: source.value,
            covers: Some(factor.by),
        });
        Self { intensity, ..self }
    }
}
