//! How busy CPUs were in a window.

use super::{DomainId, Residency, ThreadId, Topology};
use crate::units::Nanoseconds;

/// How long threads ran on each CPU in a window.
#[derive(Clone, Debug)]
pub struct BusyCpus<'a> {
    topology: &'a Topology,
    /// By CPU number; `None` where nothing tells.
    busy: Vec<Option<Nanoseconds>>,
    /// Whether something ran on a CPU of unknown place.
    elsewhere: bool,
}

impl<'a> BusyCpus<'a> {
    /// Of a window in which `ran` is all that ran, with the idle task.
    pub fn new(topology: &'a Topology, ran: &[Residency]) -> Self {
        let mut busy: Vec<Option<Nanoseconds>> = Vec::new();
        for row in ran {
            let cpu = usize::from(row.cpu);
            busy.resize(busy.len().max(cpu + 1), None);
            let sum = busy[cpu].get_or_insert(Nanoseconds::ZERO);
            if row.thread != ThreadId::IDLE {
                *sum += row.oncpu;
            }
        }
        let told = busy.iter().filter(|busy| busy.is_some()).count();
        let of_known = topology.cpus.keys().filter_map(|cpu| *busy.get(usize::from(*cpu))?);
        let elsewhere = of_known.count() < told;
        Self { topology, busy, elsewhere }
    }

    /// On one CPU, as far as anything tells.
    pub fn on(&self, cpu: u16) -> Nanoseconds {
        self.told(cpu).unwrap_or_default()
    }

    /// On all CPUs that feed `domain`; `None` where nothing tells of one of them, or where one of unknown place
    /// may be of them.
    pub fn feeding(&self, domain: DomainId) -> Option<Nanoseconds> {
        if self.elsewhere || !domain.domain.is_fed_by_cpus() {
            return None;
        }
        let feeders = self.topology.cpus.keys().filter(|cpu| self.topology.feeds(**cpu, domain));
        feeders
            .map(|cpu| self.told(*cpu))
            .try_fold(Nanoseconds::ZERO, |sum, busy| Some(sum + busy?))
    }

    fn told(&self, cpu: u16) -> Option<Nanoseconds> {
        self.busy.get(usize::from(cpu)).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CpuPlace, Domain};

    const PACKAGES: [DomainId; 2] =
        [DomainId::of_socket(Domain::Package, 0), DomainId::of_socket(Domain::Package, 1)];

    fn topology() -> Topology {
        let place = |socket| CpuPlace { socket, ..CpuPlace::default() };
        Topology { cpus: [(0, place(0)), (1, place(0)), (3, place(1))].into() }
    }

    fn ran(rows: &[(u32, u16, u64)]) -> Vec<Residency> {
        let row = |&(thread, cpu, milliseconds)| Residency {
            window: 0,
            thread: ThreadId(thread),
            cpu,
            oncpu: Nanoseconds::from_millis(milliseconds),
            switches: 0,
        };
        rows.iter().map(row).collect()
    }

    fn feeding(rows: &[(u32, u16, u64)]) -> [Option<u64>; 2] {
        let topology = topology();
        let busy = BusyCpus::new(&topology, &ran(rows));
        PACKAGES.map(|domain| busy.feeding(domain).map(|busy| busy.get() / 1_000_000))
    }

    #[test]
    fn the_idle_task_is_not_busy_and_lost_time_is() {
        let idle = ThreadId::IDLE.0;
        let lost = ThreadId::LOST.0;
        let rows = [(2, 0, 30), (idle, 0, 70), (7, 1, 10), (lost, 1, 5), (idle, 3, 100)];
        assert_eq!(feeding(&rows), [Some(45), Some(0)]);
    }

    #[test]
    fn where_nothing_tells_of_a_cpu_it_is_not_known() {
        assert_eq!(feeding(&[(2, 0, 30), (2, 3, 1)]), [None, Some(1)]);
        assert_eq!(feeding(&[]), [None, None]);
    }

    #[test]
    fn a_cpu_of_unknown_place_may_be_of_any_socket() {
        assert_eq!(feeding(&[(2, 0, 30), (2, 1, 1), (2, 3, 1), (3, 2, 1)]), [None, None]);
        assert_eq!(feeding(&[(2, 0, 30), (2, 1, 1), (2, 3, 1), (3, 9, 1)]), [None, None]);
    }

    #[test]
    fn a_card_is_fed_by_no_cpu() {
        let topology = topology();
        let busy = BusyCpus::new(&topology, &ran(&[(2, 0, 1), (2, 1, 1), (2, 3, 1)]));
        assert_eq!(busy.feeding(DomainId::of_socket(Domain::Gpu, 0)), None);
        assert_eq!((busy.on(3).get(), busy.on(9).get()), (1_000_000, 0));
    }
}
