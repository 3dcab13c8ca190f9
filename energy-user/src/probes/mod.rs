//! The kernel's view: BPF programs loaded and attached, and what they record, as our own types.
//! The only place that knows aya, and the only one with `unsafe`.

#![expect(unsafe_code, reason = "memory shared with the kernel, and fork/exec")]

mod attach;
mod clock;
mod counters;
mod counting;
mod events;
mod launch;
mod mappings;
mod offsets;
mod samples;
mod sampling;
mod shared_memory;
mod support;
mod switches;

use std::io;

use thiserror::Error;

use crate::model::HardwareCounter;

pub use attach::{AttachOptions, Probes, RunStatistics};
pub use clock::{monotonic_now, suspended, wall_now};
pub use counters::CounterEvent;
pub use counting::{count_cpu_time, count_event};
pub use events::{TaskChange, TaskEvent};
pub use launch::{Account, command};
pub use mappings::{CodeChange, CodeEvent, Mapped};
pub use samples::{StackCopy, StackSampled, UserStack};
pub use sampling::{CallGraph, SampledProcesses, Sampling, SamplingEvent};
pub use support::{BpfSupport, sees_host_pids};
pub use switches::{CpuState, SwitchRecord};

/// Why the kernel side could not be started or read.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The caller may not load BPF programs.
    #[error(
        "cannot load BPF programs: permission denied (effective uid {uid}); run as root, e.g. \
         `sudo energy-prof …`, or give the binary cap_bpf, cap_perfmon, cap_sys_ptrace and \
         cap_dac_read_search"
    )]
    Permission {
        /// The effective uid.
        uid: u32,
    },
    /// Even root may not: something locks the kernel down.
    #[error(
        "cannot load BPF programs although running as root ({reason}); a container needs \
         `--privileged` or cap_bpf + cap_perfmon and a seccomp profile that allows bpf(2), and a \
         locked-down kernel (`cat /sys/kernel/security/lockdown`) must allow it"
    )]
    Forbidden {
        /// The kernel's answer.
        reason: String,
    },
    /// A hardware counter that was asked for cannot be had.
    #[error(
        "cannot count {counter} on CPU {cpu}: {source}; virtual machines often show no hardware counters, and another \
         profiler or the NMI watchdog may hold them: record without --counters"
    )]
    Counter {
        /// Which.
        counter: HardwareCounter,
        /// Where.
        cpu: u32,
        /// The kernel's answer.
        source: io::Error,
    },
    /// BPF programs may be loaded, but perf events not be opened.
    #[error(
        "cannot {what}: the kernel refuses perf events (kernel.perf_event_paranoid is {paranoid}); \
         run as root, set `sysctl kernel.perf_event_paranoid=2` where the value is higher, or record \
         without functions: --no-stacks"
    )]
    EventsForbidden {
        /// What was tried.
        what: &'static str,
        /// The setting's value.
        paranoid: String,
    },
    /// The kernel cannot do what is asked of it.
    #[error(
        "this kernel ({kernel}) cannot {what} ({reason}); energy-prof needs Linux 5.12 or newer \
         with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS: see `energy-prof doctor`"
    )]
    Unsupported {
        /// The running kernel's release.
        kernel: String,
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        reason: String,
    },
    /// A file of the system could not be read.
    #[error("cannot read {path}: {source}; energy-prof needs it to know this machine's CPUs")]
    System {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Memory shared with the kernel could not be mapped.
    #[error(
        "cannot map {bytes} bytes of the switch log: {source}; free memory or lower --log-records"
    )]
    Map {
        /// How much was asked for.
        bytes: usize,
        /// Why.
        source: io::Error,
    },
}
