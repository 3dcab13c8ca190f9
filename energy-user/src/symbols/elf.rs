//! What must be known of an ELF file before others are let at it: its build id, where its code is,
//! and how much it would ask for.
//!
//! Nothing here trusts a number of the file: all reads are bounded, and what does not fit is taken
//! as not there.
//! Reference: System V ABI, chapters 4 and 5; elf(5)

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use thiserror::Error;

use super::segments::{Segment, Segments};

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const SHT_SYMTAB: u32 = 2;
const SHT_NOTE: u32 = 7;
const SHT_NOBITS: u32 = 8;
const SHT_DYNSYM: u32 = 11;
const SHF_EXECINSTR: u64 = 0x4;
const SHF_COMPRESSED: u64 = 0x800;
const NT_GNU_BUILD_ID: u32 = 3;

/// The most section or program headers that are looked at.
const MOST_HEADERS: u64 = 1 << 16;
/// The most bytes of one group of notes that are looked at.
const MOST_NOTES: u64 = 1 << 16;
/// The most bytes of a symbol table: 2^26 symbols of 24 bytes.
const MOST_SYMBOLS: u64 = 24 << 26;
/// The most bytes that all compressed sections may promise to become.
const MOST_INFLATED: u64 = 4 << 30;
/// Deflate makes at most 1032 bytes of one; Zstandard may make more, but not of debug information.
const MOST_INFLATED_RATIO: u64 = 1100;

/// Why a file was not looked at.
#[derive(Debug, Error)]
pub(super) enum ElfError {
    #[error("cannot open it: {0}")]
    Open(#[from] io::Error),
    #[error("it is not a regular file")]
    NotRegular,
    #[error("its ELF header makes no sense")]
    Damaged,
}

/// How much of a file it is safe to have read by others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readable {
    /// Symbols and debug information.
    All,
    /// Symbols only: the debug information would unpack to more than can be right.
    Symbols,
    /// Nothing: its symbol table is larger than can be right.
    Nothing,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Elf {
    /// The build id in hexadecimal.
    pub(super) build_id: Option<String>,
    /// The virtual addresses of its sections of code.
    code: Vec<Range<u64>>,
    /// Where its code is linked at.
    pub(super) segments: Segments,
    pub(super) readable: Readable,
    /// Whether all its section headers are there: they are at the end of most files, so that of a
    /// file that was cut off they are not.
    whole: bool,
}

impl Elf {
    /// Looks at the file at a path. `None` is a file of another format.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, ElfError> {
        // Asked before opening: opening a pipe waits for its writer, and a device may do anything.
        if !fs::metadata(path)?.is_file() {
            return Err(ElfError::NotRegular);
        }
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let read = |offset: u64, bytes: u64| {
            let end = offset.checked_add(bytes).filter(|end| *end <= length)?;
            let mut buffer = vec![0; usize::try_from(end - offset).ok()?];
            file.read_exact_at(&mut buffer, offset).ok()?;
            Some(buffer)
        };
        if read(0, 4).as_deref() != Some(b"\x7fELF") {
            return Ok(None);
        }
        Self::parse(&read).map(Some).ok_or(ElfError::Damaged)
    }

    /// `read` gives so many bytes at an offset, or nothing where the file ends before.
    fn parse(read: &impl Fn(u64, u64) -> Option<Vec<u8>>) -> Option<Self> {
        let layout = Layout::of(&read(0, 16)?)?;
        let header = Record { bytes: read(0, layout.header_size())?, layout };
        let (count, sections) = sections(&header, read);
        let segments = segments(&header, read);
        let notes = sections.iter().filter(|section| section.kind == SHT_NOTE);
        let notes =
            notes.map(|section| section.offset..section.offset.saturating_add(section.size));
        let in_segments = segments.iter().filter_map(note);
        let build_id = notes.chain(in_segments).find_map(|notes| {
            let size = (notes.end - notes.start).min(MOST_NOTES);
            build_id(&read(notes.start, size)?)
        });
        let code = sections.iter().filter(|section| section.flags & SHF_EXECINSTR != 0);
        let code =
            code.map(|section| section.address..section.address.saturating_add(section.size));
        Some(Self {
            build_id,
            code: code.collect(),
            segments: Segments::of(segments.iter().filter_map(loaded)),
            readable: readable(&sections, layout, read),
            whole: sections.len() as u64 == count,
        })
    }

    /// The build id of a file that is all there.
    pub(super) fn whole_build_id(self) -> Option<String> {
        self.build_id.filter(|_| self.whole)
    }

    /// Whether both addresses are of one section of code.
    pub(super) fn in_one_section(&self, one: u64, other: u64) -> bool {
        self.code.iter().any(|section| section.contains(&one) && section.contains(&other))
    }
}

/// The two widths of an ELF file. Only little-endian ones are read: nothing else runs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Narrow,
    Wide,
}

