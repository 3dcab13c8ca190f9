//! `emissions` over time: with a table, with a service, by time, elsewhere and at other hours.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::electricity_maps::{Manner, Service, TOKEN};
use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::small_trace::ten_windows_with_code;

/// A trace of 10 J over a second from 2026-11-23T07:14:00Z on, a joule in each window of 100 ms.
struct Fixture {
    place: Place,
}

impl Fixture {
    fn new() -> Self {
        let place = Place::new();
        ten_windows_with_code(&place.trace());
        Self { place }
    }

    /// Writes a table; its path.
    fn table(&self, rows: &str) -> String {
        let path = self.place.root().join("grid.csv");
        fs::write(&path, format!("start_utc,gco2e_per_kwh\n{rows}")).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// 360 g/kWh in the first 400 ms of the recording, then 720: 100 and 200 ng for a millijoule.
    fn within(&self) -> String {
        self.table(
            "2026-11-23T07:13:59.600Z,360\n2026-11-23T07:14:00.000Z,360\n\
             2026-11-23T07:14:00.400Z,720\n2026-11-23T07:14:00.800Z,720\n",
        )
    }

    fn cache(&self) -> PathBuf {
        self.place.root().join("cache")
    }

    fn command(&self, command: &str, options: &[&str]) -> Command {
        let mut command_line = energy_prof();
        command_line.arg(command).arg(self.place.trace()).args(options);
        command_line.env("XDG_CACHE_HOME", self.cache()).env_remove("ELECTRICITY_MAPS_TOKEN");
        command_line
    }

    fn emissions(&self, options: &[&str]) -> Outcome {
        Outcome::of(&mut self.command("emissions", options))
    }

    fn json(&self, options: &[&str]) -> Value {
        let shown = self.emissions(&[options, &["--json"]].concat()).succeeded().stdout;
        serde_json::from_str(&shown).unwrap()
    }
}

fn sum(report: &Value, field: &str) -> u64 {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().map(|row| row[field].as_u64().unwrap_or(0)).sum()
}

#[test]
fn what_was_used_when_it_was_dirty_emits_more() {
    let fixture = Fixture::new();
    let series = fixture.within();
    for by in ["process", "thread", "function", "domain", "time"] {
        let report = fixture.json(&["--series", &series, "--pue", "1.5", "--by", by]);
        // (4 J × 100 ng/mJ + 6 J × 200 ng/mJ) × 1.5.
        assert_eq!(report["footprint"]["emissions_ng"], 2_400_000, "{by}");
        assert_eq!(sum(&report, "emissions_ng"), 2_400_000, "{by}");
        assert_eq!(sum(&report, "energy_uj"), 10_000_000, "{by}");
        let mean = report["site"]["intensity_gco2e_per_kwh"]["value"].as_f64().unwrap();
        assert!((mean / 576.0 - 1.0).abs() < 1e-12, "{by}: {mean}");
        assert_eq!(report["series"]["steps"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn a_part_of_the_recording_has_the_intensity_of_its_time() {
    let fixture = Fixture::new();
    let series = fixture.within();
    let report = fixture.json(&["--series", &series, "--to", "0.4s"]);
    assert_eq!(report["footprint"]["emissions_ng"], 400_000);
    let report = fixture.json(&["--series", &series, "--from", "0.4s"]);
    assert_eq!(report["footprint"]["emissions_ng"], 1_200_000);
}

#[test]
fn rows_of_time_show_energy_and_intensity() {
    let fixture = Fixture::new();
    let report = fixture.json(&["--series", &fixture.within(), "--by", "time"]);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["kind"], "time");
    assert_eq!(rows[0]["from_utc"], "2026-11-23T07:14:00Z");
    assert_eq!(rows[0]["to_utc"], "2026-11-23T07:14:01Z");
    let shown =
        fixture.emissions(&["--series", &fixture.within(), "--by", "time"]).succeeded().stdout;
    assert!(
        shown.contains("over time    360 … 720 gCO2e/kWh in 3 steps of usually 400 ms"),
        "{shown}"
    );
    assert!(shown.contains("576.0  2026-11-23 07:14:00 UTC"), "{shown}");
    // Without a series there is time as well.
    let report = fixture.json(&["--intensity", "360", "--by", "time"]);
    assert_eq!(sum(&report, "emissions_ng"), 1_000_000);
}

#[test]
fn a_series_outside_the_recording_is_refused() {
    let fixture = Fixture::new();
    let later = fixture.table("2026-11-23T08:00Z,360\n2026-11-23T09:00Z,360\n");
    fixture.emissions(&["--series", &later]).refused(
        2,
        &[
            "covers 2026-11-23 08:00:00 UTC to 2026-11-23 10:00:00 UTC",
            "begin from 2026-11-23 07:14:00",
        ],
    );
    fixture.emissions(&["--series", "/nowhere.csv"]).refused(7, &["/nowhere.csv"]);
    let none = fixture.table("hello\n");
    fixture.emissions(&["--series", &none]).refused(7, &["grid.csv"]);
    fixture.emissions(&["--series", &later, "--intensity", "5"]).refused(2, &["--intensity"]);
    fixture.emissions(&["--when"]).refused(2, &["--series FILE.csv"]);
    fixture.emissions(&["--electricity-maps"]).refused(2, &["--zone FR"]);
}

#[test]
fn a_flame_graph_and_exports_take_the_mean() {
    let fixture = Fixture::new();
    let series = fixture.within();
    let picture = fixture.place.root().join("emissions.svg");
    let mut draw = fixture.command("flamegraph", &["--unit", "gco2e", "--series", &series, "-o"]);
    Outcome::of(draw.arg(&picture)).succeeded();
    assert!(fs::read_to_string(&picture).unwrap().contains("ngCO2e"));
    let mut export = fixture.command("export", &["--format", "codecarbon", "--series", &series]);
    let row = Outcome::of(&mut export).succeeded().stdout;
    let mut table = csv::Reader::from_reader(row.as_bytes());
    let column = table.headers().unwrap().iter().position(|name| name == "emissions").unwrap();
    let row = table.records().next().unwrap().unwrap();
    // 1.6 mg, in kilograms.
    assert!((row[column].parse::<f64>().unwrap() / 1.6e-6 - 1.0).abs() < 1e-9, "{row:?}");
}

#[test]
fn a_service_is_asked_once_and_not_again() {
    let fixture = Fixture::new();
    let service = Service::start(Manner::Hourly("data"));
    let ask = |token: Option<&str>| {
        let options =
            ["--zone", "France", "--electricity-maps", "--electricity-maps-url", &service.url];
        let mut command = fixture.command("emissions", &options);
        command.arg("--json").envs(token.map(|token| ("ELECTRICITY_MAPS_TOKEN", token)));
        Outcome::of(&mut command)
    };
    ask(None).refused(2, &["ELECTRICITY_MAPS_TOKEN has no token"]);
    ask(Some("wrong")).refused(11, &["not valid for this zone"]);
    let report: Value = serde_json::from_str(&ask(Some(TOKEN)).succeeded().stdout).unwrap();
    // 10 J at 100 g/kWh.
    assert_eq!(report["footprint"]["emissions_ng"], 277_778);
    assert_eq!(report["series"]["zone"], "FR");
    assert_eq!(report["site"]["name"], "France");
    assert_eq!(service.asked().len(), 2);
    let again: Value = serde_json::from_str(&ask(None).succeeded().stdout).unwrap();
    assert_eq!(again, report);
    assert_eq!(service.asked(), [""; 0]);
}

#[test]
fn the_day_before_is_asked_for_where_other_hours_are_looked_at() {
    let fixture = Fixture::new();
    let service = Service::start(Manner::Hourly("history"));
    let options = ["--cloud", "aws/eu-west-3", "--electricity-maps", "--when", "--json"];
    let mut command = fixture.command("emissions", &options);
    command.args(["--electricity-maps-url", &service.url]).env("ELECTRICITY_MAPS_TOKEN", TOKEN);
    let report: Value =
        serde_json::from_str(&Outcome::of(&mut command).succeeded().stdout).unwrap();
    assert!(service.asked()[0].contains("zone=FR&start=2026-11-22"), "the zone of the region");
    let found = report["alternatives"].as_array().unwrap();
    assert_eq!(found.len(), 25);
    // Each hour emits 10 g more than the one before, and the recording was in the last.
    assert_eq!(found[0]["start_utc"], "2026-11-22T07:00:00Z");
    let least = found[0]["change_percent"].as_f64().unwrap();
    assert!((least - (100.0 / 340.0 - 1.0) * 100.0).abs() < 1e-9, "{least}");
    assert_eq!(found[24]["change_percent"].as_f64().map(f64::abs), Some(0.0));
}

#[test]
fn other_places_come_best_first() {
    let fixture = Fixture::new();
    let options = ["--intensity", "360", "--pue", "1.5", "--what-if", "PL,NO,aws/eu-west-3"];
    let report = fixture.json(&options);
    assert_eq!(report["emissions_ng"], 1_500_000);
    let found = report["alternatives"].as_array().unwrap();
    let names: Vec<&str> = found.iter().map(|it| it["site"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Norway", "aws/eu-west-3", "Poland"]);
    for it in found {
        let grams = it["intensity_gco2e_per_kwh"].as_f64().unwrap();
        let change = it["change_percent"].as_f64().unwrap();
        assert!((change - (grams / 360.0 - 1.0) * 100.0).abs() < 1e-9, "{it}");
        assert_eq!(it["site"]["pue"]["value"], 1.5);
    }
    let shown = fixture.emissions(&options).succeeded().stdout;
    assert!(shown.contains("Norway (2025;") || shown.contains("Norway (20"), "{shown}");
    fixture.emissions(&["--what-if", "Norwegen"]).refused(2, &["NOR (Norway)"]);
    // Without a place there is nothing to compare with, and still an order.
    let report = fixture.json(&["--what-if", "PL,NO"]);
    assert_eq!(report["alternatives"][0]["site"]["name"], "Norway");
    assert_eq!(report["alternatives"][0]["change_percent"], Value::Null);
}

#[test]
fn other_hours_come_best_first() {
    let fixture = Fixture::new();
    let series = fixture.table(
        "2026-11-23T06:00Z,720\n2026-11-23T07:00Z,360\n2026-11-23T08:00Z,36\n2026-11-23T09:00Z,360\n",
    );
    let report = fixture.json(&["--series", &series, "--when"]);
    assert_eq!(report["emissions_ng"], 1_000_000);
    let found: Vec<(&str, u64)> = report["alternatives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["start_utc"].as_str().unwrap(), it["emissions_ng"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("2026-11-23T08:00:00Z", 100_000),
            ("2026-11-23T07:00:00Z", 1_000_000),
            ("2026-11-23T09:00:00Z", 1_000_000),
            ("2026-11-23T06:00:00Z", 2_000_000),
        ]
    );
    let shown =
        fixture.emissions(&["--series", &series, "--when", "--top", "1"]).succeeded().stdout;
    assert!(shown.contains("-90.0 %") && shown.contains("+100.0 %"), "{shown}");
    assert!(!shown.contains("09:00:00 UTC\n"), "{shown}");
    // Another day's series will do.
    let other = fixture.table("2025-01-01T06:00Z,720\n2025-01-01T07:00Z,360\n");
    let report = fixture.json(&["--series", &other, "--when"]);
    assert_eq!(report["emissions_ng"], Value::Null);
    assert_eq!(report["alternatives"][0]["emissions_ng"], 1_000_000);
}
