//! Programs whose functions have watts of their own: which functions those are, and how long each ran in
//! an equation, as far as samples tell.
//!
//! Times of functions are estimates. Were they taken as they are, the watts found would be too near to
//! one another: noise in the times hides differences. So each equation's shares are drawn towards the
//! program's usual ones, as far as what its few samples show is chance. What stays uncertain is noise of the
//! equation.
//! Reference: Carroll et al., Measurement Error in Nonlinear Models, 2nd edition (2006), chapter 4
//! (regression calibration).

use std::collections::BTreeMap;
use std::ops::Range;

use super::columns::Columns;
use super::directions::{Believed, Directions, Unsure, Varied};
use super::equations::{Equation, SampledThread, SampledUnit, Series, Whereabouts};
use super::functions::Functions;
use super::linear::Square;
use super::phases::Sampled;
use crate::model::ThreadId;

/// In how many equations a function must have been seen for watts of its own.
const EQUATIONS_OF_FUNCTION: usize = 20;

/// What of a program's time a function must have.
const LEAST_SHARE: f64 = 0.01;

/// More functions have no watts of their own, in all programs together. Those that ran longest come first.
const MOST: usize = 64;

/// In how many windows a thread must have been sampled for usual shares of its own.
const WINDOWS_OF_THREAD: usize = 20;

/// The members of each program's column.
#[derive(Clone, Debug, Default)]
pub(super) struct Families {
    /// Of each column: the unknowns it became.
    pub members: Vec<Range<usize>>,
    /// Of each column with functions.
    families: BTreeMap<usize, Family>,
}

/// One program's functions.
#[derive(Clone, Debug)]
pub(super) struct Family {
    /// Which they are. Behind them stands the rest of the program.
    functions: Vec<u32>,
    /// Which part of its time the program is at each, and at the rest.
    pub usual: Vec<f64>,
    /// The same of threads that were sampled enough.
    of_threads: BTreeMap<ThreadId, Vec<f64>>,
    /// How often threads go from some functions to others.
    directions: Directions,
}

/// What a function of a program calls outside of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Called {
    /// That function, where it has time of its own.
    pub by: Option<usize>,
    /// What it calls.
    pub each: Vec<usize>,
}

/// What one equation says of a family.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Times {
    /// For how many seconds at each function, as is to be expected by the samples.
    pub expected: Vec<f64>,
    /// How unsure that is.
    pub unsure: Unsure,
}

impl Families {
    /// The functions that these equations can tell something of.
    pub(super) fn of(series: &Series, columns: &Columns) -> Self {
        let equations = series.equations();
        let mut seen: BTreeMap<usize, BTreeMap<Option<u32>, (f64, usize)>> = BTreeMap::new();
        let mut shown: BTreeMap<usize, Shown> = BTreeMap::new();
        for equation in equations {
            for (column, sampled) in by_column(equation, columns) {
                shown.entry(column).or_default().add(&sampled);
                let seen = seen.entry(column).or_default();
                for (function, seconds) in sampled.at {
                    let of_function = seen.entry(function).or_default();
                    of_function.0 += seconds;
                    of_function.1 += 1;
                }
            }
        }
        let mut candidates: Vec<(f64, usize, u32)> = Vec::new();
        for (column, seen) in &seen {
            let all: f64 = seen.values().map(|(seconds, _)| seconds).sum();
            for (function, (seconds, equations)) in seen {
                let Some(function) = function else { continue };
                if *equations >= EQUATIONS_OF_FUNCTION && *seconds >= LEAST_SHARE * all {
                    candidates.push((*seconds, *column, *function));
                }
            }
        }
        // Stable: of two that ran equally long, the one seen first comes first.
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        candidates.truncate(MOST);
        let mut families = BTreeMap::new();
        for (column, seen) in seen {
            let kept = candidates.iter().filter(|(_, of, _)| *of == column);
            let functions: Vec<u32> = kept.map(|(.., function)| *function).collect();
            let of_column = |unit: u32| columns.of_unit.get(&unit) == Some(&column);
            let whereabouts = series.whereabouts();
            let family = Family::of(functions, &seen, &shown[&column], whereabouts, of_column);
            families.extend(family.map(|family| (column, family)));
        }
        let mut members = Vec::new();
        let mut next = 0;
        for column in 0..columns.columns.len() {
            let count = families.get(&column).map_or(1, |family| family.usual.len());
            members.push(next..next + count);
            next += count;
        }
        Self { members, families }
    }