impl Layout {
    fn of(ident: &[u8]) -> Option<Self> {
        match ident.get(4..6)? {
            [1, 1] => Some(Self::Narrow),
            [2, 1] => Some(Self::Wide),
            _ => None,
        }
    }

    const fn header_size(self) -> u64 {
        match self {
            Self::Narrow => 52,
            Self::Wide => 64,
        }
    }

    const fn section_size(self) -> u64 {
        match self {
            Self::Narrow => 40,
            Self::Wide => 64,
        }
    }

    const fn segment_size(self) -> u64 {
        match self {
            Self::Narrow => 32,
            Self::Wide => 56,
        }
    }
}

/// The bytes of one header of the file.
struct Record {
    bytes: Vec<u8>,
    layout: Layout,
}

impl Record {
    fn word(&self, at: usize) -> Option<u32> {
        word(&self.bytes, at)
    }

    /// A field of the width of an address, at its place in each layout.
    fn wide(&self, narrow_at: usize, wide_at: usize) -> Option<u64> {
        match self.layout {
            Layout::Narrow => self.word(narrow_at).map(u64::from),
            Layout::Wide => {
                Some(u64::from_le_bytes(self.bytes.get(wide_at..wide_at + 8)?.try_into().ok()?))
            }
        }
    }

    /// A 16-bit field, at its place in each layout.
    fn half(&self, narrow_at: usize, wide_at: usize) -> Option<u64> {
        let at = if self.layout == Layout::Narrow { narrow_at } else { wide_at };
        Some(u16::from_le_bytes(self.bytes.get(at..at + 2)?.try_into().ok()?).into())
    }
}

struct Section {
    kind: u32,
    flags: u64,
    address: u64,
    offset: u64,
    size: u64,
}

/// How many sections the header promises, and those that are there.
fn sections(header: &Record, read: &impl Fn(u64, u64) -> Option<Vec<u8>>) -> (u64, Vec<Section>) {
    let table = || {
        let (start, count) = (header.wide(32, 40)?, header.half(48, 60)?);
        // More than 65280 are counted in the first section's size instead.
        let count = match count {
            0 if start == 0 => 0,
            0 => record(header.layout, Layout::section_size, start, 0, read)?.wide(20, 32)?,
            count => count,
        };
        Some((start, count.min(MOST_HEADERS)))
    };
    let Some((start, count)) = table() else { return (1, Vec::new()) };
    let sections = (0..count).map_while(|index| {
        let record = record(header.layout, Layout::section_size, start, index, read)?;
        Some(Section {
            kind: record.word(4)?,
            flags: record.wide(8, 8)?,
            address: record.wide(12, 16)?,
            offset: record.wide(16, 24)?,
            size: record.wide(20, 32)?,
        })
    });
    (count, sections.collect())
}

/// The program headers.
fn segments(header: &Record, read: &impl Fn(u64, u64) -> Option<Vec<u8>>) -> Vec<Record> {
    let start = header.wide(28, 32).unwrap_or_default();
    let count = header.half(44, 56).unwrap_or_default();
    (0..count)
        .map_while(|index| record(header.layout, Layout::segment_size, start, index, read))
        .collect()
}

/// Where the notes are of a file that lost its sections.
fn note(segment: &Record) -> Option<Range<u64>> {
    let (offset, size) = (segment.wide(4, 8)?, segment.wide(16, 32)?);
    (segment.word(0)? == PT_NOTE).then(|| offset..offset.saturating_add(size))
}

/// A segment that is loaded into memory.
fn loaded(segment: &Record) -> Option<Segment> {
    let flags = segment.word(match segment.layout {
        Layout::Narrow => 24,
        Layout::Wide => 4,
    })?;
    (segment.word(0)? == PT_LOAD).then_some(Segment {
        offset: segment.wide(4, 8)?,
        address: segment.wide(8, 16)?,
        file_size: segment.wide(16, 32)?,
        memory_size: segment.wide(20, 40)?,
        alignment: segment.wide(28, 48)?,
        executable: flags & PF_X != 0,
        writable: flags & PF_W != 0,
    })
}

fn record(
    layout: Layout,
    size: fn(Layout) -> u64,
    start: u64,
    index: u64,
    read: &impl Fn(u64, u64) -> Option<Vec<u8>>,
) -> Option<Record> {
    let bytes = read(start.checked_add(index * size(layout))?, size(layout))?;
    Some(Record { bytes, layout })
}

fn readable(
    sections: &[Section],
    layout: Layout,
    read: &impl Fn(u64, u64) -> Option<Vec<u8>>,
) -> Readable {
    let symbols = |section: &&Section| matches!(section.kind, SHT_SYMTAB | SHT_DYNSYM);
    if sections.iter().filter(symbols).any(|section| section.size > MOST_SYMBOLS) {
        return Readable::Nothing;
    }
    let mut inflated: u64 = 0;
    for section in sections {
        if section.flags & SHF_COMPRESSED == 0 || section.kind == SHT_NOBITS {
            continue;
        }
        let promised = read(section.offset, 24)
            .and_then(|bytes| Record { bytes, layout }.wide(4, 8))
            .unwrap_or_default();
        inflated = inflated.saturating_add(promised);
        if promised / MOST_INFLATED_RATIO > section.size {
            return Readable::Symbols;
        }
    }
    if inflated > MOST_INFLATED { Readable::Symbols } else { Readable::All }
}

