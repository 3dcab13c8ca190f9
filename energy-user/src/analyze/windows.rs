//! The recording's tables, put together window by window.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::{panic, thread};

use super::counts::counts_of;
use super::in_order::InOrder;
use super::repeats::share_out_repeats;
use super::{AnalyzeError, Recording};
use crate::model::{
    Counted, DomainId, EnergySample, Provenance, Residency, StackSample, ThreadId, Topology, Window,
};
use crate::profile::SourceFacts;

/// One window with all that was recorded of it.
#[derive(Clone, Debug)]
pub(super) struct RecordedWindow<'a> {
    pub window: Window,
    /// One sample for each domain that has one.
    pub energy: &'a [EnergySample],
    /// Who ran. Where nothing tells, [`ThreadId::LOST`] ran all the time on every CPU.
    pub residency: Cow<'a, [Residency]>,
    /// Whether the recording tells who ran.
    pub residency_known: bool,
    /// Where threads were sampled, ascending by thread; none where that was not asked for.
    pub samples: Vec<StackSample>,
    /// What was counted, ascending by thread and CPU; `None` where that was not asked for.
    pub counts: Option<Vec<Counted>>,
}

impl<'a> RecordedWindow<'a> {
    /// Of which nothing tells who ran.
    pub(super) fn of_unknown(
        window: &Window,
        energy: &'a [EnergySample],
        topology: &Topology,
    ) -> Self {
        let residency = everything_lost(window, topology).into();
        Self { residency_known: false, ..Self::of_known(window, energy, residency) }
    }

    /// In which these ran.
    pub(super) fn of_known(
        window: &Window,
        energy: &'a [EnergySample],
        residency: Cow<'a, [Residency]>,
    ) -> Self {
        let (samples, counts) = (Vec::new(), None);
        Self { window: *window, energy, residency, residency_known: true, samples, counts }
    }
}

/// What is read of a recording besides who ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Where threads were sampled.
    pub samples: bool,
    /// What was counted.
    pub counts: bool,
}

/// The windows and energy samples of a recording, in order.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub windows: Vec<Window>,
    pub energy: Vec<EnergySample>,
    /// Which source's samples were taken for each domain.
    pub sources: BTreeMap<DomainId, String>,
}

impl Tables {
    /// Reads them.
    pub(super) fn read<R: Recording>(
        recording: &R,
        sources: &[SourceFacts],
    ) -> Result<Self, AnalyzeError> {
        let (windows, energy) = thread::scope(|scope| {
            let energy = scope.spawn(|| recording.energy().map_err(of_recording));
            let windows = recording.windows().map_err(of_recording);
            (windows, energy.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
        });
        let mut windows = windows?;
        windows.sort_unstable_by_key(|window| window.index);
        windows.dedup_by_key(|window| window.index);
        if windows.is_empty() {
            return Err(AnalyzeError::NoWindows { ending: recording.facts().ending });
        }
        let mut energy = energy?;
        let (sources, has_others) = chosen_sources(&energy, sources);
        if sources.is_empty() {
            return Err(AnalyzeError::NoEnergy);
        }
        if has_others {
            energy.retain(|sample| {
                sources.get(&sample.domain).is_some_and(|source| **source == *sample.source)
            });
        }
        // Mostly they come in this order, and each is there once.
        let key = |sample: &EnergySample| (sample.window, sample.domain);
        if !energy.is_sorted_by(|one, next| key(one) < key(next)) {
            energy.sort_by_key(key);
            energy.dedup_by_key(|sample| key(sample));
        }
        share_out_repeats(&mut energy, &windows);
        Ok(Self { windows, energy, sources })
    }

    /// Whether every sample that may need it says how busy the CPUs of its domain were.
    pub(super) fn tell_who_was_busy(&self) -> bool {
        let mut needed = self
            .energy
            .iter()
            .filter(|sample| sample.energy.is_some() && sample.domain.domain.is_fed_by_cpus());
        needed.all(|sample| sample.busy.is_some())
    }

    /// The windows one after the other, each with its samples.
    pub(super) fn windows_with_energy(&self) -> WindowsWithEnergy<'_> {
        WindowsWithEnergy { windows: &self.windows, energy: &self.energy }
    }

