//! Executable mappings of all processes as they are made, so that an address can be named after its
//! process is gone: `PERF_RECORD_MMAP2` of a dummy event on every CPU.
//! Reference: Linux v6.12, include/uapi/linux/perf_event.h.

use std::fmt::Write;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use perf_event_open_sys::bindings as sys;

/// Pages of a CPU's ring, a power of two: 128 KiB, about a thousand mappings between two readings.
const PAGES: usize = 32;

/// Code that a process has mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The process.
    pub tgid: u32,
    /// Where it begins.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// Where in the file it begins.
    pub offset: u64,
    /// The file as the kernel names it: a path, or a name in brackets or slashes.
    pub path: String,
    /// The file's build id in hexadecimal, where the kernel could read it.
    pub build_id: Option<String>,
}

/// The rings of all CPUs.
pub(super) struct MappingEvents {
    rings: Vec<Ring>,
    lost: u64,
}

impl MappingEvents {
    /// Starts listening on `cpus`.
    pub(super) fn open(cpus: impl IntoIterator<Item = u32>) -> io::Result<Self> {
        let rings = cpus.into_iter().map(Ring::open).collect::<io::Result<_>>()?;
        Ok(Self { rings, lost: 0 })
    }

    /// Hands every mapping made since the last call to `each`.
    pub(super) fn read(&mut self, mut each: impl FnMut(Mapped)) {
        let lost = &mut self.lost;
        for ring in &self.rings {
            ring.read(|kind, misc, body| match kind {
                sys::PERF_RECORD_MMAP2 => {
                    if let Some(mapped) = decode(misc, body) {
                        each(mapped);
                    }
                }
                sys::PERF_RECORD_LOST => *lost += word(body, 8).unwrap_or(1),
                _ => {}
            });
        }
    }

    /// Mappings ever lost because a ring was full.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

/// One CPU's ring. The mapping keeps it alive together with the descriptor.
struct Ring {
    base: NonNull<u8>,
    bytes: NonZeroUsize,
    _event: OwnedFd,
}

// SAFETY: the mapping belongs to this value alone within the process.
unsafe impl Send for Ring {}

impl Ring {
    fn open(cpu: u32) -> io::Result<Self> {
        let mut attributes = sys::perf_event_attr {
            type_: sys::PERF_TYPE_SOFTWARE,
            size: u32::try_from(size_of::<sys::perf_event_attr>()).expect("a small struct"),
            config: u64::from(sys::PERF_COUNT_SW_DUMMY),
            ..Default::default()
        };
        attributes.set_mmap(1);
        attributes.set_mmap2(1);
        attributes.set_build_id(1);
        let cpu = i32::try_from(cpu).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let flags = u64::from(sys::PERF_FLAG_FD_CLOEXEC);
        // SAFETY: the attributes outlive the call, and their size is said in them.
        let descriptor = unsafe {
            perf_event_open_sys::perf_event_open(&raw mut attributes, -1, cpu, -1, flags)
        };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, and nobody else has this descriptor.
        let event = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let bytes = NonZeroUsize::new((1 + PAGES) * page_size()).expect("pages have a size");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new shared mapping at an address the kernel chooses touches no other memory.
        let base = unsafe { mmap(None, bytes, protection, MapFlags::MAP_SHARED, &event, 0) }?;
        Ok(Self { base: base.cast(), bytes, _event: event })
    }

    /// Hands each record's kind, its `misc` bits and what follows its header to `each`, and frees
    /// its room.
    fn read(&self, mut each: impl FnMut(u32, u16, &[u8])) {
        let page = self.base.cast::<sys::perf_event_mmap_page>().as_ptr();
        let room = PAGES * page_size();
        // SAFETY: the first page is this structure; the two words are shared with the kernel and
        // read and written atomically, in the order its comment there asks for.
        let (head, tail_word) = unsafe {
            let head = AtomicU64::from_ptr(&raw mut (*page).data_head).load(Ordering::Acquire);
            (head, AtomicU64::from_ptr(&raw mut (*page).data_tail))
        };
        let mut tail = tail_word.load(Ordering::Relaxed);
        let mut record = Vec::new();
        while tail < head {
            let header = self.copy(tail, 8, room);
            let kind = u32::from_ne_bytes(header[..4].try_into().expect("eight bytes"));
            let misc = u16::from_ne_bytes(header[4..6].try_into().expect("eight bytes"));
            let size = u16::from_ne_bytes(header[6..8].try_into().expect("eight bytes"));
            if size < 8 {
                break;
            }
            record.clear();
            record.extend(self.copy(tail + 8, usize::from(size) - 8, room));
            each(kind, misc, &record);
            tail += u64::from(size);
        }
        tail_word.store(head, Ordering::Release);
    }

    /// `length` bytes from `at` on, around the ring's end where need be.
    #[expect(clippy::cast_possible_truncation, reason = "reduced modulo the ring's size")]
    fn copy(&self, at: u64, length: usize, room: usize) -> Vec<u8> {
        let from = (at % room as u64) as usize;
        let first = length.min(room - from);
        let mut bytes = Vec::with_capacity(length);
        // SAFETY: the data lie behind the first page, `room` bytes of them, and the kernel does not
        // write before `data_tail` has moved past.
        unsafe {
            let data = self.base.as_ptr().add(page_size());
            bytes.extend_from_slice(std::slice::from_raw_parts(data.add(from), first));
            bytes.extend_from_slice(std::slice::from_raw_parts(data, length - first));
        }
        bytes
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped with this address and length, and not used again. A failure could only
        // leave it mapped.
        let _ = unsafe { munmap(self.base.cast(), self.bytes.get()) };
    }
}

fn page_size() -> usize {
    rustix::param::page_size()
}

/// The `number`th byte on, as a 64-bit word.
fn word(body: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(body.get(at..at + 8)?.try_into().ok()?))
}

/// A mapping from a record's body: `pid, tid, addr, len, pgoff, (build id | device and inode), prot,
/// flags, filename`.
fn decode(misc: u16, body: &[u8]) -> Option<Mapped> {
    const PROT_EXEC: u32 = 4;
    let small = |at: usize| Some(u32::from_ne_bytes(body.get(at..at + 4)?.try_into().ok()?));
    let start = word(body, 8)?;
    if small(56)? & PROT_EXEC == 0 {
        return None;
    }
    let name = body.get(64..)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let has_id = u32::from(misc) & sys::PERF_RECORD_MISC_MMAP_BUILD_ID != 0;
    let id = body.get(36..36 + usize::from(*body.get(32)?).min(20))?;
    Some(Mapped {
        tgid: small(0)?,
        start,
        end: start.checked_add(word(body, 16)?)?,
        offset: word(body, 24)?,
        path: String::from_utf8_lossy(name).into_owned(),
        build_id: has_id.then(|| hexadecimal(id)),
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_record_is_none() {
        assert_eq!(decode(0, &[0; 40]), None);
    }
}
