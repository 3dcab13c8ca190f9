//! Where threads are in their programs: stacks, at a fixed rate on every CPU. How much on-CPU time a
//! sample stands for is worked out in user space, from the switch log.
//! Reference: Linux v6.12, kernel/bpf/stackmap.c (`bpf_get_stack_pe`).

use core::ffi::c_void;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{BPF_F_USER_STACK, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::generated::{
    bpf_get_current_task, bpf_get_current_task_btf, bpf_get_smp_processor_id, bpf_get_stack,
    bpf_ktime_get_ns, bpf_probe_read_user, bpf_ringbuf_output, bpf_task_pt_regs,
};
use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_probe_read_kernel};
use aya_ebpf::macros::perf_event;
use aya_ebpf::programs::PerfEventContext;
use energy_ebpf::sample::{
    ADDRESS_BYTES, COPIED, KERNEL_ROOM, KIND_BYTES, Registers, STACK_BYTES, STACK_PIECE,
    SampleHeader,
};
use energy_ebpf::switch_log::task_key;

use crate::maps::{
    COPY_SCRATCH, CPU_LOGS, SAMPLES, SCRATCH, TARGETS, offsets, samples_everything, stack_limit,
};

/// Runs on every CPU at the sampling rate; idle CPUs and those that run no target are left alone.
#[perf_event]
pub fn cpu_sample(ctx: PerfEventContext) -> i32 {
    if let Some((tid, tgid)) = target() {
        sample(&ctx, tid, tgid);
    }
    0
}

/// The same, for programs without frame pointers: copies the stack, for user space to unwind.
/// Needs Linux 5.15 (`bpf_task_pt_regs`).
#[perf_event]
pub fn cpu_sample_copy(ctx: PerfEventContext) -> i32 {
    if let Some((tid, tgid)) = target() {
        copied_sample(&ctx, tid, tgid);
    }
    0
}

/// The current thread and process, if its stacks are wanted.
#[inline(always)]
fn target() -> Option<(u32, u32)> {
    let ids = bpf_get_current_pid_tgid();
    let (tid, tgid) = (ids as u32, (ids >> 32) as u32);
    // SAFETY: the map's values are not changed while a program runs; only presence matters.
    let wanted = tid != 0 && (samples_everything() || unsafe { TARGETS.get(&tgid) }.is_some());
    wanted.then_some((tid, tgid))
}

#[inline(always)]
fn sample(ctx: &PerfEventContext, tid: u32, tgid: u32) -> Option<()> {
    let scratch = SCRATCH.get_ptr_mut(0)?;
    // SAFETY: the scratch is this CPU's own, and this program does not nest. The helpers write no
    // more than the size they are given, which fits behind the offset: a mask keeps the kernel's
    // part below 1024 bytes, and 1023 + `KIND_BYTES` is below `ADDRESS_BYTES`.
    unsafe {
        let addresses: *mut u8 = (&raw mut (*scratch).addresses).cast();
        let kernel_bytes = kernel_stack(ctx, addresses);
        let user = bpf_get_stack(
            ctx.as_ptr(),
            addresses.add(kernel_bytes as usize).cast(),
            KIND_BYTES as u32,
            u64::from(BPF_F_USER_STACK),
        );
        let user_bytes = if user > 0 { user as u32 & 1023 } else { 0 };
        (&raw mut (*scratch).header).write(header(tid, tgid, kernel_bytes, user_bytes));
        let length = size_of::<SampleHeader>() as u64 + u64::from(kernel_bytes + user_bytes);
        if length > (size_of::<SampleHeader>() + ADDRESS_BYTES) as u64 {
            return None;
        }
        send(scratch.cast(), length)
    }
}

