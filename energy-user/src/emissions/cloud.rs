//! Regions of cloud providers.

use super::citation::cite;
use super::figure::Figure;
use super::grid::{Grid, grid_of};
use super::market::Market;
use super::nearest::UnknownPlace;
use super::site::Site;
use super::tables::{CLOUD_REGIONS, CloudRegion, PROVIDERS, ProviderEfficiency};
use crate::units::{CarbonIntensity, Pue, WaterIntensity};

/// The site `provider/region`, such as `aws/eu-west-3`.
pub(super) fn cloud_site(asked: &str, year: u16) -> Result<Site, UnknownPlace> {
    let row = region(asked)?;
    let zone = row.em_zone.as_deref().unwrap_or(&row.iso3);
    // A zone that no table has is that of its country.
    let around = grid_of(zone, year).or_else(|_| grid_of(&row.iso3, year))?;
    Ok(Site {
        name: name(row),
        said_by: None,
        cloud: Some((row.provider.clone(), row.region.clone())),
        grid: Some(grid(row, around)),
        pue: pue(row),
        wue: wue(row),
        embodied: None,
        market: Market::of_region(row),
    })
}

/// What Electricity Maps calls the zone that a cloud's region is in, where that is known.
pub fn electricity_maps_zone_of_cloud(asked: &str) -> Result<Option<String>, UnknownPlace> {
    region(asked).map(|row| row.em_zone.clone())
}

fn name(row: &CloudRegion) -> String {
    format!("{}/{}", row.provider, row.region)
}

/// The table's row of a region, such as `aws/eu-west-3`.
fn region(asked: &str) -> Result<&'static CloudRegion, UnknownPlace> {
    let wanted = asked.trim().to_lowercase();
    let wanted = wanted.split_once('/').map_or_else(
        || wanted.clone(),
        |(provider, region)| format!("{}/{region}", usual_name(provider)),
    );
    let found = CLOUD_REGIONS.iter().find(|row| name(row).to_lowercase() == wanted);
    found.ok_or_else(|| {
        let names = CLOUD_REGIONS.iter().flat_map(|row| {
            let shown = format!("{} ({})", name(row), row.location);
            [name(row), row.region.clone()].map(|name| (name, shown.clone()))
        });
        UnknownPlace::new("cloud region", &wanted, names)
    })
}

/// All regions of a provider.
pub fn sites_of_provider(provider: &str, year: u16) -> Vec<Site> {
    let provider = provider.trim().to_lowercase();
    let provider = usual_name(&provider);
    let rows = CLOUD_REGIONS.iter().filter(|row| row.provider == provider);
    rows.filter_map(|row| cloud_site(&name(row), year).ok()).collect()
}

/// Providers by the names of their companies, too.
fn usual_name(provider: &str) -> &str {
    match provider {
        "amazon" => "aws",
        "google" => "gcp",
        "microsoft" => "azure",
        "ovh" => "ovhcloud",
        other => other,
    }
}

fn grid(row: &CloudRegion, around: Grid) -> Grid {
    let name = format!("{} {}", row.provider, row.location);
    let Some(intensity) = row.intensity_gco2e_per_kwh.and_then(CarbonIntensity::new) else {
        return Grid { name, ..around };
    };
    let citation = cite(&row.source);
    let own = Figure {
        value: intensity,
        year: row.intensity_year,
        source: citation.title,
        covers: citation.covers,
    };
    let others = std::iter::once(around.intensity).chain(around.others).collect();
    Grid { name, intensity: own, others, ..around }
}

fn pue(row: &CloudRegion) -> Option<Figure<Pue>> {
    let of_region = row.pue.and_then(Pue::new).map(|value| Figure {
        value,
        year: row.pue_year,
        source: cite(&row.source).title,
        covers: Some("of the region".to_owned()),
    });
    of_region.or_else(|| fleet(row, |efficiency| efficiency.pue.and_then(Pue::new)))
}

fn wue(row: &CloudRegion) -> Option<Figure<WaterIntensity>> {
    let of_region = row.wue_l_per_kwh.and_then(WaterIntensity::new).map(|value| Figure {
        value,
        year: row.wue_year,
        source: cite(&row.source).title,
        covers: Some("of the region".to_owned()),
    });
    of_region
        .or_else(|| fleet(row, |efficiency| efficiency.wue_l_per_kwh.and_then(WaterIntensity::new)))
}

/// The newest figure of all of the provider's data centres.
fn fleet<T>(row: &CloudRegion, of: impl Fn(&ProviderEfficiency) -> Option<T>) -> Option<Figure<T>> {
    let company = match row.provider.as_str() {
        "gcp" => "google",
        "azure" => "microsoft",
        other => other,
    };
    let rows = PROVIDERS.iter().filter(|row| row.provider == company && row.scope == "fleet");
    let known = rows.filter_map(|row| Some((row, of(row)?)));
    let (newest, value) = known.max_by_key(|(row, _)| row.year)?;
    Some(Figure {
        value,
        year: newest.year,
        source: cite(&newest.source).title,
        covers: Some("of all the provider's data centres".to_owned()),
    })
}
