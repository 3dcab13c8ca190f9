//! Decoding samples of stacks. Lengths are checked.

use energy_ebpf::sample::{COPIED, KERNEL_ROOM, Registers, SampleHeader};
use energy_ebpf::switch_log::{key_address, key_tid};

use crate::units::MonotonicTime;

/// Where a thread was in its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackSampled {
    /// When.
    pub at: MonotonicTime,
    /// On which CPU.
    pub cpu: u16,
    /// The address of its task, as the switch log names it.
    pub address: u64,
    /// The thread.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
    /// Addresses in the kernel, the innermost first.
    pub kernel: Vec<u64>,
    /// Where in the program.
    pub user: UserStack,
}

/// Where a thread was in its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserStack {
    /// Addresses, the innermost first.
    Addresses(Vec<u64>),
    /// The stack itself, to be unwound.
    Copied(StackCopy),
}

/// The top of a program's stack, and the registers to unwind it from; all 0 and empty of threads
/// that have no program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackCopy {
    /// The address of the next instruction.
    pub instruction: u64,
    /// The address of the first byte.
    pub stack: u64,
    /// The frame pointer, in programs that keep one.
    pub frame: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Decodes one record; `None` for one that is shorter than it says.
pub(super) fn decode(bytes: &[u8]) -> Option<StackSampled> {
    let (header, addresses) = bytes.split_at_checked(size_of::<SampleHeader>())?;
    // SAFETY: the length is the header's, the read does not need alignment, and every bit pattern
    // is a valid `SampleHeader`.
    let header: SampleHeader = unsafe { header.as_ptr().cast::<SampleHeader>().read_unaligned() };
    let kernel = addresses.get(..header.kernel_bytes as usize)?;
    let copied = header.layout == COPIED;
    let user_at = if copied { KERNEL_ROOM } else { kernel.len() };
    let user = addresses.get(user_at..)?.get(..header.user_bytes as usize)?;
    let user = if copied {
        let Registers { instruction, stack, frame } = header.registers;
        UserStack::Copied(StackCopy { instruction, stack, frame, bytes: user.to_owned() })
    } else {
        UserStack::Addresses(words(user))
    };
    Some(StackSampled {
        at: MonotonicTime::from_nanos(header.at_ns),
        cpu: u16::try_from(header.cpu).ok()?,
        address: key_address(header.task),
        tid: key_tid(header.task),
        tgid: header.tgid,
        kernel: words(kernel),
        user,
    })
}

/// Whole addresses; the kernel ends a stack it cannot follow with a 0.
fn words(bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks_exact(8)
        .map(|word| u64::from_ne_bytes(word.try_into().expect("chunks of eight")))
        .take_while(|address| *address != 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_shorter_than_it_says_is_refused() {
        let mut bytes = vec![0; size_of::<SampleHeader>() + 16];
        bytes[24..28].copy_from_slice(&8u32.to_ne_bytes());
        bytes[28..32].copy_from_slice(&8u32.to_ne_bytes());
        let start = size_of::<SampleHeader>();
        bytes[start + 8..].copy_from_slice(&8u64.to_ne_bytes());
        bytes[start..start + 8].copy_from_slice(&7u64.to_ne_bytes());
        let sample = decode(&bytes).unwrap();
        assert_eq!((sample.kernel, sample.user), (vec![7], UserStack::Addresses(vec![8])));
        bytes[28..32].copy_from_slice(&24u32.to_ne_bytes());
        assert_eq!(decode(&bytes), None);
        assert_eq!(decode(&bytes[..20]), None);
    }

    #[test]
    fn a_copied_stack_comes_with_its_registers() {
        let header = SampleHeader {
            kernel_bytes: 8,
            user_bytes: 3,
            layout: COPIED,
            registers: Registers { instruction: 1, stack: 2, frame: 3 },
            ..SampleHeader::default()
        };
        // SAFETY: `repr(C)` without padding.
        let mut bytes =
            unsafe { std::mem::transmute::<SampleHeader, [u8; size_of::<SampleHeader>()]>(header) }
                .to_vec();
        bytes.resize(bytes.len() + KERNEL_ROOM, 9);
        bytes.extend([4, 5, 6]);
        let sample = decode(&bytes).unwrap();
        let copy = StackCopy { instruction: 1, stack: 2, frame: 3, bytes: vec![4, 5, 6] };
        assert_eq!(sample.user, UserStack::Copied(copy));
        assert_eq!(sample.kernel, [0x0909_0909_0909_0909]);
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
    }
}
