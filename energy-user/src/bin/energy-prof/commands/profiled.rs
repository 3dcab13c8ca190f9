//! A trace as exports want it: its profile, its call tree, and what they need besides.

use std::collections::BTreeMap;
use std::path::Path;

use energy_prof::analyze::{
    AnalyzeError, AnalyzeOptions, CallTreeOptions, Recording, analyze, attribute,
    profile_and_call_tree, share_out_repeats,
};
use energy_prof::emissions::{FunctionalUnits, Site};
use energy_prof::export::{Subject, Timeline};
use energy_prof::profile::{CallTree, Profile, Roots};
use energy_prof::trace::TraceReader;

use super::report::unwrap_trace_error;
use crate::cli::PartArguments;

/// What was read of a trace.
pub(super) struct Profiled {
    pub(super) profile: Profile,
    pub(super) tree: CallTree,
    timeline: Timeline,
    build_ids: BTreeMap<String, String>,
}

/// Whether an export can do without stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StacksAre {
    Needed,
    Welcome,
}

impl Profiled {
    /// The chosen part of the trace at `path`, without what it costs another pass to know.
    pub(super) fn read(
        path: &Path,
        part: &PartArguments,
        stacks: StacksAre,
    ) -> anyhow::Result<Self> {
        Self::read_timed(path, part, stacks, false)
    }

    fn read_timed(
        path: &Path,
        part: &PartArguments,
        stacks: StacksAre,
        timed: bool,
    ) -> anyhow::Result<Self> {
        let trace = TraceReader::open(path)?;
        let choices = choices(part);
        let whose = CallTreeOptions {
            filter: part.threads.filter(part.all),
            roots: match (part.by_thread, part.by_cgroup) {
                (true, _) => Roots::Threads,
                (_, true) => Roots::Cgroups,
                _ => Roots::Processes,
            },
            timed,
        };
        let (profile, tree) = match profile_and_call_tree(&trace, &choices, &whose) {
            Err(AnalyzeError::NoStacks | AnalyzeError::NoThreads { .. })
                if stacks == StacksAre::Welcome =>
            {
                let profile = analyze(&trace, &choices).map_err(unwrap_trace_error)?;
                (profile, CallTree::default())
            }
            other => other.map_err(unwrap_trace_error)?,
        };
        Ok(Self { profile, tree, timeline: Timeline::default(), build_ids: BTreeMap::new() })
    }

    /// The same with what happened when, and with the build ids of objects.
    pub(super) fn read_whole(
        path: &Path,
        part: &PartArguments,
        stacks: StacksAre,
    ) -> anyhow::Result<Self> {
        let read = Self::read_timed(path, part, stacks, true)?;
        let trace = TraceReader::open(path)?;
        let (windows, mut energy) = (trace.windows()?, trace.energy()?);
        share_out_repeats(&mut energy, &windows);
        let mut timeline = Timeline::new(windows, energy, &read.profile);
        attribute(&trace, &choices(part), |charges| {
            for charge in charges {
                timeline.charge(&charge?);
            }
            Ok(())
        })
        .map_err(unwrap_trace_error)?;
        Ok(Self { timeline, build_ids: build_ids(&trace)?, ..read })
    }

    pub(super) fn subject<'a>(
        &'a self,
        site: &'a Site,
        units: Option<&'a FunctionalUnits>,
    ) -> Subject<'a> {
        Subject {
            units,
            site,
            profile: &self.profile,
            tree: &self.tree,
            timeline: &self.timeline,
            build_ids: &self.build_ids,
        }
    }
}

pub(super) fn choices(part: &PartArguments) -> AnalyzeOptions {
    AnalyzeOptions { from: part.from, to: part.to, ..part.divide.choices() }
}

/// The build ids of objects by their paths; not of paths that were several objects in turn.
fn build_ids(trace: &TraceReader) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    for batch in Recording::stacks(trace)? {
        for frame in batch?.into_iter().flat_map(|(_, stack)| stack) {
            let (Some(module), Some(build_id)) = (frame.module, frame.build_id) else { continue };
            let known = found.entry(module).or_insert_with(|| Some(build_id.clone()));
            if known.as_ref() != Some(&build_id) {
                *known = None;
            }
        }
    }
    Ok(found.into_iter().filter_map(|(module, id)| Some((module, id?))).collect())
}
