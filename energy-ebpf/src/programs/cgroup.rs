//! Cgroups of the unified hierarchy: created, and processes moved between them, so that a
//! container that lived shorter than a window still has a name. Needs BTF.
//! Reference: Linux v6.12, include/trace/events/cgroup.h.

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_probe_read_kernel_str};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use energy_ebpf::event::{CGROUP_BYTES, CgroupEvent, kind};

use crate::maps::{TASK_EVENTS, offsets};
use crate::task::{count_lost_event, field, pointer_argument};

/// `cgroup_mkdir(cgroup, path)`
#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
pub fn cgroup_mkdir(ctx: RawTracePointContext) -> i32 {
    send(&ctx, kind::CGROUP_CREATED, 0);
    0
}

/// `cgroup_attach_task(cgroup, path, leader, threadgroup)`
#[raw_tracepoint(tracepoint = "cgroup_attach_task")]
pub fn cgroup_attach_task(ctx: RawTracePointContext) -> i32 {
    if let Some(tid) = field(pointer_argument(&ctx, 2), offsets().task_pid) {
        send(&ctx, kind::CGROUP_ATTACHED, tid);
    }
    0
}

#[inline(always)]
fn send(ctx: &RawTracePointContext, kind: u32, tid: u32) {
    let at = offsets();
    let cgroup = pointer_argument(ctx, 0);
    let Some(root) = field::<u64>(cgroup, at.cgroup_root) else { return };
    // Ids of version-1 hierarchies are counted apart and could be taken for another cgroup's.
    if field::<i32>(root, at.cgroup_root_hierarchy) != Some(0) {
        return;
    }
    let Some(node) = field::<u64>(cgroup, at.cgroup_kn) else { return };
    let Some(id) = field::<u64>(node, at.kernfs_id) else { return };
    let Some(mut entry) = TASK_EVENTS.reserve::<CgroupEvent>(0) else {
        count_lost_event(ctx);
        return;
    };
    let event = entry.as_mut_ptr();
    // SAFETY: `event` points to a whole reserved `CgroupEvent`; readers look at no more of the path
    // than `path_len`, and the helpers check the address they read.
    unsafe {
        (&raw mut (*event).kind).write(kind);
        (&raw mut (*event).tid).write(tid);
        (&raw mut (*event).at_ns).write(bpf_ktime_get_ns());
        (&raw mut (*event).id).write(id);
        let copied = bpf_probe_read_kernel_str(
            (&raw mut (*event).path).cast(),
            CGROUP_BYTES as u32,
            pointer_argument(ctx, 1) as *const _,
        );
        (&raw mut (*event).path_len).write(if copied > 0 { copied as u32 - 1 } else { 0 });
    }
    entry.submit(u64::from(BPF_RB_NO_WAKEUP));
}
