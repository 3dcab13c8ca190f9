//! Equations: how much energy a domain used in a stretch of time, which programs ran in it for
//! how long, and by samples, at which of their functions.

use std::collections::BTreeMap;

use super::functions::Functions;
use super::mixes::{Mix, Mixes};
use super::programs::Programs;
use crate::attribution::SharedCores;
use crate::model::{DomainId, EnergySample, Residency, StackSample, ThreadId, Topology, Window};

/// The shortest stretch of an equation, in seconds. Counters move about once a millisecond, so what a
/// shorter one says of its energy is noise for a good part.
const SHORTEST: f64 = 0.1;

/// A tenth of a microsecond: windows lie on a grid, but for the edges of a recording.
const TOLERANCE: f64 = 1e-7;

/// More are not kept: neighbours are put together then, two and two, so that memory does not grow with
/// the recording's length.
const MOST: usize = 8192;

/// One equation. Times are in seconds, energy is in joules.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Equation {
    pub lasted: f64,
    pub energy: f64,
    /// The variance of `energy` by its source's word, in joules squared.
    pub variance: f64,
    /// How long each unit ran, ascending by unit.
    pub ran: Vec<(u32, f64)>,
    /// For how long of that a sibling of its core was busy, as chance has it, where siblings are looked at.
    pub beside: Vec<(u32, f64)>,
    /// How long it is unknown who ran.
    pub lost: f64,
    /// Where units were that were sampled, ascending by unit.
    pub sampled: Vec<SampledUnit>,
}

/// Where one unit was in an equation, by its samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SampledUnit {
    pub unit: u32,
    /// For how many seconds those of its threads ran that were sampled.
    pub ran: f64,
    /// Each of them, ascending.
    pub threads: Vec<(ThreadId, f64)>,
    /// The squares of these.
    pub squares: f64,
    /// Each of these divided by its number of samples.
    pub by_sample: f64,
    /// Each of these times the part of the window it is.
    pub busy: f64,
    /// For how many seconds at each function, ascending; `None` for rare ones. They add up to `ran`.
    pub at: Vec<(Option<u32>, f64)>,
}

impl SampledUnit {
    /// A thread of `unit` that ran for some seconds of a window.
    fn of(unit: u32, thread: ThreadId, seconds: f64, window: f64, mix: &Mix) -> Self {
        Self {
            unit,
            ran: seconds,
            threads: vec![(thread, seconds)],
            squares: seconds * seconds,
            by_sample: seconds / mix.samples,
            busy: seconds * (seconds / window).min(1.0),
            at: mix.shares.iter().map(|(function, share)| (*function, share * seconds)).collect(),
        }
    }

    /// Adds what is known of the same unit besides.
    pub(super) fn extend(&mut self, next: &Self) {
        self.ran += next.ran;
        self.threads.extend(&next.threads);
        self.squares += next.squares;
        self.by_sample += next.by_sample;
        self.busy += next.busy;
        self.at.extend(&next.at);
        add_up(&mut self.at);
    }
}

impl Equation {
    /// Adds what comes next.
    fn extend(&mut self, next: &Self) {
        self.lasted += next.lasted;
        self.energy += next.energy;
        self.variance += next.variance;
        self.lost += next.lost;
        self.ran.extend(&next.ran);
        self.beside.extend(&next.beside);
        self.sampled.extend(next.sampled.iter().cloned());
        self.tidy();
    }

    /// Sorts by unit, with one entry for each.
    fn tidy(&mut self) {
        add_up(&mut self.ran);
        add_up(&mut self.beside);
        self.sampled.sort_by_key(|sampled| sampled.unit);
        self.sampled.dedup_by(|next, kept| {
            let same = next.unit == kept.unit;
            if same {
                kept.extend(next);
            }
            same
        });
        for sampled in &mut self.sampled {
            add_up(&mut sampled.threads);
            add_up(&mut sampled.at);
        }
    }
}

/// Sorts by key, with one entry for each.
fn add_up<K: Ord>(amounts: &mut Vec<(K, f64)>) {
    // Stable: sums of floating point depend on their order.
    amounts.sort_by(|a, b| a.0.cmp(&b.0));
    amounts.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
}

