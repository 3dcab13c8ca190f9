//! Calibrating: what this machine draws when nothing runs, and with one, two, … CPUs busy.
//!
//! **You give** sources that measure, and a machine that is left alone for some seconds.
//! **You get** a [`Calibration`] that recordings of this machine take their idle baseline from.
//! **It is not** a model: nothing is measured where no counter is, and no figure here is a guess.
//!
//! What it is worth: docs/calibration.md.

mod load;
mod measure;
mod processes;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::probes::{count_event, monotonic_now, wall_now};
use crate::sources::{
    CALIBRATION_VERSION, Calibration, FindingState, HostFacts, HostIdentity, LoadPoint,
    SourceOptions, discover,
};
use crate::trace::Session;
use crate::units::scale::rfc3339;
use crate::units::{Nanoseconds, Share};
use load::{BusyCpus, steps};
use measure::Machine;

/// How long a machine takes to settle after its load has changed, before power is measured.
const SETTLING: Duration = Duration::from_millis(500);

/// Above this part of all CPUs' time, a machine is not idle.
pub const MOST_LOAD: f64 = 0.03;

/// How to calibrate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalibrateOptions {
    /// Where energy is read.
    pub sources: SourceOptions,
    /// For how long the machine's idle power is measured.
    pub idle: Nanoseconds,
    /// For how long its power is measured with each number of busy CPUs; `None` to leave that out.
    pub step: Option<Nanoseconds>,
    /// Whether a machine that is not idle is measured all the same.
    pub load: LoadCheck,
}

/// What to do about a machine that is not idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadCheck {
    /// Measure nothing that would be wrong.
    Refuse,
    /// Measure, and say how busy it was.
    Tell,
}

/// How calibrating goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Idle power is being measured.
    Idle,
    /// Power is being measured with so many CPUs kept busy.
    Busy(u32),
}

/// Why a machine could not be calibrated.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// Nothing measures.
    #[error(
        "nothing to calibrate: no counter measures energy here ({0}); see `energy-prof doctor`"
    )]
    NoSource(String),
    /// The counters are there and could not be read.
    #[error(
        "nothing to calibrate: {0} could not be read for most of the time, or stood still; see `energy-prof doctor`"
    )]
    NoPower(String),
    /// The machine was not idle.
    #[error(
        "the machine is not idle: its CPUs were {:.1} % busy, and {} % is the most; {running}; stop what \
         runs and try again, or take the figure all the same with --allow-load",
        .busy.percent(), MOST_LOAD * 100.0
    )]
    Busy {
        /// How busy all CPUs were.
        busy: Share,
        /// What ran most, in words.
        running: String,
    },
    /// The operating system refused something.
    #[error("cannot {what}: {source}; this is needed to calibrate")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// The machine's id, from which that of a calibration is derived.
pub const MACHINE_ID: &str = "/etc/machine-id";

/// Calibrates this machine. It takes as long as the options say, and the CPUs while it keeps them busy.
pub fn calibrate(
    options: &CalibrateOptions,
    mut progress: impl FnMut(Progress),
) -> Result<Calibration, CalibrateError> {
    let facts = HostFacts::of_this_machine();
    let found = discover(&options.sources, &facts, &count_event);
    if found.sources.is_empty() {
        let missing = found.findings.iter().filter(|f| f.state == FindingState::Missing);
        let why: Vec<_> = missing.map(|finding| finding.detail.clone()).collect();
        return Err(CalibrateError::NoSource(why.join("; ")));
    }
    let wait = |time| std::thread::sleep(time);
    let mut machine = Machine::new(found.sources, Path::new("/proc"), &monotonic_now, &wait);
    progress(Progress::Idle);
    let idle = machine.power(0, options.idle)?;
    if options.load == LoadCheck::Refuse {
        check_idle(&idle)?;
    }
    let mut active = Vec::new();
    for cpus in options.step.iter().flat_map(|_| steps(&facts.topology)) {
        let busy_cpus = u32::try_from(cpus.len()).expect("CPU numbers are 16 bits wide");
        progress(Progress::Busy(busy_cpus));
        let busy = BusyCpus::start(&cpus)
            .map_err(|source| CalibrateError::System { what: "start a thread", source })?;
        std::thread::sleep(SETTLING);
        let point = machine.power(busy_cpus, options.step.unwrap_or_default());
        drop(busy);
        active.push(point?);
    }
    let taken = wall_now();
    Ok(Calibration {
        schema_version: CALIBRATION_VERSION,
        tool: Session::TOOL.to_owned(),
        host: HostIdentity::of(&facts, Path::new(MACHINE_ID)),
        taken_utc_ns: taken,
        taken_utc: rfc3339(taken).unwrap_or_default(),
        idle,
        active,
    })
}

/// Refuses a machine that was not left alone.
fn check_idle(idle: &LoadPoint) -> Result<(), CalibrateError> {
    let Some(busy) = Share::new(idle.busy_share).filter(|busy| busy.get() > MOST_LOAD) else {
        return Ok(());
    };
    let running = if idle.running.is_empty() {
        "what ran is gone or hidden".to_owned()
    } else {
        format!("most by {}", idle.running.join(", "))
    };
    Err(CalibrateError::Busy { busy, running })
}

/// Where the calibration of whoever calls is kept; `None` where they have no home.
pub fn usual_place() -> Option<PathBuf> {
    Calibration::usual_place(nix::unistd::geteuid().is_root(), &|name| std::env::var_os(name))
}
