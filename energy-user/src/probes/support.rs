//! What this kernel and this process may do with BPF, found by trying.

use std::path::Path;

use super::{
    AttachOptions, CallGraph, ProbeError, Probes, SampledProcesses, Sampling, SamplingEvent,
};

/// What was found.
#[derive(Debug)]
pub struct BpfSupport {
    /// Whether the programs load and attach; the error says why not.
    pub attached: Result<(), ProbeError>,
    /// Whether the kernel's type information can be read: forks and cgroups are then seen.
    pub btf: bool,
    /// What samples stacks; the error says why nothing does.
    pub stacks: Result<SamplingEvent, ProbeError>,
    /// Whether stacks can be copied, to be unwound; the error says why not.
    pub copies: Result<(), ProbeError>,
    /// Whether this process sees the host's pids and not a container's.
    pub host_pids: bool,
}

/// The inode of the first pid namespace: Linux v6.12, include/linux/proc_ns.h.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

impl BpfSupport {
    /// Loads, attaches and at once detaches the programs.
    pub fn probe() -> Self {
        let sampling = |call_graph| Sampling {
            frequency: 99,
            whose: SampledProcesses::Tgids(Vec::new()),
            inherit: false,
            call_graph,
        };
        let attach = |sampling| {
            Probes::attach(&AttachOptions { log_shift: 8, sampling, ..AttachOptions::default() })
        };
        let plain = attach(None);
        let stacks = attach(Some(sampling(CallGraph::FramePointers)));
        let copies = attach(Some(sampling(CallGraph::Dwarf { stack_bytes: 1024 })));
        Self {
            btf: plain
                .as_ref()
                .map_or_else(|_| AttachOptions::default().btf.exists(), Probes::has_btf),
            attached: plain.map(drop),
            stacks: stacks.map(|probes| probes.sampling_event().unwrap_or(SamplingEvent::CpuClock)),
            copies: copies.map(drop),
            host_pids: sees_host_pids(Path::new("/proc")),
        }
    }
}

/// Whether pids in `/proc` are the ones BPF programs see.
pub fn sees_host_pids(procfs: &Path) -> bool {
    std::fs::read_link(procfs.join("self/ns/pid"))
        .is_ok_and(|name| name.as_os_str() == FIRST_PID_NAMESPACE)
}
