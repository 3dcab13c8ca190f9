//! The commands as their users type them: how a recording ends, and what is done with its trace.

use std::fs;
use std::path::Path;
use std::time::Duration;

use energy_prof::model::ThreadId;
use energy_prof::trace::{Session, SessionState, Target, TraceReader};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::busy::Busy;
use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::recorder::Recorder;

/// A command that goes on until it is told to end, and then says by what.
const UNTIL_TOLD: &str = "for signal in INT TERM HUP; do trap \"echo got $signal; exit 3\" $signal
    done; echo ready; while :; do sleep 0.02; done";

fn of_trace(command: &str, trace: &Path, options: &[&str]) -> Outcome {
    Outcome::of(energy_prof().arg(command).arg(trace).args(options))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The session of a finished trace, in which windows follow each other without a hole.
#[track_caller]
fn finished(place: &Place) -> Session {
    let reader = place.reader();
    let windows = reader.windows().unwrap();
    assert!(!windows.is_empty() && reader.findings().is_empty());
    assert!(windows.windows(2).all(|pair| pair[0].end == pair[1].start));
    assert_eq!(windows[0].start.nanos(), reader.session().clock.monotonic_start_ns);
    assert_eq!(reader.session().state, SessionState::Complete);
    assert!(!place.trace().join("parts").exists());
    reader.session().clone()
}

/// The pid of the command that was launched.
fn launched(session: &Session) -> i32 {
    match session.target {
        Target::Command { pid, .. } => pid.try_into().unwrap(),
        _ => panic!("{:?}", session.target),
    }
}

#[test]
fn ctrl_c_ends_an_attached_recording_and_saves_it() {
    let mut busy = Busy::start();
    let pid = busy.pid().to_string();
    for target in [&["-a"][..], &["-p", &pid]] {
        let place = Place::new();
        let recorder = Recorder::begun(&mut place.record(&[], target));
        recorder.ctrl_c();
        let outcome = recorder.end().succeeded();
        assert_eq!(outcome.stdout, "");
        assert!(outcome.stderr.contains("Next: energy-prof report"), "{}", outcome.stderr);
        let session = finished(&place);
        assert_eq!(session.ended.as_deref(), Some("interrupted (SIGINT)"));
        assert_eq!(session.exit_code, None);
    }
    busy.assert_runs();
}

#[test]
fn ctrl_c_goes_to_the_command_and_the_recording_ends_with_it() {
    let place = Place::new();
    let mut recorder = Recorder::begun(&mut place.record(&[], &["--", "sh", "-c", UNTIL_TOLD]));
    recorder.wait_for_a_line("ready");
    recorder.ctrl_c();
    let outcome = recorder.end();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (3, "got INT\n"), "{}", outcome.stderr);
    let session = finished(&place);
    assert_eq!(session.ended.as_deref(), Some("command exited"));
    assert_eq!(session.exit_code, Some(3));
    // One that leaves the signal to the kernel is ended by it, and a shell tells that as 130.
    let recorder = Recorder::begun(&mut place.record(&["-q"], &["--", "sleep", "100"]));
    recorder.ctrl_c();
    assert_eq!(recorder.end().code, 130);
    assert_eq!(finished(&place).exit_code, Some(130));
}

#[test]
fn a_second_ctrl_c_ends_the_recording_of_a_command_that_ignores_the_first() {
    let place = Place::new();
    let stubborn = "trap '' INT; echo ready; while :; do sleep 0.02; done";
    let mut command = place.record(&["-q"], &["--", "sh", "-c", stubborn]);
    let mut recorder = Recorder::begun(&mut command);
    recorder.wait_for_a_line("ready");
    recorder.ctrl_c();
    for _ in 0..20 {
        assert!(!recorder.has_ended(), "the first was the command's");
        std::thread::sleep(Duration::from_millis(10));
    }
    recorder.ctrl_c();
    let code = recorder.exit_code();
    let session = finished(&place);
    let command = Pid::from_raw(launched(&session));
    // The command was not asked to end, and goes on.
    kill(command, Signal::SIGKILL).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(session.ended.as_deref(), Some("interrupted (SIGINT)"));
    assert_eq!(session.exit_code, None);
}

#[test]
fn other_signals_end_a_recording_in_order_and_reach_the_command() {
    for (signal, name) in [(Signal::SIGTERM, "TERM"), (Signal::SIGHUP, "HUP")] {
        let place = Place::new();
        let recorder = Recorder::begun(&mut place.record(&["-q"], &["-a"]));
        recorder.signal(signal);
        recorder.end().succeeded();
        let how = format!("interrupted (SIG{name})");
        assert_eq!(finished(&place).ended.as_deref(), Some(how.as_str()));

        let mut command = place.record(&["-q"], &["--", "sh", "-c", UNTIL_TOLD]);
        let mut recorder = Recorder::begun(&mut command);
        recorder.wait_for_a_line("ready");
        recorder.signal(signal);
        // This waits for the command, too: it has the same standard output.
        let outcome = recorder.end().succeeded();
        assert_eq!(outcome.stdout, format!("got {name}\n"));
        assert_eq!(finished(&place).ended.as_deref(), Some(how.as_str()));
    }
}

