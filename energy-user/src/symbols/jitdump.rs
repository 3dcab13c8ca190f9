//! jitdump files: what a JIT compiler made, with lines, `jit-PID.dump`.
//!
//! A header and records, each with its length, in the byte order of the machine that wrote them. The
//! file is the process's own and may say anything: nothing is believed beyond the bounds below, and a
//! record that makes no sense is counted and passed over.
//! Reference: Linux v6.12, tools/perf/Documentation/jitdump-specification.txt

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use super::code_ranges::{CodeRanges, FromTheLast};
use super::demangle::{demangle, one_line};

const MAGIC: u32 = 0x4A69_5444;
const HEADER_BYTES: u32 = 40;
const RECORD_BYTES: u32 = 16;

const CODE_LOAD: u32 = 0;
const CODE_MOVE: u32 = 1;
const CODE_DEBUG_INFO: u32 = 2;
const CODE_CLOSE: u32 = 3;

/// V8 adds the size of an ELF header to the addresses of lines, which is where perf once put the code
/// in the ELF files that it makes.
const SHIFT_OF_LINES: u64 = 0x40;

/// The most functions, and lines of all of them, that are kept.
const MOST_FUNCTIONS: usize = 1 << 21;
const MOST_LINES: usize = 1 << 24;
/// The most bytes of all names together.
const MOST_NAME_BYTES: usize = 256 << 20;
/// The most bytes of a name that are read.
const LONGEST_NAME: u64 = 16 << 10;
/// The most bytes of one record of lines.
const MOST_DEBUG_BYTES: u64 = 64 << 20;

/// A place in code that was made while running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitFunction<'d> {
    /// The function, demangled.
    pub name: &'d str,
    /// The source file, where known.
    pub file: Option<&'d str>,
    /// The line in it.
    pub line: Option<u32>,
}

/// The functions that a process's JIT compiler made.
#[derive(Debug, Default)]
pub struct JitDump {
    functions: Vec<Function>,
    files: Vec<String>,
    ranges: CodeRanges<Code>,
    /// What the addresses of lines are ahead of those of code.
    shift: u64,
    skipped: usize,
}

#[derive(Debug)]
struct Function {
    name: String,
    /// Where it was loaded first.
    start: u64,
    /// By address.
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    address: u64,
    file: u32,
    number: u32,
}

/// A function, and where it has been put.
#[derive(Clone, Copy, Debug)]
struct Code {
    function: usize,
    start: u64,
}

impl JitDump {
    /// Reads a file; `None` where it is no jitdump.
    pub fn read(file: &File) -> io::Result<Option<Self>> {
        Self::parse(BufReader::with_capacity(1 << 16, file))
    }

    /// Reads what a file holds, as far as it goes: a process may have been killed while writing it.
    pub fn parse(file: BufReader<impl Read + Seek>) -> io::Result<Option<Self>> {
        let mut records = Records { file, swapped: false };
        Ok(match records.header() {
            Ok(true) => Some(Reading::default().all(&mut records)?),
            Ok(false) => None,
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(why) => return Err(why),
        })
    }

    /// The function whose code is at an address of the process.
    pub fn lookup(&self, address: u64) -> Option<JitFunction<'_>> {
        let code = self.ranges.find(address)?;
        let function = &self.functions[code.function];
        let first = (address - code.start).checked_add(function.start)?;
        let first = first.checked_add(self.shift)?;
        let after = function.lines.partition_point(|line| line.address <= first);
        let line = function.lines[..after].last();
        Some(JitFunction {
            name: &function.name,
            file: line.map(|line| self.files[line.file as usize].as_str()),
            line: line.map(|line| line.number).filter(|number| *number > 0),
        })
    }

    /// How many records made no sense, or were more than is kept.
    pub const fn skipped(&self) -> usize {
        self.skipped
    }
}

/// The file, record by record.
struct Records<R> {
    file: BufReader<R>,
    /// Whether it is of the other byte order.
    swapped: bool,
}

