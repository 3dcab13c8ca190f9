//! Decoding samples of stacks. Lengths are checked.

use energy_ebpf::sample::{FRAMES, SampleHeader};
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
    /// Addresses in the program, the innermost first.
    pub user: Vec<u64>,
}

impl StackSampled {
    /// Whether the program's stack may go on beyond what the kernel copies of it.
    pub const fn user_is_cut(&self) -> bool {
        self.user.len() >= FRAMES
    }
}

/// Decodes one record; `None` for one that is shorter than it says.
pub(super) fn decode(bytes: &[u8]) -> Option<StackSampled> {
    let (header, addresses) = bytes.split_at_checked(size_of::<SampleHeader>())?;
    // SAFETY: the length is the header's, the read does not need alignment, and every bit pattern
    // is a valid `SampleHeader`.
    let header: SampleHeader = unsafe { header.as_ptr().cast::<SampleHeader>().read_unaligned() };
    let (kernel, rest) = addresses.split_at_checked(header.kernel_bytes as usize)?;
    let user = rest.get(..header.user_bytes as usize)?;
    Some(StackSampled {
        at: MonotonicTime::from_nanos(header.at_ns),
        cpu: u16::try_from(header.cpu).ok()?,
        address: key_address(header.task),
        tid: key_tid(header.task),
        tgid: header.tgid,
        kernel: words(kernel),
        user: words(user),
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
        bytes[32..40].copy_from_slice(&7u64.to_ne_bytes());
        let sample = decode(&bytes).unwrap();
        assert_eq!((sample.kernel, sample.user), (vec![7], vec![]));
        bytes[28..32].copy_from_slice(&24u32.to_ne_bytes());
        assert_eq!(decode(&bytes), None);
        assert_eq!(decode(&bytes[..20]), None);
    }
}
