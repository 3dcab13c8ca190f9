//! A recorder that is killed at any moment: what was sealed can be read, and nothing of it stays behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use energy_prof::probes::monotonic_now;
use energy_prof::trace::{Ending, TraceReader};
use energy_prof::units::{MonotonicTime, Nanoseconds};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::busy::Busy;
use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::recorder::Recorder;

/// How often a recorder is killed, and how many run beside each other to save time.
const ROUNDS: usize = 10;
const BESIDE: usize = 5;

/// What may be lost: a second, and what a busy disk and a busy machine take to write it down.
const SECOND: Nanoseconds = Nanoseconds::from_millis(1_000);
const LONGEST: Nanoseconds = Nanoseconds::from_millis(5_000);

/// Pseudo-random numbers that a failure can be repeated with: Marsaglia's xorshift64.
struct Moments {
    state: u64,
}

impl Moments {
    /// From 0.1 s to 2.5 s, in which two seals fall.
    fn next(&mut self) -> Duration {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        Duration::from_millis(100 + self.state % 2_400)
    }
}

/// The kernel's numbers of the programs and maps that a process holds.
fn held(pid: u32) -> BTreeSet<(&'static str, u32)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return BTreeSet::new() };
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok());
    let mut found = BTreeSet::new();
    for text in texts {
        for kind in ["prog_id", "map_id"] {
            let number = text.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(':'));
            found.extend(number.map(|number| (kind, number.trim().parse().unwrap())));
        }
    }
    found
}

/// The numbers of all programs and maps that the kernel has.
fn loaded() -> BTreeSet<(&'static str, u32)> {
    let programs = aya::programs::loaded_programs().flatten().map(|program| program.id());
    let maps = aya::maps::loaded_maps().flatten().map(|map| map.id());
    programs.map(|id| ("prog_id", id)).chain(maps.map(|id| ("map_id", id))).collect()
}