    /// The same, but for those at the beginning of which the index is not `wanted`.
    pub(super) fn windows_with_energy_from(
        &self,
        wanted: impl Fn(u32) -> bool,
    ) -> WindowsWithEnergy<'_> {
        let window = self.windows.partition_point(|window| !wanted(window.index));
        let sample = self.energy.partition_point(|sample| !wanted(sample.window));
        WindowsWithEnergy { windows: &self.windows[window..], energy: &self.energy[sample..] }
    }

    /// The windows one after the other, with who ran, and what else is asked for: in one pass over each.
    pub(super) fn stream<'a, R: Recording>(
        &'a self,
        recording: &'a R,
        reading: Reading,
    ) -> Result<
        impl Iterator<Item = Result<RecordedWindow<'a>, AnalyzeError>> + Send + use<'a, R>,
        AnalyzeError,
    > {
        let rows = recording.residency().map_err(of_recording)?;
        let mut rows = InOrder::new("residency", rows, |row: &Residency| row.window);
        let mut samples = None;
        if reading.samples {
            let rows = recording.samples().map_err(of_recording)?;
            samples = Some(InOrder::new("samples", rows, |row: &StackSample| row.window));
        }
        let mut counts = counts_of(recording, reading.counts)?;
        let topology = recording.topology();
        Ok(self.windows_with_energy().map(move |(window, energy)| {
            let residency = rows.of_window(window.index)?;
            let recorded = if residency.is_empty() {
                RecordedWindow::of_unknown(window, energy, topology)
            } else {
                RecordedWindow::of_known(window, energy, residency.into())
            };
            let mut samples = match &mut samples {
                Some(samples) => samples.of_window(window.index)?,
                None => Vec::new(),
            };
            if !samples.is_sorted_by_key(|sample| sample.thread) {
                samples.sort_by_key(|sample| sample.thread);
            }
            let counts = counts(window.index)?;
            Ok(RecordedWindow { samples, counts, ..recorded })
        }))
    }
}

/// Windows that follow each other, each with its samples.
#[derive(Clone, Debug)]
pub(super) struct WindowsWithEnergy<'a> {
    windows: &'a [Window],
    /// Those of windows before the first of `windows` may still be among them.
    energy: &'a [EnergySample],
}

impl WindowsWithEnergy<'_> {
    /// The next window, if it is `wanted`.
    pub(super) fn next_if(
        &mut self,
        wanted: impl FnOnce(&Window) -> bool,
    ) -> Option<<Self as Iterator>::Item> {
        if wanted(self.windows.first()?) { self.next() } else { None }
    }
}

impl<'a> Iterator for WindowsWithEnergy<'a> {
    type Item = (&'a Window, &'a [EnergySample]);

    fn next(&mut self) -> Option<Self::Item> {
        let window = self.windows.split_off_first()?;
        // One after the other: each search among all that are left would be as slow as memory.
        let energy = self.energy;
        let before = energy.iter().take_while(|sample| sample.window < window.index).count();
        let later = &energy[before..];
        let within = later.iter().take_while(|sample| sample.window == window.index).count();
        let (of_window, later) = later.split_at(within);
        self.energy = later;
        Some((window, of_window))
    }
}

/// An error of the recording's own.
pub(super) fn of_recording(error: impl std::error::Error + Send + Sync + 'static) -> AnalyzeError {
    AnalyzeError::Recording(Box::new(error))
}

/// For each domain the source to believe: one that knows anything at all, then the firmest, then
/// the first in the recording's list. Two sources of one domain tell of the same joules.
/// And whether any sample is of another source.
fn chosen_sources(
    energy: &[EnergySample],
    listed: &[SourceFacts],
) -> (BTreeMap<DomainId, String>, bool) {
    // A sample of the best source of each domain so far. There are a few, and those of a window follow each other.
    let mut best: Vec<&EnergySample> = Vec::new();
    let mut place = 0;
    let mut has_others = false;
    for sample in energy {
        place = if place + 1 < best.len() { place + 1 } else { 0 };
        if best.get(place).is_none_or(|best| best.domain != sample.domain) {
            let found = best.iter().position(|best| best.domain == sample.domain);
            place = found.unwrap_or(best.len());
        }
        match best.get_mut(place) {
            None => best.push(sample),
            Some(best) => {
                has_others |= best.source != sample.source;
                let is_alike = best.source == sample.source
                    && best.provenance == sample.provenance
                    && best.energy.is_none() == sample.energy.is_none();
                if !is_alike && rank(sample, listed) < rank(best, listed) {
                    *best = sample;
                }
            }
        }
    }
    let source = |best: &EnergySample| (best.domain, best.source.to_string());
    (best.into_iter().map(source).collect(), has_others)
}

/// The lower it is, the more a sample's source is to be believed.
fn rank<'a>(
    sample: &'a EnergySample,
    listed: &[SourceFacts],
) -> (bool, Provenance, usize, &'a str) {
    let place = listed.iter().position(|source| *source.name == *sample.source);
    (sample.energy.is_none(), sample.provenance, place.unwrap_or(usize::MAX), &sample.source)
}

/// The residency of a window of which it is not known who ran.
fn everything_lost(window: &Window, topology: &Topology) -> Vec<Residency> {
    let lost = |cpu| Residency {
        window: window.index,
        thread: ThreadId::LOST,
        cpu,
        oncpu: window.length(),
        switches: 0,
    };
    if topology.cpus.is_empty() {
        vec![lost(0)]
    } else {
        topology.cpus.keys().copied().map(lost).collect()
    }
}
