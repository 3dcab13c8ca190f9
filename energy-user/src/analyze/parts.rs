//! A recording and its parts, in one pass: windows that go together by any rule make a part.

use std::collections::BTreeMap;

use super::calls::Trees;
use super::windows::of_recording;
use super::{AnalyzeError, AnalyzeOptions, CallTreeOptions, Plan, Recording};
use crate::model::Window;
use crate::profile::{CallTree, Profile, ProfileBuilder};

/// Which part a window belongs to.
pub type PartOf<'a, K> = dyn Fn(&Window) -> K + 'a;

/// [`analyze`](super::analyze), and the same of each part. Baselines are the whole recording's, and the
/// parts count the domains in their totals that the whole counts: they add up to it.
pub fn analyze_in_parts<R: Recording, K: Ord>(
    recording: &R,
    options: &AnalyzeOptions,
    part_of: &PartOf<'_, K>,
) -> Result<(Profile, BTreeMap<K, Profile>), AnalyzeError> {
    let plan = Plan::new(recording, options)?;
    let mut profile = plan.profile(recording, options);
    let mut parts: BTreeMap<K, ProfileBuilder> = BTreeMap::new();
    for divided in plan.divide(recording, options)? {
        let (divided, recorded) = divided?;
        recorded.add_to(&mut profile, &divided);
        let part = parts.entry(part_of(&recorded.window));
        let part = part.or_insert_with(|| plan.profile(recording, options));
        recorded.add_to(part, &divided);
    }
    let threads = recording.threads().map_err(of_recording)?;
    let finish = |builder: ProfileBuilder| {
        builder.finish(threads.clone(), &plan.tables.sources, &plan.baselines)
    };
    let whole = finish(profile);
    let parts = parts.into_iter().map(|(key, builder)| {
        let mut part = finish(builder);
        part.count_as(&whole);
        (key, part)
    });
    let parts = parts.collect();
    Ok((whole, parts))
}

/// [`profile_and_call_tree`](super::profile_and_call_tree), and the same of each part.
#[expect(clippy::type_complexity, reason = "the whole and its parts, each a profile with its tree")]
pub fn call_trees_in_parts<R: Recording, K: Ord>(
    recording: &R,
    options: &AnalyzeOptions,
    of: &CallTreeOptions,
    part_of: &PartOf<'_, K>,
) -> Result<((Profile, CallTree), BTreeMap<K, (Profile, CallTree)>), AnalyzeError> {
    let plan = Plan::new(recording, options)?;
    let mut trees = Trees::new(&plan, recording, options, of)?;
    let mut whole = trees.begin();
    let mut parts = BTreeMap::new();
    for divided in plan.divide(recording, options)? {
        let (divided, recorded) = divided?;
        let samples = trees.samples_of(divided.window.index)?;
        let part = parts.entry(part_of(&recorded.window)).or_insert_with(|| trees.begin());
        trees.add(part, &divided, &recorded, samples.clone());
        trees.add(&mut whole, &divided, &recorded, samples);
    }
    let whole = trees.finish(whole, None)?;
    let mut finished = BTreeMap::new();
    for (key, part) in parts {
        finished.insert(key, trees.finish(part, Some(&whole.0))?);
    }
    Ok((whole, finished))
}