#[test]
fn a_signal_before_the_first_window_is_no_less_orderly() {
    let place = Place::new();
    let recorder = Recorder::start(&mut place.record(&["-q"], &["-a"]));
    while !place.trace().exists() {
        std::thread::yield_now();
    }
    recorder.signal(Signal::SIGINT);
    recorder.end().succeeded();
    finished(&place);
}

#[test]
fn a_recording_ends_when_its_duration_is_over() {
    let place = Place::new();
    place.recorded(&["-q", "-d", "350ms"], &["-a"]);
    assert_eq!(finished(&place).ended.as_deref(), Some("duration reached"));
    let windows = place.reader().windows().unwrap();
    let lasted = windows[windows.len() - 1].end.since(windows[0].start);
    assert!(lasted.get() >= 350_000_000, "{lasted:?}");
    // One that no clock can reach is as good as none.
    let recorder = Recorder::begun(&mut place.record(&["-q", "-d", "10000years"], &["-a"]));
    recorder.signal(Signal::SIGINT);
    recorder.end().succeeded();
}

#[test]
fn a_recording_of_processes_ends_with_the_last_of_them() {
    let place = Place::new();
    let (first, second) = (Busy::start(), Busy::start());
    let pids = format!("{},{}", first.pid(), second.pid());
    let mut recorder = Recorder::begun(&mut place.record(&["-q"], &["-p", &pids]));
    first.end();
    std::thread::sleep(Duration::from_millis(100));
    assert!(!recorder.has_ended());
    second.end();
    recorder.end().succeeded();
    assert_eq!(finished(&place).ended.as_deref(), Some("all targets exited"));
}

#[test]
fn stdout_is_the_commands_own_and_the_summary_goes_to_stderr() {
    let place = Place::new();
    let loud = place.recorded(&[], &["--", "echo", "hello"]);
    assert_eq!(loud.stdout, b"hello\n");
    let summary = String::from_utf8(loud.stderr).unwrap();
    for words in ["echo hello", "energy ", "ledger ", "losses ", "Wrote ", "energy-prof report"] {
        assert!(summary.contains(words), "{words:?} is missing in {summary}");
    }
    assert!(!summary.contains('\u{1b}'), "{summary}");
    let quiet = place.recorded(&["-q"], &["--", "echo", "hello"]);
    assert_eq!((quiet.stdout, quiet.stderr), (b"hello\n".to_vec(), Vec::new()));
}

