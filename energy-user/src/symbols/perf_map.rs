//! Perf maps: where a JIT compiler put the code of which function, `/tmp/perf-PID.map`.
//!
//! Lines are `START SIZE name`, both numbers hexadecimal. A compiler that reuses memory appends a
//! line, so later lines win. The file is the process's own and may say anything.
//! Reference: Linux v6.12, tools/perf/Documentation/jit-interface.txt

use std::fs::File;
use std::io::{self, Read};

use super::code_ranges::{CodeRanges, FromTheLast};
use super::demangle::one_line;

/// The most that is read of a file, in bytes. Some runtimes append for as long as they live.
const MOST_BYTES: u64 = 512 << 20;

/// The functions that a process's JIT compiler made.
#[derive(Debug, Default)]
pub struct PerfMap {
    /// One after the other.
    names: String,
    /// Where in the names that of an address begins and ends.
    ranges: CodeRanges<(usize, usize)>,
    skipped: usize,
}

impl PerfMap {
    /// Reads a perf map's text. Lines that make no sense are counted in [`skipped`](Self::skipped).
    pub fn parse(text: &str) -> Self {
        let mut map = Self::default();
        let mut ranges = FromTheLast::default();
        for line in text.lines().rev() {
            let Some((start, end, name)) = parse_line(line) else {
                map.skipped += usize::from(!line.trim().is_empty());
                continue;
            };
            ranges.add(start, end, || {
                let begins = map.names.len();
                map.names.push_str(&one_line(name));
                (begins, map.names.len())
            });
        }
        map.ranges = ranges.ranges();
        map
    }

    /// Reads a perf map.
    pub fn read(file: &File) -> io::Result<Self> {
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes)?;
        Ok(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// The function whose code is at an address of the process.
    pub fn lookup(&self, address: u64) -> Option<&str> {
        self.ranges.find(address).map(|name| &self.names[name.0..name.1])
    }

    /// How many lines made no sense.
    pub const fn skipped(&self) -> usize {
        self.skipped
    }
}

/// Start, end (after the last byte) and name. Some compilers write `0x` before the numbers.
fn parse_line(line: &str) -> Option<(u64, u64, &str)> {
    let (start, rest) = line.trim().split_once(' ')?;
    let (size, name) = rest.trim_start().split_once(' ')?;
    let hexadecimal =
        |digits: &str| u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok();
    let (start, size) = (hexadecimal(start)?, hexadecimal(size)?);
    let (end, name) = (start.checked_add(size)?, name.trim_start());
    (size > 0 && !name.is_empty()).then_some((start, end, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_function_is_found_from_its_first_byte_to_its_last() {
        let map =
            PerfMap::parse("7f00 10 py::work:/srv/app.py\n0x8000 0x20 LazyCompile:~f a.js:1\n");
        assert_eq!(map.lookup(0x7eff), None);
        assert_eq!(map.lookup(0x7f00), Some("py::work:/srv/app.py"));
        assert_eq!(map.lookup(0x7f0f), Some("py::work:/srv/app.py"));
        assert_eq!(map.lookup(0x7f10), None);
        assert_eq!(map.lookup(0x8001), Some("LazyCompile:~f a.js:1"));
        assert_eq!(map.skipped(), 0);
    }

    #[test]
    fn a_later_line_wins_where_they_overlap() {
        let map = PerfMap::parse("100 100 old\n140 10 new\n150 10 newer\n148 10 newest\n");
        let names = [0x13f, 0x140, 0x147, 0x148, 0x157, 0x158, 0x15f, 0x160, 0x1ff, 0x200];
        let names = names.map(|address| map.lookup(address));
        let expected = [
            Some("old"),
            Some("new"),
            Some("new"),
            Some("newest"),
            Some("newest"),
            Some("newer"),
            Some("newer"),
            Some("old"),
            Some("old"),
            None,
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn lines_that_make_no_sense_are_counted() {
        let text =
            "zz 10 a\n100\n100 10\n100 10 \n100 0 empty\nffffffffffffffff 10 over\n\n100 1 ok";
        let map = PerfMap::parse(text);
        assert_eq!(map.skipped(), 6);
        assert_eq!(map.lookup(0x100), Some("ok"));
    }

    #[test]
    fn a_name_moves_no_cursor() {
        assert_eq!(PerfMap::parse("1 1 a\u{1b}[2Jb").lookup(1), Some("a\u{fffd}[2Jb"));
    }

    #[test]
    fn a_large_map_made_to_overlap_is_read_in_time() {
        // One line over all comes before small ones, again and again: were spans not merged, each
        // would pass over all others.
        let mut text = String::new();
        for i in (0..200_000_u64).rev() {
            text.push_str(&format!("{:x} 1 small\n0 {:x} all\n", 2 * i, 2 * i + 1));
        }
        let map = PerfMap::parse(&text);
        assert_eq!(map.lookup(0), Some("all"));
    }

    proptest! {
        #[test]
        fn the_last_line_that_covers_an_address_names_it(
            lines in prop::collection::vec((0_u64..64, 1_u64..16), 0..40),
        ) {
            let mut text = String::new();
            for (line, (start, size)) in lines.iter().enumerate() {
                text.push_str(&format!("{start:x} {size:x} line {line}\n"));
            }
            let map = PerfMap::parse(&text);
            for address in 0..96 {
                let covers = |(start, size): &(u64, u64)| (*start..start + size).contains(&address);
                let expected = lines.iter().rposition(covers).map(|line| format!("line {line}"));
                prop_assert_eq!(map.lookup(address), expected.as_deref());
            }
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,200}|([0-9a-fx]{0,20} {0,2}){0,9}\n") {
            let map = PerfMap::parse(&text);
            map.lookup(0);
            map.lookup(u64::MAX);
        }
    }
}
