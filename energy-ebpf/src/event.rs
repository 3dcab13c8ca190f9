//! What happens to tasks: records of the ring buffer. Each begins with its [`kind`] and its time.

/// The value of a record's first field.
pub mod kind {
    /// A task was created: [`super::TaskEvent`] of the child, with `parent_*`.
    pub const FORK: u32 = 1;
    /// A task became another program: [`super::ExecEvent`].
    pub const EXEC: u32 = 2;
    /// A task is exiting: [`super::TaskEvent`].
    pub const EXIT: u32 = 3;
    /// A task's comm changed: [`super::TaskEvent`] with the new comm.
    pub const RENAME: u32 = 4;
    /// A cgroup was created: [`super::CgroupEvent`].
    pub const CGROUP_CREATED: u32 = 5;
    /// A process was moved to a cgroup: [`super::CgroupEvent`] with `tid`.
    pub const CGROUP_ATTACHED: u32 = 6;
}

/// Longest program path kept, in bytes.
pub const PATH_BYTES: usize = 256;
/// Longest command line kept, in bytes.
pub const ARGS_BYTES: usize = 512;
/// Longest cgroup path kept, in bytes.
pub const CGROUP_BYTES: usize = 512;

/// Something that happened to a task. Fields that the kernel side could not read are 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskEvent {
    /// See [`kind`].
    pub kind: u32,
    /// The task's thread id.
    pub tid: u32,
    /// When, in nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// The address of its `task_struct`.
    pub task: u64,
    /// When it was created, in nanoseconds of `CLOCK_MONOTONIC`.
    pub start_ns: u64,
    /// Its cgroup's id in the unified hierarchy.
    pub cgroup: u64,
    /// Its process id (thread group id).
    pub tgid: u32,
    /// Its real user id.
    pub uid: u32,
    /// For a fork, the creating thread; for an exec, the tid it had before.
    pub other_tid: u32,
    /// For a fork, the creating process.
    pub other_tgid: u32,
    /// The kernel's name of it, ending with a 0 byte.
    pub comm: [u8; 16],
}

/// A task that became another program.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecEvent {
    /// Who, and when.
    pub task: TaskEvent,
    /// CPU time of the task so far in nanoseconds, up to the last time the kernel looked (a tick of
    /// at most 10 ms ago); [`u64::MAX`] where that could not be read.
    pub cpu_ns: u64,
    /// Bytes used of `path`.
    pub path_len: u32,
    /// Bytes used of `args`.
    pub args_len: u32,
    /// The program's path as it was given to `execve`.
    pub path: [u8; PATH_BYTES],
    /// The arguments, each ending with a 0 byte; the last may be cut.
    pub args: [u8; ARGS_BYTES],
}

/// A cgroup of the unified hierarchy that was created, or that a process was moved to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupEvent {
    /// See [`kind`].
    pub kind: u32,
    /// The moved process's leader, or 0.
    pub tid: u32,
    /// When, in nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// The cgroup's id.
    pub id: u64,
    /// Bytes used of `path`.
    pub path_len: u32,
    reserved: u32,
    /// The cgroup's path below its mount.
    pub path: [u8; CGROUP_BYTES],
}

const _: () = assert!(size_of::<TaskEvent>() == 72);
const _: () = assert!(size_of::<ExecEvent>() == 72 + 16 + PATH_BYTES + ARGS_BYTES);
const _: () = assert!(size_of::<CgroupEvent>() == 32 + CGROUP_BYTES);
