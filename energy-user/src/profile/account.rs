//! The accounts of threads and of domains that a profile is made of.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::uncertainty::{ErrorSum, StandardError};
use crate::attribution::{Baseline, IdlePolicy, ModelKind, Nobodys, RegressionFacts, SmtFactor};
use crate::model::{Domain, DomainId, Ledger, Provenance, ThreadId, ThreadInfo};
use crate::units::{Microjoules, Nanoseconds, WallTime};

/// Where the energy of a recording, or of a part of it, went.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// About the recording.
    pub facts: Facts,
    /// The choices made.
    pub method: Method,
    /// Which part of the recording it is.
    pub span: Span,
    /// Every domain that has samples, counted in the total or not.
    pub domains: BTreeMap<DomainId, DomainAccount>,
    /// Every thread that ran or is named in the trace, but for the idle task and
    /// [`ThreadId::LOST`]. Those that did not run are here because they may lead a process.
    pub threads: BTreeMap<ThreadId, ThreadAccount>,
    /// CPU time whose thread is unknown.
    pub lost_oncpu: Nanoseconds,
}

/// The choices a profile was made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Method {
    /// How active energy was divided.
    pub model: ModelKind,
    /// What became of idle energy.
    pub idle: IdlePolicy,
    /// What time beside a busy sibling of the same core was worth; `None` where siblings did not matter.
    pub smt: Option<SmtFactor>,
}

/// Which part of a recording a profile is of: always whole windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// How many windows were looked at.
    pub windows: u64,
    /// How many the recording has.
    pub recorded_windows: u64,
    /// How long the windows looked at were in all.
    pub duration: Nanoseconds,
    /// Where the first of them begins, since the recording's start.
    pub from: Nanoseconds,
    /// Where the last of them ends, since the recording's start.
    pub to: Nanoseconds,
    /// When the first of them began, for people.
    pub start_utc: WallTime,
    /// Windows of which it is not known who ran: their energy above idle is unattributed.
    pub windows_without_residency: u64,
}

/// One domain's energy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DomainAccount {
    /// Where it went.
    pub ledger: Ledger,
    /// What of the ledger's attributed and unattributed energy is idle energy that a policy shares.
    pub shared_idle: Microjoules,
    /// What of the ledger's unattributed energy is a graphics card's, by the reason.
    pub nobodys: Nobodys,
    /// The weakest kind of figure among its samples.
    pub provenance: Option<Provenance>,
    /// Which source gave it.
    pub source: String,
    /// Windows whose energy is unknown; they are in no sum.
    pub gaps: u64,
    /// Windows whose energy is known.
    pub known: u64,
    /// Windows in which its own cores' counters said who drew it, as far as they did.
    pub by_core: u64,
    /// How long the windows with known energy were.
    pub covered: Nanoseconds,
    /// What it draws when nothing runs.
    pub baseline: Baseline,
    /// What the model `regress` found, where it divided the domain.
    pub regression: Option<RegressionFacts>,
    /// Whether it is in the total; otherwise another domain contains it.
    pub in_total: bool,
    pub(super) errors: ErrorSum,
}

impl DomainAccount {
    /// The standard error of the measured energy.
    pub fn error(&self) -> StandardError {
        self.errors.standard()
    }
}

/// What one thread used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThreadAccount {
    /// Who it was; all empty where the trace does not say.
    pub info: ThreadInfo,
    /// How long it ran.
    pub oncpu: Nanoseconds,
    /// How often it was switched out.
    pub switches: u64,
    /// Its energy by domain, those outside the total included.
    pub charges: BTreeMap<DomainId, Charge>,
}

/// Energy charged to a thread, with its error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Charge {
    /// The energy.
    pub energy: Microjoules,
    /// Its error.
    pub error: ErrorSum,
}

impl ThreadAccount {
    /// Whether it ran in the windows looked at, or a graphics card worked for it.
    pub fn took_part(&self) -> bool {
        self.oncpu > Nanoseconds::ZERO
            || self.charges.values().any(|charge| charge.energy > Microjoules::ZERO)
    }
}

impl Profile {
    /// The domains that make up the total: they overlap nowhere.
    pub fn total_domains(&self) -> impl Iterator<Item = (DomainId, &DomainAccount)> {
        self.domains.iter().filter(|(_, account)| account.in_total).map(|(id, a)| (*id, a))
    }

    /// What graphics cards of the total come to in `by_domain`; `None` where the total has none.
    pub fn on_cards(&self, by_domain: &BTreeMap<DomainId, Microjoules>) -> Option<Microjoules> {
        let mut cards = self.total_domains().filter(|(id, _)| id.domain == Domain::Gpu).peekable();
        cards.peek()?;
        Some(cards.filter_map(|(id, _)| by_domain.get(&id).copied()).sum())
    }

    /// The ledger of the whole, over [`Self::total_domains`].
    pub fn total(&self) -> Ledger {
        self.total_domains().fold(Ledger::default(), |mut total, (_, account)| {
            total += account.ledger;
            total
        })
    }

    /// The standard error of the whole measured energy.
    pub fn total_error(&self) -> StandardError {
        self.total_domains()
            .map(|(_, account)| account.error())
            .fold(StandardError::default(), StandardError::and)
    }

    /// What of the total's attributed and unattributed energy is idle energy that a policy shares.
    pub fn shared_idle(&self) -> Microjoules {
        self.total_domains().map(|(_, account)| account.shared_idle).sum()
    }

    /// What the model's coefficients add to the error of a part of what `thread` is charged with by the
    /// domains of the total that CPUs feed, in µJ.
    pub(super) fn model_error_of_part(&self, thread: ThreadId, part: Microjoules) -> f64 {
        let Some(account) = self.threads.get(&thread) else { return 0.0 };
        let fed = self.total_domains().filter(|(id, _)| id.domain.is_fed_by_cpus());
        let charges: Vec<&Charge> = fed.filter_map(|(id, _)| account.charges.get(&id)).collect();
        let whole: Microjoules = charges.iter().map(|charge| charge.energy).sum();
        let variance: f64 = charges.iter().map(|charge| charge.error.model().powi(2)).sum();
        if variance <= 0.0 || whole == Microjoules::ZERO {
            return 0.0;
        }
        variance.sqrt() * (part.joules().get() / whole.joules().get())
    }

    /// The weakest kind of figure in the total; `None` where there is no figure.
    pub fn provenance(&self) -> Option<Provenance> {
        self.total_domains().filter_map(|(_, account)| account.provenance).max()
    }

    /// Whether idle energy could be told from active energy in any domain of the total.
    pub fn separates_idle(&self) -> bool {
        self.total_domains().any(|(_, account)| account.baseline.power().is_some())
    }

    /// Windows times domains of the total whose energy is unknown.
    pub fn gaps(&self) -> u64 {
        self.total_domains().map(|(_, account)| account.gaps).sum()
    }
}
