//! Cores of two CPUs, of a machine that never was: where threads run from moment to moment, who ran beside whom, and
//! what that makes of their watts.

use std::collections::BTreeMap;

use energy_prof::model::{CpuPlace, ThreadId, Topology};

use super::chance::Chance;
use super::simulated_load::Ran;

/// What a CPU second beside a busy sibling draws, at least and at most, as part of one that has its core alone.
const FACTORS: (f64, f64) = (0.55, 0.9);

/// After how many seconds a thread is moved elsewhere by chance, in the mean.
const STAY: f64 = 0.2;

/// How threads get to their CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Pinned: each two threads that follow each other, mostly of one program, have a core.
    Pairs,
    /// As Linux's scheduler prefers: first on cores that are free, where a thread stays, and then on CPUs that are.
    Spread,
    /// Anywhere, and somewhere else after a while, whoever is there.
    Random,
}

/// The cores of a machine, each of two CPUs: CPU *n* and the one half of all CPUs further.
#[derive(Debug)]
pub(crate) struct Cores {
    /// What a CPU second beside a busy sibling draws, as part of one that has its core alone.
    pub(crate) factor: f64,
    placement: Placement,
    cpus: usize,
    at: Vec<At>,
    /// How long each thread ran on each CPU in this window, in seconds.
    ran: BTreeMap<(usize, usize), f64>,
    chance: Chance,
}

/// Where a thread is, until when.
#[derive(Clone, Copy, Debug)]
struct At {
    cpu: usize,
    until: f64,
}

/// What a thread did in a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turn {
    /// For which part of it it ran.
    pub(crate) part: f64,
    /// What that drew, as part of what it draws on a core of its own.
    pub(crate) worth: f64,
}

/// When a CPU is busy, or a thread runs, in a moment that is taken to be a circle: since when, and for how long, in
/// parts of it.
#[derive(Clone, Copy, Debug, Default)]
struct Arc {
    since: f64,
    lasts: f64,
}

impl Cores {
    /// Of a machine with so many CPUs and threads.
    pub(crate) fn new(placement: Placement, cpus: u16, threads: usize, mut chance: Chance) -> Self {
        let cpus = usize::from(cpus);
        let factor = chance.between(FACTORS.0, FACTORS.1);
        let at = (0..threads).map(|thread| At { cpu: pair(thread % cpus, cpus), until: 0.0 });
        Self { factor, placement, cpus, at: at.collect(), ran: BTreeMap::new(), chance }
    }

    /// Runs threads for a moment that lasts for so many seconds, each for the part of it that it wants, or less where
    /// its CPU has too little.
    pub(crate) fn run(&mut self, time: f64, lasts: f64, wanted: &[f64]) -> Vec<Turn> {
        self.place(time, wanted);
        let mut wanted_of = vec![0.0; self.cpus];
        for (at, wanted) in self.at.iter().zip(wanted) {
            wanted_of[at.cpu] += wanted;
        }
        // A CPU's threads run one after the other, from any time on.
        let begin = |wanted: &f64| Arc { since: self.chance.unit(), lasts: wanted.min(1.0) };
        let busy: Vec<Arc> = wanted_of.iter().map(begin).collect();
        let mut next: Vec<f64> = busy.iter().map(|arc| arc.since).collect();
        let mut turns = Vec::with_capacity(wanted.len());
        for (thread, (at, wanted)) in self.at.iter().zip(wanted).enumerate() {
            let part = wanted / wanted_of[at.cpu].max(1.0);
            let ran = Arc { since: next[at.cpu].fract(), lasts: part };
            next[at.cpu] += part;
            let beside = ran.meets(busy[self.sibling(at.cpu)]);
            let worth = if part > 0.0 { 1.0 - (1.0 - self.factor) * beside / part } else { 1.0 };
            turns.push(Turn { part, worth });
            if part > 0.0 {
                *self.ran.entry((thread, at.cpu)).or_default() += part * lasts;
            }
        }
        turns
    }

    /// Who ran on which CPU since the last window, for how many seconds.
    pub(crate) fn end_window(&mut self) -> Vec<Ran> {
        let ran = std::mem::take(&mut self.ran).into_iter();
        let thread = |thread: usize| ThreadId(ThreadId::FIRST.0 + u32::try_from(thread).unwrap());
        ran.map(|((index, cpu), seconds)| (thread(index), number(cpu), seconds)).collect()
    }

    /// Which CPUs share a core.
    pub(crate) fn topology(&self) -> Topology {
        let place = |cpu| {
            (number(cpu), CpuPlace { socket: 0, die: 0, core: number(cpu % (self.cpus / 2)) })
        };
        Topology { cpus: (0..self.cpus).map(place).collect() }
    }

    fn place(&mut self, time: f64, wanted: &[f64]) {
        match self.placement {
            Placement::Pairs => {}
            Placement::Random => {
                for at in self.at.iter_mut().filter(|at| time >= at.until) {
                    at.cpu = self.chance.below(0, self.cpus - 1);
                    at.until = time - STAY * (1.0 - self.chance.unit()).ln();
                }
            }
            Placement::Spread => self.spread(wanted),
        }
    }

    fn spread(&mut self, wanted: &[f64]) {
        let mut busy = vec![0.0; self.cpus];
        for thread in (0..wanted.len()).filter(|thread| wanted[*thread] > 0.0) {
            let last = self.at[thread].cpu;
            let of_core = |cpu: usize| busy[cpu] + busy[self.sibling(cpu)];
            if of_core(last) > 0.0 {
                let fits = |cpu: usize| busy[cpu] + wanted[thread] <= 1.0;
                let best = (0..self.cpus).min_by(|a, b| {
                    let key = |cpu: usize| (!fits(cpu), of_core(cpu), busy[cpu]);
                    key(*a).partial_cmp(&key(*b)).unwrap()
                });
                self.at[thread].cpu = best.unwrap();
            }
            busy[self.at[thread].cpu] += wanted[thread];
        }
    }

    fn sibling(&self, cpu: usize) -> usize {
        (cpu + self.cpus / 2) % self.cpus
    }
}

fn number(cpu: usize) -> u16 {
    u16::try_from(cpu).unwrap()
}

/// The CPU of the thread of this number, where two that follow each other share a core.
fn pair(thread: usize, cpus: usize) -> usize {
    thread / 2 + thread % 2 * (cpus / 2)
}

impl Arc {
    /// For how long both are.
    fn meets(self, other: Self) -> f64 {
        let shifted = [-1.0, 0.0, 1.0].map(|turn| {
            let since = self.since.max(other.since + turn);
            let until = (self.since + self.lasts).min(other.since + turn + other.lasts);
            (until - since).max(0.0)
        });
        shifted.iter().sum()
    }
}
