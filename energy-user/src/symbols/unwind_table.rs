//! Where functions begin that have no name: a stripped program keeps its unwind table (`.eh_frame`), in
//! which every function has an entry. So the places of one function can be told to be of one.
//! Reference: System V ABI, x86-64 supplement 1.0, chapter 4.2.4; LSB 5.0, chapter 10.6

use std::fs::File;
use std::path::Path;

use gimli::{BaseAddresses, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, UnwindSection};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection, ReadCache};

use super::contain::contained;

/// The most bytes of a section that are read: a browser's unwind table takes some 20 MB.
const MOST_SECTION: u64 = 512 << 20;
const ADDRESS_BYTES: u8 = 8;

/// The unwind table of an object.
#[derive(Debug)]
pub(super) struct UnwindTable {
    header: Section,
    frames: Section,
}

#[derive(Debug)]
struct Section {
    address: u64,
    bytes: Vec<u8>,
}

impl UnwindTable {
    /// Reads that of a little-endian ELF file for 64-bit machines; `None` where there is none.
    pub(super) fn read(path: &Path) -> Option<Self> {
        contained(|| Self::parse(path)).flatten()
    }

    fn parse(path: &Path) -> Option<Self> {
        let cache = ReadCache::new(File::open(path).ok()?);
        let elf = ElfFile64::<Endianness, _>::parse(&cache).ok()?;
        let section = |name: &str| {
            let section = elf.section_by_name(name).filter(|it| it.size() <= MOST_SECTION)?;
            Some(Section { address: section.address(), bytes: section.data().ok()?.to_vec() })
        };
        Some(Self { header: section(".eh_frame_hdr")?, frames: section(".eh_frame")? })
    }

    /// For each address, which the object's code is linked at, where its function begins.
    pub(super) fn starts(&self, addresses: &[u64]) -> Vec<Option<u64>> {
        let found = || {
            let bases = BaseAddresses::default()
                .set_eh_frame_hdr(self.header.address)
                .set_eh_frame(self.frames.address);
            let header = EhFrameHdr::new(&self.header.bytes, LittleEndian);
            let header = header.parse(&bases, ADDRESS_BYTES).ok()?;
            let table = header.table()?;
            let mut frames = EhFrame::new(&self.frames.bytes, LittleEndian);
            frames.set_address_size(ADDRESS_BYTES);
            let start = |address: &u64| {
                let entry = table.fde_for_address(
                    &frames,
                    &bases,
                    *address,
                    EhFrame::<EndianSlice<'_, LittleEndian>>::cie_from_offset,
                );
                entry.ok().map(|entry| entry.initial_address())
            };
            Some(addresses.iter().map(start).collect())
        };
        contained(found).flatten().unwrap_or_else(|| vec![None; addresses.len()])
    }
}
