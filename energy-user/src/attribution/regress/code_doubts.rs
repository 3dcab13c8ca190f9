//! How far the energies of functions may be off because their watts are uncertain.
//!
//! A function that is thought to draw too much takes from the others of its thread: what errs in one direction
//! for one errs in the other for the rest. So vectors are added up by thread and function, and not in
//! proportion to the thread's own.

use rustc_hash::FxHashMap;

use super::{InWindow, Regression};
use crate::attribution::AttributedWindow;
use crate::attribution::doubt::length;
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

    /// The standard error in µJ of what threads used at stacks, of which these are all; `None` where a
    /// stack has no part in what is known of its thread.
    pub fn errors(&self, used: &[(ThreadId, Option<StackId>, Microjoules)]) -> Vec<Option<f64>> {
        let keys = |thread: ThreadId, stack: Option<StackId>| {
            let fits = self.regression.by_domain.iter();
            let fits = fits.filter(|(domain, _)| self.domains.contains(domain));
            fits.filter_map(move |(domain, fit)| {
                let place = self.regression.place(fit, thread, Some(stack?));
                Some((thread, *domain, place))
            })
        };
        let mut energies: FxHashMap<Key, u64> = FxHashMap::default();
        for (thread, stack, energy) in used {
            for key in keys(*thread, *stack) {
                *energies.entry(key).or_default() += energy.get();
            }
        }
        let lengths: FxHashMap<Key, f64> =
            self.sums.iter().map(|(key, sum)| (*key, length(sum))).collect();
        let error = |(thread, stack, energy): &(ThreadId, Option<StackId>, Microjoules)| {
            let mut known = false;
            let mut variance = 0.0;
            for key in keys(*thread, *stack) {
                let (Some(length), Some(all)) = (lengths.get(&key), energies.get(&key)) else {
                    continue;
                };
                known = true;
                if *all > 0 {
                    let part = energy.joules().get() / Microjoules::new(*all).joules().get();
                    variance += (length * part).powi(2);
                }
            }
            known.then(|| variance.sqrt())
        };
        used.iter().map(error).collect()
    }
}
