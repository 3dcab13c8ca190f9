//! Who left which CPU when. At this tracepoint `current` is still the task that leaves.
//! Reference: Linux v6.12, kernel/sched/core.c (`__schedule`), include/trace/events/sched.h.

use core::intrinsics::{AtomicOrdering, atomic_xchg};
use core::ptr::read_volatile;

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{
    bpf_get_current_task, bpf_get_smp_processor_id, bpf_ktime_get_ns,
};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use energy_ebpf::switch_log::{CpuLog, GAP, Switch, task_key};

use super::counters;
use crate::maps::{CPU_LOGS, SWITCHES, log_shift, offsets};
use crate::task::{field, pointer_argument};

/// Runs at every context switch: closes the interval of the task that leaves.
#[raw_tracepoint(tracepoint = "sched_switch")]
pub fn sched_switch(ctx: RawTracePointContext) -> i32 {
    log_switch(pointer_argument(&ctx, 1), pointer_argument(&ctx, 2));
    0
}

/// Runs when user space asks, on the CPU it names: closes the interval of the task that runs and
/// lets it go on. It never interrupts the program above, which runs with interrupts off.
#[raw_tracepoint]
pub fn mark_running(_: RawTracePointContext) -> i32 {
    // SAFETY: the helper has no preconditions.
    let current = unsafe { bpf_get_current_task() };
    log_switch(current, current);
    0
}

#[inline(always)]
fn log_switch(leaving: u64, entering: u64) {
    // SAFETY: the helpers have no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let Some(log) = CPU_LOGS.get_ptr_mut(cpu) else { return };
    // SAFETY: the pointer comes from the map. Only this CPU writes these fields, with interrupts
    // off; `tail` is written by user space, as one aligned word.
    unsafe {
        let head = (*log).head;
        let seen = (*log).next[head as usize & 1];
        if seen != leaving && head != 0 && (*log).gap == 0 {
            (*log).unseen += 1;
            let before =
                record_at(cpu, head.wrapping_sub(1)).map_or(0, |last| (*last).end_ns & !GAP);
            let arrived = arrival(leaving, seen, before, now);
            let tid = field(seen, offsets().task_pid).unwrap_or(0);
            append(log, cpu, arrived, task_key(seen, tid), leaving, false);
        }
        let task = task_key(leaving, bpf_get_current_pid_tgid() as u32);
        append(log, cpu, now, task, entering, true);
    }
}

/// Writes one record, or counts it as lost.
///
/// # Safety
///
/// `log` must be the entry of `cpu`, on which this runs with interrupts off.
#[inline(always)]
unsafe fn append(
    log: *mut CpuLog,
    cpu: u32,
    end_ns: u64,
    task: u64,
    entering: u64,
    was_seen: bool,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let head = (*log).head;
        let tail = read_volatile(&raw const (*log).tail);
        if head.wrapping_sub(tail) >> (log_shift() & 31) != 0 {
            (*log).dropped += 1;
            (*log).gap = 1;
            return;
        }
        let Some(record) = record_at(cpu, head) else { return };
        let gap = if (*log).gap != 0 { GAP } else { 0 };
        record.write(Switch { end_ns: end_ns | gap, task });
        counters::note(cpu, slot_of(cpu, head), was_seen);
        (*log).gap = 0;
        (*log).next[(head as usize + 1) & 1] = entering;
        // The exchange is a full barrier: who sees the new head sees the record.
        atomic_xchg::<u64, { AtomicOrdering::SeqCst }>(&raw mut (*log).head, head + 1);
    }
}

/// Where a CPU's record of this number lies.
#[inline(always)]
fn record_at(cpu: u32, number: u64) -> Option<*mut Switch> {
    SWITCHES.get_ptr_mut(slot_of(cpu, number))
}

#[inline(always)]
fn slot_of(cpu: u32, number: u64) -> u32 {
    let shift = log_shift() & 31;
    (cpu << shift) | (number as u32 & ((1 << shift) - 1))
}

/// When `leaving` came to the CPU, which we did not see: some kernels switch threads now and then
/// without telling. The scheduler notes when a thread came; of the idle task it does not, but when the
/// one `seen` to come before was gone. `before` where it cannot be told: all of it is `leaving`'s then.
/// Reference: Linux v6.12, kernel/sched/stats.h (`sched_info_arrive`), kernel/sched/fair.c
/// (`update_curr`).
#[inline(always)]
fn arrival(leaving: u64, seen: u64, before: u64, now: u64) -> u64 {
    let offsets = offsets();
    let read = |base: u64, offset: u32| field(base, offset).unwrap_or(0_u64);
    let runqueue = read(read(leaving, offsets.task_fair_queue), offsets.fair_queue_runqueue);
    let came = read(leaving, offsets.task_last_arrival);
    let (clock, since) = if came != 0 {
        (read(runqueue, offsets.runqueue_clock), came)
    } else {
        (read(runqueue, offsets.runqueue_clock_task), read(seen, offsets.task_exec_start))
    };
    let ago = clock.wrapping_sub(since);
    if since != 0 && ago <= now.wrapping_sub(before) { now - ago } else { before }
}
