//! Recording: drives the probes and the energy sources into a trace, and divides nothing.

mod address_space;
mod capture;
mod cards;
mod counts;
mod ending;
mod energy;
mod jit;
mod made_code;
mod naming;
mod objects;
mod privileges;
mod procfs;
mod programs;
mod recorder;
mod residency;
mod sample_book;
mod stacks;
mod target;
mod tasks;
mod ticker;
mod writing;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::probes::{Account, CallGraph, CounterEvent, ProbeError, SampledProcesses, Sampling};
use crate::sources::{Calibration, SourceChoice, SourceError};
use crate::trace::{Existing, Owner, Session, TraceError, TraceSize};
use crate::units::Nanoseconds;

pub use jit::jit_environment;
pub use privileges::PrivilegeError;
pub use recorder::record;
pub use target::TargetError;

/// What to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetChoice {
    /// The whole machine, with no process above the others.
    All,
    /// Processes that are running.
    Pids(Vec<u32>),
    /// A command to launch: the program and its arguments.
    Command(Vec<OsString>),
}

/// How to record.
#[derive(Clone, Debug)]
pub struct RecordOptions {
    /// What.
    pub target: TargetChoice,
    /// Whether children of the targets are targets too.
    pub inherit: bool,
    /// Length of a window.
    pub window: Nanoseconds,
    /// When to stop at the latest.
    pub duration: Option<Nanoseconds>,
    /// Where the trace goes.
    pub output: PathBuf,
    /// What becomes of an older trace there.
    pub existing: Existing,
    /// Who owns the trace.
    pub owner: Option<Owner>,
    /// Who the launched command runs as; `None` for the caller.
    pub account: Option<Account>,
    /// Variables that the launched command gets besides the recorder's own, in place of those.
    pub environment: Vec<(&'static str, OsString)>,
    /// Where powercap zones are, instead of `/sys/class/powercap`.
    pub powercap_root: Option<PathBuf>,
    /// Where sysfs is, instead of `/sys`, for the energy sources.
    pub sysfs: Option<PathBuf>,
    /// Where devices are, instead of `/dev`, for the registers of CPUs.
    pub dev: Option<PathBuf>,
    /// Where NVIDIA's library of cards is, instead of where its driver puts it.
    pub nvml_library: Option<PathBuf>,
    /// Where energy is to come from.
    pub source: SourceChoice,
    /// Whether the counters of single cores are to be read besides.
    pub core_counters: bool,
    /// What this machine draws idle, where it was calibrated.
    pub calibration: Option<Calibration>,
    /// What is counted while threads run.
    pub counters: Vec<CounterEvent>,
    /// Samples of stacks a second on each CPU; `None` for no stacks.
    pub frequency: Option<u32>,
    /// How the calls in stacks are found.
    pub call_graph: CallGraph,
    /// Binary logarithm of the switch log's records per CPU.
    pub log_shift: u32,
    /// Where the kernel's type information is, instead of `/sys/kernel/btf/vmlinux`.
    pub btf: Option<PathBuf>,
    /// The options as given, for the trace.
    pub given: BTreeMap<String, String>,
}

impl RecordOptions {
    /// Whose stacks are sampled, and how often.
    fn sampling(&self) -> Option<Sampling> {
        let whose = match &self.target {
            TargetChoice::All => SampledProcesses::All,
            TargetChoice::Pids(pids) => SampledProcesses::Tgids(pids.clone()),
            TargetChoice::Command(_) => SampledProcesses::Launched,
        };
        let frequency = self.frequency?;
        let call_graph = self.call_graph;
        Some(Sampling { frequency, whose, inherit: self.inherit, call_graph })
    }
}

/// How a recording is going, for whoever watches.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Everything is attached and the clock runs.
    Started {
        /// What a reader of the energy must be told, where it is an estimate.
        notes: Vec<String>,
    },
    /// Another second went by.
    Running {
        /// Since the start.
        elapsed: Nanoseconds,
        /// Mean power of the disjoint total in the last second, where known.
        watts: Option<f64>,
        /// Whether that is an estimate.
        estimated: bool,
    },
    /// Recording has stopped; the trace is being completed.
    Finishing,
}

/// A finished recording.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The session as the trace has it.
    pub session: Session,
    /// The trace's size.
    pub size: TraceSize,
    /// What kept functions from being named, in sentences.
    pub warnings: Vec<String>,
}

/// Why recording failed.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The kernel side.
    #[error(transparent)]
    Probes(#[from] ProbeError),
    /// An energy source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The trace.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Privileges.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// A pid namespace of a container.
    #[error(
        "cannot record inside a pid namespace: the kernel's pids would not be the ones seen here; \
         run energy-prof on the host, or the container with `--pid=host`"
    )]
    PidNamespace,
    /// Nothing to read energy from.
    #[error("no energy source: {0}; see `energy-prof doctor`")]
    NoSource(String),
    /// No counters of single cores, which were asked for.
    #[error(
        "cannot read counters of single cores: {0}; leave --core-counters out to record without them"
    )]
    NoCoreCounters(String),
    /// A window length out of range.
    #[error(transparent)]
    Window(#[from] crate::model::GridError),
    /// The operating system refused something recording cannot do without.
    #[error("cannot {what}: {source}; this is needed to record")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}