/// Where one thread was by its samples, in all windows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SampledThread {
    pub unit: u32,
    /// In how many windows it was sampled, and for how many seconds it ran in them.
    pub windows: usize,
    pub ran: f64,
    /// For how many seconds at each function.
    pub at: BTreeMap<Option<u32>, f64>,
}

/// Where threads were, over all windows.
#[derive(Clone, Debug, Default)]
pub(super) struct Whereabouts {
    pub threads: BTreeMap<ThreadId, SampledThread>,
    /// By unit and two functions: the product of their shares, times the seconds of the thread and window.
    pub products: BTreeMap<(u32, Option<u32>, Option<u32>), f64>,
}

impl Whereabouts {
    /// Adds a thread's window.
    fn add(&mut self, thread: ThreadId, unit: u32, seconds: f64, mix: &Mix) {
        let of_thread = self.threads.entry(thread).or_default();
        of_thread.unit = unit;
        of_thread.windows += 1;
        of_thread.ran += seconds;
        for (one, share) in &mix.shares {
            *of_thread.at.entry(*one).or_default() += seconds * share;
            for (other, of_other) in &mix.shares {
                *self.products.entry((unit, *one, *other)).or_default() +=
                    seconds * share * of_other;
            }
        }
    }
}

/// The equations of one domain.
#[derive(Clone, Debug)]
pub(super) struct Series {
    equations: Vec<Equation>,
    whereabouts: Whereabouts,
    open: Equation,
    shortest: f64,
}

impl Series {
    fn new() -> Self {
        Self {
            equations: Vec::new(),
            whereabouts: Whereabouts::default(),
            open: Equation::default(),
            shortest: SHORTEST,
        }
    }

    /// Adds a window.
    fn add(&mut self, window: &Equation) {
        self.open.extend(window);
        if self.open.lasted + TOLERANCE < self.shortest {
            return;
        }
        self.equations.push(std::mem::take(&mut self.open));
        if self.equations.len() == MOST {
            self.shortest *= 2.0;
            let pairs = self.equations.chunks(2).map(|pair| {
                let mut sum = pair[0].clone();
                pair[1..].iter().for_each(|next| sum.extend(next));
                sum
            });
            self.equations = pairs.collect();
        }
    }

    /// Where threads were.
    pub(super) const fn whereabouts(&self) -> &Whereabouts {
        &self.whereabouts
    }

    /// The equations, in the order of time. What did not become long enough is left out.
    pub(super) fn equations(&self) -> &[Equation] {
        &self.equations
    }
}

/// Gathers equations in a pass over the windows, in order.
#[derive(Debug)]
pub struct EquationGathering<'a> {
    topology: &'a Topology,
    programs: &'a Programs,
    functions: &'a Functions,
    mixes: Mixes,
    /// Who shares cores, where siblings are to be looked at: what time beside them is worth is then found, too.
    cores: Option<SharedCores>,
    by_domain: BTreeMap<DomainId, Series>,
}

impl<'a> EquationGathering<'a> {
    /// None yet.
    pub fn new(topology: &'a Topology, programs: &'a Programs, functions: &'a Functions) -> Self {
        let mixes = Mixes::default();
        Self { topology, programs, functions, mixes, cores: None, by_domain: BTreeMap::new() }
    }

    /// Whoever runs, time is as it was recorded: what it is worth beside a busy sibling of its core is to be found, where
    /// there are any.
    #[must_use]
    pub fn with_siblings(self) -> Self {
        let cores = self.topology.has_siblings().then(|| SharedCores::of(self.topology));
        Self { cores, ..self }
    }

