//! A BPF array map's values, mapped into our memory.
//! Reference: Linux v6.12, kernel/bpf/arraymap.c (`array_map_mmap`): values lie one after the
//! other, each rounded up to 8 bytes.

use std::io;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::ProbeError;

/// The values of an array map that was created with `BPF_F_MMAPABLE`.
pub(super) struct SharedArray<T> {
    base: NonNull<T>,
    entries: usize,
    bytes: NonZeroUsize,
    values: PhantomData<T>,
}

// SAFETY: the mapping belongs to this value alone within the process; access is by copy.
unsafe impl<T: Send> Send for SharedArray<T> {}

impl<T: aya::Pod> SharedArray<T> {
    const VALUE_IS_PACKED: () = assert!(size_of::<T>().is_multiple_of(8));

    /// Maps all `entries` values of the map behind `fd`.
    pub(super) fn map(fd: impl AsFd, entries: usize) -> Result<Self, ProbeError> {
        const { Self::VALUE_IS_PACKED };
        let bytes = NonZeroUsize::new(entries * size_of::<T>()).expect("the map has entries");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new shared mapping at an address the kernel chooses touches no other memory.
        let base = unsafe { mmap(None, bytes, protection, MapFlags::MAP_SHARED, fd, 0) }.map_err(
            |errno| ProbeError::Map { bytes: bytes.get(), source: io::Error::from(errno) },
        )?;
        Ok(Self { base: base.cast(), entries, bytes, values: PhantomData })
    }

    /// Where value `index` lies.
    pub(super) fn at(&self, index: usize) -> *mut T {
        assert!(index < self.entries, "indices are bounded by the map's size");
        // SAFETY: within the mapping, as asserted.
        unsafe { self.base.add(index).as_ptr() }
    }
}

impl<T> Drop for SharedArray<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this address and length and is not used again. A
        // failure could only leave it mapped.
        let _ = unsafe { munmap(self.base.cast(), self.bytes.get()) };
    }
}
