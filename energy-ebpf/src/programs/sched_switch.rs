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
use energy_ebpf::switch_log::{GAP, Switch, task_key};

use crate::maps::{CPU_LOGS, SWITCHES, log_shift};
use crate::task::pointer_argument;

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
        let tail = read_volatile(&raw const (*log).tail);
        let shift = log_shift() & 31;
        if head.wrapping_sub(tail) >> shift != 0 {
            (*log).dropped += 1;
            (*log).gap = 1;
            return;
        }
        let slot = (cpu << shift) | (head as u32 & ((1 << shift) - 1));
        let Some(record) = SWITCHES.get_ptr_mut(slot) else { return };
        let gap = if (*log).gap != 0 { GAP } else { 0 };
        let task = task_key(leaving, bpf_get_current_pid_tgid() as u32);
        record.write(Switch { end_ns: now | gap, task });
        (*log).gap = 0;
        (*log).next[(head as usize + 1) & 1] = entering;
        // The exchange is a full barrier: who sees the new head sees the record.
        atomic_xchg::<u64, { AtomicOrdering::SeqCst }>(&raw mut (*log).head, head + 1);
    }
}
