//! Better names for the stacks of a trace, from files that were not there when it was recorded.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use super::{AnalyzeError, Recording};
use crate::model::{Frame, FrameKind, Stack};
use crate::symbols::{DebugFiles, SymbolOptions, Symbolizer, UserObject, Whereabouts};
use crate::trace::Renaming;

/// What became of the names in a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbolized {
    /// All modules, by path.
    pub modules: BTreeMap<String, ModuleNames>,
    /// How many stacks were written; `None` where nothing better was found, and the trace is as it was.
    pub written: Option<u64>,
    /// What went wrong on the way, in sentences.
    pub warnings: Vec<String>,
}

/// The frames of one module in the stacks of a trace. A function that is inlined is no frame of its
/// own here, so that the numbers before and after are of the same frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModuleNames {
    /// How many frames there are.
    pub frames: u64,
    /// How many had no function's name.
    pub unnamed_before: u64,
    /// How many still have none.
    pub unnamed_after: u64,
    /// How many had no source line.
    pub lineless_before: u64,
    /// How many still have none.
    pub lineless_after: u64,
    /// Why frames are still without a name, of the last such frame.
    pub why: Option<WhyUnnamed>,
}

impl ModuleNames {
    /// Both together.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            unnamed_before: self.unnamed_before + other.unnamed_before,
            unnamed_after: self.unnamed_after + other.unnamed_after,
            lineless_before: self.lineless_before + other.lineless_before,
            lineless_after: self.lineless_after + other.lineless_after,
            why: self.why.or(other.why),
        }
    }
}

/// Why a frame has no function's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyUnnamed {
    /// It is of the kernel.
    Kernel,
    /// It is of code made while running.
    MadeWhileRunning,
    /// Its object's build id was not recorded, or its object is not known.
    NoBuildId,
    /// No file with its build id was found.
    NoFile,
    /// Files with its build id were found, and none names the place.
    NotNamed,
}

impl fmt::Display for WhyUnnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "the kernel's functions are named only while recording",
            Self::MadeWhileRunning => "no perf map or jitdump named it; see `record --jit`",
            Self::NoBuildId => "no build id was recorded",
            Self::NoFile => "no file with this build id",
            Self::NotNamed => "the files with this build id name no function there",
        })
    }
}

/// A program or library of a trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Build {
    build_id: String,
    module: String,
}

/// What was found of a build.
#[derive(Debug, Default)]
struct Found {
    files: bool,
    frames: HashMap<u64, Vec<Frame>>,
}

/// Looks for better names of all frames of the trace in `directory` that have a build id and lack a
/// function or a line, and writes the stacks anew where some were found. What has a name keeps it,
/// unless the new one comes with a line. `progress` is told of each program before its files are
/// looked for.
pub fn symbolize(
    directory: &Path,
    files: &mut DebugFiles,
    mut progress: impl FnMut(&str),
) -> Result<Symbolized, AnalyzeError> {
    let renaming = Renaming::begin(directory)?;
    let mut wanted: BTreeMap<Build, BTreeSet<u64>> = BTreeMap::new();
    let mut any = false;
    for rows in renaming.reader().stack_batches()? {
        for (_, stack) in rows? {
            any = true;
            for frames in places(&stack) {
                if let Some((build, offset)) = place_of(frames)
                    && known(frames) < KNOWN_BEST
                {
                    wanted.entry(build).or_default().insert(offset);
                }
            }
        }
    }
    if !any {
        return Err(AnalyzeError::no_stacks(&Recording::facts(renaming.reader())));
    }
    // Debug links are followed by the object's own folder and checksum only: directories are searched
    // by build id, here.
    let options = SymbolOptions { debug_dirs: Vec::new(), kernel: false, inlines: true };
    let mut symbolizer = Symbolizer::new(options);
    let mut found: HashMap<Build, Found> = HashMap::new();
    for (build, offsets) in wanted {
        progress(&build.module);
        let best = look_up(&build, offsets, files, &mut symbolizer);
        found.insert(build, best);
    }
    let mut symbolized = Symbolized::default();
    let better = found.values().any(|found| !found.frames.is_empty());
    if better {
        let count = renaming.write(|stack| symbolized.renamed(&stack, &found))?;
        symbolized.written = Some(count);
    } else {
        for (_, stack) in renaming.reader().stacks()? {
            symbolized.renamed(&stack, &found);
        }
    }
    symbolized.warnings = files.warnings();
    symbolized.warnings.extend(symbolizer.warnings());
    Ok(symbolized)
}

