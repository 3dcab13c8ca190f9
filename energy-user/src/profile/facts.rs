//! What a profile says about the recording it was made from.

use std::collections::BTreeMap;

use crate::emissions::SiteOptions;
use crate::model::{DomainId, Losses, Provenance};
use crate::units::{Nanoseconds, Share, WallTime, Watts};

/// A recording, as far as a report speaks of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The program and version that recorded.
    pub tool: String,
    /// The machine's name.
    pub hostname: String,
    /// The kernel's release.
    pub kernel: String,
    /// The processor's name.
    pub cpu_model: String,
    /// How many CPUs were online.
    pub cpus: u32,
    /// The kind of virtual machine, where it is one.
    pub virtualisation: Option<String>,
    /// The length of a whole window.
    pub window: Nanoseconds,
    /// Where the energy came from.
    pub sources: Vec<SourceFacts>,
    /// How callers were found in stacks, where there are any: `fp`, or `dwarf,` and the bytes copied.
    pub call_graph: Option<String>,
    /// What was to be looked at.
    pub targets: Targets,
    /// The profiler's own process.
    pub recorder_tgid: u32,
    /// Where the machine stands, as far as that was said when recording.
    pub site: SiteOptions,
    /// How the recording ended, in words.
    pub ending: String,
    /// Whether the recording was brought to its end, in whatever way.
    pub complete: bool,
    /// What a launched command returned.
    pub exit_code: Option<i32>,
    /// What the recording missed.
    pub losses: Losses,
    /// Graphics cards that lie in no processor's package, so that their energy is added to it.
    pub discrete_cards: Vec<DomainId>,
    /// What is wrong with the trace and was passed over, in sentences.
    pub findings: Vec<String>,
    /// What the profiler's own programs in the kernel cost, where known.
    pub bpf: Option<BpfFacts>,
    /// The calibration that idle power of measured domains is from, where there was one.
    pub calibration: Option<CalibrationFacts>,
    /// The log that the trace was made from, where it was not recorded. Such a trace has no threads.
    pub imported: Option<ImportFacts>,
}

/// When the machine was calibrated, and how idle it was then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationFacts {
    /// When.
    pub taken: WallTime,
    /// The part of all CPUs' time in which something ran all the same.
    pub busy: Share,
}

/// A log of another tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFacts {
    /// The kind of log, as options name it.
    pub format: String,
    /// The tool that wrote it.
    pub tool: String,
    /// Its path, as given.
    pub file: String,
}

impl ImportFacts {
    /// Why nobody is charged with anything, in a sentence without a full stop.
    pub fn why_nothing_is_divided(&self) -> String {
        format!(
            "a log of {} has no threads: it tells what the machine drew, and not for whom",
            self.tool
        )
    }
}

/// A source of energy figures.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFacts {
    /// Its name, e.g. `rapl-powercap`.
    pub name: String,
    /// What kind of figures it gives.
    pub provenance: Provenance,
    /// What domains draw without load: as a model has it, or as the machine was calibrated.
    pub idle: BTreeMap<DomainId, Watts>,
    /// What must be said about them, in a sentence.
    pub note: Option<String>,
}

/// The cost of the profiler's own programs in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BpfFacts {
    /// How often they ran.
    pub runs: u64,
    /// For how long in all.
    pub run_time: Nanoseconds,
}

/// What a recording was to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Targets {
    /// Everything alike.
    #[default]
    All,
    /// These processes, and what descends from them.
    Pids(Vec<u32>),
    /// A launched command, and what descends from it.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// Its process.
        pid: u32,
    },
}

impl Targets {
    /// Whether anything was chosen, so that the rest of the system is one row.
    pub const fn chosen(&self) -> bool {
        !matches!(self, Self::All)
    }
}
