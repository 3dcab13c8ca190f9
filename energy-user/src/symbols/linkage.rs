//! Names of the jumps that linkers put between a program and the functions of its libraries: the
//! procedure linkage table. Symbol tables do not have them, yet a program that calls a short function
//! often enough is found there. They are named as `objdump` and `perf` do: `clock_gettime@plt`.
//! Reference: System V ABI, x86-64 supplement 1.0, chapter 5.2; ld (binutils 2.40) bfd/elfxx-x86.c

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;

use object::elf::R_X86_64_JUMP_SLOT;
use object::read::elf::{ElfFile64, ElfSection64, SectionHeader};
use object::{
    Architecture, Endianness, Object, ObjectSection, ObjectSymbol, ObjectSymbolTable, ReadCache,
    RelocationFlags, RelocationTarget,
};

use super::contain::contained;
use super::demangle::demangle;

/// The most bytes of a table that are read: a million entries.
const MOST_TABLE: u64 = 16 << 20;
/// How long an entry is where its section does not say.
const ENTRY: usize = 16;
/// `endbr64`: where the processor checks where jumps end, tables of old layout begin entries with it.
const LANDING: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
/// `jmp *offset(%rip)`: through a slot of the offset table.
const JUMP_THROUGH: [u8; 2] = [0xff, 0x25];
/// `bnd`, which may stand before a jump.
const BOUND: u8 = 0xf2;
/// `push $index`: which slot the dynamic linker is to fill.
const PUSH: u8 = 0x68;

type File64<'data> = ElfFile64<'data, Endianness, &'data ReadCache<File>>;

/// The jumps of one object.
#[derive(Debug, Default)]
pub(super) struct Linkage {
    /// By where a jump's entry begins: where it ends, and its name.
    entries: BTreeMap<u64, (u64, String)>,
}

impl Linkage {
    /// Reads those of an ELF file for x86-64; of any other there are none.
    pub(super) fn read(path: &Path) -> Self {
        contained(|| Self::parse(path)).flatten().unwrap_or_default()
    }

    /// The name of the jump at an address.
    pub(super) fn name(&self, address: u64) -> Option<&str> {
        let (_, (end, name)) = self.entries.range(..=address).next_back()?;
        (address < *end).then_some(name)
    }

    fn parse(path: &Path) -> Option<Self> {
        let cache = ReadCache::new(File::open(path).ok()?);
        let elf = ElfFile64::<Endianness, _>::parse(&cache).ok()?;
        if elf.architecture() != Architecture::X86_64 {
            return None;
        }
        let slots = Slots::of(&elf);
        let mut entries = BTreeMap::new();
        for section in elf.sections() {
            let table = section.name().is_ok_and(|name| name.starts_with(".plt"));
            if !table || section.size() > MOST_TABLE {
                continue;
            }
            let Ok(code) = section.data() else { continue };
            let length = entry_length(&section);
            for (entry, index) in code.chunks_exact(length).zip(0_u64..) {
                let start = section.address().wrapping_add(index * length as u64);
                if let Some(function) = slots.function(start, entry) {
                    let end = start.saturating_add(length as u64);
                    entries.insert(start, (end, format!("{}@plt", demangle(function))));
                }
            }
        }
        Some(Self { entries })
    }
}

fn entry_length<'a>(section: &ElfSection64<'a, '_, Endianness, &'a ReadCache<File>>) -> usize {
    let stated = section.elf_section_header().sh_entsize(Endianness::Little);
    usize::try_from(stated).ok().filter(|length| (8..=64).contains(length)).unwrap_or(ENTRY)
}

/// The slots of the offset table that functions of libraries are called through.
struct Slots {
    /// Functions by the slot's address.
    by_address: HashMap<u64, String>,
    /// Addresses of slots in the order in which the dynamic linker counts them.
    lazy: Vec<u64>,
}

impl Slots {
    fn of(elf: &File64<'_>) -> Self {
        let mut slots = Self { by_address: HashMap::new(), lazy: Vec::new() };
        for (address, relocation) in elf.dynamic_relocations().into_iter().flatten() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
            if matches!(relocation.flags(), RelocationFlags::Elf { r_type: R_X86_64_JUMP_SLOT }) {
                slots.lazy.push(address);
            }
            let symbols = elf.dynamic_symbol_table();
            let symbol = symbols.and_then(|symbols| symbols.symbol_by_index(symbol).ok());
            if let Some(name) = symbol.as_ref().and_then(|symbol| symbol.name().ok())
                && !name.is_empty()
            {
                slots.by_address.insert(address, name.to_owned());
            }
        }
        slots
    }

    /// Where the entry of these bytes, which begins at `start`, goes to.
    fn function(&self, start: u64, entry: &[u8]) -> Option<&str> {
        let landing = if entry.starts_with(&LANDING) { LANDING.len() } else { 0 };
        let bound = usize::from(entry.get(landing) == Some(&BOUND));
        let at = landing + bound;
        let operand = |at: usize| Some(i32::from_le_bytes(entry.get(at..at + 4)?.try_into().ok()?));
        let slot = if entry.get(at..)?.starts_with(&JUMP_THROUGH) {
            let next = start.checked_add(at as u64 + 6)?;
            next.checked_add_signed(operand(at + 2)?.into())?
        } else if entry.get(at) == Some(&PUSH) {
            *self.lazy.get(usize::try_from(operand(at + 1)?).ok()?)?
        } else {
            return None;
        };
        self.by_address.get(&slot).map(String::as_str)
    }
}