    /// Looks at the next window; `samples` are ascending by thread. A domain whose energy is unknown there
    /// has no equation of it, and nor has one that CPUs do not feed. Single cores have what their package's
    /// equations tell.
    pub fn observe(
        &mut self,
        window: &Window,
        energy: &[EnergySample],
        residency: &[Residency],
        samples: &[StackSample],
    ) {
        self.mixes.look(window, samples, self.programs, self.functions);
        let divided = |domain: DomainId| domain.domain.is_fed_by_cpus() && !domain.is_one_core();
        for sample in energy.iter().filter(|sample| divided(sample.domain)) {
            let Some(energy) = sample.energy else { continue };
            let error = sample.error.unwrap_or_default().joules().get();
            let mut equation = Equation {
                lasted: window.length().seconds(),
                energy: energy.joules().get(),
                variance: error * error,
                ..Equation::default()
            };
            let feeders = self.topology.feeders(sample.domain);
            let cores = self.cores.as_ref();
            let beside = cores.map(|cores| cores.beside(window.length(), residency));
            let mut sampled: BTreeMap<ThreadId, f64> = BTreeMap::new();
            for row in residency.iter().filter(|row| feeders.contains(row.cpu)) {
                let seconds = row.oncpu.seconds();
                match self.programs.unit_of(row.thread) {
                    _ if row.thread == ThreadId::IDLE || seconds <= 0.0 => {}
                    Some(unit) => {
                        equation.ran.push((unit, seconds));
                        if let Some(beside) = &beside {
                            let part = beside.on(row.cpu).seconds() / equation.lasted;
                            equation.beside.push((unit, seconds * part));
                        }
                        if self.mixes.sampled(row.thread).is_some() {
                            *sampled.entry(row.thread).or_default() += seconds;
                        }
                    }
                    None => equation.lost += seconds,
                }
            }
            let series = self.by_domain.entry(sample.domain).or_insert_with(Series::new);
            for (thread, seconds) in sampled {
                let mix = self.mixes.sampled(thread);
                let Some((unit, mix)) = self.programs.unit_of(thread).zip(mix) else { continue };
                series.whereabouts.add(thread, unit, seconds, mix);
                equation.sampled.push(SampledUnit::of(unit, thread, seconds, equation.lasted, mix));
            }
            equation.tidy();
            series.add(&equation);
        }
    }

    /// Which CPUs feed which domain.
    pub(super) const fn topology(&self) -> &'a Topology {
        self.topology
    }

    /// The programs and their functions, and what was gathered of each domain.
    pub(super) fn finish(self) -> (&'a Programs, &'a Functions, BTreeMap<DomainId, Series>) {
        (self.programs, self.functions, self.by_domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(milliseconds: f64, unit: u32) -> Equation {
        Equation {
            lasted: milliseconds / 1000.0,
            energy: 1.0,
            variance: 0.5,
            ran: vec![(unit, 0.01)],
            beside: vec![(unit, 0.005)],
            lost: 0.001,
            sampled: vec![SampledUnit {
                unit,
                ran: 0.01,
                threads: vec![(ThreadId(9), 0.01)],
                squares: 1e-4,
                by_sample: 0.005,
                busy: 0.005,
                at: vec![(Some(unit), 0.004), (None, 0.006)],
            }],
        }
    }

    #[test]
    fn five_windows_of_20_milliseconds_are_one_equation() {
        let mut series = Series::new();
        for unit in [7, 3, 7, 3, 7, 3] {
            series.add(&window(20.0, unit));
        }
        let [equation] = series.equations() else { panic!("{:?}", series.equations()) };
        assert!((equation.lasted - 0.1).abs() < 1e-9);
        assert!((equation.energy - 5.0).abs() < 1e-9 && (equation.variance - 2.5).abs() < 1e-9);
        assert_eq!(equation.ran.iter().map(|(unit, _)| *unit).collect::<Vec<_>>(), [3, 7]);
        assert!((equation.ran[1].1 - 0.03).abs() < 1e-9);
        assert!((equation.beside[1].1 - 0.015).abs() < 1e-9);
        let [three, seven] = equation.sampled.as_slice() else { panic!("{equation:?}") };
        assert_eq!((three.unit, seven.unit), (3, 7));
        assert!((seven.ran - 0.03).abs() < 1e-9 && (seven.squares - 3e-4).abs() < 1e-12);
        let [(None, rare), (Some(7), known)] = seven.at.as_slice() else { panic!("{seven:?}") };
        assert!((rare - 0.018).abs() < 1e-9 && (known - 0.012).abs() < 1e-9);
    }

    #[test]
    fn a_long_recording_has_longer_equations_and_not_more() {
        let mut series = Series::new();
        for _ in 0..20_000 {
            series.add(&window(100.0, 7));
        }
        let equations = series.equations();
        assert!(equations.len() <= MOST && equations.len() > MOST / 2, "{}", equations.len());
        let energy: f64 = equations.iter().map(|equation| equation.energy).sum();
        assert!((energy - 20_000.0).abs() < 4.0, "but for what is not yet long enough");
    }
}
