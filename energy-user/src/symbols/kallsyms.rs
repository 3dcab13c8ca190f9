//! The kernel's own list of its functions, `/proc/kallsyms`.
//!
//! Lines are `address type name`, and `[module]` for what is not of the kernel itself; BPF programs
//! and trampolines are listed in the same way. Addresses are zeros for those who may not see them.
//! Reference: Linux v6.12, kernel/kallsyms.c, s_show() and kallsyms_show_value()

use std::fs;
use std::io;
use std::path::Path;

/// How far a function may reach where nothing of its own follows it: as perf does, to the end of the
/// page after the one it begins in.
/// Reference: Linux v6.12, tools/perf/util/symbol.c, arch__symbols__fixup_end()
const PAGE: u64 = 4096;

/// A function of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelFunction<'a> {
    /// Its name.
    pub name: &'a str,
    /// The module it is of; `None` is the kernel itself.
    pub module: Option<&'a str>,
}

/// All the kernel's symbols, by address.
#[derive(Debug, Default)]
pub struct KernelSymbols {
    text: String,
    /// Sorted by address; one for each address.
    symbols: Vec<Symbol>,
}

#[derive(Clone, Copy, Debug)]
struct Symbol {
    address: u64,
    /// Where its name is in the text, and how long it is.
    name: (usize, usize),
    module: (usize, usize),
    kind: u8,
}

impl KernelSymbols {
    /// Reads `/proc/kallsyms` or a copy of it.
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        Ok(Self::parse(String::from_utf8(bytes).unwrap_or_else(|error| {
            // Names are ASCII; what is not was never a kernel's.
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        })))
    }

    /// Reads the list from text. Lines that make no sense are left out.
    pub fn parse(text: String) -> Self {
        let mut symbols: Vec<Symbol> =
            text.lines().filter_map(|line| Symbol::parse(line, offset_in(&text, line))).collect();
        symbols.sort_by(|a, b| {
            a.address.cmp(&b.address).then_with(|| b.preference(&text).cmp(&a.preference(&text)))
        });
        symbols.dedup_by_key(|symbol| symbol.address);
        Self { text, symbols }
    }

    /// Whether there is nothing in it: all addresses were hidden.
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// The function at an address. `None` outside of code.
    pub fn lookup(&self, address: u64) -> Option<KernelFunction<'_>> {
        let after = self.symbols.partition_point(|symbol| symbol.address <= address);
        let symbol = self.symbols[..after].last().filter(|symbol| symbol.is_code())?;
        let followed =
            self.symbols.get(after).is_some_and(|next| self.are_neighbours(symbol, next));
        let last_page = symbol.address / PAGE + 1;
        if !followed && address / PAGE > last_page {
            return None;
        }
        let module = self.part(symbol.module);
        Some(KernelFunction {
            name: self.part(symbol.name),
            module: (!module.is_empty()).then_some(module),
        })
    }

    fn are_neighbours(&self, one: &Symbol, other: &Symbol) -> bool {
        self.part(one.module) == self.part(other.module)
    }

    fn part(&self, (start, length): (usize, usize)) -> &str {
        &self.text[start..start + length]
    }
}

impl Symbol {
    /// `at` is where the line is in the whole text.
    fn parse(line: &str, at: usize) -> Option<Self> {
        let mut parts = line.split_ascii_whitespace();
        let address =
            u64::from_str_radix(parts.next()?, 16).ok().filter(|address| *address != 0)?;
        let kind = *parts.next()?.as_bytes().first()?;
        let name = parts.next()?;
        let module = parts.next().unwrap_or_default();
        let module = module.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let place = |part: &str| (at + offset_in(line, part), part.len());
        Some(Self { address, kind, name: place(name), module: module.map_or((0, 0), place) })
    }

    fn is_code(&self) -> bool {
        matches!(self.kind, b't' | b'T' | b'w' | b'W')
    }

    /// Of several names of one address the best: of code, global, not weak, not for internal use.
    fn preference(&self, text: &str) -> (bool, bool, bool, isize) {
        let name = &text[self.name.0..self.name.0 + self.name.1];
        let underscores = name.bytes().take_while(|byte| *byte == b'_').count();
        let internal = isize::try_from(underscores).unwrap_or(isize::MAX);
        let weak = matches!(self.kind, b'w' | b'W');
        (self.is_code(), self.kind.is_ascii_uppercase(), !weak, -internal)
    }
}

/// Where a part of a text is in it.
fn offset_in(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "\
ffffffff81000000 T _text
ffffffff81000000 T startup_64
ffffffff81001000 t do_work
ffffffff81001100 W weak_one
ffffffff81001100 T __strong_one
ffffffff81002000 D some_data
ffffffffc0000000 t ext4_read\t[ext4]
ffffffffc0000100 d ext4_table\t[ext4]
ffffffffc0010000 t bpf_prog_abc_count\t[bpf]
";

    fn name_at(address: u64) -> Option<(String, Option<String>)> {
        let symbols = KernelSymbols::parse(LISTED.to_owned());
        symbols.lookup(address).map(|found| named(found.name, found.module))
    }

    fn named(name: &str, module: Option<&str>) -> (String, Option<String>) {
        (name.to_owned(), module.map(str::to_owned))
    }

    #[test]
    fn a_function_reaches_to_the_next_symbol() {
        assert_eq!(name_at(0xffff_ffff_8100_1000), Some(named("do_work", None)));
        assert_eq!(name_at(0xffff_ffff_8100_10ff), Some(named("do_work", None)));
    }

    #[test]
    fn of_two_names_the_global_and_plain_one_is_taken() {
        assert_eq!(name_at(0xffff_ffff_8100_0fff), Some(named("startup_64", None)));
        assert_eq!(name_at(0xffff_ffff_8100_1100), Some(named("__strong_one", None)));
    }

    #[test]
    fn data_and_what_is_before_the_kernel_are_no_functions() {
        assert_eq!(name_at(0xffff_ffff_8100_2000), None);
        assert_eq!(name_at(0xffff_ffff_c000_0100), None);
        assert_eq!(name_at(0x1000), None);
    }

    #[test]
    fn modules_and_bpf_programs_are_named() {
        let ext4 = Some(named("ext4_read", Some("ext4")));
        assert_eq!(name_at(0xffff_ffff_c000_0010), ext4);
        let bpf = Some(named("bpf_prog_abc_count", Some("bpf")));
        assert_eq!(name_at(0xffff_ffff_c001_0010), bpf);
    }

    #[test]
    fn the_last_function_reaches_no_further_than_the_next_page() {
        assert!(name_at(0xffff_ffff_c001_1fff).is_some());
        assert_eq!(name_at(0xffff_ffff_c001_2000), None);
        assert_eq!(name_at(u64::MAX), None);
    }

    #[test]
    fn hidden_addresses_leave_nothing() {
        let hidden = "0000000000000000 T _text\n0000000000000000 t do_work\n";
        assert!(KernelSymbols::parse(hidden.to_owned()).is_empty());
    }

    #[test]
    fn nonsense_is_left_out() {
        let text = "\n \nzzz T a\nffff\nffff T\n1ffffffffffffffff T b\nfff0 t ok [unclosed\n";
        let symbols = KernelSymbols::parse(text.to_owned());
        assert_eq!(symbols.symbols.len(), 1);
        assert_eq!(symbols.lookup(0xfff0), Some(KernelFunction { name: "ok", module: None }));
    }
}
