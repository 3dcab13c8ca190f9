//! A sample of a thread's stacks: a header, then the kernel's addresses, then the program's, the
//! innermost first in each.

/// Most frames of each kind; what `kernel.perf_event_max_stack` is unless changed.
pub const FRAMES: usize = 127;

/// Bytes of addresses after the header: both kinds at their most, and room for the verifier, which
/// knows the first kind's length only as a mask.
pub const ADDRESS_BYTES: usize = 2048;

/// Bytes of one kind's addresses at most.
pub const KIND_BYTES: usize = FRAMES * 8;

/// What stands before the addresses.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleHeader {
    /// When, in nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// Who, as the switch log names tasks; see [`crate::switch_log::task_key`].
    pub task: u64,
    /// The process.
    pub tgid: u32,
    /// Where.
    pub cpu: u32,
    /// Bytes of kernel addresses.
    pub kernel_bytes: u32,
    /// Bytes of user addresses.
    pub user_bytes: u32,
}

/// A whole sample at its longest.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What stands before.
    pub header: SampleHeader,
    /// The addresses.
    pub addresses: [u8; ADDRESS_BYTES],
}

const _: () = assert!(size_of::<SampleHeader>() == 32);
const _: () = assert!(size_of::<Sample>() == 32 + ADDRESS_BYTES);
const _: () = assert!(2 * KIND_BYTES <= ADDRESS_BYTES);