/// The build id among notes: each is a name's and a description's length, its type, and both, padded
/// to four bytes.
fn build_id(mut notes: &[u8]) -> Option<String> {
    loop {
        let (name_length, length) = (padded(notes, 0)?, padded(notes, 4)?);
        let described = notes.get(12..)?.get(name_length.1..)?;
        if word(notes, 8)? == NT_GNU_BUILD_ID && notes[12..].starts_with(b"GNU\0") {
            let id = described.get(..length.0).filter(|id| !id.is_empty())?;
            return Some(hexadecimal(id));
        }
        notes = described.get(length.1..)?;
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        digits.push_str(&format!("{byte:02x}"));
    }
    digits
}

/// A length, and what it takes when padded.
fn padded(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let length = usize::try_from(word(bytes, at)?).ok()?;
    Some((length, length.checked_next_multiple_of(4)?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 64-bit file of sections only: (type, flags, address, contents).
    fn file(sections: &[(u32, u64, u64, &[u8])]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(64, 0);
        let mut table = Vec::new();
        for (kind, flags, address, contents) in sections {
            let offset = bytes.len() as u64;
            bytes.extend_from_slice(contents);
            table.extend_from_slice(&0_u32.to_le_bytes());
            table.extend_from_slice(&kind.to_le_bytes());
            for field in [*flags, *address, offset, contents.len() as u64, 0, 0, 0] {
                table.extend_from_slice(&field.to_le_bytes());
            }
            table.truncate(table.len() / 64 * 64);
        }
        let start = bytes.len() as u64;
        bytes[40..48].copy_from_slice(&start.to_le_bytes());
        bytes[60..62].copy_from_slice(&u16::try_from(sections.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&table);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Elf> {
        Elf::parse(&|offset, length| {
            let start = usize::try_from(offset).ok()?;
            Some(bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)?.to_vec())
        })
    }

    fn note(name: &[u8], kind: u32, described: &[u8]) -> Vec<u8> {
        let lengths = [name.len(), described.len()].map(|length| u32::try_from(length).unwrap());
        let mut note: Vec<u8> =
            [lengths[0], lengths[1], kind].iter().flat_map(|word| word.to_le_bytes()).collect();
        for part in [name, described] {
            note.extend_from_slice(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn the_build_id_is_found_after_other_notes() {
        let notes =
            [note(b"GNU\0", 1, &[1; 16]), note(b"Go\0", 3, b"x"), note(b"GNU\0", 3, &[0xab, 0x0c])];
        let elf = parse(&file(&[(SHT_NOTE, 0, 0, &notes.concat())])).unwrap();
        assert_eq!(elf.build_id.as_deref(), Some("ab0c"));
    }

    #[test]
    fn notes_that_are_cut_off_have_no_build_id() {
        let whole = note(b"GNU\0", 3, &[7; 20]);
        for length in 0..whole.len() {
            assert_eq!(build_id(&whole[..length]), None);
        }
        assert_eq!(build_id(&[0xff; 64]), None);
    }

    #[test]
    fn two_addresses_are_of_one_section_or_not() {
        let (init, text) = ([0; 16], [0; 32]);
        let sections: [(u32, u64, u64, &[u8]); 2] =
            [(1, SHF_EXECINSTR, 0x1000, &init), (1, SHF_EXECINSTR, 0x1010, &text)];
        let elf = parse(&file(&sections)).unwrap();
        assert!(elf.in_one_section(0x1000, 0x100f) && elf.in_one_section(0x1010, 0x102f));
        assert!(!elf.in_one_section(0x1000, 0x1010) && !elf.in_one_section(0x1030, 0x1030));
    }

    #[test]
    fn a_section_that_promises_gigabytes_is_not_unpacked() {
        let compressed = |promised: u64| {
            let mut contents = [1_u64, promised, 1].map(u64::to_le_bytes).concat();
            contents.resize(100, 0);
            parse(&file(&[(1, SHF_COMPRESSED, 0, &contents)])).unwrap().readable
        };
        assert_eq!(compressed(100_000), Readable::All);
        assert_eq!(compressed(200_000), Readable::Symbols);
        assert_eq!(compressed(u64::MAX), Readable::Symbols);
    }

    #[test]
    fn headers_that_lead_nowhere_are_not_followed() {
        let mut bytes = file(&[(SHT_NOTE, 0, 0, &note(b"GNU\0", 3, &[1]))]);
        bytes[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(parse(&bytes).unwrap().build_id, None);
        assert_eq!(parse(&bytes[..63]), None);
        assert_eq!(parse(b"\x7fELF\x02\x02 a big-endian file"), None);
    }
}
