//! Who caused the energy: one window's counters divided among the threads that ran in it, and a
//! thread's share among the stacks it was sampled at.
//!
//! **You give** a window, its energy samples and its residency, the topology and the idle baselines.
//! **You get** per domain a ledger that closes to the microjoule and a charge for each thread.
//! **It is not** a measurement: a charge is a measured amount divided by a stated rule.
//!
//! Everything here is pure: no clock, no file, no float between the counter and the ledger.
//! The rules and what they are worth: docs/attribution.md.

mod baseline;
mod cards;
mod rounding;
mod stacks;
mod time_share;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use baseline::{Baseline, BaselineSearch, Baselines};
pub use cards::{CardUse, CardUser, Nobodys};
pub use rounding::split;
pub use stacks::{StackCharge, StackDivider, ThreadCharge};
pub use time_share::TimeShare;

use crate::model::{
    AttributedSample, Component, DomainId, EnergySample, Ledger, Provenance, Residency, ThreadId,
    Topology, Window,
};
use crate::units::{Microjoules, Nanoseconds};

/// A rule for dividing a domain's active energy among the threads that ran.
pub trait Model: fmt::Debug + Sync {
    /// The name in options, trace and reports.
    fn name(&self) -> &'static str;

    /// The rule in a few words, for reports.
    fn rule(&self) -> &'static str;

    /// What each thread's share is in proportion to, in any unit, ascending by thread.
    ///
    /// `ran` is what ran in the window on the CPUs that feed the domain, [`ThreadId::LOST`]
    /// included and [`ThreadId::IDLE`] not, ascending by thread.
    fn weights(&self, ran: &[Residency]) -> Vec<(ThreadId, u64)>;
}

/// The models there are. A new one is a file with its [`Model`] and a line in each place here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelKind {
    /// By on-CPU time.
    #[default]
    Time,
}

impl ModelKind {
    /// Every model, in the order shown.
    pub const ALL: [Self; 1] = [Self::Time];

    /// The model itself.
    pub fn model(self) -> &'static dyn Model {
        match self {
            Self::Time => &TimeShare,
        }
    }
}

/// A name that is no model of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name:?} is no model: expected {}", ModelKind::ALL.map(|kind| kind.model().name()).join(", "))]
pub struct ParseModelError {
    name: String,
}

impl FromStr for ModelKind {
    type Err = ParseModelError;
    fn from_str(name: &str) -> Result<Self, ParseModelError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.model().name() == name)
            .ok_or_else(|| ParseModelError { name: name.to_owned() })
    }
}

/// What becomes of the energy the machine would have drawn anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdlePolicy {
    /// It is a row of its own and charged to no one.
    #[default]
    Separate,
}

impl IdlePolicy {
    /// Every policy, in the order shown.
    pub const ALL: [Self; 1] = [Self::Separate];

    /// The name in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Separate => "separate",
        }
    }
}

/// A name that is no idle policy of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name:?} is no idle policy: expected {}", IdlePolicy::ALL.map(IdlePolicy::name).join(", "))]
pub struct ParseIdlePolicyError {
    name: String,
}

impl FromStr for IdlePolicy {
    type Err = ParseIdlePolicyError;
    fn from_str(name: &str) -> Result<Self, ParseIdlePolicyError> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.name() == name)
            .ok_or_else(|| ParseIdlePolicyError { name: name.to_owned() })
    }
}

/// The choices an attribution is made with.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Which CPUs feed which domain.
    pub topology: &'a Topology,
    /// What each domain draws when nothing runs.
    pub baselines: &'a Baselines,
    /// How active energy is divided.
    pub model: ModelKind,
    /// What becomes of idle energy.
    pub idle: IdlePolicy,
}

/// One window, divided.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributedWindow {
    /// The window.
    pub window: Window,
    /// One entry for each energy sample, in the samples' order.
    pub domains: Vec<AttributedDomain>,
}

/// One domain's energy in one window, divided.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributedDomain {
    /// Whose energy.
    pub domain: DomainId,
    /// What kind of figure the domain's energy is.
    pub provenance: Provenance,
    /// Where it went; `None` where the energy is unknown (a gap).
    pub ledger: Option<Ledger>,
    /// Standard error of the measured energy. Where the source states none, the energy itself.
    pub error: Microjoules,
    /// What of `ledger.unattributed` is a graphics card's, by the reason.
    pub nobodys: Nobodys,
    /// The charges, ascending by thread. They add up to `ledger.attributed`.
    pub samples: Vec<AttributedSample>,
}

