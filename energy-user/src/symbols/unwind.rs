//! Unwinding: from a copy of a program's stack to the addresses its calls return to, by the unwind
//! tables (`.eh_frame`) that compilers write for exceptions, where programs keep no frame pointers.
//! Reference: System V ABI, x86-64 supplement 1.0, chapter 6.2.3; DWARF 5, chapter 6.4

use std::fmt;
use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, Module, Unwinder as _};
use object::elf::PF_X;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSegment, ReadCache, SegmentFlags};

use super::contain::contained;
use super::vdso::Vdso;

/// The most bytes of a section that are read: a browser's unwind tables take some 20 MB.
const MOST_SECTION: u64 = 512 << 20;

const PAGE: u64 = 4096;

/// Bytes of a section, shared by all processes that have the object mapped.
#[derive(Clone, Debug, Default)]
struct Section(Arc<[u8]>);

impl Deref for Section {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// What an object says about its frames.
#[derive(Clone, Debug)]
pub struct UnwindInfo {
    /// Parts of the file that are code, and at which address of its own.
    segments: Vec<(Range<u64>, u64)>,
    sections: [Option<(Range<u64>, Section)>; 4],
}

/// The sections that [`UnwindInfo`] holds, in order.
const SECTIONS: [&str; 4] = [".eh_frame_hdr", ".eh_frame", ".text", ".got"];

impl UnwindInfo {
    /// Reads an ELF file for 64-bit machines; `None` for any other file, or one that makes no sense.
    pub fn read(path: &Path) -> Option<Self> {
        let file = File::open(path)
            .ok()
            .filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))?;
        let cache = ReadCache::new(file);
        let elf = ElfFile64::<object::Endianness, _>::parse(&cache).ok()?;
        let segments = elf.segments().filter_map(|segment| {
            let (offset, size) = segment.file_range();
            let code =
                matches!(segment.flags(), SegmentFlags::Elf { p_flags } if p_flags & PF_X != 0);
            code.then(|| (offset..offset.saturating_add(size), segment.address()))
        });
        Some(Self {
            segments: segments.collect(),
            sections: SECTIONS.map(|name| {
                let section = elf.section_by_name(name)?;
                let range = section.address()..section.address().checked_add(section.size())?;
                let wanted = name != ".text" && section.size() <= MOST_SECTION;
                let data = if wanted { section.data().ok()?.into() } else { Arc::default() };
                Some((range, Section(data)))
            }),
        })
    }

    /// The vDSO's.
    pub fn vdso() -> Option<Self> {
        Self::read(&Vdso::copy().ok()??.path())
    }

    /// The module of these frames where the file's part from `offset` on is mapped to `mapped`.
    fn module(&self, mapped: &Range<u64>, offset: u64) -> Option<Module<Section>> {
        // Mappings begin where pages do, segments anywhere.
        let begins = |part: &Range<u64>| part.start & !(PAGE - 1)..part.end;
        let (part, address) =
            self.segments.iter().find(|(part, _)| begins(part).contains(&offset))?;
        let stated = address.wrapping_add(offset).wrapping_sub(part.start);
        let [header, frames, text, offsets] = &self.sections;
        let range = |section: &Option<(Range<u64>, Section)>| {
            section.as_ref().map(|(range, _)| range.clone())
        };
        let data = |section: &Option<(Range<u64>, Section)>| {
            section.as_ref().map(|(_, data)| data.clone())
        };
        Some(Module::new(
            String::new(),
            mapped.clone(),
            mapped.start.wrapping_sub(stated),
            ExplicitModuleSectionInfo {
                base_svma: 0,
                text_svma: range(text),
                got_svma: range(offsets),
                eh_frame_svma: range(frames),
                eh_frame: data(frames),
                eh_frame_hdr_svma: range(header),
                eh_frame_hdr: data(header),
                ..Default::default()
            },
        ))
    }
}

/// Where a program was: what unwinding starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnwindStart {
    /// The address of the next instruction.
    pub instruction: u64,
    /// Top of the stack.
    pub stack: u64,
    /// The register that may be the frame pointer.
    pub frame: u64,
}

/// Rules found before, for all processes.
#[derive(Default)]
pub struct UnwindCache(CacheX86_64);

/// Follows the calls of one process.
#[derive(Default)]
pub struct Unwinder(UnwinderX86_64<Section>);

