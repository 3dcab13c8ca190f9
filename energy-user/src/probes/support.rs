//! What this kernel and this process may do with BPF, found by trying.

use std::path::Path;

use super::{AttachOptions, ProbeError, Probes};

/// What was found.
#[derive(Debug)]
pub struct BpfSupport {
    /// Whether the programs load and attach; the error says why not.
    pub attached: Result<(), ProbeError>,
    /// Whether the kernel offers its type information: forks and cgroups are then seen.
    pub btf: bool,
    /// Whether this process sees the host's pids and not a container's.
    pub host_pids: bool,
}

/// The inode of the first pid namespace: Linux v6.12, include/linux/proc_ns.h.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

impl BpfSupport {
    /// Loads, attaches and at once detaches the programs.
    pub fn probe() -> Self {
        let options = AttachOptions { log_shift: 8, ..AttachOptions::default() };
        let btf = options.btf.exists();
        Self {
            attached: Probes::attach(&options).map(drop),
            btf,
            host_pids: sees_host_pids(Path::new("/proc")),
        }
    }
}

/// Whether pids in `/proc` are the ones BPF programs see.
pub fn sees_host_pids(procfs: &Path) -> bool {
    std::fs::read_link(procfs.join("self/ns/pid"))
        .is_ok_and(|name| name.as_os_str() == FIRST_PID_NAMESPACE)
}
