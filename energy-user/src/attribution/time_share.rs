//! The model `time`: a thread's share of the active energy is its share of the on-CPU time.
//! It knows nothing of what a thread computes, of SMT siblings or of frequency; docs/attribution.md
//! says how far that can be off.

use super::Model;
use crate::model::{DomainId, Residency, ThreadId};

/// Active energy in proportion to nanoseconds on the CPUs that feed the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeShare;

impl Model for TimeShare {
    fn weights(&self, _domain: DomainId, ran: &[Residency]) -> Vec<(ThreadId, u64)> {
        let mut weights: Vec<(ThreadId, u64)> = Vec::with_capacity(ran.len());
        for residency in ran {
            let nanoseconds = residency.oncpu.get();
            match weights.last_mut() {
                Some((thread, weight)) if *thread == residency.thread => {
                    *weight = weight.saturating_add(nanoseconds);
                }
                _ => weights.push((residency.thread, nanoseconds)),
            }
        }
        weights
    }

    fn weighs_alike(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain;
    use crate::units::Nanoseconds;

    const PACKAGE: DomainId = DomainId::of_socket(Domain::Package, 0);

    #[test]
    fn a_thread_that_ran_on_two_cpus_weighs_both() {
        let on = |thread, cpu, milliseconds| Residency {
            window: 0,
            thread: ThreadId(thread),
            cpu,
            oncpu: Nanoseconds::from_millis(milliseconds),
            switches: 1,
        };
        assert_eq!(
            TimeShare.weights(PACKAGE, &[on(2, 0, 30), on(2, 1, 10), on(3, 0, 70)]),
            [(ThreadId(2), 40_000_000), (ThreadId(3), 70_000_000)]
        );
    }
}
