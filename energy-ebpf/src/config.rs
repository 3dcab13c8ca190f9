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
    /// `task_struct.se.prev_sum_exec_runtime`: what `task_cpu_time` was when its last run began
    pub task_cpu_time_before: u32,
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
