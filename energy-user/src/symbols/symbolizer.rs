//! From places in objects to frames with names.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::{Frame, FrameKind};

use super::demangle::{demangle, one_line};
use super::elf::{Elf, ElfError, Readable};
use super::kallsyms::KernelSymbols;
use super::library::{Library, Line, Place, Places, Read};
use super::linkage::Linkage;
use super::object::{UserObject, VDSO};
use super::unwind_table::UnwindTable;
use super::vdso::Vdso;

/// The module of functions of the kernel itself.
const KERNEL: &str = "[kernel]";
/// How long one object may take. Debug information of a browser is read in a few seconds.
const OBJECT_LIMIT: Duration = Duration::from_mins(1);
/// How many objects that could not be read are named in warnings.
const NAMED_FAILURES: usize = 5;

/// What to look up and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolOptions {
    /// Where separate debug information is sought, by build id (`DIR/.build-id/ab/cdef.debug`) and by
    /// debug link, besides the object's own folder.
    pub debug_dirs: Vec<PathBuf>,
    /// Whether functions of the kernel are looked up.
    pub kernel: bool,
    /// Whether functions inlined into others are frames of their own.
    pub inlines: bool,
}

impl Default for SymbolOptions {
    fn default() -> Self {
        Self { debug_dirs: vec![PathBuf::from("/usr/lib/debug")], kernel: true, inlines: true }
    }
}

/// Finds the names of functions.
#[derive(Debug)]
pub struct Symbolizer {
    options: SymbolOptions,
    library: Library,
    vdso: Option<Vdso>,
    kallsyms: PathBuf,
    /// Read when first asked for; `None` until then.
    kernel: Option<KernelSymbols>,
    kernel_warning: Option<String>,
    /// What could not be read, and why.
    failures: BTreeMap<String, String>,
}

impl Symbolizer {
    /// Nothing is read before it is asked for.
    pub fn new(options: SymbolOptions) -> Self {
        let library = Library::new(options.debug_dirs.clone(), OBJECT_LIMIT);
        Self {
            options,
            library,
            vdso: None,
            kallsyms: PathBuf::from("/proc/kallsyms"),
            kernel: None,
            kernel_warning: None,
            failures: BTreeMap::new(),
        }
    }

    /// Reads the kernel's functions from a copy of `/proc/kallsyms`.
    pub fn with_kallsyms(self, path: PathBuf) -> Self {
        Self { kallsyms: path, ..self }
    }

    /// The frames at each of these offsets in an object's file: the function, then those inlined into
    /// it, the outermost first. Where nothing is known, one frame of the object and the offset. Ask
    /// once for each object, with all its offsets, each once; of frames that are not a stack's leaf
    /// with [`call_before`](super::call_before).
    pub fn user(&mut self, object: &UserObject, offsets: &[u64]) -> Vec<Vec<Frame>> {
        let known = self.known(object, offsets).unwrap_or_else(|why| {
            self.failures.insert(object.shown.clone(), why);
            Known::nothing(offsets.len())
        });
        let build_id = object.build_id.clone().or(known.build_id);
        let module = one_line(&object.shown);
        let frame = |offset: u64, function_offset: Option<u64>| Frame {
            function: None,
            file: None,
            line: None,
            module: Some(module.clone()),
            build_id: build_id.clone(),
            file_offset: Some(offset),
            function_offset,
            kind: FrameKind::User,
        };
        let places = offsets.iter().zip(known.places.into_iter().zip(known.starts));
        places.map(|(offset, (place, start))| self.frames(&frame(*offset, start), place)).collect()
    }

    /// The frame at each of these addresses of the kernel. Where nothing is known it has the address
    /// only, and is shown as `[kernel]+0x…`.
    pub fn kernel(&mut self, addresses: &[u64]) -> Vec<Vec<Frame>> {
        if self.options.kernel && self.kernel.is_none() {
            let read = KernelSymbols::read(&self.kallsyms);
            self.kernel_warning = kernel_warning(&self.kallsyms, &read);
            self.kernel = Some(read.unwrap_or_default());
        }
        addresses.iter().map(|address| vec![self.kernel_frame(*address)]).collect()
    }

