//! jitdumps as they are written, and as they should not be.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

/// A dump being written, in either byte order.
struct Writer {
    bytes: Vec<u8>,
    swapped: bool,
}

impl Writer {
    fn new(swapped: bool) -> Self {
        let mut writer = Self { bytes: Vec::new(), swapped };
        let header = [MAGIC, 1, 48, 62, 0, 7].map(|word| writer.word(word)).concat();
        writer.bytes = [header, vec![0; 24]].concat();
        writer
    }

    fn word(&self, word: u32) -> Vec<u8> {
        let word = if self.swapped { word.swap_bytes() } else { word };
        word.to_ne_bytes().to_vec()
    }

    fn wide(&self, wide: u64) -> Vec<u8> {
        let wide = if self.swapped { wide.swap_bytes() } else { wide };
        wide.to_ne_bytes().to_vec()
    }

    fn record(mut self, kind: u32, body: &[u8]) -> Self {
        let size = u32::try_from(body.len()).unwrap() + RECORD_BYTES;
        let head = [self.word(kind), self.word(size), self.wide(1)].concat();
        self.bytes.extend([&head, body].concat());
        self
    }

    fn load(self, start: u64, size: u64, index: u64, name: &str) -> Self {
        let numbers = [start, start, size, index].map(|wide| self.wide(wide)).concat();
        let body = [&self.wide(7), &numbers, name.as_bytes(), b"\0", &[0xcc; 20]].concat();
        self.record(CODE_LOAD, &body)
    }

    fn moved(self, from: u64, to: u64, size: u64, index: u64) -> Self {
        let numbers = [7, from, from, to, size, index].map(|wide| self.wide(wide)).concat();
        self.record(CODE_MOVE, &numbers)
    }

    fn lines(self, start: u64, lines: &[(u64, u32, &[u8])]) -> Self {
        let mut body = [self.wide(start), self.wide(lines.len() as u64)].concat();
        for (address, line, file) in lines {
            let numbers = [self.wide(*address), self.word(*line), self.word(0)].concat();
            body.extend([&numbers, *file, b"\0"].concat());
        }
        self.record(CODE_DEBUG_INFO, &body)
    }

    fn dump(&self) -> JitDump {
        parse(&self.bytes).unwrap()
    }
}

fn parse(bytes: &[u8]) -> Option<JitDump> {
    JitDump::parse(BufReader::new(Cursor::new(bytes))).unwrap()
}

fn shown(dump: &JitDump, address: u64) -> Option<(&str, Option<&str>, Option<u32>)> {
    dump.lookup(address).map(|found| (found.name, found.file, found.line))
}

#[test]
fn functions_and_lines_are_found_in_either_byte_order() {
    for swapped in [false, true] {
        let dump = Writer::new(swapped)
            .record(77, b"of a later version")
            .lines(0x1000, &[(0x1000, 3, b"a.js"), (0x1008, 4, b"\xff"), (0x100c, 9, b"b.js")])
            .load(0x1000, 0x10, 1, "f")
            .load(0x2000, 0x10, 2, "_ZN1a1bEv")
            .dump();
        assert_eq!(shown(&dump, 0x0fff), None);
        assert_eq!(shown(&dump, 0x1007), Some(("f", Some("a.js"), Some(3))));
        assert_eq!(shown(&dump, 0x1008), Some(("f", Some("a.js"), Some(4))));
        assert_eq!(shown(&dump, 0x100f), Some(("f", Some("b.js"), Some(9))));
        assert_eq!(shown(&dump, 0x1010), None);
        assert_eq!(shown(&dump, 0x2000), Some(("a::b()", None, None)));
        assert_eq!(dump.skipped(), 0);
    }
}

#[test]
fn moved_code_keeps_its_name_and_lines_and_what_takes_a_place_has_it() {
    let dump = Writer::new(false)
        .lines(0x1000, &[(0x1000, 3, b"a.js"), (0x1008, 4, b"a.js")])
        .load(0x1000, 0x10, 1, "f")
        .moved(0x1000, 0x3000, 0x10, 1)
        .load(0x1008, 0x10, 2, "g")
        .moved(0x1000, 0x4000, 0x10, 99)
        .dump();
    assert_eq!(shown(&dump, 0x3009), Some(("f", Some("a.js"), Some(4))));
    assert_eq!(shown(&dump, 0x1007), Some(("f", Some("a.js"), Some(3))));
    assert_eq!(shown(&dump, 0x1008), Some(("g", None, None)));
    assert_eq!((shown(&dump, 0x4000), dump.skipped()), (None, 1));
}

#[test]
fn lines_that_are_all_ahead_by_an_elf_header_are_put_back() {
    let dump = Writer::new(false)
        .lines(0x1000, &[(0x1040, 3, b"a.js"), (0x1048, 4, b"a.js")])
        .load(0x1000, 0x10, 1, "f")
        .dump();
    assert_eq!(shown(&dump, 0x1001), Some(("f", Some("a.js"), Some(3))));
    assert_eq!(shown(&dump, 0x1008), Some(("f", Some("a.js"), Some(4))));
}

#[test]
fn what_comes_after_the_end_or_a_record_without_one_is_not_read() {
    let ended = Writer::new(false).record(CODE_CLOSE, &[]).load(0x1000, 1, 1, "f");
    assert_eq!((shown(&ended.dump(), 0x1000), ended.dump().skipped()), (None, 0));
    let mut endless = Writer::new(false);
    endless.bytes.extend([0; 16]);
    let endless = endless.load(0x1000, 1, 1, "f").dump();
    assert_eq!((shown(&endless, 0x1000), endless.skipped()), (None, 1));
}

#[test]
fn records_that_make_no_sense_are_counted() {
    let dump = Writer::new(false)
        .load(u64::MAX, 2, 1, "over the end")
        .load(0x1000, 0, 1, "of nothing")
        .load(0x1000, 1, 1, "")
        .record(CODE_LOAD, b"short")
        .record(CODE_DEBUG_INFO, &[0xff; 40])
        .load(0x2000, 1, 1, "a\u{1b}[2Jb")
        .dump();
    assert_eq!(dump.skipped(), 5);
    assert_eq!(shown(&dump, 0x2000), Some(("a\u{fffd}[2Jb", None, None)));
}

#[test]
fn what_is_cut_off_is_read_up_to_there_and_what_is_no_dump_is_none() {
    let whole = Writer::new(false).load(0x1000, 1, 1, "f").load(0x2000, 1, 2, "g").bytes;
    for length in 0..whole.len() {
        let dump = parse(&whole[..length]);
        assert_eq!(dump.is_some(), length >= 12, "{length}");
        let names = dump.map_or(0, |dump| {
            usize::from(dump.lookup(0x1000).is_some()) + usize::from(dump.lookup(0x2000).is_some())
        });
        assert!(names <= 1, "{length}");
    }
    assert!(parse(b"ELF or what").is_none() && parse(b"").is_none());
}

proptest! {
    #[test]
    fn any_bytes_are_read(
        records in prop::collection::vec((0_u32..5, prop::collection::vec(any::<u8>(), 0..90)), 0..9),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..9),
        swapped: bool,
    ) {
        let start = Writer::new(swapped)
            .lines(0x1000, &[(0x1000, 3, b"a.js"), (0x1008, 4, b"\xff")])
            .load(0x1000, 0x10, 1, "f");
        let mut bytes = records
            .iter()
            .fold(start, |writer, (kind, body)| writer.record(*kind, body))
            .bytes;
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(dump) = parse(&bytes) {
            for address in [0, 0x1000, 0x100f, u64::MAX] {
                dump.lookup(address);
            }
        }
    }
}
