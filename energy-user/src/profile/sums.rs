//! What has been added up of each thread so far, found quickly: every row of residency and every
//! charge of a recording is added to one of these.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::account::{Charge, ThreadAccount};
use crate::attribution;
use crate::model::{DomainId, ThreadId};
use crate::units::Nanoseconds;

/// The sums of all threads.
#[derive(Debug, Default)]
pub(super) struct ThreadSums {
    by_thread: HashMap<ThreadId, ThreadSum, BuildHasherDefault<ThreadHasher>>,
}

/// The sums of one thread.
#[derive(Debug, Default)]
pub(super) struct ThreadSum {
    /// How long it ran.
    pub(super) oncpu: Nanoseconds,
    /// How often it was switched out.
    pub(super) switches: u64,
    /// Its energy. There are a few domains at most, so looking through them is quickest.
    charges: Vec<(DomainId, ChargeSum)>,
}

/// What has been added up of one thread and domain.
#[derive(Debug, Default)]
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
    /// The sums of `thread`; nothing so far where it is new.
    pub(super) fn of(&mut self, thread: ThreadId) -> &mut ThreadSum {
        self.by_thread.entry(thread).or_default()
    }

    /// The sums as accounts, whose owners are still to be named.
    pub(super) fn into_accounts(self) -> BTreeMap<ThreadId, ThreadAccount> {
        let account = |sum: ThreadSum| ThreadAccount {
            oncpu: sum.oncpu,
            switches: sum.switches,
            charges: sum.charges.into_iter().map(|(id, sum)| (id, sum.finish())).collect(),
            ..ThreadAccount::default()
        };
        self.by_thread.into_iter().map(|(thread, sum)| (thread, account(sum))).collect()
    }
}

impl ThreadSum {
    /// The energy of `domain`; nothing so far where it is new.
    pub(super) fn charge(&mut self, domain: DomainId) -> &mut ChargeSum {
        let found = self.charges.iter().position(|(known, _)| *known == domain);
        let index = found.unwrap_or_else(|| {
            self.charges.push((domain, ChargeSum::default()));
            self.charges.len() - 1
        });
        &mut self.charges[index].1
    }
}

/// Spreads ids that count up from 2 over all bits, by the golden ratio. Nobody gains from a trace
/// whose ids collide: reading it would take long, and that is all.
/// Reference: Knuth, The Art of Computer Programming, volume 3, section 6.4.
#[derive(Debug, Default)]
struct ThreadHasher(u64);

impl Hasher for ThreadHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain;
    use crate::units::Microjoules;

    #[test]
    fn what_is_added_in_any_order_is_found_in_the_account() {
        let package = DomainId::of_socket(Domain::Package, 0);
        let dram = DomainId::of_socket(Domain::Dram, 0);
        let mut sums = ThreadSums::default();
        for (thread, domain, energy) in
            [(7, dram, 1), (2, package, 2), (7, package, 4), (7, dram, 8)]
        {
            sums.of(ThreadId(thread)).charge(domain).of.energy += Microjoules::new(energy);
            sums.of(ThreadId(thread)).switches += 1;
        }
        let accounts = sums.into_accounts();
        let energy = |thread, domain| accounts[&ThreadId(thread)].charges[&domain].energy.get();
        assert_eq!((energy(7, dram), energy(7, package), energy(2, package)), (9, 4, 2));
        assert_eq!(accounts[&ThreadId(7)].switches, 3);
        assert_eq!(accounts.len(), 2);
    }
}
