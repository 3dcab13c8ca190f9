//! Giving up what is no longer needed once the probes are attached, the counters open and the
//! command started.

use caps::{CapSet, Capability, CapsHashSet};
use thiserror::Error;

/// What recording goes on needing, and why.
const KEPT: [Capability; 6] = [
    // The trace lies in the calling user's directory and is given to them.
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_CHOWN,
    // `/proc/PID/exe` of other users' processes.
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_SYS_PTRACE,
    // Kernel addresses in `/proc/kallsyms`, which is read when the recording is over.
    Capability::CAP_SYSLOG,
    // Passing a signal on to the launched command.
    Capability::CAP_KILL,
];

/// Capabilities could not be given up.
#[derive(Debug, Error)]
#[error(
    "cannot give up capabilities that are no longer needed: {0}; this kernel refuses capset(2)"
)]
pub struct PrivilegeError(#[from] caps::errors::CapsError);

/// Gives up every capability but [`KEPT`], for this thread and those it will start.
pub(super) fn drop_unneeded() -> Result<(), PrivilegeError> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet = KEPT.into_iter().filter(|kept| permitted.contains(kept)).collect();
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    caps::clear(None, CapSet::Inheritable)?;
    Ok(())
}
