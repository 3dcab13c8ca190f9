//! Fork, exec, exit and rename: what user space needs to name a thread that is gone.
//! Reference: Linux v6.12, include/trace/events/sched.h and include/trace/events/task.h.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{
    bpf_get_current_task, bpf_probe_read_kernel_str, bpf_probe_read_user,
};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use energy_ebpf::event::{ARGS_BYTES, ExecEvent, PATH_BYTES, TaskEvent, kind};

use crate::maps::{TARGETS, TASK_EVENTS, inherits, launcher, offsets, samples_everything};
use crate::task::{count_lost_event, current_event, field, pointer_argument};

/// `sched_process_fork(parent, child)`: needs the child's ids, so it needs BTF.
#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub fn sched_process_fork(ctx: RawTracePointContext) -> i32 {
    let child = pointer_argument(&ctx, 1);
    let at = offsets();
    let (Some(tid), Some(tgid)) = (field(child, at.task_pid), field(child, at.task_tgid)) else {
        return 0;
    };
    let parent = current_event(kind::FORK, child);
    if tid == tgid && !samples_everything() {
        follow(parent.tgid, tgid);
    }
    send(&ctx, TaskEvent { tid, tgid, other_tid: parent.tid, other_tgid: parent.tgid, ..parent });
    0
}

/// Makes a new process a target where its parent is one, or is the recorder launching a command.
#[inline(always)]
fn follow(parent: u32, child: u32) {
    // SAFETY: only presence matters; the value is not read.
    let inherited = inherits() && unsafe { TARGETS.get(&parent) }.is_some();
    if inherited || (launcher() != 0 && launcher() == parent) {
        // A full map leaves the process without stacks; its time and energy are unaffected.
        let _ = TARGETS.insert(&child, &1, 0);
    }
}

/// `sched_process_exec(task, old_pid, bprm)`: the new program's memory is in place.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn sched_process_exec(ctx: RawTracePointContext) -> i32 {
    let task = pointer_argument(&ctx, 0);
    let Some(mut entry) = TASK_EVENTS.reserve::<ExecEvent>(0) else {
        count_lost_event(&ctx);
        return 0;
    };
    let event = entry.as_mut_ptr();
    let at = offsets();
    // SAFETY: `event` points to a whole reserved `ExecEvent`. Its strings are left as they are
    // beyond the lengths written, and readers do not look there.
    unsafe {
        (&raw mut (*event).task).write(TaskEvent {
            other_tid: ctx.arg::<u64>(1) as u32,
            ..current_event(kind::EXEC, task)
        });
        (&raw mut (*event).cpu_ns).write(field(task, at.task_cpu_time).unwrap_or(u64::MAX));
        let path = &raw mut (*event).path;
        let mut path_len = 0;
        if let Some(filename) = field::<u64>(pointer_argument(&ctx, 2), at.binprm_filename) {
            let copied =
                bpf_probe_read_kernel_str(path.cast(), PATH_BYTES as u32, filename as *const _);
            // The length counts the 0 byte at the end.
            path_len = if copied > 0 { copied as u32 - 1 } else { 0 };
        }
        (&raw mut (*event).path_len).write(path_len);
        (&raw mut (*event).args_len)
            .write(copy_arguments(task, (&raw mut (*event).args).cast()).unwrap_or(0));
    }
    // A sampled program may be gone before the next tick, and its file with it: that one is opened
    // at once.
    // SAFETY: only presence matters; the value is not read.
    let sampled = unsafe { TARGETS.get(&((bpf_get_current_pid_tgid() >> 32) as u32)) }.is_some();
    entry.submit(u64::from(if sampled { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP }));
    0
}

/// `sched_process_exit(task)`: the task still runs, and will leave its CPU once more.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn sched_process_exit(ctx: RawTracePointContext) -> i32 {
    let event = current_event(kind::EXIT, pointer_argument(&ctx, 0));
    if event.tid == event.tgid {
        // It may not be one, and then there is nothing to remove.
        let _ = TARGETS.remove(&event.tgid);
    }
    send(&ctx, event);
    0
}

/// `task_rename(task, comm)`: thread names that programs give their threads.
#[raw_tracepoint(tracepoint = "task_rename")]
pub fn task_rename(ctx: RawTracePointContext) -> i32 {
    let task = pointer_argument(&ctx, 0);
    let mut event = current_event(kind::RENAME, task);
    // SAFETY: the helper has no preconditions.
    if task != unsafe { bpf_get_current_task() } {
        // Another thread of the process is being named: its ids come from BTF or not at all.
        event.tid = field(task, offsets().task_pid).unwrap_or(0);
    }
    // SAFETY: the destination is 16 bytes of our own stack; the helper checks the source.
    let copied = unsafe {
        bpf_probe_read_kernel_str(
            event.comm.as_mut_ptr().cast(),
            event.comm.len() as u32,
            pointer_argument(&ctx, 1) as *const _,
        )
    };
    if copied > 0 && event.tid != 0 {
        send(&ctx, event);
    }
    0
}

/// Copies the arguments of the program that `task`, the current task, has become.
///
/// # Safety
/// `to` points to `ARGS_BYTES` writable bytes.
#[inline(always)]
unsafe fn copy_arguments(task: u64, to: *mut core::ffi::c_void) -> Option<u32> {
    let at = offsets();
    let mm: u64 = field(task, at.task_mm)?;
    let start: u64 = field(mm, at.mm_arg_start)?;
    let end: u64 = field(mm, at.mm_arg_end)?;
    let length = end.saturating_sub(start).min(ARGS_BYTES as u64 - 1) as u32;
    // SAFETY: at most `ARGS_BYTES` bytes are written; the helper checks the user address.
    let failed =
        unsafe { bpf_probe_read_user(to, length & (ARGS_BYTES as u32 - 1), start as *const _) };
    (failed == 0).then_some(length)
}

#[inline(always)]
fn send(ctx: &RawTracePointContext, event: TaskEvent) {
    match TASK_EVENTS.reserve::<TaskEvent>(0) {
        Some(mut entry) => {
            entry.write(event);
            entry.submit(u64::from(BPF_RB_NO_WAKEUP));
        }
        None => count_lost_event(ctx),
    }
}