    /// The columns that have functions, with these.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, &Family)> {
        self.families.iter().map(|(column, family)| (*column, family))
    }

    /// The functions of a column, where it has any.
    pub(super) fn of_column(&self, column: usize) -> Option<&Family> {
        self.families.get(&column)
    }

    /// What is known of columns, of each unknown.
    pub(super) fn of_members(&self, columns: &[f64]) -> Vec<f64> {
        let members = columns.iter().zip(&self.members);
        members.flat_map(|(value, members)| std::iter::repeat_n(*value, members.len())).collect()
    }

    /// How long each unknown ran in an equation in which each program's column ran for `programs`, and how
    /// unsure that is of each family.
    pub(super) fn times(
        &self,
        equation: &Equation,
        columns: &Columns,
        programs: &[f64],
    ) -> (Vec<f64>, Vec<Unsure>) {
        let sampled: BTreeMap<usize, SampledUnit> = by_column(equation, columns).collect();
        let mut times = Vec::new();
        let mut unsure = Vec::new();
        for (column, seconds) in programs.iter().enumerate() {
            let Some(family) = self.families.get(&column) else {
                times.push(*seconds);
                continue;
            };
            let found = family.times(*seconds, sampled.get(&column));
            times.extend(found.expected);
            unsure.push(found.unsure);
        }
        (times, unsure)
    }
}

impl Family {
    fn of(
        functions: Vec<u32>,
        seen: &BTreeMap<Option<u32>, (f64, usize)>,
        shown: &Shown,
        whereabouts: &Whereabouts,
        is_of: impl Fn(u32) -> bool,
    ) -> Option<Self> {
        let all: f64 = seen.values().map(|(seconds, _)| seconds).sum();
        let mut usual: Vec<f64> =
            functions.iter().map(|function| seen[&Some(*function)].0 / all).collect();
        let rest = 1.0 - usual.iter().sum::<f64>();
        // What is left by rounding is no rest.
        if rest > 1e-9 {
            usual.push(rest);
        }
        if usual.len() < 2 {
            return None;
        }
        let (of_threads, directions) = (BTreeMap::new(), Directions::default());
        let mut family = Self { functions, usual, of_threads, directions };
        let count = family.usual.len();
        let mut windows = Square::zero(count);
        for ((_, one, other), seconds) in
            whereabouts.products.iter().filter(|((unit, ..), _)| is_of(*unit))
        {
            windows.add(family.member(*one), family.member(*other), seconds / all);
        }
        let mut moments = Square::zero(count);
        let threads = whereabouts.threads.iter().filter(|(_, thread)| is_of(thread.unit));
        for (thread, SampledThread { windows: often, ran, at, .. }) in threads {
            let at: Vec<(Option<u32>, f64)> = at.iter().map(|(at, ran)| (*at, *ran)).collect();
            let at = family.sorted(&at);
            if *often >= WINDOWS_OF_THREAD {
                let usual = at.iter().map(|seconds| seconds / ran).collect();
                family.of_threads.insert(*thread, usual);
            }
            let usual = family.usual_of(*thread);
            let part = ran / all;
            // The products of differences from what is usual, and of what is usual with the difference of a moment.
            let at: Vec<f64> = at.iter().map(|seconds| seconds / all).collect();
            windows.add_product(-1.0, &at, usual);
            windows.add_product(-1.0, usual, &at);
            windows.add_product(part, usual, usual);
            moments.add_product(-part, usual, usual);
            usual.iter().enumerate().for_each(|(place, it)| moments.add(place, place, part * it));
        }
        family.directions = Directions::of(&family.usual, &windows, &moments, shown.how());
        Some(family)
    }

    /// How its functions vary.
    pub(super) fn varied(&self) -> Varied {
        Varied { shares: self.usual.clone(), directions: self.directions.by_function() }
    }

    /// Which part of its time a thread is at each function.
    fn usual_of(&self, thread: ThreadId) -> &[f64] {
        self.of_threads.get(&thread).unwrap_or(&self.usual)
    }

    /// The place of a function among the members.
    pub(super) fn member(&self, function: Option<u32>) -> usize {
        let place = self.functions.iter().position(|known| Some(*known) == function);
        place.unwrap_or(self.usual.len() - 1)
    }

    /// Members that are called by the same function of the program, as places among the members: first that
    /// function itself, where it is one of them.
    pub(super) fn called(&self, functions: &Functions) -> Vec<Called> {
        let mut by_carrier: BTreeMap<u32, Called> = BTreeMap::new();
        for (member, function) in self.functions.iter().enumerate() {
            let (carrier, is_itself) = functions.carrier(*function);
            let called = by_carrier.entry(carrier).or_default();
            if is_itself { called.by = Some(member) } else { called.each.push(member) }
        }
        by_carrier.into_values().filter(|called| !called.each.is_empty()).collect()
    }

    /// The function of a member; `None` of the rest.
    pub(super) fn function(&self, member: usize) -> Option<u32> {
        self.functions.get(member).copied()
    }

    /// Seconds by member.
    fn sorted(&self, at: &[(Option<u32>, f64)]) -> Vec<f64> {
        let mut sorted = vec![0.0; self.usual.len()];
        for (function, seconds) in at {
            sorted[self.member(*function)] += seconds;
        }
        sorted
    }

