//! Counting perf events: opened on one CPU, read as often as wanted.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{FromRawFd, OwnedFd};

use perf_event_open_sys::bindings as sys;

/// Reads an event's count.
type ReadCount = Box<dyn FnMut() -> io::Result<u64> + Send>;

/// Opens the event `config` of the PMU numbered `pmu_type`, of everything on `cpu`, and gives what reads
/// its count. The count begins at 0 and never wraps; it goes on without privileges once it is open.
///
/// Needs CAP_PERFMON (Linux 5.8) or root, or a `kernel.perf_event_paranoid` of 0 or less.
pub fn count_event(pmu_type: u32, config: u64, cpu: u16) -> io::Result<ReadCount> {
    let mut event = File::from(open_event(pmu_type, config, cpu)?);
    Ok(Box::new(move || {
        let mut count = [0; 8];
        // An event that the kernel has put out of service reads as nothing, which is an error here.
        event.read_exact(&mut count)?;
        Ok(u64::from_ne_bytes(count))
    }))
}

/// Opens an event, as [`count_event`] does.
pub(super) fn open_event(pmu_type: u32, config: u64, cpu: u16) -> io::Result<OwnedFd> {
    let mut attributes = sys::perf_event_attr {
        type_: pmu_type,
        size: u32::try_from(size_of::<sys::perf_event_attr>()).expect("a small struct"),
        config,
        ..Default::default()
    };
    let flags = u64::from(sys::PERF_FLAG_FD_CLOEXEC);
    // SAFETY: the attributes outlive the call, and their size is said in them.
    let descriptor = unsafe {
        perf_event_open_sys::perf_event_open(&raw mut attributes, -1, i32::from(cpu), -1, flags)
    };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, and nobody else has this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
