//! From a recording with stacks to its call tree, in the same pass as its profile.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::windows::{InOrder, RecordedWindow, of_recording};
use super::{AnalyzeError, AnalyzeOptions, Plan, Recording};
use crate::attribution::AttributedWindow;
use crate::model::{StackSample, ThreadId, ThreadInfo};
use crate::profile::{
    CallTree, CallTreeBuilder, Facts, Profile, ProfileBuilder, Roots, ThreadFilter,
};

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
    let mut trees = Trees::new(&plan, recording, options, of)?;
    let mut whole = trees.begin();
    for divided in plan.divide(recording, options)? {
        let (divided, recorded) = divided?;
        let samples = trees.samples_of(divided.window.index)?;
        trees.add(&mut whole, &divided, &recorded, samples);
    }
    trees.finish(whole, None)
}

/// What profiles with their call trees are made with, of all windows or of some.
pub(super) struct Trees<'a, R, S> {
    plan: &'a Plan,
    recording: &'a R,
    options: &'a AnalyzeOptions,
    of: &'a CallTreeOptions,
    threads: BTreeMap<ThreadId, ThreadInfo>,
    choice: Choice,
    samples: InOrder<S, StackSample>,
}

/// A profile and a call tree in the making.
type Begun = (ProfileBuilder, CallTreeBuilder);

impl<'a, R: Recording> Trees<'a, R, ()> {
    /// Fails where the recording has no stacks, or no thread that was asked for.
    #[expect(clippy::new_ret_no_self, reason = "the type of the recording's batches has no name")]
    pub(super) fn new(
        plan: &'a Plan,
        recording: &'a R,
        options: &'a AnalyzeOptions,
        of: &'a CallTreeOptions,
    ) -> Result<
        Trees<'a, R, impl Iterator<Item = Result<Vec<StackSample>, R::Error>> + use<'a, R>>,
        AnalyzeError,
    > {
        let threads = recording.threads().map_err(of_recording)?;
        let choice = Choice::of(&of.filter, &threads, &recording.facts())?;
        let samples = recording.samples().map_err(of_recording)?;
        let mut samples = InOrder::new("samples", samples, |row: &StackSample| row.window);
        if samples.is_empty()? {
            return Err(AnalyzeError::no_stacks(&recording.facts()));
        }
        Ok(Trees { plan, recording, options, of, threads, choice, samples })
    }
}

impl<R, S> Trees<'_, R, S>
where
    R: Recording,
    S: Iterator<Item = Result<Vec<StackSample>, R::Error>>,
{
    /// Without any window yet.
    pub(super) fn begin(&self) -> Begun {
        let tree = CallTreeBuilder::new(self.plan.cover(self.recording, self.options));
        let tree = if self.of.timed { tree.timed() } else { tree };
        (self.plan.profile(self.recording, self.options), tree)
    }

    /// The samples of a window, to be asked for in the order of the windows.
    pub(super) fn samples_of(&mut self, window: u32) -> Result<Vec<StackSample>, AnalyzeError> {
        self.samples.of_window(window)
    }

    /// Adds a window.
    pub(super) fn add(
        &self,
        (profile, tree): &mut Begun,
        divided: &AttributedWindow,
        recorded: &RecordedWindow<'_>,
        samples: Vec<StackSample>,
    ) {
        recorded.add_to(profile, divided);
        tree.add(divided, samples, |thread| self.choice.includes(thread));
    }

    /// All windows are added; of a part, to what whole it belongs.
    pub(super) fn finish(
        &self,
        (profile, tree): Begun,
        whole: Option<&Profile>,
    ) -> Result<(Profile, CallTree), AnalyzeError> {
        let Plan { tables, baselines, .. } = self.plan;
        let mut profile = profile.finish(self.threads.clone(), &tables.sources, baselines);
        if let Some(whole) = whole {
            profile.count_as(whole);
        }
        let stacks = self.recording.stacks().map_err(of_recording)?;
        let tree = tree.finish(&profile, self.of.roots, stacks).map_err(of_recording)?;
        Ok((profile, tree))
    }
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