    /// Where the program was in an equation in which it ran for so long.
    fn times(&self, seconds: f64, sampled: Option<&SampledUnit>) -> Times {
        let nothing = SampledUnit::default();
        let sampled = sampled.filter(|sampled| sampled.ran > 0.0).unwrap_or(&nothing);
        let mut usual = vec![0.0; self.usual.len()];
        for (thread, seconds) in &sampled.threads {
            let shares = self.usual_of(*thread).iter();
            usual.iter_mut().zip(shares).for_each(|(all, share)| *all += seconds * share);
        }
        let off: Vec<f64> =
            self.sorted(&sampled.at).iter().zip(&usual).map(|(at, usual)| at - usual).collect();
        let Believed { off, worth } = self.directions.believed(&off, sampled.how());
        let unseen = (seconds - sampled.ran).max(0.0);
        let expected = usual.iter().zip(&off).zip(&self.usual);
        // No function has less time than none, though what is believed of one may take that from another.
        let expected =
            expected.map(|((usual, off), share)| (usual + off).max(0.0) + unseen * share);
        let expected: Vec<f64> = expected.collect();
        let all = expected.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let left = worth.iter().zip(self.directions.of_windows());
        let left = left.map(|(it, window)| it.left * sampled.squares + window * unseen * unseen);
        // Threads that are each found in functions of their own make a program less so.
        let ran = seconds.max(sampled.ran);
        let alone = if ran > 0.0 { sampled.squares / (ran * ran) } else { 0.0 };
        let shown = worth.iter().map(|it| it.shown * alone);
        Times {
            unsure: Unsure { left: left.collect(), shown: shown.collect() },
            expected: expected.iter().map(|it| it / all * seconds).collect(),
        }
    }
}

/// What all samples of a column show of its threads.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    ran: f64,
    by_sample: f64,
    busy: f64,
}

impl Shown {
    fn add(&mut self, sampled: &SampledUnit) {
        self.ran += sampled.ran;
        self.by_sample += sampled.by_sample;
        self.busy += sampled.busy;
    }

    fn how(self) -> Sampled {
        let Self { ran, by_sample, busy } = self;
        if ran <= 0.0 {
            return Sampled { samples: 1.0, busy: 0.0 };
        }
        Sampled { samples: (ran / by_sample).max(1.0), busy: busy / ran }
    }
}

impl SampledUnit {
    /// How its threads were sampled, in the mean.
    fn how(&self) -> Sampled {
        Shown { ran: self.ran, by_sample: self.by_sample, busy: self.busy }.how()
    }
}

/// What was sampled of each column.
fn by_column<'a>(
    equation: &'a Equation,
    columns: &'a Columns,
) -> impl Iterator<Item = (usize, SampledUnit)> + 'a {
    let mut found: BTreeMap<usize, SampledUnit> = BTreeMap::new();
    for sampled in &equation.sampled {
        let column = columns.of_unit[&sampled.unit];
        match found.get_mut(&column) {
            Some(known) => known.extend(sampled),
            None => {
                found.insert(column, sampled.clone());
            }
        }
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two threads of one unit for 40 windows of 100 ms each, sampled ten times in each as by a lottery: the one is in function 7
    /// for nine tenths of its time and otherwise in 8, the other the other way round.
    fn family() -> Family {
        let thread = |shares: [f64; 2]| SampledThread {
            unit: 1,
            windows: 40,
            ran: 4.0,
            at: [(Some(7), 4.0 * shares[0]), (Some(8), 4.0 * shares[1])].into(),
        };
        let threads = [(ThreadId(2), thread([0.9, 0.1])), (ThreadId(3), thread([0.1, 0.9]))].into();
        // The squares of means and the variance of a tenth of 10 samples.
        let [alike, apart] = [0.81 + 0.01 + 0.018, 0.18 - 0.018].map(|product| 4.0 * product);
        let [one, other] = [Some(7), Some(8)];
        let products = [
            ((1, one, one), alike),
            ((1, one, other), apart),
            ((1, other, one), apart),
            ((1, other, other), alike),
        ];
        let whereabouts = Whereabouts { threads, products: products.into() };
        let seen = [(one, (4.0, 40)), (other, (4.0, 40))].into();
        let shown = Shown { ran: 8.0, by_sample: 0.8, busy: 0.0 };
        Family::of(vec![7, 8], &seen, &shown, &whereabouts, |unit| unit == 1).unwrap()
    }

    #[test]
    fn what_a_window_shows_by_chance_is_drawn_towards_what_is_usual_of_its_thread() {
        let found = |thread: u32| {
            let sampled = SampledUnit {
                unit: 1,
                ran: 0.1,
                threads: vec![(ThreadId(thread), 0.1)],
                squares: 0.01,
                by_sample: 0.01,
                busy: 0.0,
                at: vec![(Some(7), 0.05), (Some(8), 0.05)],
            };
            family().times(0.1, Some(&sampled)).expected
        };
        for (thread, usual) in [(2, [0.09, 0.01]), (3, [0.01, 0.09])] {
            let found = found(thread);
            assert!(found.iter().zip(usual).all(|(a, b)| (a - b).abs() < 0.002), "{found:?}");
        }
        // Of one that is not known it is the program's.
        assert!(found(4).iter().all(|seconds| (seconds - 0.05).abs() < 1e-9));
    }
}
