//! A simulated powercap tree: real files whose counters follow a power law driven by real CPU time.
//!
//! It is a test bed: scheduler, probes and the whole pipeline are real, and the joules are known. The law is
//! `E = static × time + Σ watts × CPU time` with integer arithmetic (µW × ns), so `truth.json` is exact.
//! The CPU time of chosen processes is that of clocks of their own (exited threads included), and that of
//! everything else the machine's, less theirs.
//!
//! What plain files cannot show: an `EIO` from a counter, and a read that never sees half a write
//! (numbers are written in place at fixed width, so such a read is possible, if very unlikely).

mod control;
mod cpu_clock;
mod history;
mod layout;
mod power_law;
mod truth;
mod zone_file;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use thiserror::Error;

use self::control::{Command, ControlFile};
pub use self::cpu_clock::OpenClock;
use self::cpu_clock::{MachineClock, ProcessClock};
pub use self::history::{History, Update};
pub use self::layout::{DramPower, Layout, Load, ParseLoadError, PsysPower};
use self::power_law::PowerLaw;
pub use self::truth::{LoadTruth, Truth};
use self::zone_file::ZoneFile;
use crate::units::{MonotonicTime, Nanoseconds};

/// How often the truth is written.
const TRUTH_PERIOD: Nanoseconds = Nanoseconds::from_millis(1000);

/// How often the control file is looked at.
const CONTROL_PERIOD: Nanoseconds = Nanoseconds::from_millis(10);

/// Why the tree cannot be written.
#[derive(Debug, Error)]
pub enum SimulationError {
    /// A file of the tree cannot be written or read.
    #[error("cannot {what} {}: {cause}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A process whose CPU time is to be counted is not there.
    #[error("cannot read the CPU clock of process {pid}: {cause}; is it running?")]
    NoProcess {
        /// The process.
        pid: u32,
        /// What the system said.
        cause: nix::Error,
    },
    /// The machine does not say how much CPU time it spent.
    #[error(
        "cannot tell the machine's CPU time: neither cpuacct.usage nor cpu.stat under {} can be read",
        .0.display()
    )]
    NoMachineClock(PathBuf),
    /// A clock of the system failed.
    #[error("cannot read the clock: {0}")]
    Clock(nix::Error),
    /// The layout asks for what cannot be.
    #[error("{0}")]
    Layout(String),
}

/// A tree of counters, and what drives them.
#[derive(Debug)]
pub struct SimulatedPowercap {
    directory: PathBuf,
    law: PowerLaw,
    open_clock: OpenClock,
    processes: Vec<ProcessClock>,
    machine: MachineClock,
    zones: Vec<ZoneFile>,
    control: ControlFile,
    started: MonotonicTime,
    update_period: Nanoseconds,
    jitter: Nanoseconds,
    random: u64,
    updates: u64,
    history: Option<History>,
}

impl SimulatedPowercap {
    /// Writes the tree into `directory`, which is made if need be; its zones are then what a root such as
    /// `/sys/class/powercap` shows. Counters stand at their start until [`Self::run_until`]. `open_clock` gives the CPU
    /// time of loads; where it cannot, their POSIX clocks do, which lag by a timer tick.
    pub fn create(
        directory: &Path,
        layout: &Layout,
        open_clock: OpenClock,
    ) -> Result<Self, SimulationError> {
        layout.check()?;
        fs::create_dir_all(directory).map_err(|cause| file_error("make", directory, cause))?;
        let machine = MachineClock::open(Path::new("/sys/fs/cgroup"))?;
        let clock_of = |load: &Load| ProcessClock::of(load.pid, open_clock);
        let processes = layout.loads.iter().map(clock_of).collect::<Result<_, _>>()?;
        let law = PowerLaw::new(layout);
        let zones = layout
            .zones()
            .into_iter()
            .map(|zone| ZoneFile::create(directory, zone, layout))
            .collect::<Result<_, _>>()?;
        let simulated = Self {
            control: ControlFile::create(directory)?,
            directory: directory.to_owned(),
            law,
            open_clock,
            processes,
            machine,
            zones,
            started: monotonic_now()?,
            update_period: layout.update_period,
            jitter: layout.jitter,
            random: layout.seed | 1,
            updates: 0,
            history: layout.keep_history.then(History::default),
        };
        simulated.truth(simulated.started).write(directory)?;
        Ok(simulated)
    }