impl<R: Read + Seek> Records<R> {
    /// Passes over the header, and tells whether it is one.
    fn header(&mut self) -> io::Result<bool> {
        let magic = self.word()?;
        self.swapped = magic.swap_bytes() == MAGIC;
        if magic != MAGIC && !self.swapped {
            return Ok(false);
        }
        let _version = self.word()?;
        let size = self.word()?;
        self.skip(u64::from(size.max(HEADER_BYTES)) - 12)?;
        Ok(true)
    }

    fn word(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.file.read_exact(&mut bytes)?;
        let word = u32::from_ne_bytes(bytes);
        Ok(if self.swapped { word.swap_bytes() } else { word })
    }

    fn wide(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact(&mut bytes)?;
        let wide = u64::from_ne_bytes(bytes);
        Ok(if self.swapped { wide.swap_bytes() } else { wide })
    }

    fn bytes(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.file.by_ref().take(length).read_to_end(&mut bytes)?;
        if (read as u64) < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        self.file.seek_relative(i64::try_from(length).unwrap_or(i64::MAX))
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    dump: JitDump,
    /// Where code was put, in the order of time.
    placed: Vec<(u64, u64, usize)>,
    by_index: HashMap<u64, usize>,
    /// Lines come before the code that they are of.
    waiting: HashMap<u64, Vec<Line>>,
    files: HashMap<String, u32>,
    lines: usize,
    name_bytes: usize,
}

impl Reading {
    fn all(mut self, records: &mut Records<impl Read + Seek>) -> io::Result<JitDump> {
        loop {
            match self.next(records) {
                Ok(true) => {}
                Ok(false) => break,
                Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(why) => return Err(why),
            }
        }
        let mut ranges = FromTheLast::default();
        for (start, end, function) in self.placed.into_iter().rev() {
            ranges.add(start, end, || Code { function, start });
        }
        let functions = &mut self.dump.functions;
        for function in functions.iter_mut() {
            function.lines.sort_by_key(|line| line.address);
        }
        // A function's first line is at its first bytes, unless all lines are shifted.
        let at_the_start = |function: &Function| {
            let lines = function.lines.iter();
            let mut distances = lines.filter_map(|line| line.address.checked_sub(function.start));
            distances.any(|distance| distance < SHIFT_OF_LINES)
        };
        let shifted = !functions.iter().any(at_the_start);
        self.dump.shift = if shifted { SHIFT_OF_LINES } else { 0 };
        self.dump.ranges = ranges.ranges();
        Ok(self.dump)
    }

    /// Reads a record; `false` after the last.
    fn next(&mut self, records: &mut Records<impl Read + Seek>) -> io::Result<bool> {
        let (kind, size) = (records.word()?, records.word()?);
        let _timestamp = records.wide()?;
        let Some(body) = size.checked_sub(RECORD_BYTES).map(u64::from) else {
            // Where the next one begins is not known.
            self.dump.skipped += 1;
            return Ok(false);
        };
        let read = match kind {
            CODE_LOAD if body >= 40 => self.load(records, body)?,
            CODE_MOVE if body >= 48 => self.moved(records)?,
            CODE_DEBUG_INFO if body <= MOST_DEBUG_BYTES => self.debug_info(records, body)?,
            CODE_CLOSE => return Ok(false),
            kind => {
                self.dump.skipped += usize::from(kind <= CODE_DEBUG_INFO);
                0
            }
        };
        records.skip(body - read)?;
        Ok(true)
    }

