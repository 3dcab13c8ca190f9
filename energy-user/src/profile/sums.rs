//! What has been added up of each thread so far, found quickly: every row of residency and every
//! charge of a recording is added to one of these.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::account::{Charge, ThreadAccount};
use super::exact_errors::ExactErrors;
use super::uncertainty::ErrorSum;
use crate::attribution;
use crate::model::{DomainId, ThreadId};
use crate::units::{Microjoules, Nanoseconds};

/// The sums of all threads.
#[derive(Debug, Default)]
pub(super) struct ThreadSums {
    places: Places,
    /// By place; some of the last may be missing.
    ran: Vec<Ran>,
    /// The same for each domain, of which there are a few at most.
    charges: Vec<(DomainId, OfDomain)>,
}

/// How much a thread ran.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ran {
    /// How long.
    pub(super) oncpu: Nanoseconds,
    /// How often it was switched out.
    pub(super) switches: u64,
}

/// What has been added up of one thread and domain: a line of the CPU's cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub(super) struct ChargeSum {
    pub(super) energy: Microjoules,
    /// Whether anything was added, which may have been nothing.
    is_charged: bool,
    /// Its errors, but for the model's.
    pub(super) error: ExactErrors,
}

/// What has been added up of one domain.
#[derive(Debug, Default)]
struct OfDomain {
    /// By place; some of the last may be missing.
    sums: Vec<ChargeSum>,
    /// How far each moves with each cause of the model's doubt, in µJ; none where no model has any.
    doubts: Vec<Vec<f64>>,
}

impl ThreadSums {
    /// How much `thread` ran; nothing so far where it is new.
    #[inline]
    pub(super) fn ran(&mut self, thread: ThreadId) -> &mut Ran {
        at(&mut self.ran, self.places.of(thread))
    }

    /// What is charged of `domain`.
    pub(super) fn charges(&mut self, domain: DomainId) -> ChargeSums<'_> {
        let found = self.charges.iter().position(|(known, _)| *known == domain);
        let index = found.unwrap_or_else(|| {
            self.charges.push((domain, OfDomain::default()));
            self.charges.len() - 1
        });
        ChargeSums { places: &mut self.places, of: &mut self.charges[index].1 }
    }

    /// Adds what others add up to.
    pub(super) fn extend(&mut self, others: Self) {
        for (thread, ran) in others.places.threads.iter().zip(&others.ran) {
            let sum = self.ran(*thread);
            sum.oncpu += ran.oncpu;
            sum.switches += ran.switches;
        }
        for (domain, of_others) in others.charges {
            let mut charges = self.charges(domain);
            for (thread, of_other) in others.places.threads.iter().zip(of_others.sums) {
                if !of_other.is_charged {
                    continue;
                }
                let sum = charges.of(*thread);
                sum.energy += of_other.energy;
                sum.error.extend(of_other.error);
            }
            for (thread, doubt) in others.places.threads.iter().zip(&of_others.doubts) {
                charges.add_doubt(*thread, doubt);
            }
        }
    }

    /// The sums as accounts, whose owners are still to be named.
    pub(super) fn into_accounts(self) -> BTreeMap<ThreadId, ThreadAccount> {
        let mut accounts = vec![ThreadAccount::default(); self.places.threads.len()];
        for (account, ran) in accounts.iter_mut().zip(self.ran) {
            (account.oncpu, account.switches) = (ran.oncpu, ran.switches);
        }
        for (domain, OfDomain { sums, doubts }) in self.charges {
            for (place, (account, sum)) in accounts.iter_mut().zip(sums).enumerate() {
                if !sum.is_charged {
                    continue;
                }
                let (energy, mut error) = (sum.energy, ErrorSum::from(&sum.error));
                let deviation = doubts.get(place).map_or(0.0, |doubt| attribution::length(doubt));
                error.set_model(deviation);
                account.charges.insert(domain, Charge { energy, error });
            }
        }
        self.places.threads.into_iter().zip(accounts).collect()
    }
}

/// The sums of one domain.
#[derive(Debug)]
pub(super) struct ChargeSums<'a> {
    places: &'a mut Places,
    of: &'a mut OfDomain,
}

impl ChargeSums<'_> {
    /// Of `thread`; nothing so far where it is new.
    #[inline]
    pub(super) fn of(&mut self, thread: ThreadId) -> &mut ChargeSum {
        let sum = at(&mut self.of.sums, self.places.of(thread));
        sum.is_charged = true;
        sum
    }

    /// Adds the model's doubt about one charge of `thread`.
    pub(super) fn add_doubt(&mut self, thread: ThreadId, doubt: &[f64]) {
        if doubt.is_empty() {
            return;
        }
        let sums = at(&mut self.of.doubts, self.places.of(thread));
        if sums.len() < doubt.len() {
            sums.resize(doubt.len(), 0.0);
        }
        sums.iter_mut().zip(doubt).for_each(|(sum, moved)| *sum += moved);
    }
}

/// What is at a place, which may be the first to be asked for so far out.
#[inline]
fn at<T: Clone + Default>(all: &mut Vec<T>, place: usize) -> &mut T {
    if place >= all.len() {
        reach(all, place);
    }
    &mut all[place]
}

#[cold]
fn reach<T: Clone + Default>(all: &mut Vec<T>, place: usize) {
    all.resize(place + 1, T::default());
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
    #[inline]
    fn of(&mut self, thread: ThreadId) -> usize {
        match self.low.get(thread.0 as usize) {
            Some(Some(place)) => *place as usize,
            _ => self.of_high_or_new(thread),
        }
    }

    #[cold]
    fn of_high_or_new(&mut self, thread: ThreadId) -> usize {
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

    /// No recording has so many threads.
    const FAR: u32 = u32::MAX;

    #[test]
    fn a_sum_is_a_line_of_the_cache() {
        assert_eq!(size_of::<ChargeSum>(), 64);
    }

    #[test]
    fn sums_of_some_and_of_others_make_the_sum_of_all() {
        let package = DomainId::of_socket(Domain::Package, 0);
        let dram = DomainId::of_socket(Domain::Dram, 0);
        let added = [(7, dram, 1), (2, package, 2), (7, package, 4), (9, dram, 8), (FAR, dram, 16)];
        let sum = |of: &[(u32, DomainId, u32)]| {
            let mut sums = ThreadSums::default();
            for (thread, domain, energy) in of {
                let thread = ThreadId(*thread);
                sums.ran(thread).oncpu += Nanoseconds::new(u64::from(*energy));
                let mut charges = sums.charges(*domain);
                charges.of(thread).energy += Microjoules::new(u64::from(*energy));
                charges.add_doubt(thread, &[f64::from(*energy), 1.0]);
            }
            sums
        };
        for parted_at in 0..=added.len() {
            let mut parts = sum(&added[..parted_at]);
            parts.extend(sum(&added[parted_at..]));
            assert_eq!(parts.into_accounts(), sum(&added).into_accounts());
        }
    }

    #[test]
    fn what_is_added_in_any_order_is_found_in_the_account() {
        let package = DomainId::of_socket(Domain::Package, 0);
        let dram = DomainId::of_socket(Domain::Dram, 0);
        let mut sums = ThreadSums::default();
        for (thread, domain, energy) in
            [(7, dram, 1), (2, package, 2), (7, package, 4), (7, dram, 8), (FAR, dram, 16)]
        {
            sums.charges(domain).of(ThreadId(thread)).energy += Microjoules::new(energy);
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
