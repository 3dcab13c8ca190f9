//! `energy-prof.toml`: where it is found, what counts before it, and what it may not say.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::small_trace::ten_windows_recorded;

/// A working directory with a trace in it.
struct Work {
    place: Place,
}

impl Work {
    /// Of a recording of another machine.
    fn new() -> Self {
        Self::recorded("bench", &[])
    }

    fn recorded(hostname: &str, options: &[(&str, &str)]) -> Self {
        let place = Place::new();
        ten_windows_recorded(&place.trace(), hostname, options);
        Self { place }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.place.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Where the working directory is, as processes see it.
    fn root(&self) -> PathBuf {
        self.place.root().canonicalize().unwrap()
    }

    fn run(&self, command: &str, options: &[&str]) -> Outcome {
        let mut program = energy_prof();
        program.current_dir(self.place.root()).env("XDG_CONFIG_HOME", self.root().join("user"));
        Outcome::of(program.arg(command).args(options))
    }

    fn site(&self, options: &[&str]) -> Value {
        let shown = self.run("emissions", &[options, &["--json"]].concat()).succeeded().stdout;
        serde_json::from_str::<Value>(&shown).unwrap()["site"].clone()
    }
}

fn this_machine() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

const FRANCE: &str = "zone = \"FR\"\npue = 1.3\nembodied = \"1200kg\"\n";

#[test]
fn the_file_of_the_working_directory_is_used_and_named() {
    let work = Work::new();
    work.write("energy-prof.toml", FRANCE);
    let path = work.root().join("energy-prof.toml");
    let said = Value::from(path.to_str().unwrap());
    let site = work.site(&[]);
    assert_eq!((&site["zone"], &site["said_by"]), (&"FRA".into(), &said));
    assert_eq!((&site["pue"]["value"], &site["pue"]["source"]), (&1.3.into(), &said));
    assert_eq!(site["embodied"]["total_gco2e"]["source"], said);
    let shown = work.run("emissions", &[]).succeeded().stdout;
    assert!(shown.contains(&format!("site         France ({})\n", path.display())), "{shown}");
    let exported = work.run("export", &["--format", "codecarbon"]).succeeded().stdout;
    assert!(exported.contains(",France,FRA,"), "{exported}");
}

#[test]
fn the_command_line_counts_first_then_the_recording_then_the_file() {
    let work = Work::recorded("bench", &[("zone", "DE"), ("wue", "0.2"), ("embodied", "900kg")]);
    work.write("energy-prof.toml", "zone = \"DE\"\npue = 1.3\nwue = 1\nlifespan = \"5y\"\n");
    let site = work.site(&["--resource-share", "0.5"]);
    assert_eq!(site["said_by"], "given when it was recorded");
    assert_eq!(
        (&site["pue"]["value"], &site["wue_l_per_kwh"]["value"]),
        (&1.3.into(), &0.2.into())
    );
    let embodied = &site["embodied"];
    assert_eq!(embodied["total_gco2e"]["value"], 900_000.0);
    assert_eq!(embodied["total_gco2e"]["source"], "given when it was recorded");
    assert_eq!(embodied["lifespan_hours"]["value"], 43_800.0);
    assert_eq!((&embodied["resource_share"]["source"]), "given");
    // Elsewhere, neither the recording's PUE and WUE hold nor the file's; the machine is the same.
    let norway = work.site(&["--zone", "NO"]);
    assert_eq!((&norway["zone"], &norway["said_by"]), (&"NOR".into(), &Value::Null));
    assert_eq!((&norway["pue"], &norway["wue_l_per_kwh"]), (&Value::Null, &Value::Null));
    assert_eq!(norway["embodied"]["total_gco2e"]["value"], 900_000.0);
}

#[test]
fn a_recording_tells_which_file_it_was_told_by() {
    let kept = [("zone", "FR"), ("zone-from", "/etc/site.toml"), ("pue", "1.1"), ("wue", "none")];
    let site = Work::recorded("bench", &kept).site(&[]);
    assert_eq!(site["said_by"], "/etc/site.toml, given when it was recorded");
    assert_eq!(site["pue"]["source"], "given when it was recorded");
    // Of a later version, perhaps.
    assert_eq!(site["wue_l_per_kwh"], Value::Null);
}

#[test]
fn a_file_that_is_named_is_the_only_one() {
    let work = Work::new();
    work.write("energy-prof.toml", FRANCE);
    let other = work.write("other.toml", "cloud = \"aws/eu-west-3\"\n");
    let site = work.site(&["--config", other.to_str().unwrap()]);
    assert_eq!(site["name"], "aws/eu-west-3");
    assert_eq!(site["embodied"], Value::Null);
    assert_eq!(work.site(&["--config", "/dev/null"])["zone"], Value::Null);
    work.run("emissions", &["--config", "none.toml"]).refused(7, &["none.toml", "No such file"]);
}

#[test]
fn what_describes_this_machine_is_not_said_of_another() {
    let other = Work::new();
    other.write("user/energy-prof/energy-prof.toml", FRANCE);
    let outcome = other.run("emissions", &["--json"]).succeeded();
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["site"]["zone"], Value::Null);
    assert!(outcome.stderr.contains("not used for a recording of bench"), "{}", outcome.stderr);
    let here = Work::recorded(&this_machine(), &[]);
    here.write("user/energy-prof/energy-prof.toml", FRANCE);
    assert_eq!(here.site(&[])["zone"], "FRA");
    // Hardware that was not measured stands there, too, but is not what the file says was made.
    let shown = other.run("estimate", &["--watts", "100", "--hours", "1", "--json"]).succeeded();
    let estimate: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(estimate["site"]["zone"], "FRA");
    assert_eq!(estimate["site"]["embodied"], Value::Null);
}

