//! The model `cycles`: a thread's share of the active energy is its share of the cycles that were counted while it
//! ran, and of memory's its share of the last cache's misses. Cycles follow the clock's frequency, and two
//! threads on one core get fewer each; what an instruction draws they do not tell.

use super::Model;
use super::time_share::TimeShare;
use crate::model::{Counted, Domain, DomainId, HardwareCounter, Residency, ThreadId};

/// What was counted in the window that is divided.
#[derive(Clone, Copy, Debug)]
pub struct Cycles<'a> {
    /// Ascending by thread and CPU.
    counts: &'a [Counted],
}

impl<'a> Cycles<'a> {
    /// By these counts of one window, ascending by thread and CPU.
    pub const fn new(counts: &'a [Counted]) -> Self {
        Self { counts }
    }

    fn count(&self, row: &Residency, counter: HardwareCounter) -> Option<u64> {
        let at = |counted: &Counted| (counted.thread, counted.cpu);
        let found = self.counts.binary_search_by_key(&(row.thread, row.cpu), at);
        self.counts[found.ok()?].of(counter)
    }

    /// What a domain's energy follows.
    const fn counter(domain: DomainId) -> HardwareCounter {
        match domain.domain {
            Domain::Dram => HardwareCounter::LlcMisses,
            _ => HardwareCounter::Cycles,
        }
    }
}

impl Model for Cycles<'_> {
    /// Time of which the count is unknown weighs as the rest does in the mean. Where nothing is known, all is by
    /// time.
    fn weights(&self, domain: DomainId, ran: &[Residency]) -> Vec<(ThreadId, u64)> {
        let counter = Self::counter(domain);
        let counts: Vec<Option<u64>> = ran.iter().map(|row| self.count(row, counter)).collect();
        let known = ran.iter().zip(&counts).filter_map(|(row, count)| Some((row, (*count)?)));
        let (mut counted, mut lasted) = (0_u128, 0_u128);
        for (row, count) in known {
            counted += u128::from(count);
            lasted += u128::from(row.oncpu.get());
        }
        if counted == 0 || lasted == 0 {
            return TimeShare.weights(domain, ran);
        }
        let usual = |row: &Residency| {
            u64::try_from(u128::from(row.oncpu.get()) * counted / lasted).unwrap_or(u64::MAX)
        };
        let mut weights: Vec<(ThreadId, u64)> = Vec::new();
        for (row, count) in ran.iter().zip(counts) {
            let weight = count.unwrap_or_else(|| usual(row));
            match weights.last_mut() {
                Some((thread, sum)) if *thread == row.thread => *sum = sum.saturating_add(weight),
                _ => weights.push((row.thread, weight)),
            }
        }
        // Who ran is not free, however little was counted.
        for (_, weight) in &mut weights {
            *weight = (*weight).max(1);
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanoseconds;

    const PACKAGE: DomainId = DomainId::of_socket(Domain::Package, 0);
    const DRAM: DomainId = DomainId::of_socket(Domain::Dram, 0);

    fn ran(thread: u32, cpu: u16, milliseconds: u64) -> Residency {
        Residency {
            window: 0,
            thread: ThreadId(thread),
            cpu,
            oncpu: Nanoseconds::from_millis(milliseconds),
            switches: 1,
        }
    }

    const fn counted(thread: u32, cpu: u16, cycles: Option<u64>, misses: Option<u64>) -> Counted {
        Counted { window: 0, thread: ThreadId(thread), cpu, counts: [cycles, None, misses] }
    }

    fn weights(counts: &[Counted], domain: DomainId, ran: &[Residency]) -> Vec<u64> {
        Cycles::new(counts).weights(domain, ran).into_iter().map(|(_, weight)| weight).collect()
    }

    #[test]
    fn a_thread_weighs_its_cycles_and_on_memory_its_misses() {
        let rows = [ran(2, 0, 50), ran(2, 1, 50), ran(3, 1, 50)];
        let counts = [
            counted(2, 0, Some(100), Some(7)),
            counted(2, 1, Some(30), Some(0)),
            counted(3, 1, Some(200), Some(5)),
        ];
        assert_eq!(weights(&counts, PACKAGE, &rows), [130, 200]);
        assert_eq!(weights(&counts, DRAM, &rows), [7, 5]);
    }

    #[test]
    fn time_of_unknown_count_weighs_as_the_rest_in_the_mean() {
        let rows = [ran(1, 0, 10), ran(2, 0, 50), ran(3, 0, 30), ran(4, 0, 1)];
        let counts = [
            counted(2, 0, Some(50_000), None),
            counted(3, 0, None, None),
            counted(4, 0, Some(0), None),
        ];
        // 50,000 cycles in 51 ms: 980 for each, rounded down; and something for who ran.
        assert_eq!(weights(&counts, PACKAGE, &rows), [9_803, 50_000, 29_411, 1]);
    }

    #[test]
    fn where_nothing_was_counted_all_is_by_time() {
        let rows = [ran(2, 0, 50), ran(3, 0, 30)];
        let counts = [counted(2, 0, Some(50_000), None), counted(3, 0, Some(9), None)];
        assert_eq!(weights(&counts, DRAM, &rows), [50_000_000, 30_000_000]);
        assert_eq!(weights(&[], PACKAGE, &rows), [50_000_000, 30_000_000]);
    }
}
