//! The model in one window: weights by where each thread was, and what they are worth.

use super::Regression;
use super::fit::Fit;
use super::mixes::Mixes;
use crate::attribution::doubt::Doubt;
use crate::attribution::model::Model;
use crate::attribution::time_share::TimeShare;
use crate::model::{DomainId, Residency, StackSample, ThreadId, Window};
use crate::units::{Microjoules, Nanoseconds};

/// The model `regress` in one window after the other, with where threads were.
#[derive(Debug)]
pub struct InWindow<'a> {
    regression: &'a Regression,
    /// How long the window is.
    length: Nanoseconds,
    mixes: Mixes,
}

/// What one thread used at one coefficient of a fit, as part of what all did.
pub(super) struct Used {
    /// The place of the coefficient.
    pub place: usize,
    share: f64,
}

/// What all threads of a window used of a domain, and how far that moves.
pub(super) struct Divided<'a> {
    fit: &'a Fit,
    /// By thread, in the order of the weights.
    pub used: Vec<Vec<Used>>,
    /// How far the sum of all weights moves with each cause, as part of itself.
    of_all: Vec<f64>,
    active_uj: f64,
    idle_uj: f64,
}

impl<'a> InWindow<'a> {
    /// Before the first window.
    pub fn new(regression: &'a Regression) -> Self {
        Self { regression, length: Nanoseconds::ZERO, mixes: Mixes::default() }
    }

    /// Goes on to the next window, in which threads were sampled there; `samples` are ascending by thread.
    pub fn go_on(&mut self, window: &Window, samples: &[StackSample]) {
        let Regression { programs, functions, .. } = self.regression;
        self.length = window.length();
        self.mixes.look(window, samples, programs, functions);
    }

    /// How `active` is divided in proportion to `weights`; `None` where it is by time alone.
    pub(super) fn divided(
        &self,
        domain: DomainId,
        above_idle_for: Nanoseconds,
        active: Microjoules,
        weights: &[(ThreadId, u64)],
    ) -> Option<Divided<'a>> {
        let fit = self.regression.fit(domain)?;
        #[expect(clippy::cast_precision_loss, reason = "an error is known to a few digits")]
        let float = |weight: u64| weight as f64;
        let total: f64 = weights.iter().map(|(_, weight)| float(*weight)).sum();
        let used = weights.iter().map(|(thread, weight)| {
            let unit = self.regression.programs.unit_of(*thread);
            let places = fit.at(unit, self.mixes.last(*thread));
            let share = float(*weight) / total;
            let used = |(place, part)| Used { place, share: share * part };
            fit.drawn(&places).into_iter().map(used).collect()
        });
        let used: Vec<Vec<Used>> = used.collect();
        let mut shares = vec![0.0; fit.moves.len()];
        for used in used.iter().flatten() {
            shares[used.place] += used.share;
        }
        let mut of_all = vec![0.0; fit.causes()];
        for (share, moves) in shares.iter().zip(&fit.moves).filter(|(share, _)| **share > 0.0) {
            of_all.iter_mut().zip(moves).for_each(|(all, moved)| *all += share * moved);
        }
        let active_uj = active.joules().get() * 1e6;
        let idle_uj = above_idle_for.seconds() * 1e6;
        Some(Divided { fit, used, of_all, active_uj, idle_uj })
    }
}

impl Divided<'_> {
    /// Adds to `vector` how far what was used moves with each cause, in µJ: with the watts there, against
    /// those of all.
    pub(super) fn add_moves(&self, used: &Used, vector: &mut Vec<f64>) {
        vector.resize(self.of_all.len(), 0.0);
        let own = self.fit.moves[used.place].iter().zip(&self.of_all);
        for (value, (own, all)) in vector.iter_mut().zip(own) {
            *value += self.active_uj * used.share * (own - all);
        }
        if let Some(idle) = &self.fit.idle_moves {
            let moved = vector.iter_mut().zip(idle);
            moved.for_each(|(value, idle)| *value -= self.idle_uj * used.share * idle);
        }
    }
}

impl Model for InWindow<'_> {
    fn weights(&self, domain: DomainId, ran: &[Residency]) -> Vec<(ThreadId, u64)> {
        let fit = self.regression.fit(domain);
        let weighed = fit.and_then(|fit| fit.smt);
        let weighed = weighed.map(|smt| smt.weighed(self.length, ran, &self.regression.cores));
        let mut weights = TimeShare.weights(domain, weighed.as_deref().unwrap_or(ran));
        let Some(fit) = fit else { return weights };
        for (thread, weight) in &mut weights {
            let unit = self.regression.programs.unit_of(*thread);
            let places = fit.at(unit, self.mixes.last(*thread));
            *weight = weight.saturating_mul(fit.parts(&places));
        }
        weights
    }

    /// A charge is `A w / Σ w`, and moves with the watts of where its thread was, against those of all.
    fn doubt(
        &self,
        domain: DomainId,
        above_idle_for: Nanoseconds,
        active: Microjoules,
        weights: &[(ThreadId, u64)],
    ) -> Doubt {
        let mut doubt = Doubt::default();
        let Some(divided) = self.divided(domain, above_idle_for, active, weights) else {
            return doubt;
        };
        for of_thread in &divided.used {
            let mut vector = Vec::new();
            for used in of_thread {
                divided.add_moves(used, &mut vector);
            }
            doubt.push(&vector);
        }
        doubt
    }
}
