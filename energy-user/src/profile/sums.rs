//! What has been added up of each thread so far, found quickly: every row of residency and every
//! charge of a recording is added to one of these.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::account::{Charge, ThreadAccount};
use crate::attribution;
use crate::model::{DomainId, ThreadId};
use crate::units::Nanoseconds;

/// The sums of all threads.
#[derive(Debug, Default)]
pub(super) struct ThreadSums {
    places: Places,
    /// By place; some of the last may be missing.
    ran: Vec<Ran>,
    /// The same for each domain, of which there are a few at most; `None` where a thread was charged with nothing.
    charges: Vec<(DomainId, Vec<Option<ChargeSum>>)>,
}

/// How much a thread ran.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ran {
    /// How long.
    pub(super) oncpu: Nanoseconds,
    /// How often it was switched out.
    pub(super) switches: u64,
}

/// What has been added up of one thread and domain.
#[derive(Clone, Debug, Default)]
pub(super) struct ChargeSum {
    /// The energy, with its errors but for the model's.
    pub(super) of: Charge,
    /// How far it moves with each cause of the model's doubt, in µJ.
    doubt: Vec<f64>,
}

impl ChargeSum {
    /// Adds the model's doubt about one charge.
    pub(super) fn add_doubt(&mut self, doubt: &[f64]) {
        if self.doubt.len() < doubt.len() {
            self.doubt.resize(doubt.len(), 0.0);
        }
        self.doubt.iter_mut().zip(doubt).for_each(|(sum, moved)| *sum += moved);
    }

    fn finish(self) -> Charge {
        let mut charge = self.of;
        let deviation = attribution::length(&self.doubt);
        charge.error.set_model(deviation, deviation);
        charge
    }
}

impl ThreadSums {
    /// How much `thread` ran; nothing so far where it is new.
    pub(super) fn ran(&mut self, thread: ThreadId) -> &mut Ran {
        at(&mut self.ran, self.places.of(thread))
    }

    /// What is charged of `domain`.
    pub(super) fn charges(&mut self, domain: DomainId) -> ChargeSums<'_> {
        let found = self.charges.iter().position(|(known, _)| *known == domain);
        let index = found.unwrap_or_else(|| {
            self.charges.push((domain, Vec::new()));
            self.charges.len() - 1
        });
        ChargeSums { places: &mut self.places, sums: &mut self.charges[index].1 }
    }

    /// The sums as accounts, whose owners are still to be named.
    pub(super) fn into_accounts(self) -> BTreeMap<ThreadId, ThreadAccount> {
        let mut accounts = vec![ThreadAccount::default(); self.places.threads.len()];
        for (account, ran) in accounts.iter_mut().zip(self.ran) {
            (account.oncpu, account.switches) = (ran.oncpu, ran.switches);
        }
        for (domain, sums) in self.charges {
            for (account, sum) in accounts.iter_mut().zip(sums) {
                account.charges.extend(sum.map(|sum| (domain, sum.finish())));
            }
        }
        self.places.threads.into_iter().zip(accounts).collect()
    }
}

/// The sums of one domain.
#[derive(Debug)]
pub(super) struct ChargeSums<'a> {
    places: &'a mut Places,
    sums: &'a mut Vec<Option<ChargeSum>>,
}

impl ChargeSums<'_> {
    /// Of `thread`; nothing so far where it is new.
    pub(super) fn of(&mut self, thread: ThreadId) -> &mut ChargeSum {
        at(self.sums, self.places.of(thread)).get_or_insert_default()
    }
}

/// What is at a place, which may be the first to be asked for so far out.
fn at<T: Clone + Default>(all: &mut Vec<T>, place: usize) -> &mut T {
    if place >= all.len() {
        all.resize(place + 1, T::default());
    }
    &mut all[place]
}

/// Where each thread's sums are: threads that follow each other lie beside each other, as they come in order.
#[derive(Debug, Default)]
struct Places {
    /// By number, of threads whose numbers are low.
    low: Vec<Option<u32>>,
    /// Of all others: numbers count up from 2, but a damaged trace may have any.
    high: FxHashMap<ThreadId, Option<u32>>,
    /// The thread at each place.
    threads: Vec<ThreadId>,
}

/// Numbers below this are low: a table of them takes 32 MiB at most.
const LOW: usize = 1 << 22;

impl Places {
    fn of(&mut self, thread: ThreadId) -> usize {
        let number = thread.0 as usize;
        let place = if number < LOW {
            at(&mut self.low, number)
        } else {
            self.high.entry(thread).or_default()
        };
        let place = *place.get_or_insert_with(|| {
            self.threads.push(thread);
            u32::try_from(self.threads.len() - 1).expect("as many as there are numbers")
        });
        place as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain;
    use crate::units::Microjoules;

    /// No recording has so many threads.
    const FAR: u32 = u32::MAX;

    #[test]
    fn what_is_added_in_any_order_is_found_in_the_account() {
        let package = DomainId::of_socket(Domain::Package, 0);
        let dram = DomainId::of_socket(Domain::Dram, 0);
        let mut sums = ThreadSums::default();
        for (thread, domain, energy) in
            [(7, dram, 1), (2, package, 2), (7, package, 4), (7, dram, 8), (FAR, dram, 16)]
        {
            sums.charges(domain).of(ThreadId(thread)).of.energy += Microjoules::new(energy);
            sums.ran(ThreadId(thread)).switches += 1;
        }
        let accounts = sums.into_accounts();
        let energy = |thread, domain| accounts[&ThreadId(thread)].charges[&domain].energy.get();
        assert_eq!((energy(7, dram), energy(7, package), energy(2, package)), (9, 4, 2));
        assert_eq!(energy(FAR, dram), 16);
        assert!(
            !accounts[&ThreadId(2)].charges.contains_key(&dram),
            "nothing is not a charge of 0"
        );
        assert_eq!(accounts[&ThreadId(7)].switches, 3);
        assert_eq!(accounts.len(), 3);
    }
}
