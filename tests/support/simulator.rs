//! A machine whose power is known: `energy-prof simulate-powercap` in a process of its own.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use energy_prof::sources::simulated_powercap::{History, Truth};
use energy_prof::units::{MonotonicTime, Nanoseconds};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::energy_prof::{Place, energy_prof};
use super::outcome::{Outcome, wait};

/// A running simulation. It is killed when this is dropped.
pub(crate) struct Simulator {
    child: Child,
    root: TempDir,
}

impl Simulator {
    /// Starts it with these options, and waits until its counters move. `Err` says why this machine
    /// cannot be simulated.
    pub(crate) fn start(options: &[String]) -> Result<Self, String> {
        let root = tempfile::tempdir().unwrap();
        let mut command = energy_prof();
        command.arg("simulate-powercap").arg(root.path()).args(options);
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut simulator = Self { child, root };
        let started = Instant::now();
        let counter = simulator.root().join("intel-rapl:0/energy_uj");
        let shown = || fs::read_to_string(&counter).ok().filter(|text| !text.is_empty());
        let mut first = None;
        while first.is_none() || shown() == first {
            first = first.or_else(shown);
            if simulator.child.try_wait().unwrap().is_some() {
                let stderr = simulator.child.stderr.take().unwrap();
                let said = std::io::read_to_string(stderr).unwrap();
                return Err(said.trim_end().to_owned());
            }
            assert!(started.elapsed() < Duration::from_mins(1), "nothing moves for a minute");
            std::thread::sleep(Duration::from_millis(5));
        }
        simulator.hurry();
        Ok(simulator)
    }

    /// Counters of real machines are on time however busy the machine is, so the simulator goes
    /// before all else that runs, as far as this machine has a way to say so.
    fn hurry(&self) {
        let pid = self.child.id();
        let real_time = Command::new("chrt").args(["-f", "-p", "50", &pid.to_string()]).output();
        if !real_time.is_ok_and(|output| output.status.success()) {
            let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap());
            rustix::process::setpriority_process(pid, -20).unwrap();
        }
    }

    /// The root of its zones.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Has it do something, e.g. `garbage package-0`.
    pub(crate) fn command(&self, line: &str) {
        let mut control =
            OpenOptions::new().append(true).open(self.root().join("control")).unwrap();
        control.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Ends it, and gives what was true.
    pub(crate) fn finish(mut self) -> (Truth, History) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        assert!(wait(&mut self.child).success());
        let truth = Truth::read(self.root()).unwrap();
        assert_eq!(truth.refused_commands, [""; 0]);
        (truth, History::read(self.root()).unwrap_or_default())
    }

    /// `energy-prof record … -o THERE --powercap-root HERE …`, to be started.
    pub(crate) fn record(&self, place: &Place, options: &[&str], target: &[&str]) -> Command {
        let mut all = vec!["--powercap-root", self.root().to_str().unwrap()];
        all.extend(options);
        place.record(&all, target)
    }

    /// `energy-prof ARGUMENTS… --powercap-root HERE`, to its end.
    pub(crate) fn outcome(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(energy_prof().args(arguments).arg("--powercap-root").arg(self.root()))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How punctual a simulation was: a busy machine keeps its updates waiting, too.
pub(crate) struct OnTime {
    /// When each update was in place, and how old what it replaced was then.
    updates: Vec<(MonotonicTime, Nanoseconds)>,
}

impl OnTime {
    /// Counters are expected to be this old, at most: two updates of 1/1024 s, one of them just
    /// being made.
    const USUAL: Nanoseconds = Nanoseconds::new(1_200_000);

    /// Readings of the counters for the edges of a window are made from the window before it to
    /// the one after it.
    const READ_WITHIN: Nanoseconds = Nanoseconds::from_millis(110);

    pub(crate) fn of(history: &History) -> Self {
        let pairs = history.updates.windows(2);
        Self { updates: pairs.map(|pair| (pair[1].to, pair[1].to.since(pair[0].from))).collect() }
    }

    /// The longest that counters stood still between `start` and `end` and a window around them.
    pub(crate) fn longest_around(&self, start: MonotonicTime, end: MonotonicTime) -> Nanoseconds {
        let (from, to) = (start - Self::READ_WITHIN, end + Self::READ_WITHIN);
        let first = self.updates.partition_point(|(at, _)| *at < from);
        let until = |(at, age): &&(MonotonicTime, Nanoseconds)| *at - *age <= to;
        self.updates[first..].iter().take_while(until).map(|(_, age)| *age).max().unwrap()
    }

    /// How much longer than usual that was.
    pub(crate) fn lateness_around(&self, start: MonotonicTime, end: MonotonicTime) -> Nanoseconds {
        self.longest_around(start, end).saturating_sub(Self::USUAL)
    }

    /// The time for which counters stood still longer than `usual`, all in all.
    pub(crate) fn lateness_beyond(&self, usual: Nanoseconds) -> Nanoseconds {
        self.updates.iter().map(|(_, age)| age.saturating_sub(usual)).sum()
    }
}
