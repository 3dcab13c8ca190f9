//! Logs of other tools become traces: what holds for all of them, and what is said of the rest.

use std::path::Path;

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::import::{FormatChoice, Missing};
use energy_prof::trace::SessionState;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::imported::{ImportedTrace, fixture, import_with, imported, refused};
use crate::support::outcome::Outcome;

const FIXTURES: [&str; 7] = [
    "power-gadget.csv",
    "turbostat-packages.txt",
    "turbostat-joules.txt",
    "turbostat-amd.txt",
    "nvidia-smi.csv",
    "nvidia-smi-nounits.csv",
    "emissions.csv",
];

fn import_command(log: &Path, place: &Place, options: &[&str]) -> Outcome {
    let mut command = energy_prof();
    Outcome::of(command.arg("import").arg(log).arg("-o").arg(place.trace()).args(options))
}

fn report(place: &Place, options: &[&str]) -> Outcome {
    Outcome::of(energy_prof().arg("report").arg(place.trace()).args(options))
}

#[test]
fn every_kind_of_log_gets_a_report_that_says_why_nobody_is_charged() {
    for log in FIXTURES {
        let place = Place::new();
        let said = import_command(&fixture(log), &place, &[]).succeeded();
        assert_eq!(said.stdout, "");
        assert!(said.stderr.contains("--by domain"), "{}", said.stderr);
        let shown = report(&place, &[]).succeeded().stdout;
        assert!(shown.contains("none by process: a log of "), "{log}: {shown}");
        for nonsense in ["[unattributed]", "do not say who ran", "coverage", "idle policy"] {
            assert!(!shown.contains(nonsense), "{log}: {shown}");
        }
        let domains = report(&place, &["--by", "domain"]).succeeded().stdout;
        assert!(!domains.contains("unattributed"), "{domains}");
        let code = ["--by", "function"];
        report(&place, &code).refused(7, &["has no threads", "--by domain"]);
    }
}

#[test]
fn json_has_the_total_and_says_where_it_is_from() {
    let place = Place::new();
    import_command(&fixture("power-gadget.csv"), &place, &[]).succeeded();
    let shown = report(&place, &["--json", "--by", "domain"]).succeeded().stdout;
    let report: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(report["total"]["measured_uj"], 27_981_365 + 2_070_415);
    assert_eq!(report["total"]["provenance"], "measured");
    let imported = &report["recording"]["imported"];
    assert_eq!(
        (&imported["format"], &imported["tool"]),
        (&"power-gadget".into(), &"Intel Power Gadget".into())
    );
    assert!(imported["note"].as_str().unwrap().contains("has no threads"));
    assert_eq!(report["rows"][0]["name"], "package-0");
}

#[test]
fn a_trace_of_a_log_is_complete_and_has_no_threads() {
    let trace = ImportedTrace::of_fixture("nvidia-smi.csv");
    let session = trace.reader.session();
    assert_eq!(session.state, SessionState::Complete);
    assert_eq!(session.imported.as_ref().unwrap().tool, "nvidia-smi");
    assert_eq!(trace.reader.threads().unwrap().len(), 0);
    assert_eq!(session.losses.energy_gaps, 0);
}

#[test]
fn a_trace_that_is_there_is_kept_unless_forced() {
    let place = Place::new();
    let log = fixture("nvidia-smi.csv");
    import_command(&log, &place, &[]).succeeded();
    import_command(&log, &place, &["--force"]).succeeded();
    let old = place.root().join("energy.trace.old");
    assert!(!old.exists());
    import_command(&log, &place, &[]).succeeded();
    assert!(old.exists());
}

#[test]
fn a_log_of_no_known_kind_is_refused_with_all_that_was_tried() {
    let place = Place::new();
    let log = place.root().join("notes.txt");
    std::fs::write(&log, "milk, eggs\n2 l, 12\n").unwrap();
    let tried = ["Intel Power Gadget", "turbostat", "nvidia-smi", "CodeCarbon", "--format"];
    import_command(&log, &place, &[]).refused(7, &tried);
    assert!(!place.trace().exists());
    let named = import_command(&log, &place, &["--format", "nvidia-smi"]);
    named.refused(7, &["as a log of nvidia-smi", "no line of headers"]);
    import_command(&log, &place, &["--format", "abacus"]).refused(2, &["abacus", "turbostat"]);
}

#[test]
fn files_that_are_no_logs_are_refused_in_one_sentence() {
    let place = Place::new();
    let missing = place.root().join("none.csv");
    import_command(&missing, &place, &[]).refused(7, &["none.csv", "no such file"]);
    import_command(place.root(), &place, &[]).refused(7, &["is a directory"]);
    for empty in ["", "\u{feff}", " \r\n\n"] {
        assert!(refused(empty).contains("is empty"), "{empty:?}");
    }
    // Noise, and Parquet.
    let noise: Vec<u8> = (0..4096_u32).map(|n| u8::try_from(n * 7919 % 256).unwrap()).collect();
    assert!(refused(noise).contains("no log of a kind known here"));
    assert!(refused(b"PAR1\0\0\0\0").contains("no log of a kind known here"));
}