    /// Advances the counters every update period until `stop` is set, and leaves the final truth behind.
    pub fn run_until(&mut self, stop: &AtomicBool) -> Result<Truth, SimulationError> {
        let mut next = self.started;
        let mut truth_due = self.started + TRUTH_PERIOD;
        let mut control_due = self.started;
        while !stop.load(Ordering::Relaxed) {
            let now = self.update()?;
            if now >= control_due {
                self.obey(now)?;
                control_due = now + CONTROL_PERIOD;
            }
            if now >= truth_due {
                self.truth(now).write(&self.directory)?;
                truth_due = truth_due + TRUTH_PERIOD;
            }
            next = next + self.update_period;
            if next < now {
                next = now;
            }
            let jitter = self.next_random() % (self.jitter.get() + 1);
            sleep_until(next + Nanoseconds::new(jitter))?;
        }
        let now = self.update()?;
        let truth = self.truth(now);
        truth.write(&self.directory)?;
        if let Some(history) = &self.history {
            history.write(&self.directory)?;
        }
        Ok(truth)
    }

    /// Brings law and counters up to now.
    fn update(&mut self) -> Result<MonotonicTime, SimulationError> {
        let from = monotonic_now()?;
        // Processes before the machine, so that the machine's time includes theirs.
        let cpu: Vec<Nanoseconds> = self.processes.iter_mut().map(ProcessClock::elapsed).collect();
        let machine = self.machine.elapsed()?;
        let now = monotonic_now()?;
        self.law.advance_to(now.since(self.started), &cpu, machine);
        for zone in &mut self.zones {
            zone.show(self.law.energy_fj(zone.domain()), now)?;
        }
        self.updates += 1;
        if let Some(history) = &mut self.history {
            let to = monotonic_now()?;
            history.updates.push(Update { from, to, load_cpu: cpu, machine_cpu: machine });
        }
        Ok(now)
    }

    fn obey(&mut self, now: MonotonicTime) -> Result<(), SimulationError> {
        for command in self.control.new_commands()? {
            match command {
                Command::Fault { zone, fault } => {
                    if let Some(file) = self.zones.iter_mut().find(|file| file.is_called(&zone)) {
                        file.inject(fault, now)?;
                    } else {
                        self.control.refuse(&format!("no zone is called {zone:?}"));
                    }
                }
                Command::Load(load) => match ProcessClock::of(load.pid, self.open_clock) {
                    Ok(clock) if usize::from(load.package) < self.law.packages() => {
                        self.law.add_load(load);
                        self.processes.push(clock);
                    }
                    Ok(_) => self.control.refuse(&format!("no package {}", load.package)),
                    Err(error) => self.control.refuse(&error.to_string()),
                },
            }
        }
        Ok(())
    }

    fn truth(&self, now: MonotonicTime) -> Truth {
        let mut truth = self.law.truth(now.since(self.started));
        truth.started_monotonic_ns = self.started.nanos();
        truth.written_monotonic_ns = now.nanos();
        truth.updates = self.updates;
        truth.refused_commands = self.control.refused().to_vec();
        truth
    }

    /// Marsaglia's xorshift64; its state is never 0.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn file_error(what: &'static str, path: &Path, cause: io::Error) -> SimulationError {
    SimulationError::File { what, path: path.to_owned(), cause }
}

fn monotonic_now() -> Result<MonotonicTime, SimulationError> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_err(SimulationError::Clock)?;
    let now = Nanoseconds::from(Duration::from(now));
    Ok(MonotonicTime::from_nanos(now.get()))
}

/// An absolute sleep; a signal may end it early, which only makes one update early.
fn sleep_until(at: MonotonicTime) -> Result<(), SimulationError> {
    let at = Duration::from_nanos(at.nanos()).into();
    match clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &at) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(()),
        Err(cause) => Err(SimulationError::Clock(cause)),
    }
}
