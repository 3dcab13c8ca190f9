//! pprof: a gzipped protocol buffer that `go tool pprof`, speedscope, Pyroscope and others read.
//! Each sample has three values: how many samples, CPU time in nanoseconds, energy in microjoules;
//! energy is the one shown unless another is asked for. Processes and threads are labels, so that
//! `-tagfocus`, `-tagroot` and their like work; they are no frames.
//! Reference: <https://github.com/google/pprof>, doc/README.md and proto/profile.proto, 2024.

mod proto;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use super::stacks::{Owner, Stacks};
use super::{ExportError, Exporter, Subject, headline};
use crate::profile::{FrameRef, FunctionFrame, NodeKind};
use crate::units::Microjoules;

/// A gzipped pprof profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pprof;

impl Exporter for Pprof {
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let profile = Builder::new(subject.build_ids).build(subject);
        let mut gzip = GzEncoder::new(out, Compression::default());
        gzip.write_all(&profile.encode_to_vec())?;
        gzip.finish()?;
        Ok(())
    }
}

/// A profile in the making, with what was already given a number.
struct Builder<'a> {
    profile: proto::Profile,
    strings: HashMap<String, i64>,
    functions: HashMap<(i64, i64), u64>,
    mappings: HashMap<i64, u64>,
    build_ids: &'a BTreeMap<String, String>,
    /// By the frames a location stands for, the innermost first.
    locations: HashMap<Vec<usize>, u64>,
}

impl<'a> Builder<'a> {
    fn new(build_ids: &'a BTreeMap<String, String>) -> Self {
        Self {
            build_ids,
            profile: proto::Profile::default(),
            strings: HashMap::new(),
            functions: HashMap::new(),
            mappings: HashMap::new(),
            locations: HashMap::new(),
        }
    }