#[test]
fn a_terminal_that_goes_away_costs_no_recording() {
    let place = Place::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = place.record(&["-v"], &["--", "true"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(0));
    finished(&place);
}

#[test]
fn an_older_trace_is_kept_once_unless_it_is_to_be_replaced() {
    let place = Place::new();
    let beginning = |name: &str| {
        let reader = TraceReader::open(&place.root().join(name)).unwrap();
        reader.session().clock.monotonic_start_ns
    };
    let mut begun = Vec::new();
    for _ in 0..3 {
        place.recorded(&["-q"], &["--", "true"]);
        begun.push(beginning("energy.trace"));
    }
    assert_eq!(beginning("energy.trace.old"), begun[1]);
    place.recorded(&["-q", "--force"], &["--", "true"]);
    assert_eq!(beginning("energy.trace.old"), begun[1]);
    assert!(beginning("energy.trace") > begun[2]);
    assert_eq!(fs::read_dir(place.root()).unwrap().count(), 2);
}

#[test]
fn a_recording_can_be_reported_and_attributed_while_it_runs() {
    let place = Place::new();
    let mut child = place.recording(&["-q"], &["-a"]);
    let text = of_trace("report", &place.trace(), &[]).succeeded().stdout;
    assert!(text.contains("unfinished   still being recorded"), "{text}");
    let report = json(&of_trace("report", &place.trace(), &["--json"]).succeeded().stdout);
    assert_eq!(report["recording"]["complete"], false);
    assert!(report["span"]["windows"].as_u64() > Some(0));
    of_trace("attribute", &place.trace(), &[]).succeeded();
    // Nobody may take its place meanwhile.
    for options in [&["-q"][..], &["--force"]] {
        let refusal = Outcome::of(&mut place.record(options, &["--", "true"]));
        refusal.refused(8, &["another energy-prof is recording there", "another place with -o"]);
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert!(child.wait().unwrap().success());
    finished(&place);
    let report = json(&of_trace("report", &place.trace(), &["--json"]).succeeded().stdout);
    assert_eq!(report["recording"]["complete"], true);
}

#[test]
fn attributed_rows_add_up_to_the_report() {
    let place = Place::new();
    let busy = Busy::start();
    place.recorded(&["-q", "-d", "1s"], &["-p", &busy.pid().to_string()]);
    of_trace("attribute", &place.trace(), &["--idle-watts", "package-0=1"]).succeeded();
    let options =
        ["--json", "--by", "thread", "--all", "--top", "0", "--idle-watts", "package-0=1"];
    let report = json(&of_trace("report", &place.trace(), &options).succeeded().stdout);
    let reader = place.reader();
    let rows: Vec<_> = reader.attributed().unwrap().unwrap().flat_map(Result::unwrap).collect();
    let threads = reader.threads().unwrap();
    let sum = |test: &dyn Fn(ThreadId) -> bool| -> u64 {
        rows.iter().filter(|row| test(row.thread)).map(|row| row.energy.get()).sum()
    };
    for domain in report["domains"].as_array().unwrap() {
        let of_domain = rows.iter().filter(|row| row.domain.to_string() == domain["name"]);
        let sum: u64 = of_domain.map(|row| row.energy.get()).sum();
        assert_eq!(domain["attributed_uj"], sum, "{}", domain["name"]);
    }
    assert_eq!(report["total"]["attributed_uj"], sum(&|_| true));
    let of_target = sum(&|thread| threads[&thread].tgid == busy.pid());
    assert!(of_target > 0);
    assert_eq!(report["targets"]["energy_uj"], of_target);
}

#[test]
fn stat_runs_a_command_as_often_as_told() {
    let place = Place::new();
    let script = format!("echo run >> {}", place.root().join("runs").display());
    let shown = Outcome::of(energy_prof().args(["stat", "-r", "3", "--", "sh", "-c", &script]));
    let shown = shown.succeeded();
    assert_eq!(fs::read_to_string(place.root().join("runs")).unwrap(), "run\n".repeat(3));
    assert_eq!(shown.stdout, "");
    for words in
        ["Energy of 'sh -c echo run", "the command and its children", "of 3 runs", "elapsed"]
    {
        assert!(shown.stderr.contains(words), "{}", shown.stderr);
    }
    let report = Outcome::of(energy_prof().args(["stat", "--json", "-r", "2", "--", "true"]));
    let report = json(&report.succeeded().stdout);
    assert_eq!((&report["schema_version"], &report["repeat"]), (&Value::from(1), &Value::from(2)));
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run["command_cpu_seconds"].as_f64() > Some(0.0)));
    assert!(report["standard_deviation_command_joules"].is_f64());
}

#[test]
fn doctor_says_that_recording_works_here() {
    let report = json(&Outcome::of(energy_prof().args(["doctor", "--json"])).succeeded().stdout);
    assert_eq!(report["can_record"], true, "{report}");
    let text = Outcome::of(energy_prof().arg("doctor")).succeeded().stdout;
    assert!(text.contains("\n`record` works here, with "), "{text}");
}

#[test]
fn a_recording_keeps_where_it_was_made() {
    let place = Place::new();
    let france = ["--zone", "FR", "--pue", "1.5"];
    let shown = Outcome::of(&mut place.record(&france, &["--", "true"])).succeeded().stderr;
    assert!(shown.contains("CO2e in France: "), "{shown}");
    let site = |options: &[&str]| {
        let options = [&["--json"], options].concat();
        let report = of_trace("emissions", &place.trace(), &options).succeeded().stdout;
        json(&report)["site"].clone()
    };
    assert_eq!((&site(&[])["zone"], &site(&[])["pue"]["value"]), (&"FRA".into(), &1.5.into()));
    let germany = site(&["--zone", "DE"]);
    assert_eq!((&germany["zone"], &germany["pue"]), (&"DEU".into(), &Value::Null));
    // What a file says is kept as well, with the file's name.
    let elsewhere = Place::new();
    let file = elsewhere.root().join("site.toml");
    fs::write(&file, "zone = \"NO\"\nembodied = \"1200kg\"\n").unwrap();
    let config = ["--pue", "1.5", "--config", file.to_str().unwrap()];
    Outcome::of(&mut elsewhere.record(&config, &["--", "true"])).succeeded();
    fs::remove_file(&file).unwrap();
    let report = of_trace("emissions", &elsewhere.trace(), &["--json"]).succeeded().stdout;
    let site = json(&report)["site"].clone();
    assert_eq!((&site["zone"], &site["pue"]["value"]), (&"NOR".into(), &1.5.into()));
    let source = format!("{}, given when it was recorded", file.display());
    assert_eq!(site["embodied"]["total_gco2e"]["source"], source);
    // Nothing is recorded for a place that no table has.
    let nowhere = Place::new();
    let asked = ["--zone", "Atlantis"];
    Outcome::of(&mut nowhere.record(&asked, &["--", "true"])).refused(2, &["\"Atlantis\""]);
    assert!(!nowhere.trace().exists());
}
