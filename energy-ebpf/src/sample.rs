//! A sample of a thread's stacks: a header, then the kernel's addresses, then the program's, the
//! innermost first in each; or, for [`COPIED`] stacks, the kernel's addresses in room of a fixed size
//! and then the program's stack itself, from its top, for user space to unwind.

/// Most frames of each kind; what `kernel.perf_event_max_stack` is unless changed.
pub const FRAMES: usize = 127;

/// Bytes of addresses after the header: both kinds at their most, and room for the verifier, which
/// knows the first kind's length only as a mask.
pub const ADDRESS_BYTES: usize = 2048;

/// Bytes of one kind's addresses at most.
pub const KIND_BYTES: usize = FRAMES * 8;

/// In [`SampleHeader::layout`]: the program's stack follows as it is.
pub const COPIED: u32 = 1;

/// Room for the kernel's addresses before a copied stack.
pub const KERNEL_ROOM: usize = 1024;

/// Bytes of a program's stack that are copied at most.
pub const STACK_BYTES: usize = 64 << 10;

/// Stacks are copied in pieces that end at multiples of this, a divisor of every page's size, so that
/// a piece is mapped as a whole or not at all.
pub const STACK_PIECE: usize = 512;

/// Registers of a program that unwinding starts from.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// The next instruction's address.
    pub instruction: u64,
    /// Top of the stack.
    pub stack: u64,
    /// The frame pointer, in programs that keep one.
    pub frame: u64,
}

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
    /// Bytes of user addresses, or of the copied stack.
    pub user_bytes: u32,
    /// 0 or [`COPIED`].
    pub layout: u32,
    /// 0.
    pub reserved: u32,
    /// Of a copied stack.
    pub registers: Registers,
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

/// A whole sample with a copied stack at its longest.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiedSample {
    /// What stands before.
    pub header: SampleHeader,
    /// The kernel's addresses.
    pub kernel: [u8; KERNEL_ROOM],
    /// The stack; the last piece may reach beyond what is sent.
    pub stack: [u8; STACK_BYTES + STACK_PIECE],
}

const _: () = assert!(size_of::<SampleHeader>() == 64);
const _: () = assert!(size_of::<Sample>() == 64 + ADDRESS_BYTES);
const _: () = assert!(KIND_BYTES <= KERNEL_ROOM);
const _: () = assert!(2 * KIND_BYTES <= ADDRESS_BYTES);
