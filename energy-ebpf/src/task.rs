//! Reading tasks: the current one through helpers, others through offsets from the kernel's BTF.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_smp_processor_id, bpf_ktime_get_ns,
};
use aya_ebpf::helpers::{
    bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid, bpf_probe_read_kernel,
};
use aya_ebpf::programs::RawTracePointContext;
use energy_ebpf::event::TaskEvent;

use crate::maps::{CPU_LOGS, offsets};

/// The kernel's name for an argument of a raw tracepoint that is a pointer.
#[inline(always)]
pub fn pointer_argument(ctx: &RawTracePointContext, index: usize) -> u64 {
    ctx.arg::<u64>(index)
}

/// A field of a kernel structure, or `None` where its offset is unknown or the read fails.
#[inline(always)]
pub fn field<T: Copy>(base: u64, offset: u32) -> Option<T> {
    if offset == 0 {
        return None;
    }
    // SAFETY: the helper checks the address and fails on a bad one.
    unsafe { bpf_probe_read_kernel((base + u64::from(offset)) as *const T) }.ok()
}

/// The event of `kind` for the current task, whose `task_struct` is at `address`.
#[inline(always)]
pub fn current_event(kind: u32, address: u64) -> TaskEvent {
    let ids = bpf_get_current_pid_tgid();
    TaskEvent {
        kind,
        tid: ids as u32,
        tgid: (ids >> 32) as u32,
        // SAFETY: both helpers have no preconditions.
        at_ns: unsafe { bpf_ktime_get_ns() },
        cgroup: unsafe { bpf_get_current_cgroup_id() },
        task: address,
        start_ns: field(address, offsets().task_start_time).unwrap_or(0),
        uid: bpf_get_current_uid_gid() as u32,
        other_tid: 0,
        other_tgid: 0,
        comm: bpf_get_current_comm().unwrap_or([0; 16]),
    }
}

/// Counts an event that found the ring full, and says so the first time on each CPU. Two programs
/// that preempt each other may count as one here; that anything was lost is never missed.
#[inline(always)]
pub fn count_lost_event<C: EbpfContext>(ctx: &C) {
    // SAFETY: the helper has no preconditions.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let Some(log) = CPU_LOGS.get_ptr_mut(cpu) else { return };
    // SAFETY: the pointer comes from the map, and only programs on this CPU write the field.
    let lost = unsafe { &mut (*log).lost_events };
    if *lost == 0 {
        aya_log_ebpf::warn!(ctx, "the ring of process events is full: events are being lost");
    }
    *lost += 1;
}
