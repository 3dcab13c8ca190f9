//! Counting perf events: opened on one CPU or for one process, read as often as wanted.

use std::collections::BTreeSet;
use std::fs::{self, File};
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
    open_event(pmu_type, config, cpu).map(reader)
}

/// How often a process is looked at again that starts and ends threads in the meantime.
const ATTEMPTS: u32 = 10;

/// Gives what reads the CPU time of a process in nanoseconds, counted from now: that of all its threads, those to come and
/// those that have ended included, and of no child. Exact at each reading, where `clock_getcpuclockid(3)` shows a
/// process that runs on another CPU as of the last timer tick. Goes on counting nothing when the process has ended.
///
/// Needs Linux 5.13 (`inherit_thread`), and CAP_PERFMON, root, or a `kernel.perf_event_paranoid` of 1 or
/// less and the right to trace the process.
pub fn count_cpu_time(pid: u32) -> io::Result<ReadCount> {
    for _ in 0..ATTEMPTS {
        let threads = threads_of(pid)?;
        let opened: io::Result<Vec<_>> = threads.iter().map(|tid| open_clock(*tid)).collect();
        // A thread that was started in between is either counted by the one that started it, or not at all.
        if threads_of(pid)? != threads {
            continue;
        }
        let mut clocks: Vec<ReadCount> = opened?.into_iter().map(reader).collect();
        return Ok(Box::new(move || clocks.iter_mut().map(|read| read()).sum()));
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

fn threads_of(pid: u32) -> io::Result<BTreeSet<i32>> {
    let names = fs::read_dir(format!("/proc/{pid}/task"))?;
    let tid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    names.filter_map(|entry| entry.map(tid).transpose()).collect()
}

/// Opens the clock of a thread and of all that it will start.
fn open_clock(tid: i32) -> io::Result<OwnedFd> {
    let mut attributes = sys::perf_event_attr {
        config: u64::from(sys::PERF_COUNT_SW_TASK_CLOCK),
        ..attributes(sys::PERF_TYPE_SOFTWARE)
    };
    attributes.set_inherit(1);
    attributes.set_inherit_thread(1);
    open(attributes, tid, -1)
}

/// Opens an event, as [`count_event`] does.
pub(super) fn open_event(pmu_type: u32, config: u64, cpu: u16) -> io::Result<OwnedFd> {
    open(sys::perf_event_attr { config, ..attributes(pmu_type) }, -1, i32::from(cpu))
}

fn attributes(pmu_type: u32) -> sys::perf_event_attr {
    let size = u32::try_from(size_of::<sys::perf_event_attr>()).expect("a small struct");
    sys::perf_event_attr { type_: pmu_type, size, ..Default::default() }
}

/// Opens an event of a thread or of all, on one CPU or on all; -1 is all.
fn open(mut attributes: sys::perf_event_attr, tid: i32, cpu: i32) -> io::Result<OwnedFd> {
    let flags = u64::from(sys::PERF_FLAG_FD_CLOEXEC);
    // SAFETY: the attributes outlive the call, and their size is said in them.
    let descriptor =
        unsafe { perf_event_open_sys::perf_event_open(&raw mut attributes, tid, cpu, -1, flags) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, and nobody else has this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn reader(event: OwnedFd) -> ReadCount {
    let mut event = File::from(event);
    Box::new(move || {
        let mut count = [0; 8];
        // An event that the kernel has put out of service reads as nothing, which is an error here.
        event.read_exact(&mut count)?;
        Ok(u64::from_ne_bytes(count))
    })
}