/// That the kernel gives up all of `ours`, which it does a little after the last user is gone.
#[track_caller]
fn assert_unloaded(ours: &BTreeSet<(&'static str, u32)>) {
    let started = Instant::now();
    loop {
        let left: Vec<_> = loaded().intersection(ours).copied().collect();
        if left.is_empty() {
            return;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "still loaded: {left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A recording that is to be killed.
struct Doomed {
    trace: PathBuf,
    recorder: Recorder,
    /// How long ago the trace was begun when it was killed, if it recorded then.
    age: Option<Duration>,
    killed: MonotonicTime,
}

impl Doomed {
    fn start(trace: PathBuf, target: &Busy) -> Self {
        let mut command = energy_prof();
        command.args(["record", "-q", "--window", "10ms", "-p", &target.pid().to_string(), "-o"]);
        command.arg(&trace);
        let recorder = Recorder::start(&mut command);
        Self { trace, recorder, age: None, killed: MonotonicTime::default() }
    }

    fn kill(&mut self) {
        if self.recorder.is_recording() {
            // Written once before recording, and again only at the end.
            let begun = fs::metadata(self.trace.join("session.json")).unwrap().modified().unwrap();
            self.age = Some(begun.elapsed().unwrap());
        }
        self.killed = monotonic_now();
        self.recorder.signal(Signal::SIGKILL);
    }

    /// What is missing of its trace at the end, at most; `None` where it did not record yet.
    fn missing(self) -> Option<Nanoseconds> {
        let Self { trace, recorder, age, killed } = self;
        assert_eq!(recorder.end().code, 137);
        let report = || Outcome::of(energy_prof().arg("report").arg(&trace));
        let Some(age) = age else {
            // Whatever there is of it can be told from a trace, or read.
            let early = report();
            assert!(matches!(early.code, 0 | 7), "{}", early.stderr);
            return None;
        };
        let reader = TraceReader::open(&trace).unwrap();
        assert!(reader.findings().is_empty(), "{:?}", reader.findings());
        let windows = reader.windows().unwrap();
        let sealed = windows.len() as u64;
        assert_eq!(*reader.ending(), Ending::CutOff { windows: sealed });
        if windows.is_empty() {
            report().refused(7, &["no whole window yet", "cut off after 0 windows"]);
        } else {
            assert!(windows.windows(2).all(|pair| pair[0].end == pair[1].start));
            let energy = reader.energy().unwrap();
            let rows: Vec<_> = reader.residency().unwrap().flat_map(Result::unwrap).collect();
            // Every window that is there is there with all its rows.
            for window in &windows {
                assert!(energy.iter().any(|sample| sample.window == window.index));
                let of_window = rows.iter().filter(|row| row.window == window.index);
                let known: Nanoseconds = of_window.map(|row| row.oncpu).sum();
                let cpus = reader.session().topology.cpus.len() as u64;
                assert_eq!(known, Nanoseconds::new(window.length().get() * cpus), "{window:?}");
            }
            let shown = report().succeeded().stdout;
            let words = format!("cut off after {sealed} windows");
            assert!(shown.contains(&words), "{shown}");
        }
        Some(windows.last().map_or(age.into(), |last| killed.since(last.end)))
    }
}

#[test]
fn a_recorder_killed_at_any_moment_loses_a_second_at_most() {
    let root = TempDir::new().unwrap();
    let mut busy = Busy::start();
    let seed = monotonic_now().nanos() | 1;
    let mut moments = Moments { state: seed };
    let mut missing = Vec::new();
    let mut ours = BTreeSet::new();
    for round in 0..ROUNDS {
        let started = Instant::now();
        let mut doomed: Vec<_> = (0..BESIDE)
            .map(|number| {
                let trace = root.path().join(format!("{round}-{number}"));
                (moments.next(), Doomed::start(trace, &busy))
            })
            .collect();
        doomed.sort_by_key(|(moment, _)| *moment);
        for (moment, doomed) in &mut doomed {
            std::thread::sleep(moment.saturating_sub(started.elapsed()));
            ours.extend(held(doomed.recorder.id()));
            doomed.kill();
        }
        missing.extend(doomed.into_iter().map(|(_, doomed)| doomed.missing()));
    }
    busy.assert_runs();
    assert!(ours.len() > ROUNDS, "no programs were seen");
    assert_unloaded(&ours);
    missing.sort_unstable();
    let recorded: Vec<Nanoseconds> = missing.iter().flatten().copied().collect();
    assert!(recorded.len() > missing.len() / 2, "{missing:?}");
    // Seldom is the machine so busy that it is more; a second between seals would show here.
    assert!(recorded[recorded.len() * 3 / 4] <= SECOND, "seed {seed}: {recorded:?}");
    assert!(recorded[recorded.len() - 1] <= LONGEST, "seed {seed}: {recorded:?}");
}

#[test]
fn a_command_goes_on_when_its_recorder_is_killed() {
    let place = Place::new();
    let done = place.root().join("done");
    let script = format!("sleep 0.3; echo whole > {}", done.display());
    let recorder = Recorder::begun(&mut place.record(&["-q"], &["--", "sh", "-c", &script]));
    recorder.signal(Signal::SIGKILL);
    // This waits for the command, too: it has the same standard output.
    assert_eq!(recorder.end().code, 137);
    assert_eq!(fs::read_to_string(done).unwrap(), "whole\n");
}

#[test]
fn the_place_of_a_killed_recording_can_be_used_again() {
    let place = Place::new();
    let mut child = place.recording(&["-q"], &["-a"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let sealed = place.reader().windows().unwrap();
    place.recorded(&["-q"], &["--", "true"]);
    let old = TraceReader::open(&place.root().join("energy.trace.old")).unwrap();
    assert_eq!(old.windows().unwrap(), sealed);
    // And what was cut off can be divided as it is.
    let mut attribute = energy_prof();
    attribute.arg("attribute").arg(place.root().join("energy.trace.old"));
    Outcome::of(&mut attribute).succeeded();
}

#[test]
fn nothing_stays_loaded_after_a_recording() {
    let place = Place::new();
    let recorder = Recorder::begun(&mut place.record(&["-q"], &["-a"]));
    let ours = held(recorder.id());
    let programs = ours.iter().filter(|(kind, _)| *kind == "prog_id").count();
    assert!(programs >= 4, "{ours:?}");
    assert!(ours.is_subset(&loaded()));
    recorder.signal(Signal::SIGTERM);
    recorder.end().succeeded();
    assert_unloaded(&ours);
    // A command does not get hold of them, or it would keep them loaded.
    let mut command = place.record(&["-q"], &["--", "sh", "-c", "echo ready; sleep 0.3"]);
    let mut recorder = Recorder::begun(&mut command);
    recorder.wait_for_a_line("ready");
    let children = format!("/proc/{0}/task/{0}/children", recorder.id());
    let child = match fs::read_to_string(children) {
        Ok(text) => text.split_whitespace().next().unwrap().to_owned(),
        // Not every kernel has this file.
        Err(_) => child_of(recorder.id()),
    };
    assert_eq!(held(child.parse().unwrap()), BTreeSet::new());
    recorder.end().succeeded();
}

/// The child of a process, from the list of all.
fn child_of(pid: u32) -> String {
    let output = Command::new("ps").args(["-o", "pid,ppid"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut pairs = text.lines().map(|line| line.split_whitespace());
    let found = pairs.find_map(|mut words| {
        let (child, parent) = (words.next()?, words.next()?);
        (parent == pid.to_string()).then(|| child.to_owned())
    });
    found.unwrap()
}
