//! SMT: two CPUs of one core that are busy at once draw little more than one of them alone, so that a CPU second
//! beside a busy sibling is worth less than one on a core of its own.
//!
//! Residency does not tell when in a window siblings ran together. It is taken to be as often as chance has it:
//! a sibling that was busy for half of the window was so for half of a thread's time.

use std::collections::BTreeMap;
use std::str::FromStr;

use thiserror::Error;

use crate::model::{CpuPlace, Residency, ThreadId, Topology};
use crate::units::Nanoseconds;

/// One, in parts of a factor.
const ONE: u64 = 1 << 16;

/// What a CPU second beside a busy sibling draws, as part of one that has its core alone: from a half, where
/// both together draw what one does, to one, where siblings do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmtFactor {
    parts: u64,
}

/// A number that is no such factor.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{text:?} is not what a CPU second beside a busy sibling draws as part of one alone: expected a number from 0.5 to 1"
)]
pub struct ParseSmtFactorError {
    text: String,
}

impl SmtFactor {
    /// From 0.5 to 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "17 bits"
    )]
    pub fn new(factor: f64) -> Option<Self> {
        let parts = (factor * ONE as f64).round() as u64;
        (0.5..=1.0).contains(&factor).then_some(Self { parts })
    }

    /// The factor.
    #[expect(clippy::cast_precision_loss, reason = "17 bits")]
    pub fn get(self) -> f64 {
        self.parts as f64 / ONE as f64
    }

    /// Who ran in a window of this length, with their time in CPU seconds of cores they had alone; the idle task's
    /// time and that on CPUs of unknown place stays as it is.
    pub fn weighed(
        self,
        length: Nanoseconds,
        residency: &[Residency],
        cores: &SharedCores,
    ) -> Vec<Residency> {
        let beside = cores.beside(length, residency);
        let weigh = |row: &Residency| {
            let together = u128::from(beside.on(row.cpu).get());
            let less = u128::from(ONE - self.parts) * together;
            let whole = u128::from(ONE) * u128::from(length.get().max(1));
            let weight = u128::from(row.oncpu.get()) * (whole - less) / whole;
            // Who ran is not free.
            let weight = u64::try_from(weight).unwrap_or(u64::MAX).max(row.oncpu.get().min(1));
            Residency { oncpu: Nanoseconds::new(weight), ..*row }
        };
        let is_idle = |row: &Residency| row.thread == ThreadId::IDLE;
        residency.iter().map(|row| if is_idle(row) { *row } else { weigh(row) }).collect()
    }
}

/// Which CPUs share a core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedCores {
    /// The siblings of each CPU.
    siblings: Vec<Vec<u16>>,
}

/// For how long the busiest sibling of each CPU was busy in a window.
pub(super) struct Beside {
    length: Nanoseconds,
    by_cpu: Vec<u64>,
}

impl SharedCores {
    /// As CPUs are placed.
    pub fn of(topology: &Topology) -> Self {
        let mut cores: BTreeMap<&CpuPlace, Vec<u16>> = BTreeMap::new();
        for (cpu, place) in &topology.cpus {
            cores.entry(place).or_default().push(*cpu);
        }
        let cpus = topology.cpus.keys().next_back().map_or(0, |last| usize::from(*last) + 1);
        let mut siblings = vec![Vec::new(); cpus];
        for core in cores.values() {
            for cpu in core {
                let others = core.iter().filter(|sibling| *sibling != cpu);
                siblings[usize::from(*cpu)] = others.copied().collect();
            }
        }
        Self { siblings }
    }

    /// Who was beside whom in a window of this length, in which these ran.
    pub(super) fn beside(&self, length: Nanoseconds, residency: &[Residency]) -> Beside {
        let mut busy = vec![0_u64; self.siblings.len()];
        for row in residency.iter().filter(|row| row.thread != ThreadId::IDLE) {
            if let Some(sum) = busy.get_mut(usize::from(row.cpu)) {
                *sum += row.oncpu.get();
            }
        }
        let busiest = |siblings: &Vec<u16>| {
            let busy = siblings.iter().map(|sibling| busy[usize::from(*sibling)]);
            busy.max().unwrap_or_default()
        };
        Beside { length, by_cpu: self.siblings.iter().map(busiest).collect() }
    }
}

impl Beside {
    /// Beside this CPU; nothing where its place is unknown.
    pub(super) fn on(&self, cpu: u16) -> Nanoseconds {
        let together = self.by_cpu.get(usize::from(cpu)).copied().unwrap_or_default();
        Nanoseconds::new(together.min(self.length.get()))
    }
}

impl FromStr for SmtFactor {
    type Err = ParseSmtFactorError;
    fn from_str(text: &str) -> Result<Self, ParseSmtFactorError> {
        let factor = text.parse().ok().and_then(Self::new);
        factor.ok_or_else(|| ParseSmtFactorError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two cores: CPUs 0 and 2, and 1 and 3.
    fn topology() -> Topology {
        let place = |cpu| (cpu, CpuPlace { socket: 0, die: 0, core: cpu % 2 });
        Topology { cpus: (0..4).map(place).collect() }
    }

    fn ran(thread: u32, cpu: u16, milliseconds: u64) -> Residency {
        Residency {
            window: 0,
            thread: ThreadId(thread),
            cpu,
            oncpu: Nanoseconds::from_millis(milliseconds),
            switches: 1,
        }
    }

    fn weighed(factor: &str, rows: &[Residency]) -> Vec<u64> {
        let factor: SmtFactor = factor.parse().unwrap();
        let rows =
            factor.weighed(Nanoseconds::from_millis(100), rows, &SharedCores::of(&topology()));
        rows.iter().map(|row| row.oncpu.get() / 10_000).collect()
    }

    #[test]
    fn time_beside_a_busy_sibling_counts_less() {
        let rows = [ran(2, 0, 100), ran(3, 2, 100), ran(4, 1, 50)];
        assert_eq!(weighed("0.625", &rows), [6_250, 6_250, 5_000], "thread 4 has its core alone");
        assert_eq!(weighed("1", &rows), [10_000, 10_000, 5_000]);
    }

    #[test]
    fn a_sibling_that_was_busy_for_a_part_counts_for_that_part() {
        let rows = [ran(2, 0, 100), ran(3, 2, 40), ran(0, 2, 60)];
        // Beside thread 3 for 40 of 100 ms; thread 3 always beside thread 2.
        assert_eq!(weighed("0.5", &rows), [8_000, 2_000, 6_000]);
    }

    #[test]
    fn what_is_no_factor_is_refused() {
        for text in ["0.4", "1.1", "nan", "half", ""] {
            assert!(text.parse::<SmtFactor>().is_err(), "{text}");
        }
    }
}
