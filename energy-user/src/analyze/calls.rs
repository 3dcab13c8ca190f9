//! From a recording with stacks to its call tree, in the same pass as its profile.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::in_order::InOrder;
use super::windows::{Reading, RecordedWindow, of_recording};
use super::{AnalyzeError, AnalyzeOptions, Plan, Recording};
use crate::attribution::{AttributedWindow, CodeDoubts};
use crate::model::{StackSample, ThreadId, ThreadInfo};
use crate::profile::{CallTree, CallTreeBuilder, Facts, Profile, Roots, ThreadFilter};

/// Which threads' call tree, and how it is rooted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTreeOptions {
    /// Whose.
    pub filter: ThreadFilter,
    /// What stands between the root and the stacks.
    pub roots: Roots,
    /// Whether to tell when, too.
    pub timed: bool,
}

/// Divides a recording's energy among its threads, and that of the chosen threads among their
/// stacks. Fails where the recording has no stacks, or no thread that was asked for.
pub fn call_tree<R: Recording>(
    recording: &R,
    options: &AnalyzeOptions,
    of: &CallTreeOptions,
) -> Result<CallTree, AnalyzeError> {
    profile_and_call_tree(recording, options, of).map(|(_, tree)| tree)
}

/// [`call_tree`] with the profile of the whole it is a part of: the energy of the tree's root is what
/// the profile has for the chosen threads. Only samples of the windows looked at are used.
pub fn profile_and_call_tree<R: Recording>(
    recording: &R,
    options: &AnalyzeOptions,
    of: &CallTreeOptions,
) -> Result<(Profile, CallTree), AnalyzeError> {
    let plan = Plan::new(recording, options)?;
    profile_and_call_tree_by(&plan, recording, options, of, |_, _| {})
}

/// The same by a plan; `look` sees each window as it comes.
pub(super) fn profile_and_call_tree_by<R: Recording>(
    plan: &Plan,
    recording: &R,
    options: &AnalyzeOptions,
    of: &CallTreeOptions,
    mut look: impl FnMut(&AttributedWindow, &RecordedWindow<'_>),
) -> Result<(Profile, CallTree), AnalyzeError> {
    let threads = recording.threads().map_err(of_recording)?;
    let choice = Choice::of(&of.filter, &threads, &recording.facts())?;
    let samples = recording.samples().map_err(of_recording)?;
    let mut samples = InOrder::new("samples", samples, |row: &StackSample| row.window);
    if samples.is_empty()? {
        return Err(AnalyzeError::no_stacks(&recording.facts()));
    }
    drop(samples);
    let mut profile = plan.profile(recording, options);
    let cover = plan.cover(recording, options);
    let regression = plan.regression.as_ref();
    let mut doubts = regression.map(|found| CodeDoubts::new(found, cover.clone()));
    let weight = |thread, stack| regression.map_or(1, |found| found.weight(thread, stack, &cover));
    let mut tree = CallTreeBuilder::new(cover.clone());
    if of.timed {
        tree = tree.timed();
    }
    let reading = Reading { samples: true, ..plan.reading(options) };
    for divided in plan.divide_reading(recording, options, reading)? {
        let (divided, recorded) = divided?;
        recorded.add_to(&mut profile, &divided);
        look(&divided, &recorded);
        let chosen = |thread| choice.includes(thread);
        if let Some(doubts) = &mut doubts {
            doubts.add(&divided, &recorded.samples, chosen);
        }
        tree.add(&divided, recorded.samples, chosen, &weight);
    }
    let profile = plan.finish(profile, threads);
    let stacks = recording.stacks().map_err(of_recording)?;
    let tree = tree.finish(&profile, of.roots, stacks, doubts.as_ref()).map_err(of_recording)?;
    Ok((profile, tree))
}

/// Which threads are looked at.
struct Choice {
    /// Asked for every sample.
    named: FxHashMap<ThreadId, bool>,
    /// Whether those are that the recording does not name.
    unnamed: bool,
}

impl Choice {
    fn of(
        filter: &ThreadFilter,
        threads: &BTreeMap<ThreadId, ThreadInfo>,
        facts: &Facts,
    ) -> Result<Self, AnalyzeError> {
        let includes = |info: &ThreadInfo| filter.includes(info, facts);
        let named: FxHashMap<ThreadId, bool> =
            threads.iter().map(|(thread, info)| (*thread, includes(info))).collect();
        if filter.is_given() && !named.values().any(|included| *included) {
            return Err(AnalyzeError::NoSuchThread { asked: filter.in_words() });
        }
        Ok(Self { named, unnamed: includes(&ThreadInfo::default()) })
    }

    fn includes(&self, thread: ThreadId) -> bool {
        self.named.get(&thread).copied().unwrap_or(self.unnamed)
    }
}