impl Unwinder {
    /// Takes note that the part of an object from `offset` on is mapped to `mapped`.
    pub fn add(&mut self, info: &UnwindInfo, mapped: &Range<u64>, offset: u64) {
        if let Some(module) = contained(|| info.module(mapped, offset)).flatten() {
            self.0.add_module(module);
        }
    }

    /// The address of the next instruction, then those that calls return to, from the innermost to
    /// the outermost, `most` of them. They end early where the copy does, or the unwind tables.
    pub fn addresses(
        &self,
        cache: &mut UnwindCache,
        start: UnwindStart,
        stack: &[u8],
        most: usize,
    ) -> Vec<u64> {
        let mut word = |address: u64| {
            let at = usize::try_from(address.wrapping_sub(start.stack)).map_err(|_| ())?;
            let bytes = stack.get(at..).and_then(|rest| rest.first_chunk::<8>()).ok_or(())?;
            Ok(u64::from_le_bytes(*bytes))
        };
        let mut addresses = Vec::new();
        let registers = UnwindRegsX86_64::new(start.instruction, start.stack, start.frame);
        let mut frames = self.0.iter_frames(start.instruction, registers, &mut cache.0, &mut word);
        let walked = contained(|| {
            while addresses.len() < most {
                match frames.next() {
                    Ok(Some(frame)) => addresses.push(frame.address()),
                    Ok(None) | Err(_) => break,
                }
            }
        });
        if walked.is_none() {
            *cache = UnwindCache::default();
        }
        addresses
    }
}

impl fmt::Debug for UnwindCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnwindCache")
    }
}

impl fmt::Debug for Unwinder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unwinder")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// This test's own program, as if mapped to this address.
    const MAPPED: u64 = 0x5555_0000_0000;

    fn own() -> (UnwindInfo, Range<u64>) {
        let info = UnwindInfo::read(&std::env::current_exe().unwrap()).unwrap();
        let (part, _) = info.segments[0].clone();
        (info, part)
    }

    #[test]
    fn only_programs_have_unwind_information() {
        assert!(UnwindInfo::read(Path::new("/dev/zero")).is_none());
        assert!(UnwindInfo::read(Path::new("/nonexistent")).is_none());
        assert!(UnwindInfo::read(Path::new("Cargo.toml")).is_none());
        assert!(UnwindInfo::vdso().is_some());
    }

    #[test]
    fn without_tables_frame_pointers_are_followed() {
        let stack: Vec<u8> = [0x2020, 0x777, 0, 1, 0x2000 + 48, 0x888, 0x10, 0x999]
            .iter()
            .flat_map(|word: &u64| word.to_le_bytes())
            .collect();
        let start = UnwindStart { instruction: 0x666, stack: 0x2000, frame: 0x2000 };
        let unwinder = Unwinder::default();
        let mut cache = UnwindCache::default();
        assert_eq!(unwinder.addresses(&mut cache, start, &stack, 10), [0x666, 0x777, 0x888, 0x999]);
        assert_eq!(unwinder.addresses(&mut cache, start, &stack, 2), [0x666, 0x777]);
        assert_eq!(unwinder.addresses(&mut cache, start, &[], 10), [0x666]);
    }

    proptest! {
        /// Tables of strangers, and stacks too.
        #[test]
        fn nonsense_ends_early(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..200),
            at in any::<prop::sample::Index>(),
            stack in prop::collection::vec(any::<u64>(), 0..300),
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..50),
        ) {
            let (mut info, part) = own();
            for section in info.sections.iter_mut().flatten() {
                let mut bytes = section.1.to_vec();
                for (at, value) in &damage {
                    if !bytes.is_empty() {
                        let at = at.index(bytes.len().min(1 << 16));
                        bytes[at] = *value;
                    }
                }
                section.1 = Section(bytes.into());
            }
            let length = part.end - part.start;
            let mapped = MAPPED..MAPPED + length;
            let mut unwinder = Unwinder::default();
            unwinder.add(&info, &mapped, part.start);
            let inside = |index: &prop::sample::Index| {
                MAPPED + index.index(usize::try_from(length).unwrap()) as u64
            };
            let mut words = stack;
            for (at, place) in &places {
                if !words.is_empty() {
                    let at = at.index(words.len());
                    words[at] = inside(place);
                }
            }
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let start = UnwindStart { instruction: inside(&at), stack: 0x1000, frame: 0x1010 };
            let found = unwinder.addresses(&mut UnwindCache::default(), start, &bytes, 127);
            prop_assert!(!found.is_empty() && found.len() <= 127);
        }
    }
}
