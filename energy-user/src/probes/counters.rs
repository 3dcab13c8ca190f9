//! Hardware counters that the kernel side reads at each context switch.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::ProbeError;
use super::counting::open_event;
use crate::model::HardwareCounter;

/// What a counter counts: an event of a PMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterEvent {
    /// Which counter.
    pub counter: HardwareCounter,
    /// The number of the PMU.
    pub pmu_type: u32,
    /// The event's code.
    pub config: u64,
}

impl CounterEvent {
    /// The event by which the kernel offers a counter on every processor that has it
    /// (`PERF_TYPE_HARDWARE`; Linux v6.12, include/uapi/linux/perf_event.h).
    pub const fn usual(counter: HardwareCounter) -> Self {
        let config = match counter {
            HardwareCounter::Cycles => 0,
            HardwareCounter::Instructions => 1,
            HardwareCounter::LlcMisses => 3,
        };
        Self { counter, pmu_type: 0, config }
    }
}

/// Opens an event on each of `cpus` and puts it where the kernel side looks, in the slot of its CPU. It counts until
/// the descriptors are closed.
pub(super) fn open(
    event: &CounterEvent,
    cpus: &[u32],
    map: impl AsFd,
) -> Result<Vec<OwnedFd>, ProbeError> {
    cpus.iter()
        .map(|&cpu| {
            let refused = |source| ProbeError::Counter { counter: event.counter, cpu, source };
            let number =
                u16::try_from(cpu).map_err(|_| refused(io::ErrorKind::InvalidInput.into()))?;
            let descriptor = open_event(event.pmu_type, event.config, number).map_err(refused)?;
            put(&map, cpu, &descriptor).map_err(refused)?;
            Ok(descriptor)
        })
        .collect()
}

/// The argument of `BPF_MAP_UPDATE_ELEM` (Linux v6.12, include/uapi/linux/bpf.h).
#[repr(C)]
struct Update {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;

/// Puts an event into a slot of a map of events.
fn put(map: &impl AsFd, slot: u32, event: &OwnedFd) -> io::Result<()> {
    let raw = |descriptor: i32| u32::try_from(descriptor).expect("an open descriptor");
    let value = raw(event.as_raw_fd());
    let update = Update {
        map: raw(map.as_fd().as_raw_fd()),
        padding: 0,
        key: (&raw const slot).addr() as u64,
        value: (&raw const value).addr() as u64,
        flags: 0,
    };
    // SAFETY: the argument, the key and the value outlive the call, and are as large as the map's are.
    let failed = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_MAP_UPDATE_ELEM, &raw const update, size_of::<Update>())
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