/// The best that the files of a build say about each offset.
fn look_up(
    build: &Build,
    offsets: BTreeSet<u64>,
    files: &mut DebugFiles,
    symbolizer: &mut Symbolizer,
) -> Found {
    let mut found = Found::default();
    let mut missing: Vec<u64> = offsets.into_iter().collect();
    for whereabouts in Whereabouts::ALL {
        for path in files.find(whereabouts, &build.build_id, &build.module) {
            found.files = true;
            let told = symbolizer.user(&object(build, path), &missing);
            let mut lines = false;
            for (offset, frames) in missing.iter().zip(told) {
                let before = found.frames.get(offset).map_or(0, |frames| known(frames));
                lines |= known(&frames) == KNOWN_BEST;
                if known(&frames) > before {
                    found.frames.insert(*offset, frames);
                }
            }
            // A file with lines is the debug file: there is no better one.
            if lines {
                return found;
            }
            missing.retain(|offset| {
                found.frames.get(offset).is_none_or(|frames| known(frames) < KNOWN_BEST)
            });
        }
    }
    found
}

fn object(build: &Build, open_at: PathBuf) -> UserObject {
    UserObject { open_at, shown: build.module.clone(), build_id: Some(build.build_id.clone()) }
}

impl Symbolized {
    /// A stack with the best names that are known, counted.
    fn renamed(&mut self, stack: &Stack, found: &HashMap<Build, Found>) -> Stack {
        let mut renamed = Vec::with_capacity(stack.len());
        for frames in places(stack) {
            let place = place_of(frames);
            let of_build = place.as_ref().and_then(|(build, _)| found.get(build));
            let better = place
                .as_ref()
                .and_then(|(_, offset)| of_build?.frames.get(offset))
                .filter(|better| known(better) > known(frames))
                .map_or(frames, Vec::as_slice);
            renamed.extend_from_slice(better);
            self.count(frames, better, why_unnamed(&frames[0], of_build));
        }
        renamed
    }

    fn count(&mut self, before: &[Frame], after: &[Frame], why: WhyUnnamed) {
        let module = before[0].module.clone().unwrap_or_else(|| "[unknown]".to_owned());
        let names = self.modules.entry(module).or_default();
        names.frames += 1;
        names.unnamed_before += u64::from(known(before) == 0);
        names.lineless_before += u64::from(known(before) < KNOWN_BEST);
        names.lineless_after += u64::from(known(after) < KNOWN_BEST);
        if known(after) == 0 {
            names.unnamed_after += 1;
            names.why = Some(why);
        }
    }
}

/// The frames of a stack place by place: a function and what is inlined into it there.
fn places(stack: &Stack) -> impl Iterator<Item = &[Frame]> {
    stack.chunk_by(|_, next| next.kind == FrameKind::Inlined)
}

/// What a file can be sought for.
fn place_of(frames: &[Frame]) -> Option<(Build, u64)> {
    let first = frames.first().filter(|first| first.kind == FrameKind::User)?;
    let build = Build { build_id: first.build_id.clone()?, module: first.module.clone()? };
    Some((build, first.file_offset?))
}

/// A function and a line.
const KNOWN_BEST: u32 = 2;

/// How much is known of a place.
fn known(frames: &[Frame]) -> u32 {
    match frames.first() {
        Some(first) if first.function.is_some() => {
            1 + u32::from(frames.iter().any(|frame| frame.line.is_some()))
        }
        _ => 0,
    }
}

fn why_unnamed(frame: &Frame, found: Option<&Found>) -> WhyUnnamed {
    match (frame.kind, found) {
        (FrameKind::Kernel, _) => WhyUnnamed::Kernel,
        (FrameKind::Jit, _) => WhyUnnamed::MadeWhileRunning,
        (_, Some(found)) if found.files => WhyUnnamed::NotNamed,
        (_, Some(_)) => WhyUnnamed::NoFile,
        (_, None) => WhyUnnamed::NoBuildId,
    }
}
