//! How far the energies of functions may be off because their watts are uncertain.
//!
//! A function that is thought to draw too much takes from the others of its thread: what errs in one direction
//! for one errs in the other for the rest. So vectors are added up by thread and function, and not in
//! proportion to the thread's own.

use rustc_hash::FxHashMap;

use super::fit::Fit;
use super::{InWindow, Regression};
use crate::attribution::AttributedWindow;
use crate::model::{Component, DomainId, StackId, StackSample, ThreadId};
use crate::units::Microjoules;

/// Which sums belong together: a thread's, of a domain, at a coefficient of its fit.
type Key = (ThreadId, DomainId, usize);

/// The vectors of threads at functions, added up over windows.
#[derive(Debug)]
pub struct CodeDoubts<'a> {
    regression: &'a Regression,
    model: InWindow<'a>,
    domains: Vec<DomainId>,
    sums: FxHashMap<Key, Vec<f64>>,
}

impl<'a> CodeDoubts<'a> {
    /// Of energy of these domains, which overlap nowhere.
    pub fn new(regression: &'a Regression, domains: Vec<DomainId>) -> Self {
        let model = InWindow::new(regression);
        Self { regression, model, domains, sums: FxHashMap::default() }
    }

    /// Adds a window, divided, in which threads were sampled there, ascending by thread. Only those threads
    /// are looked at that are `chosen`.
    pub fn add(
        &mut self,
        attributed: &AttributedWindow,
        samples: &[StackSample],
        chosen: impl Fn(ThreadId) -> bool,
    ) {
        self.model.go_on(&attributed.window, samples);
        let domains = attributed.domains.iter();
        for domain in domains.filter(|domain| self.domains.contains(&domain.domain)) {
            let active = domain.samples.iter().filter(|it| it.component == Component::Active);
            let mut weights: Vec<(ThreadId, u64)> =
                active.map(|charge| (charge.thread, charge.energy.get())).collect();
            let Some(ledger) = domain.ledger else { continue };
            // What lost time is charged with has a part in what is divided.
            weights.push((ThreadId::LOST, ledger.unattributed.get()));
            let all: Microjoules =
                weights.iter().map(|(_, energy)| Microjoules::new(*energy)).sum();
            if all == Microjoules::ZERO {
                continue;
            }
            let lasted = attributed.window.length();
            let Some(divided) = self.model.divided(domain.domain, lasted, all, &weights) else {
                continue;
            };
            for ((thread, _), used) in weights.iter().zip(&divided.used) {
                if !chosen(*thread) {
                    continue;
                }
                for used in used {
                    let key = (*thread, domain.domain, used.place);
                    divided.add_moves(used, self.sums.entry(key).or_default());
                }
            }
        }
    }

    /// In which direction the energies err that threads used at stacks, of which these are all.
    pub fn directions(&self, used: &[(ThreadId, Option<StackId>, Microjoules)]) -> CodeDirections {
        // Stacks of a thread at the same coefficients of all domains err alike.
        let mut numbers: FxHashMap<(ThreadId, Vec<usize>), usize> = FxHashMap::default();
        let mut energies: FxHashMap<Key, u64> = FxHashMap::default();
        let mut of = Vec::with_capacity(used.len());
        let mut alike: Vec<(ThreadId, Vec<usize>)> = Vec::new();
        for (thread, stack, energy) in used {
            let Some(stack) = *stack else {
                of.push(None);
                continue;
            };
            let places: Vec<usize> = self
                .fits()
                .map(|(_, fit)| self.regression.place(fit, *thread, Some(stack)))
                .collect();
            for key in self.keys(*thread, &places) {
                *energies.entry(key).or_default() += energy.get();
            }
            let is_known = self.keys(*thread, &places).any(|key| self.sums.contains_key(&key));
            of.push(is_known.then(|| {
                *numbers.entry((*thread, places)).or_insert_with_key(|places| {
                    alike.push(places.clone());
                    alike.len() - 1
                })
            }));
        }
        // What a domain is in doubt about is no matter of another: each has causes of its own.
        let direction = |(thread, places): &(ThreadId, Vec<usize>)| {
            let mut direction = Vec::new();
            for ((_, fit), key) in self.fits().zip(self.keys(*thread, places)) {
                let first = direction.len();
                direction.resize(first + fit.causes(), 0.0);
                let energy = Microjoules::new(energies.get(&key).copied().unwrap_or(0));
                let Some(sum) = self.sums.get(&key).filter(|_| energy > Microjoules::ZERO) else {
                    continue;
                };
                let microjoules = energy.joules().get() * 1e6;
                for (value, moved) in direction[first..].iter_mut().zip(sum) {
                    *value = moved / microjoules;
                }
            }
            direction
        };
        let each = alike.iter().map(direction).collect();
        CodeDirections { each, of }
    }

    /// The domains looked at of which something was found.
    fn fits(&self) -> impl Iterator<Item = (DomainId, &'a Fit)> {
        let fits = self.regression.by_domain.iter().map(|(domain, fit)| (*domain, fit));
        fits.filter(|(domain, _)| self.domains.contains(domain))
    }

    /// The sums of a thread at those places, one of each of these domains.
    fn keys(&self, thread: ThreadId, places: &[usize]) -> impl Iterator<Item = Key> {
        self.fits().zip(places).map(move |((domain, _), place)| (thread, domain, *place))
    }
}

/// How far pieces of threads' code may be off, as directions: those of several pieces are added before their length is
/// taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CodeDirections {
    /// How far energies move, for each µJ of them, with each of some independent causes of variance 1.
    pub each: Vec<Vec<f64>>,
    /// Which one each piece errs in; `None` where nothing is known but of its thread.
    pub of: Vec<Option<usize>>,
}

impl CodeDirections {
    /// Where nothing is known of so many pieces.
    pub fn none(pieces: usize) -> Self {
        Self { each: Vec::new(), of: vec![None; pieces] }
    }
}
