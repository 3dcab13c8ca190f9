//! `session.json`: what a reader must know about a recording that is not a table.
//! Unknown fields, of a newer version, are ignored; missing ones take their default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ReadTimes, SCHEMA_VERSION};
use crate::model::{DomainId, Losses, Provenance, Topology};
use crate::units::Watts;

/// The facts of one recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// The version of the tables, see [`SCHEMA_VERSION`].
    #[serde(default = "first_version")]
    pub schema_version: u32,
    /// The program that recorded, e.g. `energy-prof 0.1.0`.
    #[serde(default = "String::new")]
    pub tool: String,
    /// How far the recording got.
    pub state: SessionState,
    /// How it ended, for people: `duration reached`, `interrupted (SIGINT)`, an error's text.
    pub ended: Option<String>,
    /// The machine.
    pub host: Host,
    /// Where each CPU sits.
    pub topology: Topology,
    /// One instant read on both clocks.
    pub clock: Clock,
    /// The length of a whole window in nanoseconds.
    pub window_ns: u64,
    /// Where the energy came from.
    pub sources: Vec<SourceInfo>,
    /// What was asked for.
    pub target: Target,
    /// Whether the targets' children are targets too.
    pub inherit: bool,
    /// The options as given, by name.
    pub options: BTreeMap<String, String>,
    /// The recorder's own process, so that its load can be shown as a row of its own.
    pub recorder_tgid: u32,
    /// The launched command's exit code.
    pub exit_code: Option<i32>,
    /// What was missed.
    pub losses: Losses,
    /// How punctually the counters were read; `None` of unfinished traces, and of those made of logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<ReadTimes>,
    /// The cost of the BPF programs, where the kernel counts it.
    pub bpf: Option<BpfCost>,
    /// How stacks were sampled; `None` where they were not.
    pub sampling: Option<SamplingInfo>,
    /// Graphics cards that lie in no processor's package, so that their energy is added to it.
    pub discrete_cards: Vec<DomainId>,
    /// The calibration that the sources' idle power is from; `None` where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationInfo>,
    /// The log of another tool that this was made from; `None` where it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imported: Option<ImportedLog>,
}

impl Session {
    /// This program, as [`Session::tool`] names it.
    pub const TOOL: &str = concat!("energy-prof ", env!("CARGO_PKG_VERSION"));

    /// What is known where `session.json` is lost.
    pub(super) fn unknown() -> Self {
        Self { tool: String::new(), ..Self::default() }
    }
}

impl Default for Session {
    /// A recording by this program that has just begun, of an unknown machine.
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Self::TOOL.to_owned(),
            state: SessionState::default(),
            ended: None,
            host: Host::default(),
            topology: Topology::default(),
            clock: Clock::default(),
            window_ns: 0,
            sources: Vec::new(),
            target: Target::default(),
            inherit: false,
            options: BTreeMap::new(),
            recorder_tgid: 0,
            exit_code: None,
            losses: Losses::default(),
            reads: None,
            bpf: None,
            sampling: None,
            discrete_cards: Vec::new(),
            calibration: None,
            imported: None,
        }
    }
}

const fn first_version() -> u32 {
    1
}

/// How far a recording got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Under way, or cut off before it could say otherwise.
    #[default]
    Recording,
    /// Ended as it should.
    Complete,
    /// Ended by an error of the recorder's.
    Failed,
}

/// The machine that was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Its name.
    pub hostname: String,
    /// The kernel's release, e.g. `6.12.0-amd64`.
    pub kernel: String,
    /// The architecture, e.g. `x86_64`.
    pub arch: String,
    /// The processor's name.
    pub cpu_model: String,
    /// CPUs online.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The kernel's `boot_id`: monotonic times compare only between traces of one boot.
    pub boot_id: String,
    /// The hypervisor or container runtime around it, where one is known.
    pub virtualisation: Option<String>,
}

/// One instant read on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clock {
    /// `CLOCK_MONOTONIC` in nanoseconds.
    pub monotonic_start_ns: u64,
    /// The same instant in nanoseconds since 1970-01-01T00:00:00 UTC.
    pub utc_start_ns: i64,
}

/// One source of energy figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Its name, as in the `energy` table.
    pub name: String,
    /// What kind of figures it gives.
    pub provenance: Provenance,
    /// What it covers.
    #[serde(default)]
    pub domains: Vec<DomainId>,
    /// What they draw without load: as a model has it, or as this machine was calibrated.
    #[serde(default)]
    pub idle: Vec<IdlePower>,
    /// What a reader of its figures must be told, e.g. what an estimate rests on.
    #[serde(default)]
    pub note: Option<String>,
}

/// A domain's power without load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdlePower {
    /// Whose.
    pub domain: DomainId,
    /// How much.
    pub watts: Watts,
}

/// What a recording was asked to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// The whole machine.
    #[default]
    All,
    /// Processes that were running.
    Pids {
        /// Their process ids.
        pids: Vec<u32>,
    },
    /// A command that was launched.
    Command {
        /// The command and its arguments.
        argv: Vec<String>,
        /// Its process id.
        pid: u32,
    },
}

/// How stacks were sampled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplingInfo {
    /// Samples a second on each CPU.
    pub frequency: u32,
    /// What made them: `cycles` of the hardware, or the kernel's `cpu-clock`.
    pub event: String,
    /// How calls were found: `fp`, or `dwarf` and how many bytes of stack were copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_graph: Option<String>,
}

/// When and how a machine was calibrated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CalibrationInfo {
    /// When, in nanoseconds since 1970-01-01T00:00:00 UTC.
    pub taken_utc_ns: i64,
    /// The part of all CPUs' time in which something ran although the machine was to be idle.
    pub busy_share: f64,
}

/// A log that became a trace. It tells what the machine drew and not for whom: there are no threads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportedLog {
    /// The kind of log, as options name it, e.g. `power-gadget`.
    pub format: String,
    /// The tool that wrote it, e.g. `Intel Power Gadget`.
    pub tool: String,
    /// Its path, as given.
    pub file: String,
}

/// What our BPF programs cost, from `kernel.bpf_stats_enabled`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BpfCost {
    /// How often they ran.
    pub runs: u64,
    /// For how long altogether, in nanoseconds.
    pub run_time_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain;

    #[test]
    fn a_session_survives_its_json() {
        let session = Session {
            state: SessionState::Complete,
            ended: Some("target exited".to_owned()),
            sources: vec![SourceInfo {
                name: "rapl-powercap".to_owned(),
                provenance: Provenance::Measured,
                domains: vec![DomainId::of_socket(Domain::Package, 0)],
                idle: Vec::new(),
                note: None,
            }],
            target: Target::Command { argv: vec!["make".to_owned()], pid: 42 },
            inherit: true,
            exit_code: Some(-9),
            bpf: Some(BpfCost { runs: 10, run_time_ns: 1500 }),
            ..Session::default()
        };
        let json = serde_json::to_string(&session).unwrap();
        assert!(json.contains(r#""state":"complete""#) && json.contains(r#""kind":"command""#));
        assert_eq!(serde_json::from_str::<Session>(&json).unwrap(), session);
    }

    #[test]
    fn unknown_fields_are_ignored_and_missing_ones_take_their_default() {
        let session: Session =
            serde_json::from_str(r#"{"state":"failed","from_the_future":{"a":[1]}}"#).unwrap();
        assert_eq!(session.state, SessionState::Failed);
        assert_eq!((session.schema_version, session.tool.as_str()), (1, ""));
        assert_eq!(session.target, Target::All);
    }
}
