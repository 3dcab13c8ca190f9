//! Joules that are known: the whole pipeline against a machine whose power is known.

use std::time::{Duration, Instant};

use energy_prof::model::{Domain, DomainId, Grid, ThreadId};
use energy_prof::sources::simulated_powercap::History;
use energy_prof::units::{MonotonicTime, Nanoseconds};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::busy::Busy;
use crate::support::divided::{Divided, DividedWindow};
use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::recorder::Recorder;
use crate::support::simulator::{OnTime, Simulator};
use crate::support::skip::skip;
use crate::support::working_thread::{Crossing, WorkingThread, cpus};

const PACKAGE: DomainId = DomainId::of_socket(Domain::Package, 0);
const DRAM: DomainId = DomainId::of_socket(Domain::Dram, 0);

/// Watts per CPU second of everything that runs: energy is in proportion to time, and known.
const WATTS: f64 = 10.0;

/// What the package draws besides.
const IDLE_WATTS: f64 = 2.0;

/// What memory draws, whatever runs.
const DRAM_WATTS: f64 = 3.0;

/// Until the simulator has shown what was drawn last.
const LAST_UPDATES: Duration = Duration::from_millis(100);

fn microjoules(watts: f64, lasted: Nanoseconds) -> f64 {
    watts * lasted.seconds() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "microjoules of seconds")]
fn exact(microjoules: u64) -> f64 {
    microjoules as f64
}

/// The distance of `found` from `expected` in parts of it.
fn error_of(found: u64, expected: f64) -> f64 {
    (exact(found) - expected).abs() / expected
}

/// What the package draws while every CPU is busy.
#[expect(clippy::cast_precision_loss, reason = "a number of CPUs")]
fn power() -> f64 {
    IDLE_WATTS + WATTS * cpus().len() as f64
}

/// A load on every CPU, which makes the package's power the same all the time, and one that is
/// switched on and off.
fn loads() -> (Vec<Busy>, Busy) {
    let always = cpus().into_iter().map(|cpu| Busy::start_on(Some(cpu))).collect();
    (always, Busy::start_on(None))
}

/// `energy-prof report --json` with all rows.
fn report(place: &Place, options: &[&str]) -> Value {
    let mut command = energy_prof();
    command.args(["report", "--json", "--all", "--top", "0"]).args(options).arg(place.trace());
    serde_json::from_str(&Outcome::of(&mut command).succeeded().stdout).unwrap()
}

