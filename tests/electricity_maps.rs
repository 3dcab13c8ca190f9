//! Intensities from a service that speaks Electricity Maps' API: what is asked, kept, and refused.

use std::time::Duration;

use energy_prof::emissions::electricity_maps::{ElectricityMaps, ElectricityMapsOptions};
use energy_prof::emissions::series::{IntensitySeries, Step, StepKind};
use energy_prof::emissions::{electricity_maps_zone, electricity_maps_zone_of_cloud};
use energy_prof::units::WallTime;
use tempfile::TempDir;

use crate::support::electricity_maps::{Manner, Service, TOKEN};

/// 2026-11-23T00:00:00Z.
const DAY_NS: i64 = 1_795_392_000_000_000_000;

fn minute(number: i64) -> WallTime {
    WallTime::from_epoch_nanos(DAY_NS + number * 60_000_000_000)
}

/// Asks for so many minutes from 7:14 on.
fn ask(
    url: &str,
    token: Option<&str>,
    cache: &TempDir,
    minutes: i64,
) -> Result<IntensitySeries, String> {
    let service = ElectricityMaps::new(ElectricityMapsOptions {
        address: url.to_owned(),
        token: token.map(str::to_owned),
        cache: cache.path().to_owned(),
        patience: Duration::from_mins(1),
    });
    let service = service.map_err(|error| error.to_string())?;
    let series = service.series("FR", minute(434), minute(434 + minutes));
    series.map_err(|error| error.to_string())
}

fn grams(series: &IntensitySeries) -> Vec<f64> {
    series.steps().iter().map(|step| step.intensity.get()).collect()
}

#[test]
fn the_whole_hours_of_a_recording_are_asked_for_once_and_then_on_disk() {
    let cache = tempfile::tempdir().unwrap();
    for list in ["data", "history", "forecast"] {
        let service = Service::start(Manner::Hourly(list));
        let series = ask(&service.url, Some(TOKEN), &cache, 120).unwrap();
        assert_eq!(grams(&series), [100.0, 110.0, 120.0]);
        assert_eq!(series.covers(), (minute(420), minute(600)));
        let asked: Vec<String> =
            service.asked().iter().map(|path| path.replace("%3A", ":")).collect();
        assert_eq!(
            asked,
            ["/v3/carbon-intensity/past-range?zone=FR&start=2026-11-23T07:00:00Z&\
              end=2026-11-23T10:00:00Z&temporalGranularity=hourly&emissionFactorType=lifecycle"]
        );
        assert_eq!(ask(&service.url, None, &cache, 120).unwrap(), series, "no token is needed");
        assert_eq!(service.asked(), [""; 0]);
    }
}

#[test]
fn long_recordings_are_asked_for_in_stretches() {
    let cache = tempfile::tempdir().unwrap();
    let service = Service::start(Manner::Hourly("data"));
    let series = ask(&service.url, Some(TOKEN), &cache, 500 * 60).unwrap();
    assert_eq!(series.steps().len(), 501);
    assert_eq!(service.asked().len(), 3);
    // Each stretch begins anew at 100 g.
    assert_eq!(grams(&series)[239..241], [2490.0, 100.0]);
    assert_eq!(ask(&service.url, None, &cache, 500 * 60).unwrap(), series);
}

#[test]
fn hours_without_a_value_are_filled_and_estimated_ones_told() {
    let cache = tempfile::tempdir().unwrap();
    let service = Service::start(Manner::WithHoles);
    let series = ask(&service.url, Some(TOKEN), &cache, 300).unwrap();
    assert_eq!(grams(&series), [100.0, 110.0, 120.0, 130.0, 140.0, 150.0]);
    let kinds: Vec<StepKind> = series.steps().iter().map(|step| step.kind).collect();
    let (told, filled) = (StepKind::Told, StepKind::Filled);
    assert_eq!(kinds, [told, filled, told, StepKind::Estimated, filled, told]);
    let used: Vec<&Step> = series.steps().iter().collect();
    let remarks = series.remarks(&used);
    assert!(remarks[0].starts_with("2 h without a value are filled"), "{remarks:?}");
    assert_eq!(remarks[1], "1 h without a measurement are estimated by the source");
}

fn refused(manner: Manner, token: Option<&str>, words: &[&str]) {
    let cache = tempfile::tempdir().unwrap();
    let service = Service::start(manner);
    let error = ask(&service.url, token, &cache, 5).unwrap_err();
    for word in words {
        assert!(error.contains(word), "{word:?} is missing in {error:?}");
    }
    assert!(!error.contains('\n') && !error.ends_with('.'), "{error:?}");
    assert!(!cache.path().join("electricity-maps").exists(), "nothing is kept");
    assert!(service.asked().len() <= 1, "no redirection is followed, and nothing asked again");
}