#[test]
fn a_series_lies_beside_the_file_and_holds_for_its_place() {
    let work = Work::new();
    work.write(
        "site/grid.csv",
        "start_utc,gco2e_per_kwh\n2026-11-23T07:00:00Z,360\n2026-11-23T08:00:00Z,720\n",
    );
    let file = work.write("site/energy-prof.toml", "zone = \"FR\"\nseries = \"grid.csv\"\n");
    let config = ["--config", file.to_str().unwrap()];
    let intensity = |site: Value| site["intensity_gco2e_per_kwh"]["value"].clone();
    assert_eq!(intensity(work.site(&config)), 360.0);
    let best = work.run("emissions", &[&config[..], &["--when"]].concat()).succeeded().stdout;
    assert!(best.contains("+100.0 %"), "{best}");
    // Another place has another grid, and its yearly mean.
    assert_ne!(intensity(work.site(&[&config[..], &["--zone", "NO"]].concat())), 360.0);
    assert_eq!(intensity(work.site(&[&config[..], &["--intensity", "5"]].concat())), 5.0);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_file() {
    let refused = |text: &str, words: &[&str]| {
        let work = Work::new();
        work.write("energy-prof.toml", text);
        let path = work.root().join("energy-prof.toml");
        work.run("emissions", &[]).refused(7, &[&[path.to_str().unwrap()], words].concat());
        assert!(Path::new(&path).exists());
    };
    refused("intensty = 5\n", &["unknown key \"intensty\"", "meant: intensity"]);
    refused("zone = \"FR\"\ncloud = \"aws/eu-west-3\"\n", &["keep one of them"]);
    refused("pue = 0.5\n", &["a PUE is 1 or more"]);
    refused("zone = FR\n", &["no TOML in line 1"]);
    let alone = Work::new();
    alone.write("energy-prof.toml", "lifespan = \"4y\"\n");
    assert_eq!(alone.site(&[])["embodied"], Value::Null, "it waits for --embodied");
    alone.write("energy-prof.toml", "zone = \"Norwegen\"\n");
    alone.run("emissions", &[]).refused(2, &["energy-prof.toml", "NOR (Norway)"]);
}