/// A process's energy in a report.
fn charged_to(report: &Value, pid: u32) -> u64 {
    let rows = report["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["pid"] == pid).map(|row| row["energy_uj"].as_u64().unwrap()).sum()
}

/// Microjoules that may be anyone's: of time whose thread is unknown, and what the simulator showed too late.
fn anyones(place: &Place, history: &History) -> f64 {
    let unknown = Nanoseconds::new(place.reader().session().losses.cpu_time_ns);
    let late = OnTime::of(history).lateness_beyond(Nanoseconds::from_millis(9));
    microjoules(WATTS, unknown) + microjoules(power(), late)
}

/// A simulator of a machine in which `loads` and all else that runs draw the same.
fn simulator_of(loads: &[&Busy]) -> Result<Simulator, String> {
    let watts: Vec<_> = loads.iter().map(|load| format!("{}={WATTS}", load.pid())).collect();
    let options = [
        format!("--watts={}", watts.join(",")),
        format!("--rest-watts={WATTS}"),
        format!("--static-watts={IDLE_WATTS}"),
        format!("--dram-watts={DRAM_WATTS}"),
        // Each update of the simulator's takes a CPU from a load and makes its clock a little
        // less exact: fewer of them are enough over seconds.
        "--update-period=4ms".to_owned(),
        "--history".to_owned(),
    ];
    Simulator::start(&options)
}

#[test]
fn every_process_gets_its_joules_to_one_percent() {
    let (always, sometimes) = loads();
    let all: Vec<&Busy> = always.iter().chain([&sometimes]).collect();
    // Nothing of what is to be known runs before recording has begun, or after it has ended.
    for load in &all {
        load.pause();
    }
    let simulator = match simulator_of(&all) {
        Ok(simulator) => simulator,
        Err(why) => return skip(&why),
    };
    let place = Place::new();
    let mut recorder = Recorder::begun(&mut simulator.record(&place, &["-q"], &["-a"]));
    for load in &all {
        load.go_on();
    }
    let started = Instant::now();
    for step in 0..120 {
        // For a minute, 300 ms on and 200 ms off.
        std::thread::sleep((Duration::from_millis(500) * step).saturating_sub(started.elapsed()));
        sometimes.go_on();
        std::thread::sleep(Duration::from_millis(300));
        sometimes.pause();
    }
    for load in &all {
        load.pause();
    }
    std::thread::sleep(LAST_UPDATES);
    assert!(!recorder.has_ended());
    recorder.signal(Signal::SIGINT);
    recorder.end().succeeded();
    let (truth, history) = simulator.finish();

    let idle = format!("package-0={IDLE_WATTS},dram-0={DRAM_WATTS}");
    let report = report(&place, &["--idle-watts", &idle]);
    assert_eq!(report["total"]["provenance"], "measured");
    let open = anyones(&place, &history);
    for (load, known) in all.iter().zip(&truth.loads) {
        assert_eq!(load.pid(), known.pid);
        let (found, truly) = (charged_to(&report, known.pid), exact(known.microjoules));
        let allowed = 0.01 + open / truly;
        let error = error_of(found, truly);
        println!("pid {}: {found} µJ, truly {truly}: {error:.4} of {allowed:.4}", known.pid);
        assert!(error <= allowed, "{found} µJ, truly {known:?}; allowed is {allowed}");
    }
    assert_every_window_closes(&place);
}

/// That in every window and domain the parts are the counter's advance, to the microjoule, and that
/// the time of all CPUs is somebody's.
fn assert_every_window_closes(place: &Place) {
    let reader = place.reader();
    let divided = Divided::of(&reader, &[(PACKAGE, IDLE_WATTS), (DRAM, DRAM_WATTS)]);
    assert!(divided.windows.len() >= 550);
    for DividedWindow { window, energy, residency, divided } in &divided.windows {
        assert_eq!(energy.len(), 2);
        let threads = residency.iter().filter(|row| row.thread != ThreadId::IDLE);
        let busy: Nanoseconds = threads.map(|row| row.oncpu).sum();
        for (sample, domain) in energy.iter().zip(&divided.domains) {
            let ledger = domain.ledger.unwrap();
            assert_eq!((sample.domain, sample.energy), (domain.domain, Some(ledger.measured)));
            assert_eq!(sample.busy, Some(busy), "every CPU feeds both, {window:?}");
            assert!(ledger.closes(), "{window:?} {ledger:?}");
        }
        let cpus = reader.session().topology.cpus.len() as u64;
        let known: Nanoseconds = residency.iter().map(|row| row.oncpu).sum();
        assert_eq!(known.get(), window.length().get() * cpus, "{window:?}");
    }
}

#[test]
fn the_power_of_a_quiet_second_is_found_and_taken_for_idle() {
    let (always, sometimes) = loads();
    let all: Vec<&Busy> = always.iter().chain([&sometimes]).collect();
    for load in &all {
        load.pause();
    }
    let simulator = match simulator_of(&all) {
        Ok(simulator) => simulator,
        Err(why) => return skip(&why),
    };
    let place = Place::new();
    let recorder = Recorder::begun(&mut simulator.record(&place, &["-q"], &["-a"]));
    std::thread::sleep(Duration::from_millis(1_500));
    for load in &all {
        load.go_on();
    }
    std::thread::sleep(Duration::from_millis(2_500));
    for load in &all {
        load.pause();
    }
    std::thread::sleep(LAST_UPDATES);
    recorder.signal(Signal::SIGINT);
    recorder.end().succeeded();
    let (truth, history) = simulator.finish();

    let open = anyones(&place, &history);
    let report = report(&place, &[]);
    let domains = report["domains"].as_array().unwrap();
    let package = domains.iter().find(|domain| domain["name"] == "package-0").unwrap();
    let found = &package["idle_baseline"];
    if found["kind"] != "lowest_seen" {
        assert_eq!((&found["kind"], &package["idle_uj"]), (&"unknown".into(), &0.into()));
        return skip("other processes leave this machine no quiet second");
    }
    // What little ran in that second drew its part of the power.
    let all_busy = power() - IDLE_WATTS;
    let expected = IDLE_WATTS + all_busy * found["busy_share"].as_f64().unwrap();
    let watts = found["watts"].as_f64().unwrap();
    assert!((watts - expected).abs() <= 0.03 * expected, "{watts} W, and {expected} W expected");
    // While the loads run every CPU is busy, so what was found too much is missing to each alike.
    let left = 1.0 - (watts - IDLE_WATTS) / all_busy;
    for known in &truth.loads {
        let (found, truly) = (charged_to(&report, known.pid), exact(known.microjoules) * left);
        let (allowed, error) = (0.02 + open / truly, error_of(found, truly));
        println!("pid {}: {found} µJ, truly {truly}: {error:.4} of {allowed:.4}", known.pid);
        assert!(error <= allowed, "{found} µJ, truly {known:?}, of which {left} is left");
    }
}

#[test]
fn every_window_gives_threads_their_joules_to_two_percent() {
    let grid = Grid::new(Nanoseconds::from_millis(100)).unwrap();
    // Every CPU is always busy, so the package's power never changes, and need not be simulated
    // from the clocks of processes, which are exact to a timer tick only.
    let options = [format!("--static-watts={}", power()), "--history".to_owned()];
    let simulator = match Simulator::start(&options) {
        Ok(simulator) => simulator,
        Err(why) => return skip(&why),
    };
    // Parts of about 73, 24 and 3 % of what is left of each CPU.
    let on = |cpu| [0, 5, 14].map(|nice| WorkingThread::start(cpu, nice, grid));
    let threads: Vec<WorkingThread> = cpus().into_iter().flat_map(on).collect();
    let place = Place::new();
    Outcome::of(&mut simulator.record(&place, &["-q", "-d", "5s"], &["-a"])).succeeded();
    // So that every thread crosses the line behind the last window.
    std::thread::sleep(Duration::from_millis(200));
    let threads: Vec<(u32, Vec<Crossing>)> =
        threads.into_iter().map(|thread| (thread.tid, thread.finish())).collect();
    let (_, history) = simulator.finish();
    let on_time = OnTime::of(&history);

    let divided = Divided::of(&place.reader(), &[(PACKAGE, IDLE_WATTS)]);
    let mut shares = Vec::new();
    for row in &divided.windows {
        // Late updates, and what nobody knows, move energy from a window or thread to another.
        let late = on_time.lateness_around(row.window.start, row.window.end);
        if late > Nanoseconds::ZERO || row.residency.iter().any(|row| row.thread == ThreadId::LOST)
        {
            continue;
        }
        for (tid, crossings) in &threads {
            let worked = worked(crossings, row.window.start, row.window.end);
            let Some((least, most)) = worked else { continue };
            let (least, most) = (microjoules(WATTS, least), microjoules(WATTS, most));
            if least < 0.01 * microjoules(power(), row.window.length()) {
                continue;
            }
            let found = divided.charged_uj(row, PACKAGE, |info| info.tid == *tid);
            shares.push(error_of(found, exact(found).clamp(least, most)));
        }
    }
    assert_is_the_counters_advance(&divided, &on_time);
    if shares.len() < 20 {
        let windows = divided.windows.len();
        return skip(&format!("too little is certain of these {windows} windows: a busy machine"));
    }
    // By the kernel's clock a thread stops when another is chosen, by its switches when that one
    // runs. On a virtual machine some other machine may run in between, and nobody knows for whom.
    shares.sort_by(f64::total_cmp);
    println!("{} shares; the worst are wrong by {:?}", shares.len(), shares.last_chunk::<5>());
    let ordinary = &shares[..shares.len() * 19 / 20];
    assert!(ordinary.iter().all(|error| *error <= 0.02), "{shares:?}");
}

/// The CPU time of a thread between two lines, at least and at most.
fn worked(
    crossings: &[Crossing],
    start: MonotonicTime,
    end: MonotonicTime,
) -> Option<(Nanoseconds, Nanoseconds)> {
    let at = |line| crossings.iter().find(|crossing| crossing.line == line);
    let (start, end) = (at(start)?, at(end)?);
    let stolen = end.stolen.saturating_sub(start.stolen);
    let most = end.most.saturating_sub(start.least) + stolen;
    Some((end.least.saturating_sub(start.most), most))
}

/// That all windows together hold what the counter advanced between the trace's ends: no more is
/// open than its last update at each end, and a unit.
fn assert_is_the_counters_advance(divided: &Divided, on_time: &OnTime) {
    let samples = divided.windows.iter().flat_map(|row| &row.energy);
    let sum: u64 = samples.map(|sample| sample.energy.unwrap().get()).sum();
    let start = divided.windows[0].window.start;
    let end = divided.windows[divided.windows.len() - 1].window.end;
    let open = on_time.longest_around(start, start) + on_time.longest_around(end, end);
    let expected = microjoules(power(), end.since(start));
    let allowed = microjoules(power(), open) + 2.0 * 62.0;
    assert!((exact(sum) - expected).abs() <= allowed, "{sum} µJ, truly {expected} ± {allowed}");
}

#[test]
fn a_simulated_machine_is_measured_and_says_so() {
    let simulator = match Simulator::start(&[]) {
        Ok(simulator) => simulator,
        Err(why) => return skip(&why),
    };
    let place = Place::new();
    let said = Outcome::of(&mut simulator.record(&place, &[], &["--", "sleep", "0.3"]));
    let said = said.succeeded().stderr;
    assert!(said.contains("measured by rapl-powercap") && !said.contains("ESTIMATED"), "{said}");
    let doctor = simulator.outcome(&["doctor"]).succeeded().stdout;
    assert!(doctor.contains("`record` works here, with MEASURED energy."), "{doctor}");
    // Asked for, the estimate is made all the same, and says so.
    let options = ["--source", "model"];
    let said = Outcome::of(&mut simulator.record(&place, &options, &["--", "true"]));
    assert!(said.succeeded().stderr.contains("ESTIMATED"));
}