    fn build(mut self, subject: &Subject<'_>) -> proto::Profile {
        self.string("");
        let units = [("samples", "count"), ("cpu", "nanoseconds"), ("energy", "microjoules")];
        for (kind, unit) in units {
            let value = proto::ValueType { r#type: self.string(kind), unit: self.string(unit) };
            self.profile.sample_type.push(value);
        }
        self.profile.default_sample_type = self.string("energy");
        let span = &subject.profile.span;
        self.profile.time_nanos = span.start_utc.epoch_nanos();
        self.profile.duration_nanos = number(span.duration.get());
        for comment in headline::comments(subject.profile) {
            let comment = self.string(&comment);
            self.profile.comment.push(comment);
        }
        let stacks = Stacks::of(subject.tree);
        // Readers call the profile by its first mapping.
        if let Some(module) = main_module(&stacks) {
            self.mapping(module);
        }
        for node in stacks.own() {
            let sample = self.sample(&stacks, node);
            self.profile.sample.push(sample);
        }
        self.profile
    }

    fn sample(&mut self, stacks: &Stacks<'_>, node: usize) -> proto::Sample {
        let own = stacks.node(node);
        let owner = stacks.owner(node);
        proto::Sample {
            location_id: self.stack(stacks, node, owner),
            value: vec![
                number(own.samples),
                number(own.self_oncpu.get()),
                number(own.self_energy.get()),
            ],
            label: self.labels(owner),
        }
    }

    /// The locations of a stack, the innermost first. A frame and what was inlined into it share
    /// one.
    fn stack(&mut self, stacks: &Stacks<'_>, node: usize, owner: Owner<'_>) -> Vec<u64> {
        let path = stacks.path(node).into_iter();
        let mut path: Vec<usize> =
            path.filter(|index| !stacks.frame(*index).kind.is_owner()).collect();
        // A run of code of which nothing is known is one frame.
        path.dedup_by(|inner, outer| {
            let frame = stacks.frame(*inner);
            frame.is_unknown() && frame == stacks.frame(*outer)
        });
        if path.is_empty() {
            // Readers take a sample without a stack for a mistake.
            let holder = owner.thread.or(owner.process).map_or("[unsampled]", |(_, name)| name);
            return vec![self.named_location(holder)];
        }
        let mut locations = Vec::new();
        let mut group: Vec<usize> = Vec::new();
        for index in path.into_iter().rev() {
            group.push(index);
            if stacks.frame(index).kind != NodeKind::Inlined {
                locations.push(self.location(stacks, &group));
                group.clear();
            }
        }
        if !group.is_empty() {
            locations.push(self.location(stacks, &group));
        }
        locations
    }

    /// The location of these nodes' frames, the innermost first.
    fn location(&mut self, stacks: &Stacks<'_>, nodes: &[usize]) -> u64 {
        let key: Vec<usize> =
            nodes.iter().map(|node| frame_index(stacks.node(*node).frame)).collect();
        if let Some(id) = self.locations.get(&key) {
            return *id;
        }
        let outermost = stacks.frame(nodes[nodes.len() - 1]);
        let location = proto::Location {
            id: self.next_location(),
            mapping_id: outermost.module.as_deref().map_or(0, |module| self.mapping(module)),
            address: 0,
            line: nodes.iter().map(|node| self.line(stacks.frame(*node))).collect(),
        };
        let id = location.id;
        self.profile.location.push(location);
        self.locations.insert(key, id);
        id
    }

    /// A location that stands for no code.
    fn named_location(&mut self, name: &str) -> u64 {
        let function_id = self.function(name, None);
        let of_it = |location: &&proto::Location| {
            location.mapping_id == 0 && location.line.iter().all(|l| l.function_id == function_id)
        };
        if let Some(location) = self.profile.location.iter().find(of_it) {
            return location.id;
        }
        let id = self.next_location();
        let line = vec![proto::Line { function_id, line: 0 }];
        self.profile.location.push(proto::Location { id, mapping_id: 0, address: 0, line });
        id
    }

    fn next_location(&self) -> u64 {
        self.profile.location.len() as u64 + 1
    }

    fn line(&mut self, frame: &FunctionFrame) -> proto::Line {
        proto::Line {
            function_id: self.function(&frame.name, frame.file.as_deref()),
            line: frame.line.map_or(0, i64::from),
        }
    }

    fn function(&mut self, name: &str, file: Option<&str>) -> u64 {
        let key = (self.string(name), self.string(file.unwrap_or("")));
        let id = self.profile.function.len() as u64 + 1;
        if let Some(id) = self.functions.get(&key) {
            return *id;
        }
        let (name, filename) = key;
        let function = proto::Function { id, name, system_name: name, filename, start_line: 0 };
        self.profile.function.push(function);
        self.functions.insert(key, id);
        id
    }

    fn mapping(&mut self, module: &str) -> u64 {
        let filename = self.string(module);
        if let Some(id) = self.mappings.get(&filename) {
            return *id;
        }
        let id = self.profile.mapping.len() as u64 + 1;
        let build_id = self.build_ids.get(module).map_or(0, |build_id| self.string(build_id));
        self.profile.mapping.push(proto::Mapping {
            id,
            filename,
            build_id,
            // Names are final: a reader need not look for the object.
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            has_inline_frames: true,
            ..proto::Mapping::default()
        });
        self.mappings.insert(filename, id);
        id
    }

    fn labels(&mut self, owner: Owner<'_>) -> Vec<proto::Label> {
        let mut labels = Vec::new();
        let named = [("process", "pid", owner.process), ("thread", "tid", owner.thread)];
        for (name_key, number_key, of) in named {
            let Some((id, name)) = of else { continue };
            let text = proto::Label {
                key: self.string(name_key),
                str: self.string(name),
                ..proto::Label::default()
            };
            let id = proto::Label {
                key: self.string(number_key),
                num: i64::from(id),
                ..proto::Label::default()
            };
            labels.extend([text, id]);
        }
        labels
    }

    fn string(&mut self, text: &str) -> i64 {
        if let Some(index) = self.strings.get(text) {
            return *index;
        }
        let index = number(self.profile.string_table.len() as u64);
        self.profile.string_table.push(text.to_owned());
        self.strings.insert(text.to_owned(), index);
        index
    }
}

/// The program with the most energy of its own; a library only where no program has any.
fn main_module<'a>(stacks: &Stacks<'a>) -> Option<&'a str> {
    let mut energies: BTreeMap<&str, Microjoules> = BTreeMap::new();
    for node in stacks.own() {
        let frame = stacks.frame(node);
        if let (NodeKind::User | NodeKind::Inlined, Some(module)) = (frame.kind, &frame.module) {
            *energies.entry(module).or_default() += stacks.node(node).self_energy;
        }
    }
    let is_program = |module: &str| !module.contains(".so");
    let most = energies.into_iter().max_by_key(|(module, energy)| (is_program(module), *energy));
    most.map(|(module, _)| module)
}

const fn frame_index(frame: FrameRef) -> usize {
    frame.0
}

/// The format's numbers have a sign; none of ours comes near to 2^63.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
