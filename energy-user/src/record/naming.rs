//! Names for sampled stacks, looked for once, when the recording is over: symbolising while it runs
//! would cost energy that is being measured. Until then a stack is written by file and offset, so
//! that a recording that is cut off can be named later.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::address_space::{AddressSpaces, Place};
use super::made_code::{Written, some_of};
use super::objects::{ObjectId, Objects};
use super::sample_book::SampleBook;
use crate::model::{Frame, FrameKind, Stack, StackId};
use crate::symbols::{JitFunction, SymbolOptions, Symbolizer, UserObject};

/// Stacks whose places are still to be named.
pub(super) struct Unnamed {
    pub(super) samples: SampleBook,
    pub(super) spaces: AddressSpaces,
}

impl Unnamed {
    /// All stacks, named as well as can be, and what kept names from being found. Each place is
    /// looked up once, whatever the number of stacks it is in.
    pub(super) fn named(self) -> (Vec<(StackId, Stack)>, Vec<String>) {
        let (names, warnings) = self.names();
        let objects = self.spaces.objects();
        let mut stacks: Vec<_> = self
            .samples
            .stacks()
            .map(|(stack, places)| {
                let frames = places.iter().flat_map(|place| match names.get(place) {
                    Some(frames) => frames.clone(),
                    None => vec![frame(*place, objects)],
                });
                (stack, frames.collect())
            })
            .collect();
        stacks.sort_unstable_by_key(|(stack, _)| *stack);
        (stacks, warnings)
    }

    fn names(&self) -> (HashMap<Place, Stack>, Vec<String>) {
        let places: BTreeSet<Place> =
            self.samples.stacks().flat_map(|(_, places)| places.iter().copied()).collect();
        let mut files: BTreeMap<ObjectId, Vec<u64>> = BTreeMap::new();
        let mut made: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        let mut kernel = Vec::new();
        for place in places {
            match place {
                Place::Kernel(address) => kernel.push(address),
                Place::File(object, offset) => files.entry(object).or_default().push(offset),
                Place::Memory { tgid, address } => made.entry(tgid).or_default().push(address),
                Place::Nowhere => {}
            }
        }
        let mut symbolizer = Symbolizer::new(SymbolOptions::default());
        let mut names = HashMap::new();
        for (id, offsets) in files {
            let object = self.spaces.objects().get(id);
            let file = UserObject {
                open_at: object.open_at(),
                shown: object.path.clone(),
                build_id: object.build_id.clone(),
            };
            let found = symbolizer.user(&file, &offsets);
            let places = offsets.iter().map(|offset| Place::File(id, *offset));
            names.extend(places.zip(found));
        }
        let found = symbolizer.kernel(&kernel);
        names.extend(kernel.iter().map(|address| Place::Kernel(*address)).zip(found));
        let mut refused = Vec::new();
        for (tgid, addresses) in made {
            let (written, why) = self.spaces.made().of(tgid);
            refused.extend(why);
            let places = addresses.iter().map(|address| Place::Memory { tgid, address: *address });
            let named = places.zip(addresses.iter().map(|address| made_frame(&written, *address)));
            names.extend(named.filter_map(|(place, frame)| Some((place, vec![frame?]))));
        }
        let mut warnings = symbolizer.warnings();
        warnings.extend(some_of(refused));
        (names, warnings)
    }
}

/// A stack by file and offset.
pub(super) fn unnamed(places: &[Place], objects: &Objects) -> Stack {
    places.iter().map(|place| frame(*place, objects)).collect()
}

fn frame(place: Place, objects: &Objects) -> Frame {
    let (module, build_id, file_offset, kind) = match place {
        Place::Kernel(address) => {
            (Some("[kernel]".to_owned()), None, Some(address), FrameKind::Kernel)
        }
        Place::File(id, offset) => {
            let object = objects.get(id);
            (Some(object.path.clone()), object.build_id.clone(), Some(offset), FrameKind::User)
        }
        Place::Memory { .. } => (None, None, None, FrameKind::Jit),
        Place::Nowhere => (None, None, None, FrameKind::User),
    };
    Frame {
        function: None,
        file: None,
        line: None,
        module,
        build_id,
        file_offset,
        function_offset: None,
        kind,
    }
}

/// The frame of code that was made while running, where its maker named it: in a jitdump, which has
/// lines, or in a perf map.
fn made_frame(written: &Written, address: u64) -> Option<Frame> {
    let dumped = written.dump.as_ref().and_then(|dump| dump.lookup(address));
    let mapped = || {
        let name = written.map.as_ref()?.lookup(address)?;
        Some(JitFunction { name, file: None, line: None })
    };
    let function = dumped.or_else(mapped)?;
    Some(Frame {
        function: Some(function.name.to_owned()),
        file: function.file.map(str::to_owned),
        line: function.line,
        module: None,
        build_id: None,
        file_offset: None,
        function_offset: None,
        kind: FrameKind::Jit,
    })
}
