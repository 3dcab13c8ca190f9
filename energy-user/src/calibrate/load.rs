//! A load that is known: so many CPUs kept busy, each by a thread that stays on it.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::model::Topology;

/// Up to here every number of busy CPUs is measured; above, each twice the one before, and all.
const EACH_UP_TO: usize = 8;

/// Threads that keep CPUs busy until this is dropped.
pub(super) struct BusyCpus {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl BusyCpus {
    /// Starts one thread on each of `cpus`.
    pub(super) fn start(cpus: &[u16]) -> io::Result<Self> {
        let mut busy = Self { stop: Arc::default(), threads: Vec::new() };
        for cpu in cpus.iter().copied() {
            let stop = Arc::clone(&busy.stop);
            let thread = std::thread::Builder::new().name(format!("calibrate-{cpu}"));
            busy.threads.push(thread.spawn(move || {
                let mut only = CpuSet::new();
                // A CPU that may not be used, or went offline, is left to the scheduler: how busy the
                // machine really was is measured besides.
                if only.set(usize::from(cpu)).is_ok() {
                    let _ = sched_setaffinity(Pid::from_raw(0), &only);
                }
                let mut number = u64::from(cpu) + 1;
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..1000 {
                        // Integer arithmetic, as in xorshift: work of an ordinary kind.
                        number ^= number << 13;
                        number ^= number >> 7;
                        number ^= number << 17;
                        number = black_box(number);
                    }
                }
            })?);
        }
        Ok(busy)
    }
}

impl Drop for BusyCpus {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // They do nothing that could panic.
            let _ = thread.join();
        }
    }
}

/// Which CPUs are kept busy in each step: one more each time, of those that this process may use.
pub(super) fn steps(topology: &Topology) -> Vec<Vec<u16>> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).ok();
    let may_use = |cpu: &u16| {
        allowed.is_none_or(|allowed| allowed.is_set(usize::from(*cpu)).unwrap_or(false))
    };
    let order: Vec<u16> = one_of_each_core_first(topology).into_iter().filter(may_use).collect();
    let cores = cores_of(&order, topology);
    counts(order.len(), cores).into_iter().map(|count| order[..count].to_vec()).collect()
}

/// How many cores these CPUs are of.
fn cores_of(cpus: &[u16], topology: &Topology) -> usize {
    let places: BTreeSet<_> = cpus.iter().filter_map(|cpu| topology.cpus.get(cpu)).collect();
    places.len()
}

/// 1 to 8, then 16, 32, …, one of each core, and all of them.
fn counts(cpus: usize, cores: usize) -> Vec<usize> {
    let each = 1..=EACH_UP_TO;
    let doubled = std::iter::successors(Some(2 * EACH_UP_TO), |count| count.checked_mul(2));
    let mut counts: Vec<usize> = each.chain(doubled).take_while(|count| *count < cpus).collect();
    counts.extend([cores, cpus].into_iter().filter(|count| *count > 0));
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// A core that gets its second thread draws only a little more, so those come after all first ones.
fn one_of_each_core_first(topology: &Topology) -> Vec<u16> {
    let mut seen = std::collections::BTreeMap::new();
    let mut order: Vec<(u32, u16)> = Vec::new();
    for (cpu, place) in &topology.cpus {
        let siblings: &mut u32 = seen.entry((place.socket, place.die, place.core)).or_default();
        order.push((*siblings, *cpu));
        *siblings += 1;
    }
    order.sort_unstable();
    order.into_iter().map(|(_, cpu)| cpu).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CpuPlace;

    #[test]
    fn few_cpus_are_counted_one_by_one_and_many_by_doubling() {
        assert_eq!(counts(0, 0), [0; 0]);
        assert_eq!(counts(2, 2), [1, 2]);
        assert_eq!(counts(9, 9), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(counts(96, 48), [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 48, 64, 96]);
    }

    #[test]
    fn second_threads_of_a_core_come_last() {
        let place = |core| CpuPlace { socket: 0, die: 0, core };
        let cpus = [(0, place(0)), (1, place(0)), (2, place(1)), (3, place(1))];
        assert_eq!(one_of_each_core_first(&Topology { cpus: cpus.into() }), [0, 2, 1, 3]);
    }

    #[test]
    fn busy_threads_end_when_they_are_dropped() {
        drop(BusyCpus::start(&[0]).unwrap());
    }
}
