//! Reading hardware counters at a context switch, on the CPU that counts.
//! Reference: Linux v6.12, kernel/trace/bpf_trace.c (`bpf_perf_event_read_value`).

use core::ffi::c_void;

use aya_ebpf::bindings::bpf_perf_event_value;
use aya_ebpf::helpers::generated::bpf_perf_event_read_value;
use aya_ebpf::maps::PerfEventArray;
use energy_ebpf::counters::{Counted, MOST_COUNTERS, Reading, UNKNOWN, WITH_NEXT};

use crate::maps::{COUNTED, COUNTER_0, COUNTER_1, COUNTER_2, COUNTER_READINGS, counters};

/// Writes down what `cpu` has counted since the last time, in the slot `index` of the log; of a thread that
/// was not seen to leave, that the next record has what both have counted.
#[inline(always)]
pub fn note(cpu: u32, index: u32, was_seen: bool) {
    let wanted = counters();
    if wanted == 0 {
        return;
    }
    let Some(slot) = COUNTED.get_ptr_mut(index) else { return };
    let Some(last) = COUNTER_READINGS.get_ptr_mut(cpu) else { return };
    // SAFETY: both pointers come from maps, and only this CPU writes there, with interrupts off.
    unsafe {
        if !was_seen {
            slot.write(Counted { counts: [WITH_NEXT; MOST_COUNTERS] });
            return;
        }
        (*slot).counts[0] = since_last(&COUNTER_0, cpu, &raw mut (*last)[0]);
        if wanted > 1 {
            (*slot).counts[1] = since_last(&COUNTER_1, cpu, &raw mut (*last)[1]);
        }
        if wanted > 2 {
            (*slot).counts[2] = since_last(&COUNTER_2, cpu, &raw mut (*last)[2]);
        }
    }
}

/// What an event of `cpu`, on which this runs, has counted since its `last` reading.
///
/// # Safety
///
/// `last` must be valid, and nobody else's.
#[inline(always)]
unsafe fn since_last(events: &PerfEventArray<u64>, cpu: u32, last: *mut Reading) -> u64 {
    let mut value = bpf_perf_event_value { counter: 0, enabled: 0, running: 0 };
    let map = (&raw const *events).cast_mut().cast::<c_void>();
    let size = size_of::<bpf_perf_event_value>() as u32;
    // SAFETY: the map is one of perf events, and the value is of the size that is said; `last` is as promised.
    unsafe {
        if bpf_perf_event_read_value(map.cast(), u64::from(cpu), &raw mut value, size) != 0 {
            return UNKNOWN;
        }
        let now = Reading { count: value.counter, enabled: value.enabled, running: value.running };
        let counted = now.since(*last);
        last.write(now);
        counted
    }
}
