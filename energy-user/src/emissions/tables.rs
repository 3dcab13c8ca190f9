//! The tables of factors: embedded, and parsed when first asked for.
//! Where the figures come from and under which licence: `energy-user/data/emissions/SOURCES.md`.

use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

macro_rules! table {
    ($(#[$about:meta])* $name:ident, $row:ty, $file:literal) => {
        $(#[$about])*
        pub(super) static $name: LazyLock<Vec<$row>> =
            LazyLock::new(|| rows(include_str!(concat!("../../data/emissions/", $file))));
    };
}

table!(
    /// Where figures come from.
    SOURCES, SourceRow, "sources.csv"
);
table!(
    /// Yearly means of countries.
    NATIONAL_GRIDS, NationalGrid, "national_grids.csv"
);
table!(
    /// States, provinces and price zones.
    REGIONAL_GRIDS, RegionalGrid, "regional_grids.csv"
);
table!(
    /// Zones of Electricity Maps: under a licence of its own, `odbl/NOTICE.md`.
    ZONE_GRIDS, ZoneGrid, "odbl/zone_grids.csv"
);
table!(
    /// What a kilowatt-hour of each technology emits.
    TECHNOLOGY_INTENSITY, TechnologyIntensity, "technology_intensity.csv"
);
table!(
    /// What a kilowatt-hour of each technology consumes of water.
    TECHNOLOGY_WATER, TechnologyWater, "technology_water.csv"
);
table!(
    /// What a kilowatt-hour of a country consumes of water.
    NATIONAL_WATER, NationalWater, "national_water.csv"
);
table!(
    /// Regions of cloud providers.
    CLOUD_REGIONS, CloudRegion, "cloud_regions.csv"
);
table!(
    /// What providers say of regions that they offset.
    CLOUD_OFFSETS, CloudOffset, "cloud_offsets.csv"
);
table!(
    /// What providers tell of their data centres.
    PROVIDERS, ProviderEfficiency, "provider_efficiency.csv"
);

table!(
    /// What else emits greenhouse gases.
    EQUIVALENTS, EquivalentRow, "equivalents.csv"
);

table!(
    /// What it takes to make hardware.
    HARDWARE_EMBODIED, HardwareEmbodied, "hardware_embodied.csv"
);

/// The parts of a mix, as the tables name them.
pub(super) const CATEGORIES: [&str; 9] =
    ["coal", "gas", "oil", "nuclear", "hydro", "wind", "solar", "bioenergy", "other_renewables"];

#[derive(Clone, Debug, Deserialize)]
pub(super) struct SourceRow {
    pub(super) code: String,
    pub(super) title: String,
    pub(super) licence: String,
    /// `generation` or `consumption`.
    pub(super) flow: Option<String>,
    /// `lifecycle` or `combustion`.
    pub(super) scope: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct NationalGrid {
    pub(super) iso3: String,
    pub(super) iso2: String,
    pub(super) country: String,
    pub(super) year: u16,
    pub(super) intensity_gco2e_per_kwh: f64,
    pub(super) coal_pct: Option<f64>,
    pub(super) gas_pct: Option<f64>,
    pub(super) oil_pct: Option<f64>,
    pub(super) nuclear_pct: Option<f64>,
    pub(super) hydro_pct: Option<f64>,
    pub(super) wind_pct: Option<f64>,
    pub(super) solar_pct: Option<f64>,
    pub(super) bioenergy_pct: Option<f64>,
    pub(super) other_renewables_pct: Option<f64>,
    pub(super) source: String,
}

impl NationalGrid {
    /// The shares of its mix in percent, in the order of [`CATEGORIES`].
    pub(super) const fn shares(&self) -> [Option<f64>; CATEGORIES.len()] {
        [
            self.coal_pct,
            self.gas_pct,
            self.oil_pct,
            self.nuclear_pct,
            self.hydro_pct,
            self.wind_pct,
            self.solar_pct,
            self.bioenergy_pct,
            self.other_renewables_pct,
        ]
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct RegionalGrid {
    pub(super) iso3: String,
    pub(super) region_code: String,
    pub(super) region: String,
    pub(super) year: u16,
    pub(super) intensity_gco2e_per_kwh: f64,
    pub(super) source: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ZoneGrid {
    pub(super) zone: String,
    pub(super) name: String,
    pub(super) country: Option<String>,
    pub(super) year: u16,
    pub(super) intensity_gco2e_per_kwh: f64,
    pub(super) source: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct TechnologyIntensity {
    pub(super) mix_category: String,
    pub(super) median_gco2e_per_kwh: f64,
    pub(super) default_for_category: u8,
    pub(super) source: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct TechnologyWater {
    pub(super) mix_category: String,
    pub(super) consumption_l_per_kwh: f64,
    pub(super) default_for_category: u8,
    pub(super) source: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct NationalWater {
    pub(super) iso3: String,
    pub(super) ewif_l_per_kwh: f64,
    pub(super) source: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct CloudRegion {
    pub(super) provider: String,
    pub(super) region: String,
    pub(super) location: String,
    pub(super) iso3: String,
    pub(super) em_zone: Option<String>,
    pub(super) intensity_gco2e_per_kwh: Option<f64>,
    pub(super) intensity_year: Option<u16>,
    pub(super) carbon_free_fraction: Option<f64>,
    pub(super) pue: Option<f64>,
    pub(super) pue_year: Option<u16>,
    pub(super) wue_l_per_kwh: Option<f64>,
    pub(super) wue_year: Option<u16>,
    pub(super) source: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct CloudOffset {
    pub(super) provider: String,
    pub(super) region: String,
    pub(super) offset_percent: f64,
    pub(super) source: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ProviderEfficiency {
    pub(super) provider: String,
    pub(super) scope: String,
    pub(super) year: Option<u16>,
    pub(super) pue: Option<f64>,
    pub(super) wue_l_per_kwh: Option<f64>,
    pub(super) source: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct HardwareEmbodied {
    pub(super) part: String,
    pub(super) unit: String,
    pub(super) kgco2e_per_unit: f64,
    /// How many of them the figure of a server holds already.
    pub(super) within_server: u16,
    pub(super) source: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct EquivalentRow {
    pub(super) id: String,
    /// 1 where it is chosen from by size.
    pub(super) shown: u8,
    pub(super) label: String,
    pub(super) unit: String,
    pub(super) kgco2e_per_unit: Option<f64>,
    pub(super) kwh_per_unit: Option<f64>,
    pub(super) source: String,
    pub(super) year: Option<u16>,
}

fn rows<Row: DeserializeOwned>(text: &str) -> Vec<Row> {
    let rows: Result<_, csv::Error> =
        csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect();
    rows.expect("the embedded tables are read by a test")
}
