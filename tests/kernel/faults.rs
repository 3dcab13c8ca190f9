//! Counters that wrap, stop, go back, vanish or lie while recording: right joules or a flagged gap.

use std::time::Duration;

use energy_prof::model::{CounterFlags, Domain, DomainId, EnergySample, Window};
use energy_prof::sources::simulated_powercap::History;
use energy_prof::units::Microjoules;
use nix::sys::signal::Signal;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::recorder::Recorder;
use crate::support::simulator::{OnTime, Simulator};
use crate::support::skip::skip;

const PACKAGE: DomainId = DomainId::of_socket(Domain::Package, 0);
const DRAM: DomainId = DomainId::of_socket(Domain::Dram, 0);

/// A domain's windows, each with its energy.
fn of_domain(place: &Place, domain: DomainId) -> Vec<(Window, EnergySample)> {
    let reader = place.reader();
    let samples: Vec<_> = reader.energy().unwrap();
    let windows = reader.windows().unwrap().into_iter();
    let sample = |window: &Window| {
        let mut samples = samples.iter();
        samples.find(|sample| sample.window == window.index && sample.domain == domain).cloned()
    };
    windows.map(|window| (window, sample(&window).unwrap())).collect()
}

/// That every unknown window says why, and that known ones that follow each other hold together what
/// a domain of constant power drew in that time.
fn assert_right_or_flagged(windows: &[(Window, EnergySample)], watts: f64, history: &History) {
    let on_time = OnTime::of(history);
    for run in windows.chunk_by(|a, b| a.1.energy.is_some() == b.1.energy.is_some()) {
        let (start, end) = (run[0].0.start, run[run.len() - 1].0.end);
        let sum = run.iter().map(|(_, sample)| sample.energy).sum::<Option<Microjoules>>();
        let Some(sum) = sum else {
            assert!(run.iter().all(|(_, sample)| !sample.flags.is_empty()), "{run:?}");
            continue;
        };
        let open = on_time.longest_around(start, start) + on_time.longest_around(end, end);
        let expected = watts * end.since(start).seconds() * 1e6;
        #[expect(clippy::cast_precision_loss, reason = "microjoules of seconds")]
        let difference = (sum.get() as f64 - expected).abs();
        let allowed = watts * open.seconds() * 1e6 + 2.0 * 62.0;
        assert!(difference <= allowed, "{sum:?} instead of {expected} µJ (± {allowed}): {run:?}");
    }
}

#[test]
fn a_counter_that_begins_again_loses_and_invents_nothing() {
    // A turn is 512 J, so that there is one about every 2 s.
    let options = ["--static-watts=250", "--register-bits=23", "--history"];
    let simulator = match Simulator::start(&options.map(str::to_owned)) {
        Ok(simulator) => simulator,
        Err(why) => return skip(&why),
    };
    let place = Place::new();
    Outcome::of(&mut simulator.record(&place, &["-q", "-d", "5s"], &["-a"])).succeeded();
    let (_, history) = simulator.finish();
    let windows = of_domain(&place, PACKAGE);
    assert_right_or_flagged(&windows, 250.0, &history);
    let wrapped = |sample: &EnergySample| sample.flags.contains(CounterFlags::WRAPPED);
    assert!(windows.iter().filter(|(_, sample)| wrapped(sample)).count() >= 2);
    // Only a reader that is late by a whole turn at a kilowatt cannot know how many there were.
    let late = place.reader().session().losses.late_ticks;
    let unknown = windows.iter().filter(|(_, sample)| sample.energy.is_none()).count() as u64;
    assert!(unknown <= 3 * late, "{unknown} windows are unknown, and {late} readings were late");
}