#[inline(always)]
fn copied_sample(ctx: &PerfEventContext, tid: u32, tgid: u32) -> Option<()> {
    // SAFETY: the helper has no preconditions.
    let scratch = COPY_SCRATCH.get_ptr_mut(unsafe { bpf_get_smp_processor_id() })?;
    // SAFETY: the scratch is this CPU's own, and this program does not nest. The kernel's addresses
    // fit in their room; the stack is bounded in `copy_stack`.
    unsafe {
        let kernel_bytes = kernel_stack(ctx, (&raw mut (*scratch).kernel).cast());
        let registers = user_registers();
        let stack: *mut u8 = (&raw mut (*scratch).stack).cast();
        let stack_bytes = match registers.stack {
            0 => 0,
            top => copy_stack(stack, top),
        };
        (&raw mut (*scratch).header).write(SampleHeader {
            layout: COPIED,
            registers,
            ..header(tid, tgid, kernel_bytes, stack_bytes)
        });
        let before = (size_of::<SampleHeader>() + KERNEL_ROOM) as u64;
        if stack_bytes > (STACK_BYTES + STACK_PIECE) as u32 {
            return None;
        }
        send(scratch.cast(), before + u64::from(stack_bytes))
    }
}

#[inline(always)]
fn header(tid: u32, tgid: u32, kernel_bytes: u32, user_bytes: u32) -> SampleHeader {
    // SAFETY: the helpers have no preconditions.
    unsafe {
        SampleHeader {
            at_ns: bpf_ktime_get_ns(),
            task: task_key(bpf_get_current_task(), tid),
            tgid,
            cpu: bpf_get_smp_processor_id(),
            kernel_bytes,
            user_bytes,
            layout: 0,
            reserved: 0,
            registers: Registers { instruction: 0, stack: 0, frame: 0 },
        }
    }
}

/// How many bytes of kernel addresses were written to `room`, less than 1024.
///
/// # Safety
///
/// `room` must have space for `KIND_BYTES`.
#[inline(always)]
unsafe fn kernel_stack(ctx: &PerfEventContext, room: *mut u8) -> u32 {
    // SAFETY: as the caller promises.
    let bytes = unsafe { bpf_get_stack(ctx.as_ptr(), room.cast(), KIND_BYTES as u32, 0) };
    if bytes > 0 { bytes as u32 & 1023 } else { 0 }
}

/// The program's registers as they were when it last entered the kernel, by this interrupt or by a
/// system call; all 0 in the kernel's own threads.
#[inline(always)]
fn user_registers() -> Registers {
    // SAFETY: the second helper wants what the first gives.
    let saved = unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as u64;
    let read = |offset: u32| {
        // SAFETY: the helper checks the address and fails on a bad one.
        let word = unsafe { bpf_probe_read_kernel((saved + u64::from(offset)) as *const u64) };
        word.unwrap_or(0)
    };
    Registers {
        instruction: read(offsets().registers_ip),
        stack: read(offsets().registers_sp),
        frame: read(offsets().registers_bp),
    }
}

/// Copies a stack from `top` on, as far as it goes or is wanted, and gives how many bytes.
///
/// # Safety
///
/// `room` must have space for `STACK_BYTES + STACK_PIECE`.
#[inline(always)]
unsafe fn copy_stack(room: *mut u8, top: u64) -> u32 {
    // SAFETY: the first piece is no longer than `STACK_PIECE`; later ones begin below `STACK_BYTES`,
    // which the mask makes plain to the verifier. The helper checks the program's addresses.
    unsafe {
        let first = (STACK_PIECE as u64 - (top & (STACK_PIECE as u64 - 1))) as u32;
        if bpf_probe_read_user(room.cast(), first, top as *const _) != 0 {
            return 0;
        }
        let mut copied = first;
        for _ in 1..STACK_BYTES / STACK_PIECE {
            if copied >= stack_limit() {
                break;
            }
            let piece = room.add((copied & (STACK_BYTES as u32 - 1)) as usize);
            let from = top + u64::from(copied);
            if bpf_probe_read_user(piece.cast(), STACK_PIECE as u32, from as *const _) != 0 {
                break;
            }
            copied += STACK_PIECE as u32;
        }
        copied
    }
}

/// Sends a sample, or counts it as lost.
///
/// # Safety
///
/// `sample` must have `length` bytes.
#[inline(always)]
unsafe fn send(sample: *mut c_void, length: u64) -> Option<()> {
    let ring = (&raw const SAMPLES).cast_mut().cast();
    // SAFETY: as the caller promises; only programs on this CPU write its counter.
    unsafe {
        if bpf_ringbuf_output(ring, sample, length, u64::from(BPF_RB_NO_WAKEUP)) != 0 {
            (*CPU_LOGS.get_ptr_mut(bpf_get_smp_processor_id())?).lost_samples += 1;
        }
    }
    Some(())
}
