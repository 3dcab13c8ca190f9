//! Adding up: attributed windows become a profile, whose size goes with the number of threads and domains, not
//! with the length of the recording. All that is added up here is whole numbers, but for what the model is in
//! doubt about: the sums are the same in any order, and of any parts.

use std::collections::BTreeMap;

use super::account::{DomainAccount, Method, Profile, Span};
use super::exact_errors::ExactErrors;
use super::facts::Facts;
use super::sums::ThreadSums;
use super::uncertainty::ErrorSum;
use crate::attribution::{AttributedWindow, Baselines};
use crate::model::{DomainId, Residency, ThreadId, ThreadInfo, Window, disjoint_cover_with};
use crate::units::{Microjoules, MonotonicTime, Nanoseconds};

/// Makes a profile from windows as they come.
#[derive(Debug)]
pub struct ProfileBuilder {
    profile: Profile,
    threads: ThreadSums,
    /// Of each domain's measured energy.
    errors: BTreeMap<DomainId, ExactErrors>,
    start: MonotonicTime,
}

impl ProfileBuilder {
    /// Of a recording that began at `start` and has `recorded_windows`.
    pub fn new(facts: Facts, method: Method, start: MonotonicTime, recorded_windows: u64) -> Self {
        let profile = Profile {
            facts,
            method,
            span: Span { recorded_windows, ..Span::default() },
            domains: BTreeMap::new(),
            threads: BTreeMap::new(),
            lost_oncpu: Nanoseconds::ZERO,
        };
        Self { profile, threads: ThreadSums::default(), errors: BTreeMap::new(), start }
    }

    /// Adds a window: how its energy was divided, and who ran in it.
    pub fn add(&mut self, attributed: &AttributedWindow, residency: &[Residency]) {
        self.extend_span(&attributed.window);
        for row in residency {
            match row.thread {
                ThreadId::IDLE => {}
                ThreadId::LOST => self.profile.lost_oncpu += row.oncpu,
                thread => {
                    let sum = self.threads.ran(thread);
                    sum.oncpu += row.oncpu;
                    sum.switches += u64::from(row.switches);
                }
            }
        }
        for divided in &attributed.domains {
            let account = self.profile.domains.entry(divided.domain).or_default();
            let Some(ledger) = divided.ledger else { continue };
            account.ledger += ledger;
            account.shared_idle += divided.shared_idle;
            account.nobodys += divided.nobodys;
            account.known += 1;
            account.by_core += u64::from(divided.by_core);
            account.covered += attributed.window.length();
            account.provenance = account.provenance.max(Some(divided.provenance));
            let errors = self.errors.entry(divided.domain).or_default();
            errors.add(divided.error, divided.error, divided.provenance);
            let of_all: Microjoules = divided.samples.iter().map(|sample| sample.error).sum();
            let mut charges = self.threads.charges(divided.domain);
            for sample in &divided.samples {
                let charge = charges.of(sample.thread);
                charge.energy += sample.energy;
                charge.error.add(sample.error, of_all, divided.provenance);
            }
            if divided.doubt.is_nothing() {
                continue;
            }
            for (index, sample) in divided.samples.iter().enumerate() {
                charges.add_doubt(sample.thread, divided.doubt.of(index));
            }
        }
    }

    /// Adds a window of which it is not known who ran.
    pub fn add_without_residency(&mut self, attributed: &AttributedWindow) {
        self.profile.span.windows_without_residency += 1;
        self.add(attributed, &[]);
    }

    /// These windows and those of another builder for the same recording and choices. Which of them had which
    /// window makes no difference, but where the model is in doubt.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.add_span(&other.profile.span);
        self.profile.lost_oncpu += other.profile.lost_oncpu;
        for (domain, of_other) in other.profile.domains {
            let account = self.profile.domains.entry(domain).or_default();
            // The rest is filled in when all windows are added.
            let DomainAccount {
                ledger,
                shared_idle,
                nobodys,
                provenance,
                known,
                by_core,
                covered,
                source: _,
                gaps: _,
                baseline: _,
                regression: _,
                in_total: _,
                errors: _,
            } = of_other;
            account.ledger += ledger;
            account.shared_idle += shared_idle;
            account.nobodys += nobodys;
            account.known += known;
            account.by_core += by_core;
            account.covered += covered;
            account.provenance = account.provenance.max(provenance);
        }
        for (domain, errors) in other.errors {
            self.errors.entry(domain).or_default().extend(errors);
        }
        self.threads.extend(other.threads);
        self
    }

    /// The profile, once the names of the threads, the sources of the domains and the baselines
    /// are known.
    pub fn finish(
        mut self,
        names: BTreeMap<ThreadId, ThreadInfo>,
        sources: &BTreeMap<DomainId, String>,
        baselines: &Baselines,
    ) -> Profile {
        self.profile.threads = self.threads.into_accounts();
        for (thread, info) in names.into_iter().filter(|(thread, _)| *thread >= ThreadId::FIRST) {
            self.profile.threads.entry(thread).or_default().info = info;
        }
        for (domain, source) in sources {
            self.profile.domains.entry(*domain).or_default().source.clone_from(source);
        }
        let measured: Vec<DomainId> = self
            .profile
            .domains
            .iter()
            .filter(|(_, account)| account.known > 0)
            .map(|(domain, _)| *domain)
            .collect();
        let cover = disjoint_cover_with(&measured, &self.profile.facts.discrete_cards);
        let windows = self.profile.span.windows;
        for (domain, account) in &mut self.profile.domains {
            account.baseline = baselines.of(*domain);
            account.in_total = cover.contains(domain);
            account.gaps = windows - account.known;
            account.errors = self.errors.get(domain).map_or_else(ErrorSum::default, ErrorSum::from);
        }
        self.profile
    }

    /// Counts a window in.
    fn extend_span(&mut self, window: &Window) {
        self.add_span(&Span {
            windows: 1,
            duration: window.length(),
            from: window.start.since(self.start),
            to: window.end.since(self.start),
            start_utc: window.start_utc,
            ..Span::default()
        });
    }

    /// Counts the windows of `other` in.
    fn add_span(&mut self, other: &Span) {
        let span = &mut self.profile.span;
        if other.windows > 0 && (span.windows == 0 || other.from < span.from) {
            (span.from, span.start_utc) = (other.from, other.start_utc);
        }
        span.windows += other.windows;
        span.duration += other.duration;
        span.to = span.to.max(other.to);
        span.windows_without_residency += other.windows_without_residency;
    }
}