#[test]
fn a_fault_is_a_flagged_gap_and_everything_else_goes_on() {
    let options = ["--static-watts=20", "--dram-watts=3", "--start-uj=50000000", "--history"];
    let simulator = match Simulator::start(&options.map(str::to_owned)) {
        Ok(simulator) => simulator,
        Err(why) => return skip(&why),
    };
    let place = Place::new();
    let recorder = Recorder::begun(&mut simulator.record(&place, &["--strict"], &["-a"]));
    let then = |command: &str| {
        std::thread::sleep(Duration::from_millis(350));
        simulator.command(command);
    };
    then("backwards package-0");
    then("garbage package-0");
    then("restore package-0");
    then("missing package-0");
    then("restore package-0");
    then("stale package-0 350ms");
    std::thread::sleep(Duration::from_millis(350));
    then("jump package-0 100000");
    std::thread::sleep(Duration::from_millis(500));
    recorder.signal(Signal::SIGINT);
    let outcome = recorder.end();
    let (_, history) = simulator.finish();

    let package = of_domain(&place, PACKAGE);
    assert_right_or_flagged(&package, 20.0, &history);
    let flags = package.iter().fold(CounterFlags::NONE, |all, (_, sample)| all.with(sample.flags));
    for expected in [
        CounterFlags::BACKWARDS,
        CounterFlags::UNREADABLE,
        CounterFlags::STALE,
        CounterFlags::IMPLAUSIBLE,
    ] {
        assert!(flags.contains(expected), "{flags} lacks {expected}");
    }
    for (window, sample) in &package {
        // Whoever looks at a window alone is not told a spike, or is told why there is one.
        let most = 2.0 * 20.0 * window.length().seconds() * 1e6;
        #[expect(clippy::cast_precision_loss, reason = "microjoules of a window")]
        let plain = sample.energy.is_none_or(|energy| (energy.get() as f64) < most);
        assert!(plain || sample.flags.contains(CounterFlags::STALE), "{sample:?}");
    }
    // It came back after every fault.
    assert!(package[package.len() - 1].1.energy.is_some(), "{:?}", package[package.len() - 1]);
    let gaps = package.chunk_by(|a, b| a.1.energy.is_some() == b.1.energy.is_some());
    let gaps = gaps.filter(|run| run[0].1.energy.is_none()).count();
    assert!(gaps >= 4, "{gaps} gaps");
    // The other counter is none the worse for it.
    let dram = of_domain(&place, DRAM);
    assert!(dram.iter().all(|(_, sample)| sample.energy.is_some()));
    assert_right_or_flagged(&dram, 3.0, &history);
    assert_gaps_are_counted_and_shown(&place, &outcome, &package);
}

fn assert_gaps_are_counted_and_shown(
    place: &Place,
    outcome: &Outcome,
    package: &[(Window, EnergySample)],
) {
    let unknown = package.iter().filter(|(_, sample)| sample.energy.is_none()).count();
    // `--strict` makes them an error, once the trace is saved.
    assert_eq!(outcome.code, 9, "{}", outcome.stderr);
    let loss = format!("{unknown} domain windows without energy");
    assert!(outcome.stderr.replace("\n            ", "").contains(&loss), "{}", outcome.stderr);
    assert_eq!(place.reader().session().losses.energy_gaps, unknown as u64);
    let report = |options: &[&str]| {
        let mut command = energy_prof();
        Outcome::of(command.arg("report").arg(place.trace()).args(options)).succeeded().stdout
    };
    let text = report(&[]);
    let words = format!("package-0 in {unknown} of {}", package.len());
    assert!(text.replace("\n            ", "").contains(&words), "{text}");
    let report: serde_json::Value = serde_json::from_str(&report(&["--json"])).unwrap();
    let domains = report["domains"].as_array().unwrap();
    let of = |name: &str| domains.iter().find(|domain| domain["name"] == name).unwrap();
    assert_eq!(of("package-0")["windows_without_energy"], unknown);
    assert_eq!(of("dram-0")["windows_without_energy"], 0);
    // What is unknown is not in the sum: the mean is over the time that is known.
    let watts = of("package-0")["mean_watts"].as_f64().unwrap();
    assert!((19.0..21.0).contains(&watts), "{watts} W");
}

#[test]
fn a_counter_that_never_answers_is_told_and_the_rest_recorded() {
    let options = ["--static-watts=20", "--dram-watts=3"].map(str::to_owned);
    let simulator = match Simulator::start(&options) {
        Ok(simulator) => simulator,
        Err(why) => return skip(&why),
    };
    simulator.command("garbage package-0");
    let counter = simulator.root().join("intel-rapl:0/energy_uj");
    while !std::fs::read_to_string(&counter).unwrap().starts_with('f') {
        std::thread::sleep(Duration::from_millis(5));
    }
    let doctor = simulator.outcome(&["doctor"]).succeeded().stdout;
    assert!(doctor.contains("which is no number of microjoules"), "{doctor}");
    let place = Place::new();
    let said = Outcome::of(&mut simulator.record(&place, &[], &["--", "sleep", "0.3"]));
    let said = said.succeeded().stderr;
    assert!(said.contains("dram-0"), "{said}");
    let reader = place.reader();
    assert!(reader.energy().unwrap().iter().all(|sample| sample.domain == DRAM));
}