    /// Code that was made. Gives how much was read.
    fn load(&mut self, records: &mut Records<impl Read + Seek>, body: u64) -> io::Result<u64> {
        let _pid_and_tid = records.bytes(8)?;
        let _vma = records.wide()?;
        let (start, size, index) = (records.wide()?, records.wide()?, records.wide()?);
        let length = (body - 40).min(LONGEST_NAME);
        let name = records.bytes(length)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = demangle(&String::from_utf8_lossy(name));
        let end = start.checked_add(size).filter(|_| size > 0 && !name.is_empty());
        let functions = &mut self.dump.functions;
        let fits = functions.len() < MOST_FUNCTIONS
            && self.placed.len() < MOST_FUNCTIONS
            && self.name_bytes + name.len() <= MOST_NAME_BYTES;
        let Some(end) = end.filter(|_| fits) else {
            self.dump.skipped += 1;
            return Ok(40 + length);
        };
        self.name_bytes += name.len();
        let lines = self.waiting.remove(&start).unwrap_or_default();
        self.by_index.insert(index, functions.len());
        self.placed.push((start, end, functions.len()));
        functions.push(Function { name, start, lines });
        Ok(40 + length)
    }

    /// Code that was put elsewhere. What was sampled before is at the old place, which stays known.
    fn moved(&mut self, records: &mut Records<impl Read + Seek>) -> io::Result<u64> {
        let _pid_and_tid = records.bytes(8)?;
        let (_vma, _old) = (records.wide()?, records.wide()?);
        let (start, size, index) = (records.wide()?, records.wide()?, records.wide()?);
        let end = start.checked_add(size).filter(|_| size > 0);
        match (end, self.by_index.get(&index)) {
            (Some(end), Some(function)) if self.placed.len() < MOST_FUNCTIONS => {
                self.placed.push((start, end, *function));
            }
            _ => self.dump.skipped += 1,
        }
        Ok(48)
    }

    /// The lines of code that is still to come.
    fn debug_info(
        &mut self,
        records: &mut Records<impl Read + Seek>,
        body: u64,
    ) -> io::Result<u64> {
        let bytes = records.bytes(body)?;
        match self.lines_of(&bytes, records.swapped) {
            Some((start, lines)) if self.waiting.len() < MOST_FUNCTIONS => {
                self.lines += lines.len();
                self.waiting.insert(start, lines);
            }
            _ => self.dump.skipped += 1,
        }
        Ok(body)
    }

    /// The address of the code, and its lines: each is an address, a line, a discriminator, and the
    /// name of a file, which is `\xff` where it is that of the line before.
    fn lines_of(&mut self, mut bytes: &[u8], swapped: bool) -> Option<(u64, Vec<Line>)> {
        let word = |bytes: &mut &[u8]| {
            let word = u32::from_ne_bytes(*bytes.split_off(..4)?.first_chunk()?);
            Some(if swapped { word.swap_bytes() } else { word })
        };
        let wide = |bytes: &mut &[u8]| {
            let wide = u64::from_ne_bytes(*bytes.split_off(..8)?.first_chunk()?);
            Some(if swapped { wide.swap_bytes() } else { wide })
        };
        let (start, count) = (wide(&mut bytes)?, wide(&mut bytes)?);
        let mut lines = Vec::new();
        let mut last = None;
        for _ in 0..count {
            let (address, line) = (wide(&mut bytes)?, word(&mut bytes)?);
            let _discriminator = word(&mut bytes)?;
            let end = bytes.iter().position(|byte| *byte == 0)?;
            let name = bytes.split_off(..=end)?;
            let file = match (&name[..end], last) {
                (b"\xff", Some(last)) => last,
                (name, _) => self.file(name)?,
            };
            last = Some(file);
            if self.lines + lines.len() >= MOST_LINES {
                return None;
            }
            lines.push(Line { address, file, number: line });
        }
        Some((start, lines))
    }

    /// A file's number; `None` where there are too many.
    fn file(&mut self, name: &[u8]) -> Option<u32> {
        let name = one_line(&String::from_utf8_lossy(name));
        if let Some(known) = self.files.get(&name) {
            return Some(*known);
        }
        self.name_bytes += name.len();
        let number = u32::try_from(self.dump.files.len()).ok()?;
        (self.name_bytes <= MOST_NAME_BYTES).then(|| {
            self.dump.files.push(name.clone());
            self.files.insert(name, number);
            number
        })
    }
}

#[cfg(test)]
mod tests;
