//! A recording and its parts, in one pass: windows that go together by any rule make a part.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::profile_and_call_tree_by;
use super::windows::{RecordedWindow, of_recording};
use super::{AnalyzeError, AnalyzeOptions, CallTreeOptions, Plan, Recording};
use crate::attribution::AttributedWindow;
use crate::model::Window;
use crate::profile::{CallTree, Profile, ProfileBuilder};

/// Which part a window belongs to.
pub type PartOf<'a, K> = dyn Fn(&Window) -> K + 'a;

/// A profile with its call tree.
pub type ProfiledCode = (Profile, CallTree);

/// [`analyze`](super::analyze), and the same of each part. Baselines are the whole recording's, and the
/// parts count the domains in their totals that the whole counts: they add up to it.
pub fn analyze_in_parts<R: Recording, K: Ord>(
    recording: &R,
    options: &AnalyzeOptions,
    part_of: &PartOf<'_, K>,
) -> Result<(Profile, BTreeMap<K, Profile>), AnalyzeError> {
    let plan = Plan::new(recording, options)?;
    let mut whole = plan.profile(recording, options);
    let mut parts = Parts::default();
    for divided in plan.divide(recording, options)? {
        let (divided, recorded) = divided?;
        recorded.add_to(&mut whole, &divided);
        let begin = || plan.profile(recording, options);
        parts.add(part_of(&recorded.window), begin, &divided, &recorded);
    }
    let threads = recording.threads().map_err(of_recording)?;
    let whole = plan.finish(whole, threads);
    let parts = parts.finish(&whole, &plan, recording)?;
    Ok((whole, parts.into_iter().map(|(key, (part, _))| (key, part)).collect()))
}

/// [`profile_and_call_tree`](super::profile_and_call_tree), and the same of each part. What a thread used
/// in a window is in the tree where it is in the whole's, though the sample that tells may be in another
/// part.
pub fn call_trees_in_parts<R: Recording, K: Ord>(
    recording: &R,
    options: &AnalyzeOptions,
    of: &CallTreeOptions,
    part_of: &PartOf<'_, K>,
) -> Result<(ProfiledCode, BTreeMap<K, ProfiledCode>), AnalyzeError> {
    let plan = Plan::new(recording, options)?;
    let mut parts = Parts::default();
    let timed = CallTreeOptions { timed: true, ..of.clone() };
    let begin = || plan.profile(recording, options);
    let (whole, tree) =
        profile_and_call_tree_by(&plan, recording, options, &timed, |divided, recorded| {
            parts.add(part_of(&recorded.window), begin, divided, recorded);
        })?;
    let parts = parts.finish(&whole, &plan, recording)?.into_iter();
    let parts = parts.map(|(key, (part, windows))| (key, (part, tree.of_windows(&windows))));
    let parts = parts.collect();
    let moments = if of.timed { tree.moments } else { Vec::new() };
    Ok(((whole, CallTree { moments, ..tree }), parts))
}

/// Parts in the making, with the windows of each.
struct Parts<K>(BTreeMap<K, (ProfileBuilder, BTreeSet<u32>)>);

impl<K> Default for Parts<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Parts<K> {
    /// Adds a window to the part of that key.
    fn add(
        &mut self,
        key: K,
        begin: impl FnOnce() -> ProfileBuilder,
        divided: &AttributedWindow,
        recorded: &RecordedWindow<'_>,
    ) {
        let (part, windows) = self.0.entry(key).or_insert_with(|| (begin(), BTreeSet::new()));
        recorded.add_to(part, divided);
        windows.insert(recorded.window.index);
    }

    /// The parts, which count as `whole` does.
    fn finish<R: Recording>(
        self,
        whole: &Profile,
        plan: &Plan,
        recording: &R,
    ) -> Result<BTreeMap<K, (Profile, BTreeSet<u32>)>, AnalyzeError> {
        let threads = recording.threads().map_err(of_recording)?;
        let finish = |builder: ProfileBuilder| {
            let mut part = plan.finish(builder, threads.clone());
            part.count_as(whole);
            part
        };
        let parts = self.0.into_iter();
        Ok(parts.map(|(key, (part, windows))| (key, (finish(part), windows))).collect())
    }
}