    /// How many objects could not be read.
    pub fn failed_objects(&self) -> usize {
        self.failures.len()
    }

    /// What went wrong and why names are missing, in sentences for a report. A stripped object is
    /// nothing wrong.
    pub fn warnings(&self) -> Vec<String> {
        let more = self.failures.len().saturating_sub(NAMED_FAILURES);
        let objects = self.failures.iter().take(NAMED_FAILURES).map(|(object, why)| {
            format!("functions of {} may lack names and lines: {why}", one_line(object))
        });
        let rest = (more > 0).then(|| format!("and so may those of {more} more objects"));
        self.kernel_warning.iter().cloned().chain(objects).chain(rest).collect()
    }

    /// What is known about the offsets, and the build id; or why the object cannot be read. Where
    /// only a part of it can be, that is noted and the rest given.
    fn known(&mut self, object: &UserObject, offsets: &[u64]) -> Result<Known, String> {
        let Some(path) = self.path_of(object)? else {
            return Ok(Known::nothing(offsets.len()));
        };
        let refused = |why: ElfError| format!("{why} ({})", path.display());
        let Some(elf) = Elf::open(&path).map_err(refused)? else {
            // Something else that can be run, such as a Windows program: no names, nothing wrong.
            return Ok(Known::nothing(offsets.len()));
        };
        if let (Some(mapped), Some(found)) = (&object.build_id, &elf.build_id)
            && mapped != found
        {
            return Err(format!("another file has its path now ({})", path.display()));
        }
        let believed = |place: &Place| {
            // A symbol without a size would reach to the next one over anything between, such as
            // `_init` over all of the linkage table.
            let (function, address) = place.addresses;
            place.bounded || elf.in_one_section(function, address)
        };
        let mut ask = |indexes: &[usize], read| -> Result<Places, String> {
            let linked = indexes
                .iter()
                .filter_map(|index| Some((*index, elf.segments.address_of(offsets[*index])?)));
            let (known, addresses): (Vec<usize>, Vec<u64>) = linked.unzip();
            let places =
                self.library.ask(&path, &addresses, read).map_err(|why| why.to_string())?;
            let mut all = vec![None; offsets.len()];
            for (index, place) in known.into_iter().zip(places) {
                all[index] = place.filter(believed);
            }
            Ok(all)
        };
        let all: Vec<usize> = (0..offsets.len()).collect();
        let told = match elf.readable {
            Readable::All => ask(&all, Read::DebugInformation),
            Readable::Symbols => Err("its debug information unpacks to more than can be".into()),
            Readable::Nothing => Err("its symbol table is larger than can be".into()),
        };
        let mut places = told.unwrap_or_else(|why| {
            self.failures.insert(object.shown.clone(), why);
            vec![None; offsets.len()]
        });
        if elf.readable != Readable::Nothing {
            // What DWARF does not tell, or tells wrongly, the symbol table may.
            let missing: Vec<usize> =
                all.into_iter().filter(|index| places[*index].is_none()).collect();
            let mut symbols = ask(&missing, Read::Symbols).unwrap_or_default();
            for (place, symbol) in places.iter_mut().zip(&mut symbols) {
                *place = place.take().or_else(|| symbol.take());
            }
        }
        if places.iter().any(Option::is_none) {
            let linkage = Linkage::read(&path);
            for (place, offset) in places.iter_mut().zip(offsets) {
                let address = elf.segments.address_of(*offset);
                let name = address.and_then(|address| Some((address, linkage.name(address)?)));
                *place = place.take().or_else(|| name.map(jump));
            }
        }
        let starts = starts(&path, &elf, offsets, &places);
        Ok(Known { build_id: elf.build_id, places, starts })
    }

