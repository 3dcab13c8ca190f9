//! Names for sampled stacks, looked for once, when the recording is over: symbolising while it runs
//! would cost energy that is being measured. Until then a stack is written by file and offset, so
//! that a recording that is cut off can be named later.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::address_space::{AddressSpaces, Place};
use super::objects::{ObjectId, Objects};
use super::sample_book::SampleBook;
use crate::model::{Frame, FrameKind, Stack, StackId};
use crate::symbols::{PerfMap, SymbolOptions, Symbolizer, UserObject};

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
        for (tgid, addresses) in made {
            names.extend(made_while_running(tgid, &addresses));
        }
        (names, symbolizer.warnings())
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
    Frame { function: None, file: None, line: None, module, build_id, file_offset, kind }
}

/// Names from the perf map that the process's runtime wrote, if it did.
fn made_while_running(tgid: u32, addresses: &[u64]) -> Vec<(Place, Stack)> {
    let map = AddressSpaces::perf_map(tgid)
        .into_iter()
        .find_map(|path| PerfMap::read(&path).ok().flatten());
    let Some(map) = map else { return Vec::new() };
    let named = |address: &u64| {
        let function = map.lookup(*address)?.to_owned();
        let frame = Frame {
            function: Some(function),
            file: None,
            line: None,
            module: None,
            build_id: None,
            file_offset: None,
            kind: FrameKind::Jit,
        };
        Some((Place::Memory { tgid, address: *address }, vec![frame]))
    };
    addresses.iter().filter_map(named).collect()
}
