//! Functions whose watts are looked for: at which of them each sampled stack is.
//!
//! Energy is drawn by the code that runs, so a sample counts for its innermost function. A copy of memory
//! in a library, a page fault in the kernel or an inlined loop draws what its caller makes of it, though:
//! they stand together with their *carrier*, the nearest function around them that is the program's own.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::programs::Programs;
use crate::model::{Frame, FrameKind, Stack, StackId, StackSample};

/// What of a program's sampled time a function must have for watts of its own, in hundredths.
const LEAST_PERCENT: u64 = 1;

/// A function by name and object, as a number.
pub(super) type Name = u32;

/// What is kept of a stack.
#[derive(Clone, Debug, Default)]
struct Code {
    inner: Name,
    /// For each object in it, the innermost function that is not inlined: innermost first.
    around: Vec<(Object, Name)>,
}

/// The object code is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    /// Code made while running is the program's own.
    Jit,
    /// By the number of its file's name.
    File(u32),
    Unknown,
}

/// The innermost function and its carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Place {
    carrier: Name,
    inner: Name,
}

/// Looks at all samples of a recording, to find which functions are worth an equation.
#[derive(Debug)]
pub struct FunctionCensus<'a> {
    programs: &'a Programs,
    names: Names,
    stacks: FxHashMap<StackId, Code>,
    /// Time by program and stack.
    seen: FxHashMap<(u32, StackId), u64>,
}

/// The functions of programs, and which stack is at which.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    of_stack: FxHashMap<(u32, StackId), u32>,
    each: Vec<Function>,
}

/// One of them.
#[derive(Clone, Debug)]
struct Function {
    name: String,
    place: Place,
}

impl<'a> FunctionCensus<'a> {
    /// None yet.
    pub fn new(programs: &'a Programs) -> Self {
        Self {
            programs,
            names: Names::default(),
            stacks: FxHashMap::default(),
            seen: FxHashMap::default(),
        }
    }

    /// Looks at a stack. Of one that comes twice the last holds.
    pub fn stack(&mut self, id: StackId, stack: &Stack) {
        let Some(inner) = stack.last() else { return };
        let mut code = Code { inner: self.names.of(inner), around: Vec::new() };
        for frame in stack.iter().rev().filter(|frame| frame.kind != FrameKind::Inlined) {
            let object = self.names.object(frame);
            if !code.around.iter().any(|(known, _)| *known == object) {
                code.around.push((object, self.names.of(frame)));
            }
        }
        self.stacks.insert(id, code);
    }

    /// Looks at a sample. All stacks must have been seen.
    pub fn sample(&mut self, sample: &StackSample) {
        let Some(unit) = self.programs.unit_of(sample.thread) else { return };
        let key = (self.programs.program_of(unit), sample.stack);
        // Where no time is known, samples are all there is to count.
        *self.seen.entry(key).or_default() += sample.oncpu.get().max(u64::from(sample.samples));
    }

    /// The functions that are worth looking for. Of others, time goes to their carrier, and where that is
    /// rare too, to the rest of the program.
    pub fn finish(mut self) -> Functions {
        let seen = std::mem::take(&mut self.seen);
        let mut at: BTreeMap<(u32, Place), u64> = BTreeMap::new();
        let mut all: BTreeMap<u32, u64> = BTreeMap::new();
        let mut placed: Vec<((u32, StackId), Place)> = Vec::with_capacity(seen.len());
        for (key @ (program, stack), time) in seen {
            let Some(place) = self.place(program, stack) else { continue };
            *at.entry((program, place)).or_default() += time;
            *all.entry(program).or_default() += time;
            placed.push((key, place));
        }
        let is_worth = |at: &BTreeMap<(u32, Place), u64>, program: u32, place: Place| {
            at.get(&(program, place))
                .is_some_and(|time| *time * 100 >= all[&program] * LEAST_PERCENT)
        };
        let rare: Vec<((u32, Place), u64)> = at
            .iter()
            .filter(|((program, place), _)| !is_worth(&at, *program, *place))
            .map(|(key, time)| (*key, *time))
            .collect();
        for ((program, place), time) in rare {
            at.remove(&(program, place));
            let carrier = Place { carrier: place.carrier, inner: place.carrier };
            *at.entry((program, carrier)).or_default() += time;
        }
        let mut functions = Functions::default();
        let mut numbers: BTreeMap<(u32, Place), u32> = BTreeMap::new();
        for (program, place) in at.keys().filter(|(program, place)| is_worth(&at, *program, *place))
        {
            let number = u32::try_from(functions.each.len()).unwrap_or(u32::MAX);
            functions.each.push(Function { name: self.names.name(*place), place: *place });
            numbers.insert((*program, *place), number);
        }
        for (key @ (program, _), place) in placed {
            let carrier = Place { carrier: place.carrier, inner: place.carrier };
            let found = [place, carrier].into_iter().find_map(|it| numbers.get(&(program, it)));
            if let Some(number) = found {
                functions.of_stack.insert(key, *number);
            }
        }
        functions
    }

    fn place(&mut self, program: u32, stack: StackId) -> Option<Place> {
        let code = self.stacks.get(&stack)?;
        let own = self.names.file(self.programs.path(program));
        let is_own = |object: Object| object == Object::Jit || object == Object::File(own);
        let carrier = code.around.iter().find(|(object, _)| is_own(*object));
        Some(Place { carrier: carrier.map_or(code.inner, |(_, name)| *name), inner: code.inner })
    }
}

impl Functions {
    /// The function of a program that a stack is at; `None` where it is too rare to be one.
    pub(super) fn at(&self, program: u32, stack: StackId) -> Option<u32> {
        self.of_stack.get(&(program, stack)).copied()
    }

    /// What it is called.
    pub(super) fn name(&self, function: u32) -> &str {
        &self.each[function as usize].name
    }

    /// Its carrier, and whether it is that itself.
    pub(super) fn carrier(&self, function: u32) -> (Name, bool) {
        let Place { carrier, inner } = self.each[function as usize].place;
        (carrier, inner == carrier)
    }
}

/// Names of functions and files, each once.
#[derive(Debug, Default)]
struct Names {
    functions: FxHashMap<(String, u32), Name>,
    texts: Vec<String>,
    files: FxHashMap<String, u32>,
}

impl Names {
    /// A frame's function. Code of which no function is known is that of its object.
    fn of(&mut self, frame: &Frame) -> Name {
        let file = self.file(frame.module.as_deref().unwrap_or_default());
        let is_known = frame.function.is_some() || frame.function_offset.is_some();
        let text = match &frame.module {
            Some(module) if !is_known => last(module).to_owned(),
            _ => frame.name(),
        };
        if let Some(known) = self.functions.get(&(text.clone(), file)) {
            return *known;
        }
        let new = Name::try_from(self.texts.len()).unwrap_or(Name::MAX);
        self.texts.push(text.clone());
        self.functions.insert((text, file), new);
        new
    }

    fn object(&mut self, frame: &Frame) -> Object {
        match (frame.kind, &frame.module) {
            (FrameKind::Jit, _) => Object::Jit,
            (_, Some(module)) => Object::File(self.file(module)),
            (_, None) => Object::Unknown,
        }
    }

    /// A file by the last part of its path: seen from a container, the rest differs.
    fn file(&mut self, path: &str) -> u32 {
        let new = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        *self.files.entry(last(path).to_owned()).or_insert(new)
    }

    fn name(&self, place: Place) -> String {
        let inner = &self.texts[place.inner as usize];
        if place.inner == place.carrier {
            return inner.clone();
        }
        format!("{inner} (from {})", self.texts[place.carrier as usize])
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