/// Divides the energy of one window among the threads that ran in it.
///
/// Per domain: idle is the baseline's power over the window's length, at most what was measured.
/// The rest is active and goes to the threads that ran on the feeding CPUs, as the model weighs
/// them; the share of [`ThreadId::LOST`] is unattributed. Where nothing ran, all of it is idle.
/// What a domain that CPUs do not feed, such as a graphics card, draws above idle is unattributed.
/// Where the energy is unknown there is no ledger and no charge.
pub fn attribute_window(
    window: &Window,
    energy: &[EnergySample],
    residency: &[Residency],
    rules: &Rules<'_>,
) -> AttributedWindow {
    attribute_window_with_cards(window, energy, residency, &[], rules)
}

/// [`attribute_window`] where it is known who used the graphics cards in `cards`: what those draw above idle
/// goes to their users, in proportion to the time their kernels ran.
pub fn attribute_window_with_cards(
    window: &Window,
    energy: &[EnergySample],
    residency: &[Residency],
    cards: &[CardUse],
    rules: &Rules<'_>,
) -> AttributedWindow {
    let mut busy: Vec<Residency> = residency
        .iter()
        .filter(|row| row.thread != ThreadId::IDLE && row.oncpu > Nanoseconds::ZERO)
        .copied()
        .collect();
    busy.sort_unstable_by_key(|row| (row.thread, row.cpu));
    let domains = energy.iter().map(|sample| {
        let card = cards.iter().find(|card| card.domain == sample.domain);
        attribute_domain(window, sample, &busy, card, rules)
    });
    AttributedWindow { window: *window, domains: domains.collect() }
}

/// Divides one domain's energy; `busy` is ascending by thread.
fn attribute_domain(
    window: &Window,
    sample: &EnergySample,
    busy: &[Residency],
    card: Option<&CardUse>,
    rules: &Rules<'_>,
) -> AttributedDomain {
    let domain = sample.domain;
    let Some(measured) = sample.energy else {
        return AttributedDomain {
            domain,
            provenance: sample.provenance,
            ledger: None,
            error: Microjoules::ZERO,
            nobodys: Nobodys::default(),
            samples: Vec::new(),
        };
    };
    let error = sample.error.unwrap_or(measured);
    let feeders = rules.topology.feeders(domain);
    let ran: Vec<Residency> =
        busy.iter().filter(|row| feeders.contains(row.cpu)).copied().collect();
    let IdlePolicy::Separate = rules.idle;
    let baseline = rules.baselines.energy(domain, window.length());
    let active = measured.checked_sub(baseline).unwrap_or(Microjoules::ZERO);
    let mut ledger = Ledger { measured, ..Ledger::default() };
    let (threads, weights): (Vec<ThreadId>, Vec<u64>) =
        rules.model.model().weights(&ran).into_iter().unzip();
    let mut samples = Vec::with_capacity(threads.len());
    let mut nobodys = Nobodys::default();
    let is_idle =
        card.is_some_and(CardUse::is_unused) && rules.baselines.of(domain).power().is_none();
    if is_idle {
        // As of CPUs: where nothing ran, all of it is idle, whatever that is.
    } else if let Some(card) = card {
        (samples, nobodys) = card.divide(window.index, active, error);
        ledger.attributed = samples.iter().map(|sample| sample.energy).sum();
        ledger.unattributed = nobodys.sum();
    } else if !domain.domain.is_fed_by_cpus() {
        ledger.unattributed = active;
    } else if active > Microjoules::ZERO
        && let Some(parts) = split(active.get(), &weights)
    {
        let total: u128 = weights.iter().copied().map(u128::from).sum();
        for ((&thread, &weight), &part) in threads.iter().zip(&weights).zip(&parts) {
            let energy = Microjoules::new(part);
            if thread == ThreadId::LOST {
                ledger.unattributed += energy;
                continue;
            }
            ledger.attributed += energy;
            let share = rounding::share_rounded_up(error.get(), weight, total);
            samples.push(AttributedSample {
                window: window.index,
                thread,
                domain,
                component: Component::Active,
                energy,
                // A part is less than one unit away from its exact share.
                error: Microjoules::new(share.saturating_add(1)),
            });
        }
    }
    ledger.idle = measured
        .checked_sub(ledger.attributed + ledger.unattributed)
        .expect("the parts of the active energy add up to it, and it is not above the measured");
    let (provenance, ledger) = (sample.provenance, Some(ledger));
    AttributedDomain { domain, provenance, ledger, error, nobodys, samples }
}
