//! speedscope's own format: a sampled profile, one for each thread of the tree.
//! It knows no unit of energy, so that weights are plain numbers and the name says microjoules.
//! Reference: speedscope 1.25.0, <https://www.speedscope.app/file-format-schema.json>.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use super::stacks::{Owner, Stacks};
use super::{ExportError, Exporter, Subject, headline};
use crate::profile::{CallTree, FunctionFrame};

/// speedscope's own format, with whole microjoules as weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speedscope;

#[derive(Serialize)]
struct Document {
    #[serde(rename = "$schema")]
    schema: &'static str,
    exporter: String,
    name: String,
    #[serde(rename = "activeProfileIndex")]
    active_profile_index: usize,
    shared: Shared,
    profiles: Vec<SampledProfile>,
}

#[derive(Serialize)]
struct Shared {
    frames: Vec<Frame>,
}

#[derive(Serialize)]
struct Frame {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(Serialize)]
struct SampledProfile {
    r#type: &'static str,
    name: String,
    unit: &'static str,
    #[serde(rename = "startValue")]
    start_value: u64,
    #[serde(rename = "endValue")]
    end_value: u64,
    samples: Vec<Vec<usize>>,
    weights: Vec<u64>,
}

impl Exporter for Speedscope {
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let tree = subject.tree.by_function();
        let stacks = Stacks::of(&tree);
        let whole = profile("all: energy (µJ)".to_owned(), &stacks, &mut stacks.own());
        let mut profiles = vec![whole];
        profiles.extend(of_owners(&stacks));
        let document = Document {
            schema: "https://www.speedscope.app/file-format-schema.json",
            exporter: concat!("energy-prof@", env!("CARGO_PKG_VERSION")).to_owned(),
            name: name(subject),
            active_profile_index: 0,
            shared: Shared { frames: frames(&tree) },
            profiles,
        };
        serde_json::to_writer(&mut *out, &document)?;
        Ok(writeln!(out)?)
    }
}

fn name(subject: &Subject<'_>) -> String {
    let target = headline::shortened(&headline::target(subject.profile), 60);
    let total = headline::total(subject.profile);
    match headline::warning(subject.profile) {
        Some(warning) => format!("{warning}: {target}, {total}"),
        None => format!("{target}, {total}"),
    }
}

/// The tree's frames, which samples name by index.
fn frames(tree: &CallTree) -> Vec<Frame> {
    let frame = |frame: &FunctionFrame| Frame {
        name: frame.name.clone(),
        file: frame.file.clone().or_else(|| frame.module.clone()),
    };
    tree.frames.iter().map(frame).collect()
}

/// A profile for each process, or for each thread where the tree has threads.
fn of_owners(stacks: &Stacks<'_>) -> Vec<SampledProfile> {
    let mut owners: BTreeMap<Owner<'_>, Vec<usize>> = BTreeMap::new();
    for node in stacks.own() {
        owners.entry(stacks.owner(node)).or_default().push(node);
    }
    let named = owners.into_iter().filter_map(|(owner, nodes)| {
        let names = [owner.process, owner.thread].into_iter().flatten();
        let names: Vec<&str> = names.map(|(_, name)| name).collect();
        (!names.is_empty()).then(|| (format!("{}: energy (µJ)", names.join(", ")), nodes))
    });
    named.map(|(name, nodes)| profile(name, stacks, &mut nodes.into_iter())).collect()
}

fn profile(
    name: String,
    stacks: &Stacks<'_>,
    nodes: &mut dyn Iterator<Item = usize>,
) -> SampledProfile {
    let (mut samples, mut weights) = (Vec::new(), Vec::new());
    for node in nodes.filter(|node| stacks.node(*node).self_energy.get() > 0) {
        let mut path = stacks.path(node);
        if path.is_empty() {
            path.push(node);
        }
        samples.push(path.into_iter().map(|index| stacks.node(index).frame.0).collect());
        weights.push(stacks.node(node).self_energy.get());
    }
    SampledProfile {
        r#type: "sampled",
        name,
        unit: "none",
        start_value: 0,
        end_value: weights.iter().sum(),
        samples,
        weights,
    }
}
