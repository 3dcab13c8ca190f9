//! Where threads are in their programs: stacks, at a fixed rate on every CPU. How much on-CPU time a
//! sample stands for is worked out in user space, from the switch log.
//! Reference: Linux v6.12, kernel/bpf/stackmap.c (`bpf_get_stack_pe`).

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{BPF_F_USER_STACK, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{
    bpf_get_current_task, bpf_get_smp_processor_id, bpf_get_stack, bpf_ktime_get_ns,
    bpf_ringbuf_output,
};
use aya_ebpf::macros::perf_event;
use aya_ebpf::programs::PerfEventContext;
use energy_ebpf::sample::{ADDRESS_BYTES, KIND_BYTES, SampleHeader};
use energy_ebpf::switch_log::task_key;

use crate::maps::{CPU_LOGS, SAMPLES, SCRATCH, TARGETS, samples_everything};

/// Runs on every CPU at the sampling rate; idle CPUs and those that run no target are left alone.
#[perf_event]
pub fn cpu_sample(ctx: PerfEventContext) -> i32 {
    let ids = bpf_get_current_pid_tgid();
    let (tid, tgid) = (ids as u32, (ids >> 32) as u32);
    // SAFETY: the map's values are not changed while a program runs; only presence matters.
    if tid == 0 || !(samples_everything() || unsafe { TARGETS.get(&tgid) }.is_some()) {
        return 0;
    }
    sample(&ctx, tid, tgid);
    0
}

#[inline(always)]
fn sample(ctx: &PerfEventContext, tid: u32, tgid: u32) -> Option<()> {
    let scratch = SCRATCH.get_ptr_mut(0)?;
    // SAFETY: the scratch is this CPU's own, and this program does not nest. The helpers write no
    // more than the size they are given, which fits behind the offset: a mask keeps the kernel's
    // part below 1024 bytes, and 1023 + `KIND_BYTES` is below `ADDRESS_BYTES`.
    unsafe {
        let cpu = bpf_get_smp_processor_id();
        let addresses: *mut u8 = (&raw mut (*scratch).addresses).cast();
        let kernel = bpf_get_stack(ctx.as_ptr(), addresses.cast(), KIND_BYTES as u32, 0);
        let kernel_bytes = if kernel > 0 { kernel as u32 & 1023 } else { 0 };
        let user = bpf_get_stack(
            ctx.as_ptr(),
            addresses.add(kernel_bytes as usize).cast(),
            KIND_BYTES as u32,
            u64::from(BPF_F_USER_STACK),
        );
        let user_bytes = if user > 0 { user as u32 & 1023 } else { 0 };
        (&raw mut (*scratch).header).write(SampleHeader {
            at_ns: bpf_ktime_get_ns(),
            task: task_key(bpf_get_current_task(), tid),
            tgid,
            cpu,
            kernel_bytes,
            user_bytes,
        });
        let length = size_of::<SampleHeader>() as u64 + u64::from(kernel_bytes + user_bytes);
        if length > (size_of::<SampleHeader>() + ADDRESS_BYTES) as u64 {
            return None;
        }
        let sent = bpf_ringbuf_output(
            (&raw const SAMPLES).cast_mut().cast(),
            scratch.cast(),
            length,
            u64::from(BPF_RB_NO_WAKEUP),
        );
        if sent != 0 {
            (*CPU_LOGS.get_ptr_mut(cpu)?).lost_samples += 1;
        }
    }
    Some(())
}
