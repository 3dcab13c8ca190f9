//! Emissions: every row of every table, places by their usual spellings, and the arithmetic.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use energy_prof::emissions::{
    Footprint, Grid, Market, Place, Site, SiteOptions, cite, grid_of, world,
};
use energy_prof::units::{CarbonIntensity, Microjoules, Pue, WaterIntensity};

const KILOWATT_HOUR: Microjoules = Microjoules::new(3_600_000_000_000);

fn tables() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/emissions")
}

/// The rows of a table as columns' names and cells.
fn rows(table: &str) -> Vec<Vec<(String, String)>> {
    let mut reader = csv::Reader::from_path(tables().join(table)).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let row = |row: csv::StringRecord| {
        assert_eq!(row.len(), names.len());
        names.iter().cloned().zip(row.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn cell<'a>(row: &'a [(String, String)], column: &str) -> &'a str {
    row.iter().find(|(name, _)| name == column).map(|(_, cell)| cell.as_str()).unwrap()
}

const TABLES: [&str; 11] = [
    "national_grids.csv",
    "regional_grids.csv",
    "odbl/zone_grids.csv",
    "technology_intensity.csv",
    "technology_water.csv",
    "national_water.csv",
    "cloud_regions.csv",
    "cloud_offsets.csv",
    "provider_efficiency.csv",
    "equivalents.csv",
    "hardware_embodied.csv",
];

#[test]
fn every_row_has_a_source_and_figures_that_can_be() {
    for table in TABLES {
        for row in rows(table) {
            let title = cite(cell(&row, "source")).title;
            for code in cell(&row, "source").split('+') {
                assert_ne!(cite(code).licence, "not known", "{table}: {row:?}");
            }
            assert!(!title.is_empty(), "{table}: {row:?}");
            for (column, text) in row.iter().filter(|(_, text)| !text.is_empty()) {
                let range = match column.as_str() {
                    "pue" => 1.0..=3.0,
                    "wue_l_per_kwh" => 0.0..=3.0,
                    "year" | "mix_year" | "pue_year" | "wue_year" | "intensity_year" => {
                        2007.0..=2026.0
                    }
                    "kgco2e_per_unit" => 0.0..=1e6,
                    "carbon_free_fraction" => 0.0..=1.0,
                    "within_server" => 0.0..=64.0,
                    column if column.ends_with("gco2e_per_kwh") => 0.0..=1700.0,
                    column if column.ends_with("l_per_kwh") => 0.0..=100.0,
                    column if column.ends_with("_pct") => 0.0..=100.0,
                    _ => continue,
                };
                let value: f64 = text.parse().unwrap();
                assert!(range.contains(&value), "{table}: {column} of {row:?}");
            }
        }
    }
}

#[test]
fn mixes_add_up_where_all_of_a_mix_is_known() {
    for row in rows("national_grids.csv") {
        let shares: Vec<f64> = row
            .iter()
            .filter(|(column, text)| column.ends_with("_pct") && !text.is_empty())
            .map(|(_, text)| text.parse().unwrap())
            .collect();
        let whole: f64 = shares.iter().sum();
        assert!(shares.len() < 9 || (whole - 100.0).abs() < 1.5, "{row:?}");
    }
}

#[test]
fn every_place_is_found_by_its_code_and_its_name() {
    let found = |name: &str| grid_of(name, 2026).unwrap_or_else(|error| panic!("{error}"));
    for row in rows("national_grids.csv") {
        let (iso3, country) = (cell(&row, "iso3"), cell(&row, "country"));
        assert_eq!(found(iso3).code, iso3);
        assert_eq!(found(&country.to_uppercase()).code, iso3);
        let iso2 = cell(&row, "iso2");
        assert!(iso2.is_empty() || found(&iso2.to_lowercase()).code == iso3);
    }
    for row in rows("regional_grids.csv") {
        let code = cell(&row, "region_code");
        assert!([code, "FIN"].contains(&&*found(code).code), "{code}");
    }
    for row in rows("odbl/zone_grids.csv") {
        found(cell(&row, "zone"));
    }
    for row in rows("cloud_regions.csv") {
        let region = format!("{}/{}", cell(&row, "provider"), cell(&row, "region"));
        let options =
            SiteOptions { place: Some(Place::Cloud(region).into()), ..SiteOptions::default() };
        let site = Site::of(&options, 2026).unwrap_or_else(|error| panic!("{error}"));
        assert!(site.grid.is_some());
    }
}

fn shown(grid: &Grid) -> String {
    format!("{} {} g/kWh ({})", grid.name, grid.intensity.value.get(), grid.intensity.about())
}

#[test]
fn a_figure_says_of_which_year_what_and_where_from() {
    assert_eq!(
        shown(&grid_of("fr", 2026).unwrap()),
        "France 41.79 g/kWh (2025; electricity generated there, life cycle; Our World in Data, 2026 \
         (Ember; Energy Institute))"
    );
    assert_eq!(
        shown(&grid_of("US-CA", 2026).unwrap()),
        "California 207.512 g/kWh (2022; electricity generated there, combustion only; US EPA \
         eGRID2022 (state output rate))"
    );
    assert_eq!(
        shown(&grid_of("CA-QC", 2026).unwrap()),
        "Québec 41 g/kWh (2025; electricity consumed there, life cycle; Electricity Maps, yearly \
         means, as in co2.js)"
    );
}

#[test]
fn the_year_of_the_recording_is_taken_where_the_table_has_it() {
    let year = |of: u16| grid_of("FRA", of).unwrap().intensity.year;
    assert_eq!([year(2023), year(2030), year(2000)], [Some(2023), Some(2025), Some(2018)]);
}

#[test]
fn other_tables_of_a_place_make_a_range() {
    let (least, most) = grid_of("FR", 2026).unwrap().range();
    assert_eq!((least.get(), most.get()), (31.0, 41.79));
}

#[test]
fn an_unknown_place_is_told_with_the_nearest() {
    let error = |zone: &str| grid_of(zone, 2026).unwrap_err().to_string();
    assert!(error("Frannce").contains("FRA (France)"), "{}", error("Frannce"));
    assert!(error("US-CAL").contains("US-CA (California)"), "{}", error("US-CAL"));
    assert_eq!(error("%&"), "no table has the zone \"%&\"");
    let cloud = Some(Place::Cloud("aws/eu-west-33".to_owned()).into());
    let error = Site::of(&SiteOptions { place: cloud, ..SiteOptions::default() }, 2026);
    assert!(error.unwrap_err().nearest.contains(&"aws/eu-west-3 (Europe (Paris))".to_owned()));
}

#[test]
fn a_region_of_a_cloud_has_its_own_figures_or_its_providers() {
    let site = |region: &str| {
        let place = Some(Place::Cloud(region.to_owned()).into());
        Site::of(&SiteOptions { place, ..SiteOptions::default() }, 2026).unwrap()
    };
    let pue = |region: &str| site(region).pue.unwrap();
    assert_eq!(pue("AWS/af-south-1").covers.as_deref(), Some("of the region"));
    assert_eq!(pue("aws/eu-west-3").covers.as_deref(), Some("of all the provider's data centres"));
    let frankfurt = site("google/europe-west3");
    assert_eq!(frankfurt.name, "gcp/europe-west3");
    assert!(frankfurt.pue.is_some() && frankfurt.grid.is_some());
    // What a provider sells as free of carbon is not what its grid emits.
    assert!(site("seeweb/fro2").grid.unwrap().intensity.value.get() > 100.0);
}

#[test]
fn what_a_provider_says_of_a_region_is_beside_its_grid() {
    let site = |region: &str| {
        let place = Some(Place::Cloud(region.to_owned()).into());
        Site::of(&SiteOptions { place, ..SiteOptions::default() }, 2026).unwrap()
    };
    let belgium = site("gcp/europe-west1");
    let carbon_free = belgium.market.carbon_free.unwrap();
    assert_eq!(carbon_free.year, Some(2024));
    assert!(carbon_free.value.get() > 0.0 && carbon_free.value.get() <= 1.0);
    assert!((belgium.market.offset.unwrap().value.get() - 1.0).abs() < 1e-12);
    assert!(belgium.grid.unwrap().intensity.value.get() > 50.0, "neither is subtracted");
    assert_eq!(
        site("aws/eu-west-3").market,
        Market::default(),
        "nothing is said, and nothing is 0"
    );
    for row in rows("cloud_offsets.csv") {
        let region = format!("{}/{}", cell(&row, "provider"), cell(&row, "region"));
        assert!(site(&region).market.offset.is_some(), "{region}");
    }
}

#[test]
fn a_kilowatt_hour_of_known_factors() {
    let site = Site::of(
        &SiteOptions {
            place: Some(Place::Intensity(CarbonIntensity::new(56.0).unwrap()).into()),
            pue: Pue::new(1.2).map(Into::into),
            wue: WaterIntensity::new(1.8).map(Into::into),
            ..SiteOptions::default()
        },
        2026,
    );
    let footprint = Footprint::of(KILOWATT_HOUR, &site.unwrap());
    let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-12;
    assert!(close(footprint.it.get(), 1.0) && close(footprint.facility.get(), 1.2));
    assert!(close(footprint.emissions.unwrap().get(), 67.2));
    // Water on site is per energy of the equipment, not of the facility.
    assert!(close(footprint.water.on_site.unwrap().get(), 1.8));
    assert_eq!(footprint.water.off_site, None);
}

#[test]
fn without_a_place_there_is_a_range_and_no_figure() {
    let footprint = Footprint::of(KILOWATT_HOUR, &Site::of(&SiteOptions::default(), 2026).unwrap());
    assert_eq!(footprint.emissions, None);
    assert_eq!(footprint.water.off_site, None);
    let world = world();
    assert!((footprint.range.0.get() / world.low.get() - 1.0).abs() < 1e-12);
    assert!(world.low < world.mean && world.mean < world.high);
    assert!(world.countries > 200);
}

#[test]
fn the_licence_of_the_zones_is_beside_them() {
    let folder: BTreeSet<_> = fs::read_dir(tables().join("odbl"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(folder, BTreeSet::from(["NOTICE.md", "zone_grids.csv"].map(str::to_owned)));
}
