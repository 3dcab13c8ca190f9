//! The ML CO2 Impact calculator's own tables, all hardware in all regions: the same arithmetic, and how far its
//! rounding takes it from that.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use energy_prof::emissions::{Place, Site, SiteOptions};
use energy_prof::estimate::{Devices, Hardware, HardwareKind, Job, hardware};
use energy_prof::units::{CarbonIntensity, Share, Watts};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Debug, Deserialize)]
struct Region {
    provider: String,
    #[serde(rename = "region")]
    name: String,
    g_per_kwh: f64,
    offset_percent: f64,
}

#[derive(Debug, Deserialize)]
struct Device {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    tdp_watts: f64,
}

fn rows<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/mlco2");
    let table = csv::Reader::from_reader(File::open(tables.join(name)).unwrap());
    table.into_deserialize().collect::<Result<_, _>>().unwrap()
}

/// What the calculator shows: `toFixed(2)`, which rounds what lies exactly between up.
fn two_digits(number: f64) -> f64 {
    let exact = format!("{number:.60}");
    let (_, decimals) = exact.split_once('.').unwrap();
    let between = decimals[2..].trim_end_matches('0') == "5";
    let shown: f64 =
        format!("{:.2}", if between { number + 1e-6 } else { number }).parse().unwrap();
    shown
}

fn emitted(watts: f64, hours: u64, g_per_kwh: f64) -> f64 {
    let hardware = Hardware {
        name: "device".to_owned(),
        power: Watts::new(watts),
        released: None,
        source: "given".to_owned(),
    };
    let job = Job {
        devices: vec![Devices { hardware, count: 1 }],
        lasted: Duration::from_hours(hours),
        load: Share::of(1, 1).unwrap(),
    };
    let place = Place::Intensity(CarbonIntensity::new(g_per_kwh).unwrap());
    let options = SiteOptions { place: Some(place.into()), ..SiteOptions::default() };
    job.footprint(&Site::of(&options, 2026).unwrap()).emissions.unwrap().kilograms()
}

#[test]
fn all_hardware_in_all_regions_is_the_calculators_arithmetic() {
    let (devices, regions) = (rows::<Device>("hardware.csv"), rows::<Region>("regions.csv"));
    assert_eq!((devices.len(), regions.len()), (48, 82));
    let mut furthest: f64 = 0.0;
    for Device { tdp_watts, name, .. } in &devices {
        for Region { g_per_kwh, name: region, .. } in &regions {
            for hours in [1, 48, 100] {
                let which = format!("{name} in {region} for {hours} h");
                let found = emitted(*tdp_watts, hours, *g_per_kwh);
                let kilowatt_hours = tdp_watts * f64::from(u32::try_from(hours).unwrap()) / 1_000.0;
                let kilograms = kilowatt_hours * g_per_kwh / 1_000.0;
                assert!((found - kilograms).abs() <= 1e-12 * kilograms, "{which}");
                // It rounds the energy, the factor in kg/kWh and the product to two digits each.
                let energy = two_digits(kilowatt_hours);
                let factor = two_digits(g_per_kwh / 1_000.0);
                let shown = two_digits(energy * factor);
                let by_rounding = 0.005 * (energy + g_per_kwh / 1_000.0 + 1.0) + 1e-9;
                assert!((found - shown).abs() <= by_rounding, "{which}: {found}, {shown}");
                furthest = furthest.max((found - shown).abs() / found.max(0.01));
                // What it shows is what its own rounded factors come to here.
                let rounded = energy * 1_000.0 / f64::from(u32::try_from(hours).unwrap());
                let again = emitted(rounded, hours, factor * 1_000.0);
                assert!((two_digits(again) - shown).abs() < 0.010_001, "{which}: {again}, {shown}");
            }
        }
    }
    // 16 g/kWh becomes 0.02 kg/kWh, a quarter more.
    assert!(furthest > 0.2, "{furthest}");
}

#[test]
fn offsets_are_what_its_table_says() {
    let said: Vec<Region> = rows("regions.csv");
    let offset = |provider: &str, region: &str| {
        let place = Some(Place::Cloud(format!("{provider}/{region}")).into());
        let site = Site::of(&SiteOptions { place, ..SiteOptions::default() }, 2026).unwrap();
        site.market.offset.map(|share| share.value.percent())
    };
    for Region { provider, name: region, offset_percent, .. } in &said {
        let region = if region.is_empty() { "default" } else { region };
        let known = Place::Cloud(format!("{provider}/{region}"));
        let options = SiteOptions { place: Some(known.into()), ..SiteOptions::default() };
        // Regions that are no more are in no table of ours.
        if Site::of(&options, 2026).is_ok() {
            let expected = (*offset_percent > 0.0).then_some(*offset_percent);
            assert_eq!(offset(provider, region), expected, "{provider}/{region}");
        }
    }
}

#[test]
fn its_hardware_is_found_by_the_names_it_has_there() {
    let devices: Vec<Device> = rows("hardware.csv");
    let mut differing = Vec::new();
    for Device { name, kind, tdp_watts } in &devices {
        let kind = if kind == "cpu" { HardwareKind::Cpu } else { HardwareKind::Gpu };
        match hardware(kind, name) {
            Ok(found) if (found.power.get() - tdp_watts).abs() < 1e-9 => {}
            Ok(found) => differing.push(format!("{name}: {tdp_watts}, here {}", found.power.get())),
            Err(error) => differing.push(format!("{name}: {error}")),
        }
    }
    insta::assert_snapshot!(differing.join("\n"));
}