#[test]
fn a_format_can_be_named_and_is_then_not_looked_for() {
    let log = std::fs::read(fixture("turbostat-joules.txt")).unwrap();
    let named: FormatChoice = "turbostat".parse().unwrap();
    assert!(import_with(&log, Missing::default(), Some(named)).is_ok());
    let wrong: FormatChoice = "codecarbon".parse().unwrap();
    let said = import_with(&log, Missing::default(), Some(wrong)).err().unwrap().to_string();
    assert!(said.contains("as a log of CodeCarbon: it has no line of headers"), "{said}");
}

#[test]
fn times_from_the_ends_of_time_overflow_nothing() {
    let logs = [
        "Elapsed Time (sec),Processor Power_0(Watt)\n9.2e9,90000\n1e300,5\n1.8e10,5\n9.2e9,5\n",
        "9200000000 sec\nPkgWatt\n90000.00\n9200000000 sec\nPkgWatt\n90000.00\n9200000000 sec\nPkgWatt\n1.00\n",
        "Time_Of_Day_Seconds\tPkgWatt\n0.000001\t90000.00\n9200000000.000000\t90000.00\n",
        "timestamp, power.draw [W]\n1970-01-01 00:00:00, 90000 W\n2262-01-01 00:00:00, 90000 W\n\
         2262-02-01 00:00:00, 1 W\n9999-12-31 23:59:59, 1 W\n",
        "timestamp,duration,cpu_energy,energy_consumed\n1970-01-01T00:00:01,3e9,1e7,1e7\n\
         2262-04-11T00:00:00,3.2e9,1e7,1e7\n",
    ];
    for log in logs {
        if let Err(error) = import_with(log, Missing::default(), None) {
            let error = error.to_string();
            assert!(error.contains("more than a trace can hold"), "{error}");
        }
    }
}

/// Readings of power: watts in hundredths, and milliseconds since the reading before.
fn readings() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0..50_000_u64, 900..1_100_u64), 2..60)
}

/// A time of the log, so many milliseconds after ten o'clock.
fn clock(ms: u64) -> String {
    format!("2024/05/13 10:{:02}:{:02}.{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn integrated_power_closes_to_the_microjoule(readings in readings()) {
        let mut text = "timestamp, index, power.draw [W]\n".to_owned();
        let (mut at, mut last, mut twice) = (0, None, 0);
        for (hundredths, after) in readings {
            at += after;
            text.push_str(&format!("{}, 0, {}.{:02} W\n", clock(at), hundredths / 100, hundredths % 100));
            // Hundredths of a watt times milliseconds are 10 µJ.
            twice += last.map_or(0, |last| (last + hundredths) * after * 10);
            last = Some(hundredths);
        }
        prop_assert_eq!(imported(text).sum_uj("gpu-0"), twice / 2);
    }

    #[test]
    fn a_cumulative_counter_closes_to_the_microjoule(readings in readings()) {
        let mut text = "Elapsed Time (sec),Cumulative Processor Energy_0(Joules)\n".to_owned();
        let (mut at, mut millijoules) = (0, 0);
        for (advance, after) in readings {
            at += after;
            millijoules += advance;
            let joules = format!("{}.{:03}", millijoules / 1000, millijoules % 1000);
            text.push_str(&format!("{}.{:03},{joules}\n", at / 1000, at % 1000));
        }
        prop_assert_eq!(imported(text).sum_uj("package-0"), millijoules * 1000);
    }

    #[test]
    fn mean_power_closes_to_the_microjoule(readings in readings(), odd in 0..1000_u64) {
        let mut text = "Time_Of_Day_Seconds\tPkgWatt\n".to_owned();
        let (mut at_us, mut sum, mut first) = (1_715_595_751_000_000, 0, None);
        for (hundredths, after_ms) in readings {
            let after_us = after_ms * 1000 + odd;
            at_us += after_us;
            let time = format!("{}.{:06}", at_us / 1_000_000, at_us % 1_000_000);
            text.push_str(&format!("{time}\t{}.{:02}\n", hundredths / 100, hundredths % 100));
            match first {
                None => first = Some(hundredths),
                Some(unknown) => {
                    // The first interval is taken to be as long as the second.
                    sum += (unknown + hundredths) * after_us;
                    first = Some(0);
                }
            }
        }
        // Hundredths of a watt times microseconds are hundredths of a microjoule.
        prop_assert_eq!(imported(text).sum_uj("package"), sum / 100);
    }

    #[test]
    fn no_damage_whatever_makes_it_fall_over(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        cut in any::<prop::sample::Index>(),
        lines in prop::collection::vec("[ -~\t§\"]{0,60}", 0..6),
        fixture_index in 0..FIXTURES.len(),
    ) {
        let mut log = std::fs::read(fixture(FIXTURES[fixture_index])).unwrap();
        for (place, byte) in damage {
            let place = place.index(log.len());
            // Digits and commas make the damage that can be read.
            log[place] = if byte < 128 { b"0123456789,.-e\t \n"[usize::from(byte) % 17] } else { byte };
        }
        log.truncate(cut.index(log.len()).max(log.len() / 2));
        log.extend(lines.join("\n").into_bytes());
        // It is read or refused in words, and what was read can be analysed.
        match import_with(log, Missing::default(), None) {
            Ok(trace) => {
                analyze(&trace.reader, &AnalyzeOptions::default()).unwrap();
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
