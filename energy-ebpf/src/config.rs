//! What user space tells the kernel side before loading it, as read-only globals.

/// Byte offsets of kernel fields, from the kernel's own type information (BTF). 0 means unknown,
/// which no wanted field is: each of them has others before it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `task_struct.pid`
    pub task_pid: u32,
    /// `task_struct.tgid`
    pub task_tgid: u32,
    /// `task_struct.start_time`
    pub task_start_time: u32,
    /// `task_struct.se.sum_exec_runtime`
    pub task_cpu_time: u32,
    /// `task_struct.se.exec_start`: by `runqueue_clock_task`, when a running task was last accounted,
    /// or one that has left its CPU left it
    pub task_exec_start: u32,
    /// `task_struct.sched_info.last_arrival`: by `runqueue_clock`, when it came to its CPU
    pub task_last_arrival: u32,
    /// `task_struct.se.cfs_rq`
    pub task_fair_queue: u32,
    /// `cfs_rq.rq`
    pub fair_queue_runqueue: u32,
    /// `rq.clock`
    pub runqueue_clock: u32,
    /// `rq.clock_task`: the same without time taken by interrupts and the hypervisor
    pub runqueue_clock_task: u32,
    /// `task_struct.mm`
    pub task_mm: u32,
    /// `mm_struct.arg_start`
    pub mm_arg_start: u32,
    /// `mm_struct.arg_end`
    pub mm_arg_end: u32,
    /// `linux_binprm.filename`
    pub binprm_filename: u32,
    /// `cgroup.kn`
    pub cgroup_kn: u32,
    /// `cgroup.root`
    pub cgroup_root: u32,
    /// `cgroup_root.hierarchy_id`
    pub cgroup_root_hierarchy: u32,
    /// `kernfs_node.id`
    pub kernfs_id: u32,
    /// `pt_regs.ip`
    pub registers_ip: u32,
    /// `pt_regs.sp`
    pub registers_sp: u32,
    /// `pt_regs.bp`
    pub registers_bp: u32,
}

// SAFETY: `repr(C)`, only `u32`, no padding: every bit pattern is a valid value.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Offsets {}