#[test]
fn a_service_that_says_no_is_told_in_a_sentence() {
    let token = Some(TOKEN);
    let hourly = Manner::Hourly("data");
    refused(hourly, Some("another"), &["not valid for this zone, or over its limit (401)"]);
    refused(hourly, None, &["ELECTRICITY_MAPS_TOKEN has no token", "--series"]);
    refused(hourly, Some("two\r\nlines: x"), &["has no token"]);
    refused(Manner::Status(404), token, &["FR from http://127.0.0.1:", "no such zone", "(404)"]);
    refused(Manner::Status(429), token, &["over its limit (429)"]);
    refused(Manner::Status(302), token, &["answers 302"]);
    refused(Manner::Status(503), token, &["out of order (503)"]);
    refused(Manner::Text("<html>hello</html>"), token, &["not the JSON", "version 3"]);
    refused(Manner::Text(r#"{"error":"x"}"#), token, &["missing field"]);
    refused(
        Manner::Text(r#"{"data":[{"carbonIntensity":-1,"datetime":"2026-11-23T07:00:00Z"}]}"#),
        token,
        &["-1 is no intensity"],
    );
    refused(Manner::CutOff, token, &["cannot get the intensities"]);
    refused(
        Manner::Nothing,
        token,
        &["it has nothing from 2026-11-23 07:00:00 UTC to 2026-11-23 08:00:00"],
    );
}

#[test]
fn a_service_that_never_answers_is_given_up() {
    let cache = tempfile::tempdir().unwrap();
    let service = Service::start(Manner::Silence);
    let asked = ElectricityMaps::new(ElectricityMapsOptions {
        address: service.url,
        token: Some(TOKEN.to_owned()),
        cache: cache.path().to_owned(),
        patience: Duration::from_millis(50),
    });
    let error = asked.unwrap().series("FR", minute(0), minute(1)).unwrap_err().to_string();
    assert!(error.contains("did not answer within 50.0 ms; try again later"), "{error}");
}

#[test]
fn addresses_and_zones_that_are_none_are_refused() {
    let cache = tempfile::tempdir().unwrap();
    let error = ask("api.example.org", Some(TOKEN), &cache, 1).unwrap_err();
    assert!(error.contains("write it as https://"), "{error}");
    let service = ElectricityMaps::new(ElectricityMapsOptions {
        address: "http://127.0.0.1:1".to_owned(),
        token: Some(TOKEN.to_owned()),
        cache: cache.path().to_owned(),
        patience: Duration::from_mins(1),
    });
    let service = service.unwrap();
    for zone in ["", "../../etc", "FR&x=y"] {
        let error = service.series(zone, minute(0), minute(1)).unwrap_err().to_string();
        assert!(error.contains("is no zone of Electricity Maps"), "{error}");
    }
    let error = service.series("FR", minute(0), minute(1)).unwrap_err().to_string();
    assert!(error.contains("it cannot be reached"), "{error}");
}

#[test]
fn what_is_kept_and_damaged_is_asked_for_again() {
    let cache = tempfile::tempdir().unwrap();
    let service = Service::start(Manner::Hourly("data"));
    let series = ask(&service.url, Some(TOKEN), &cache, 5).unwrap();
    let host = std::fs::read_dir(cache.path().join("electricity-maps")).unwrap().next();
    let kept = host.unwrap().unwrap().path().join("FR/2026-11-23T07_2026-11-23T08.json");
    std::fs::write(&kept, "{\"data\":[").unwrap();
    assert_eq!(ask(&service.url, Some(TOKEN), &cache, 5).unwrap(), series);
    assert_eq!(service.asked().len(), 2);
    assert_eq!(ask(&service.url, None, &cache, 5).unwrap(), series);
}

#[test]
fn zones_have_the_names_that_electricity_maps_gives_them() {
    let zones = ["France", "FRA", "fr", "SE3", "US-CAL-CISO", "XX-NEW"].map(electricity_maps_zone);
    assert_eq!(zones, ["FR", "FR", "FR", "SE-SE3", "US-CAL-CISO", "XX-NEW"]);
    let cloud = electricity_maps_zone_of_cloud("aws/af-south-1").unwrap();
    assert_eq!(cloud.as_deref(), Some("ZA"));
    assert!(electricity_maps_zone_of_cloud("aws/mars").is_err());
}
