//! The switch log: per CPU, a ring of "this thread left the CPU at this time", in memory that user
//! space maps. An array store is all a context switch pays; nobody is woken.
//!
//! The kernel side writes a record, then the new `head`; user space reads up to `head` and then
//! moves `tail`. Both counters only grow; a record's slot is its number modulo the capacity.

/// Set in [`Switch::end_ns`] where records before this one were lost for want of room: the thread
/// that ran since the record before is unknown.
pub const GAP: u64 = 1 << 63;

/// Bits of [`Switch::task`] that hold the tid: `PID_MAX_LIMIT` is 2^22 (Linux v6.12,
/// include/linux/threads.h).
pub const TID_BITS: u32 = 22;

/// A `task_struct` is aligned to at least 64 bytes (`L1_CACHE_BYTES` or more; Linux v6.12,
/// kernel/fork.c), so that these low bits of its address are always zero.
pub const TASK_ALIGN_BITS: u32 = 6;

/// One thread leaving one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switch {
    /// When, in nanoseconds of `CLOCK_MONOTONIC`; [`GAP`] may be set.
    pub end_ns: u64,
    /// Who: see [`task_key`].
    pub task: u64,
}

/// A CPU's own part of the log's bookkeeping, on two cache lines: one that the CPU writes at every
/// switch, and one that user space writes when it has read.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuLog {
    /// Records ever written.
    pub head: u64,
    /// Records ever lost because the ring was full.
    pub dropped: u64,
    /// Not 0 while the newest switches are among the lost ones.
    pub gap: u64,
    /// `next[head & 1]` is the address of the task that runs since record `head − 1`. Two slots,
    /// so that a reader who sees the same `head` before and after has read a whole value.
    pub next: [u64; 2],
    /// Process events ever lost on this CPU because their ring buffer was full.
    pub lost_events: u64,
    /// Samples ever lost on this CPU because their ring buffer was full.
    pub lost_samples: u64,
    /// How often another task left the CPU than the one that had been seen to come: switches
    /// between them ran no program of ours.
    pub unseen: u64,
    /// Records ever read; written by user space only.
    pub tail: u64,
    reserved_for_user: [u64; 7],
}

/// Address and tid of a task in one word. An address alone can be used again after a thread is
/// gone, and a tid too, but not both before the old thread has left its CPU for the last time.
#[inline(always)]
pub const fn task_key(address: u64, tid: u32) -> u64 {
    (address >> TASK_ALIGN_BITS) << TID_BITS | (tid as u64 & ((1 << TID_BITS) - 1))
}

/// The address part of a [`task_key`], as [`address_part`] gives it for a pointer.
pub const fn key_address(key: u64) -> u64 {
    key >> TID_BITS
}

/// The tid part of a [`task_key`].
pub const fn key_tid(key: u64) -> u32 {
    (key & ((1 << TID_BITS) - 1)) as u32
}

/// What a [`task_key`] keeps of a task's address.
pub const fn address_part(address: u64) -> u64 {
    key_address(task_key(address, 0))
}

const _: () = assert!(size_of::<Switch>() == 16);
const _: () = assert!(size_of::<CpuLog>() == 128);

// SAFETY: `repr(C)`, only integers, no padding: every bit pattern is a valid value.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Switch {}
// SAFETY: as above.
#[cfg(feature = "user")]
unsafe impl aya::Pod for CpuLog {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_back_its_parts() {
        let address = 0xffff_8881_0023_4a40;
        let key = task_key(address, 4_194_303);
        assert_eq!(key_tid(key), 4_194_303);
        assert_eq!(key_address(key), address_part(address));
        assert_ne!(address_part(address), address_part(address + 64));
    }
}
