//! Executable mappings of all processes as they are made, and the forks and execs that decide whose
//! they are, so that an address can be named after its process is gone: `PERF_RECORD_MMAP2`, `FORK`
//! and `COMM` of a dummy event on every CPU. Their order matters: the kernel maps a new program before
//! any tracepoint tells of its exec.
//! Reference: Linux v6.12, include/uapi/linux/perf_event.h.

use std::fmt::Write;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use perf_event_open_sys::bindings as sys;

use crate::units::MonotonicTime;

/// Pages of a CPU's ring, a power of two: 256 KiB, about two thousand records between two readings.
const PAGES: usize = 64;

/// What has become of a process's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeEvent {
    /// When.
    pub at: MonotonicTime,
    /// What.
    pub change: CodeChange,
}

/// Changes of a process's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeChange {
    /// It has mapped a file or memory to run it.
    Mapped(Mapped),
    /// It was made from another, with all that had mapped.
    Forked {
        /// The other.
        parent: u32,
        /// The process.
        tgid: u32,
    },
    /// It becomes another program: nothing of the old one is mapped any longer.
    Exec {
        /// The process.
        tgid: u32,
    },
}

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

    /// Hands everything since the last call to `each`, in order on each CPU.
    pub(super) fn read(&mut self, mut each: impl FnMut(CodeEvent)) {
        let lost = &mut self.lost;
        for ring in &self.rings {
            ring.read(|kind, misc, body| match kind {
                sys::PERF_RECORD_LOST => *lost += word(body, 8).unwrap_or(1),
                kind => {
                    if let Some(event) = decode(kind, misc, body) {
                        each(event);
                    }
                }
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
        attributes.set_task(1);
        attributes.set_comm(1);
        attributes.set_comm_exec(1);
        // Each record ends in its time.
        attributes.sample_type = u64::from(sys::PERF_SAMPLE_TIME);
        attributes.set_sample_id_all(1);
        attributes.set_use_clockid(1);
        attributes.clockid = libc::CLOCK_MONOTONIC;
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

/// A record, from its body.
fn decode(kind: u32, misc: u16, body: &[u8]) -> Option<CodeEvent> {
    let (body, at) = body.split_last_chunk::<8>()?;
    let small = |at: usize| Some(u32::from_ne_bytes(body.get(at..at + 4)?.try_into().ok()?));
    let change = match kind {
        sys::PERF_RECORD_MMAP2 => CodeChange::Mapped(mapped(misc, body)?),
        // `pid, ppid, tid, ptid, time`; a thread's process is its parent's.
        sys::PERF_RECORD_FORK => {
            let (tgid, parent) = (small(0)?, small(4)?);
            (tgid != parent).then_some(CodeChange::Forked { parent, tgid })?
        }
        // `pid, tid, comm`
        sys::PERF_RECORD_COMM if u32::from(misc) & sys::PERF_RECORD_MISC_COMM_EXEC != 0 => {
            CodeChange::Exec { tgid: small(0)? }
        }
        _ => return None,
    };
    Some(CodeEvent { at: MonotonicTime::from_nanos(u64::from_ne_bytes(*at)), change })
}

/// `pid, tid, addr, len, pgoff, (build id | device and inode), prot, flags, filename`
fn mapped(misc: u16, body: &[u8]) -> Option<Mapped> {
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

    /// A record's body of these 32-bit words, that ends in its time.
    fn body(words: &[u32], at: u64) -> Vec<u8> {
        let words = words.iter().flat_map(|word| word.to_ne_bytes());
        words.chain(at.to_ne_bytes()).collect()
    }

    #[test]
    fn a_record_too_short_for_its_kind_is_none() {
        for kind in [sys::PERF_RECORD_MMAP2, sys::PERF_RECORD_FORK] {
            assert_eq!(decode(kind, 0, &[0; 7]), None);
            assert_eq!(decode(kind, 0, &[0; 11]), None);
        }
        assert_eq!(decode(sys::PERF_RECORD_MMAP2, 0, &[0; 40]), None);
    }

    #[test]
    fn forks_of_processes_and_execs_are_told_and_threads_and_names_are_not() {
        let fork = |tgid| decode(sys::PERF_RECORD_FORK, 0, &body(&[tgid, 7, tgid, 7, 0, 0], 99));
        let change = CodeChange::Forked { parent: 7, tgid: 8 };
        assert_eq!(fork(8), Some(CodeEvent { at: MonotonicTime::from_nanos(99), change }));
        assert_eq!(fork(7), None);
        let comm = |misc| decode(sys::PERF_RECORD_COMM, misc, &body(&[8, 8, 0, 0], 99));
        let exec = u16::try_from(sys::PERF_RECORD_MISC_COMM_EXEC).unwrap();
        assert_eq!(comm(exec).map(|event| event.change), Some(CodeChange::Exec { tgid: 8 }));
        assert_eq!(comm(0), None);
    }
}
