//! The charges of a domain that CPUs feed, in one window: active energy as the model weighs what ran,
//! and idle energy as the policy has it.

use std::borrow::Cow;

use super::Rules;
use super::doubt::Doubt;
use super::model::Model;
use super::rounding::{errors_of_parts, split_by};
use super::weights::{Ran, Weights};
use crate::model::{AttributedSample, Component, DomainId, Residency, ThreadId, Window};
use crate::units::{Microjoules, Nanoseconds};

/// Active energy with those that share it.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub energy: Microjoules,
    /// Its standard error.
    pub error: Microjoules,
    /// What ran where it was drawn.
    pub ran: Sharers<'a>,
    /// For how long idle power was taken from it.
    pub above_idle_for: Nanoseconds,
}

/// Those that share energy.
#[derive(Clone, Debug)]
pub(super) enum Sharers<'a> {
    /// All that ran in the window.
    All(&'a Ran<'a>),
    /// These rows, ascending by thread and CPU.
    Some(Vec<Residency>),
}

impl<'a> Sharers<'a> {
    /// What ran.
    pub(super) fn rows(&self) -> &[Residency] {
        match self {
            Self::All(ran) => ran.rows(),
            Self::Some(rows) => rows,
        }
    }

    /// What they weigh in the energy of a domain.
    fn weights(&self, model: &dyn Model, domain: DomainId) -> Cow<'a, Weights> {
        match self {
            Self::All(ran) => ran.weights(model, domain),
            Self::Some(rows) => Cow::Owned(Weights::new(model, domain, rows)),
        }
    }
}

/// What a domain's energy comes to in charges.
#[derive(Debug, Default)]
pub(super) struct Charges {
    /// Ascending by thread and component.
    pub samples: Vec<AttributedSample>,
    /// How uncertain the model makes each of `samples`.
    pub doubt: Doubt,
    /// What is charged to threads.
    pub attributed: Microjoules,
    /// What lost time is charged with.
    pub unattributed: Microjoules,
    /// What of all this is idle energy.
    pub shared_idle: Microjoules,
}

impl Charges {
    /// Of a window in which `domain` drew the active energy of `parts`, of which the last is of all that ran,
    /// and `idle` besides. Where nothing ran, nothing is charged.
    pub(super) fn of(
        window: &Window,
        domain: DomainId,
        parts: &[Part<'_>],
        idle: Microjoules,
        rules: &Rules<'_>,
    ) -> Self {
        let Some(active) = Shares::of(domain, parts, rules) else { return Self::default() };
        let of_idle = rules.idle.divide(idle, || active.weights(parts.len()));
        let is_active = parts.iter().any(|part| part.energy > Microjoules::ZERO);
        match (is_active, of_idle) {
            (true, None) => active.charges(window, domain),
            (_, Some(of_idle)) => Self::with_idle(window, domain, &active, is_active, &of_idle),
            (false, None) => Self::default(),
        }
    }

    /// Where every thread is charged with a part of idle energy, too.
    fn with_idle(
        window: &Window,
        domain: DomainId,
        active: &Shares<'_>,
        is_active: bool,
        of_idle: &[u64],
    ) -> Self {
        let mut charges = Self::default();
        let nothing = active.doubt.nothing();
        for (index, &(thread, _)) in active.weights.threads.iter().enumerate() {
            let charge = |component, energy, error: u64| AttributedSample {
                window: window.index,
                thread,
                domain,
                component,
                energy: Microjoules::new(energy),
                error: Microjoules::new(error),
            };
            if is_active {
                let (energy, error) = (active.energies[index], active.errors[index]);
                charges.add(charge(Component::Active, energy, error), active.doubt.of(index));
            }
            charges.shared_idle += Microjoules::new(of_idle[index]);
            charges.add(charge(Component::Idle, of_idle[index], 1), &nothing);
        }
        charges
    }

    fn add(&mut self, charge: AttributedSample, doubt: &[f64]) {
        if charge.thread == ThreadId::LOST {
            self.unattributed += charge.energy;
        } else {
            self.attributed += charge.energy;
            self.samples.push(charge);
            self.doubt.push(doubt);
        }
    }
}

/// The active energy of a domain, shared out.
struct Shares<'a> {
    /// What the model weighs all that ran.
    weights: Cow<'a, Weights>,
    /// Of each thread that ran, in µJ.
    energies: Vec<u64>,
    errors: Vec<u64>,
    doubt: Doubt,
}

impl<'a> Shares<'a> {
    /// `None` where nothing ran.
    fn of(domain: DomainId, parts: &[Part<'a>], rules: &Rules<'_>) -> Option<Self> {
        let (of_all, others) = parts.split_last()?;
        let mut shares = Self::of_part(domain, of_all, rules)?;
        for part in others {
            shares.add(&Self::of_part(domain, part, rules)?);
        }
        Some(shares)
    }

    /// Of one part alone.
    fn of_part(domain: DomainId, part: &Part<'a>, rules: &Rules<'_>) -> Option<Self> {
        let weights = part.ran.weights(rules.model, domain);
        let energies = split_by(part.energy.get(), &weights.plain, weights.total)?;
        let errors = errors_of_parts(part.error.get(), &weights.plain, weights.total);
        let doubt = rules.model.doubt(domain, part.above_idle_for, part.energy, &weights.threads);
        Some(Self { weights, energies, errors, doubt })
    }

    /// Adds a part whose threads are among these.
    fn add(&mut self, part: &Self) {
        let place = |(thread, _): &(ThreadId, u64)| {
            self.weights.threads.partition_point(|(known, _)| known < thread)
        };
        let places: Vec<usize> = part.weights.threads.iter().map(place).collect();
        for (index, &place) in places.iter().enumerate() {
            self.energies[place] += part.energies[index];
            self.errors[place] = self.errors[place].saturating_add(part.errors[index]);
        }
        self.doubt.add(&part.doubt, &places);
    }

    /// These alone, as charges.
    fn charges(self, window: &Window, domain: DomainId) -> Charges {
        // Lost time comes first, as threads ascend.
        let threads = &self.weights.threads;
        let lost = threads.partition_point(|(thread, _)| *thread <= ThreadId::LOST);
        let (energy, error) = (Microjoules::ZERO, Microjoules::ZERO);
        let (window, component) = (window.index, Component::Active);
        let nothing =
            AttributedSample { window, thread: ThreadId::LOST, domain, component, energy, error };
        // All that charges have in common is filled in at once: one by one takes a fifth of a report's time.
        let mut samples = vec![nothing; threads.len() - lost];
        let figures = self.energies[lost..].iter().zip(&self.errors[lost..]);
        let places = samples.iter_mut().zip(&threads[lost..]);
        for ((sample, (thread, _)), (energy, error)) in places.zip(figures) {
            sample.thread = *thread;
            sample.energy = Microjoules::new(*energy);
            sample.error = Microjoules::new(*error);
        }
        Charges {
            samples,
            attributed: Microjoules::new(self.energies[lost..].iter().sum()),
            unattributed: Microjoules::new(self.energies[..lost].iter().sum()),
            doubt: self.doubt.without_first(lost),
            shared_idle: Microjoules::ZERO,
        }
    }

    /// What idle energy is shared in proportion to: the model's weights or, where active energy has several
    /// parts, that energy. Whoever ran weighs something.
    fn weights(&self, parts: usize) -> Vec<(ThreadId, u64)> {
        if parts == 1 {
            return self.weights.threads.clone();
        }
        let threads = self.weights.threads.iter().zip(&self.energies);
        threads.map(|((thread, _), energy)| (*thread, (*energy).max(1))).collect()
    }
}
