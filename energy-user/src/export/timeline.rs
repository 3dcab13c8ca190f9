//! Energy over time: by domain as it was read, and by process as it was divided.
//! Only the windows a profile is of, and of each domain only the source the profile took.

use std::collections::BTreeMap;

use crate::model::{AttributedSample, DomainId, EnergySample, ThreadId, Window};
use crate::profile::{ProcessIdentity, Profile};
use crate::units::Microjoules;

/// Energy over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    windows: Vec<Window>,
    domains: BTreeMap<DomainId, BTreeMap<u32, EnergySample>>,
    processes: BTreeMap<ProcessIdentity, ProcessTrack>,
    process_of: BTreeMap<ThreadId, ProcessIdentity>,
    in_total: Vec<DomainId>,
}

/// One process's energy over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessTrack {
    energy: BTreeMap<u32, Microjoules>,
}

impl ProcessTrack {
    /// What it was charged with in a window, over the domains of the total.
    pub fn energy(&self, window: u32) -> Microjoules {
        self.energy.get(&window).copied().unwrap_or_default()
    }

    /// What it was charged with in all windows.
    pub fn total(&self) -> Microjoules {
        self.energy.values().copied().sum()
    }
}

impl Timeline {
    /// Of the windows `profile` is of, without processes: those come with [`Self::charge`].
    pub fn new(
        windows: impl IntoIterator<Item = Window>,
        energy: impl IntoIterator<Item = EnergySample>,
        profile: &Profile,
    ) -> Self {
        let mut all: Vec<Window> = windows.into_iter().collect();
        all.sort_by_key(|window| window.index);
        let start = all.first().map(|window| window.start).unwrap_or_default();
        let (from, to) = (profile.span.from, profile.span.to);
        all.retain(|window| window.start.since(start) >= from && window.end.since(start) <= to);
        let mut timeline = Self {
            process_of: profile.process_of_each_thread(),
            in_total: profile.total_domains().map(|(domain, _)| domain).collect(),
            windows: all,
            ..Self::default()
        };
        for sample in energy {
            let account = profile.domains.get(&sample.domain);
            let is_taken = account.is_some_and(|account| *account.source == *sample.source);
            if is_taken && timeline.has(sample.window) {
                timeline.domains.entry(sample.domain).or_default().insert(sample.window, sample);
            }
        }
        timeline
    }

    /// Adds a charge to its process. Charges of domains outside the total are counted there already.
    pub fn charge(&mut self, charge: &AttributedSample) {
        if !self.in_total.contains(&charge.domain) || !self.has(charge.window) {
            return;
        }
        let Some(process) = self.process_of.get(&charge.thread) else { return };
        let track = self.processes.entry(process.clone()).or_default();
        *track.energy.entry(charge.window).or_default() += charge.energy;
    }

    /// The windows in order.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Each domain's samples by window; those of windows without any are missing.
    pub fn domains(&self) -> &BTreeMap<DomainId, BTreeMap<u32, EnergySample>> {
        &self.domains
    }

    /// The processes that were charged with anything.
    pub fn processes(&self) -> &BTreeMap<ProcessIdentity, ProcessTrack> {
        &self.processes
    }

    fn has(&self, window: u32) -> bool {
        self.windows.binary_search_by_key(&window, |known| known.index).is_ok()
    }
}
