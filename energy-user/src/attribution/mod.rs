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
mod charges;
mod cores;
mod cycles;
mod divisor;
mod doubt;
mod idle;
mod model;
mod moment;
mod processes;
mod regress;
mod remainders;
mod rounding;
mod smt;
mod stacks;
mod time_share;
mod weights;

pub use baseline::{Baseline, BaselineSearch, Baselines};
pub use cards::{CardUse, CardUser, Nobodys};
pub use cycles::Cycles;
pub use doubt::{Doubt, length};
pub use idle::{IdlePolicy, IdleRule, ParseIdlePolicyError};
pub use model::{Model, ModelKind, ParseModelError};
pub use processes::ProcessNumbers;
pub use regress::{
    CodeDirections, CodeDoubts, Crowding, EquationGathering, FunctionCensus, FunctionWatts,
    Functions, InWindow, ProgramWatts, Programs, Regression, RegressionFacts, Siblings,
};
pub use rounding::split;
pub use smt::{ParseSmtFactorError, SharedCores, SmtFactor};
pub use stacks::{StackCharge, StackDivider, ThreadCharge};
pub use time_share::TimeShare;

use std::borrow::Cow;

use crate::model::{
    AttributedSample, DomainId, EnergySample, Ledger, Provenance, Residency, ThreadId, Topology,
    Window,
};
use crate::units::{Joules, Microjoules, Nanoseconds};
use charges::{Charges, Part, Sharers};
use cores::parted_by_core;
use weights::Ran;

/// The choices an attribution is made with.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Which CPUs feed which domain.
    pub topology: &'a Topology,
    /// What each domain draws when nothing runs.
    pub baselines: &'a Baselines,
    /// How active energy is divided.
    pub model: &'a dyn Model,
    /// What becomes of idle energy.
    pub idle: IdleRule<'a>,
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
    /// How much of `ledger.attributed` and `ledger.unattributed` is idle energy that a policy shares.
    pub shared_idle: Microjoules,
    /// Whether the counters of its own cores said who drew it, as far as they did.
    pub by_core: bool,
    /// The charges, ascending by thread and component. They add up to `ledger.attributed`.
    pub samples: Vec<AttributedSample>,
    /// How uncertain the model makes each of `samples`.
    pub doubt: Doubt,
}

impl AttributedDomain {
    /// The charges, with all that is known of their errors in one figure.
    pub fn into_charges(self) -> impl Iterator<Item = AttributedSample> {
        let doubt = self.doubt;
        self.samples.into_iter().enumerate().map(move |(index, charge)| {
            let model = Joules::new(doubt.deviation(index) * 1e-6);
            let error = charge.error.joules().get().hypot(model.get());
            AttributedSample {
                error: Joules::new(error).to_microjoules().max(charge.error),
                ..charge
            }
        })
    }
}

/// Divides the energy of one window among the threads that ran in it.
///
/// Per domain: idle is the baseline's power over the window's length, at most what was measured; what
/// becomes of it is the idle rule's matter. The rest is active and goes to the threads that ran on the feeding CPUs, as the model weighs
/// them; the share of [`ThreadId::LOST`] is unattributed. Where nothing ran, all of it is idle.
/// What the cores of a package drew by their own counters goes to what ran on them.
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
    let busy = Ran::new(busy_rows(residency));
    let domains = energy.iter().map(|sample| {
        let card = cards.iter().find(|card| card.domain == sample.domain);
        attribute_domain(window, sample, energy, &busy, card, rules)
    });
    AttributedWindow { window: *window, domains: domains.collect() }
}

/// What ran, ascending by thread and CPU.
fn busy_rows(residency: &[Residency]) -> Cow<'_, [Residency]> {
    let is_busy = |row: &&Residency| row.thread != ThreadId::IDLE && row.oncpu > Nanoseconds::ZERO;
    let key = |row: &Residency| (row.thread, row.cpu);
    // Mostly they come in this order, and the idle task before all threads.
    let idle = residency.iter().take_while(|row| !is_busy(row)).count();
    let rest = &residency[idle..];
    if rest.iter().all(|row| is_busy(&row)) && rest.is_sorted_by_key(key) {
        return Cow::Borrowed(rest);
    }
    let mut busy: Vec<Residency> = residency.iter().filter(is_busy).copied().collect();
    busy.sort_unstable_by_key(key);
    Cow::Owned(busy)
}

/// Divides one domain's energy, of all `energy` of the window, in which `busy` ran.
fn attribute_domain(
    window: &Window,
    sample: &EnergySample,
    energy: &[EnergySample],
    busy: &Ran<'_>,
    card: Option<&CardUse>,
    rules: &Rules<'_>,
) -> AttributedDomain {
    let domain = sample.domain;
    let mut divided = AttributedDomain {
        domain,
        provenance: sample.provenance,
        ledger: None,
        error: Microjoules::ZERO,
        nobodys: Nobodys::default(),
        shared_idle: Microjoules::ZERO,
        by_core: false,
        samples: Vec::new(),
        doubt: Doubt::default(),
    };
    let Some(measured) = sample.energy else { return divided };
    divided.error = sample.error.unwrap_or(measured);
    let baseline = rules.baselines.energy(domain, window.length());
    let active = measured.checked_sub(baseline).unwrap_or(Microjoules::ZERO);
    let mut ledger = Ledger { measured, ..Ledger::default() };
    let is_idle =
        card.is_some_and(CardUse::is_unused) && rules.baselines.of(domain).power().is_none();
    if is_idle {
        // As of CPUs: where nothing ran, all of it is idle, whatever that is.
    } else if let Some(card) = card {
        (divided.samples, divided.nobodys) = card.divide(window.index, active, divided.error);
        ledger.attributed = divided.samples.iter().map(|sample| sample.energy).sum();
        ledger.unattributed = divided.nobodys.sum();
    } else if !domain.domain.is_fed_by_cpus() {
        ledger.unattributed = active;
    } else {
        let feeders = rules.topology.feeders(domain);
        let feeds = |row: &&Residency| feeders.contains(row.cpu);
        let are_all = feeders.are_all() || busy.rows().iter().all(|row| feeds(&row));
        let ran = if are_all {
            Sharers::All(busy)
        } else {
            Sharers::Some(busy.rows().iter().filter(feeds).copied().collect())
        };
        let idle = measured.min(baseline);
        let whole =
            Part { energy: active, error: divided.error, ran, above_idle_for: window.length() };
        let parts = parted_by_core(domain, whole, window, energy, rules);
        let charges = Charges::of(window, domain, &parts, idle, rules);
        divided.by_core = parts.len() > 1;
        ledger.attributed = charges.attributed;
        ledger.unattributed = charges.unattributed;
        divided.shared_idle = charges.shared_idle;
        (divided.samples, divided.doubt) = (charges.samples, charges.doubt);
    }
    ledger.idle = measured
        .checked_sub(ledger.attributed + ledger.unattributed)
        .expect("the parts of the energy add up to it, and it is not above the measured");
    divided.ledger = Some(ledger);
    divided
}