    /// Where the object can be opened; `None` where the kernel has no such object.
    fn path_of(&mut self, object: &UserObject) -> Result<Option<PathBuf>, String> {
        if object.shown != VDSO {
            return Ok(Some(object.open_at.clone()));
        }
        if self.vdso.is_none() {
            self.vdso = Vdso::copy().map_err(|why| format!("cannot copy it: {why}"))?;
        }
        Ok(self.vdso.as_ref().map(Vdso::path))
    }

    /// The frames of a place, from a frame of its object and offset.
    fn frames(&self, frame: &Frame, place: Option<Place>) -> Vec<Frame> {
        let Some(place) = place else { return vec![frame.clone()] };
        let named = |name: String, line: Option<Line>, kind| Frame {
            function: Some(name).filter(|name| !name.is_empty()),
            function_offset: None,
            line: line.as_ref().and_then(|line| line.line),
            file: line.map(|line| line.file),
            kind,
            ..frame.clone()
        };
        let mut frames = vec![named(place.function, place.line, FrameKind::User)];
        if self.options.inlines {
            let inlined = place.inlined.into_iter();
            frames.extend(inlined.map(|(name, line)| named(name, line, FrameKind::Inlined)));
        }
        frames
    }

    fn kernel_frame(&self, address: u64) -> Frame {
        let found = self.kernel.as_ref().and_then(|kernel| kernel.lookup(address));
        Frame {
            function: found.map(|function| demangle(function.name)),
            file: None,
            line: None,
            module: Some(found.and_then(|function| function.module).unwrap_or(KERNEL).to_owned()),
            build_id: None,
            file_offset: Some(address),
            function_offset: None,
            kind: FrameKind::Kernel,
        }
    }
}

/// What is known about offsets in an object.
struct Known {
    build_id: Option<String>,
    places: Places,
    /// Where functions begin that have no name, as offsets.
    starts: Vec<Option<u64>>,
}

impl Known {
    fn nothing(offsets: usize) -> Self {
        Self { build_id: None, places: vec![None; offsets], starts: vec![None; offsets] }
    }
}

/// For the offsets at no place that is known, where their functions begin.
fn starts(path: &Path, elf: &Elf, offsets: &[u64], places: &Places) -> Vec<Option<u64>> {
    let mut starts = vec![None; offsets.len()];
    let unnamed = (0..offsets.len()).filter(|index| places[*index].is_none());
    let linked =
        unnamed.filter_map(|index| Some((index, elf.segments.address_of(offsets[index])?)));
    let (indexes, addresses): (Vec<usize>, Vec<u64>) = linked.unzip();
    if indexes.is_empty() {
        return starts;
    }
    let Some(table) = UnwindTable::read(path) else { return starts };
    for (index, start) in indexes.into_iter().zip(table.starts(&addresses)) {
        starts[index] = start.and_then(|start| elf.segments.offset_of(start));
    }
    starts
}

/// The jump to a function of a library, at its address.
fn jump((address, name): (u64, &str)) -> Place {
    Place {
        function: name.to_owned(),
        addresses: (address, address),
        bounded: true,
        line: None,
        inlined: Vec::new(),
    }
}

/// Why functions of the kernel have no names, where they have none.
fn kernel_warning(path: &Path, read: &io::Result<KernelSymbols>) -> Option<String> {
    let why = match read {
        Ok(symbols) if !symbols.is_empty() => return None,
        Ok(_) => format!(
            "{} hides their addresses; record as root, with kernel.kptr_restrict at 0 or 1",
            path.display()
        ),
        Err(why) => format!(
            "cannot read {}: {why}; it needs a kernel with CONFIG_KALLSYMS and a mounted /proc",
            path.display()
        ),
    };
    Some(format!("functions of the kernel have no names: {why}"))
}
