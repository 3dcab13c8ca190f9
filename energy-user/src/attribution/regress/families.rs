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
use super::equations::{Equation, SampledUnit};
use super::functions::Functions;
use super::phases::{Phases, Sampled, Worth};

/// In how many equations a function must have been seen for watts of its own.
const EQUATIONS_OF_FUNCTION: usize = 20;

/// What of a program's time a function must have.
const LEAST_SHARE: f64 = 0.01;

/// More functions have no watts of their own, in all programs together. Those that ran longest come first.
const MOST: usize = 64;

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
    /// How often threads go from one function to another.
    phases: Phases,
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
    /// How unsure that is: the variance of the energy is this times that of watts over the expected times. In
    /// seconds squared.
    pub doubt: f64,
}

impl Families {
    /// The functions that these equations can tell something of.
    pub(super) fn of(equations: &[Equation], columns: &Columns) -> Self {
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
            let family = Family::of(functions, &seen, &shown[&column]);
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

    /// How long each unknown ran in an equation in which each program's column ran for `programs`, and how
    /// unsure that is of each family.
    pub(super) fn times(
        &self,
        equation: &Equation,
        columns: &Columns,
        programs: &[f64],
    ) -> (Vec<f64>, Vec<f64>) {
        let sampled: BTreeMap<usize, SampledUnit> = by_column(equation, columns).collect();
        let mut times = Vec::new();
        let mut doubts = Vec::new();
        for (column, seconds) in programs.iter().enumerate() {
            let Some(family) = self.families.get(&column) else {
                times.push(*seconds);
                continue;
            };
            let found = family.times(*seconds, sampled.get(&column));
            times.extend(found.expected);
            doubts.push(found.doubt);
        }
        (times, doubts)
    }
}

impl Family {
    fn of(
        functions: Vec<u32>,
        seen: &BTreeMap<Option<u32>, (f64, usize)>,
        shown: &Shown,
    ) -> Option<Self> {
        let all: f64 = seen.values().map(|(seconds, _)| seconds).sum();
        let mut usual: Vec<f64> =
            functions.iter().map(|function| seen[&Some(*function)].0 / all).collect();
        let rest = 1.0 - usual.iter().sum::<f64>();
        // What is left by rounding is no rest.
        if rest > 1e-9 {
            usual.push(rest);
        }
        let phases = shown.phases(seen.values().map(|(seconds, _)| seconds / all));
        (usual.len() > 1).then_some(Self { functions, usual, phases })
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
        let unseen = |seconds: f64| seconds * seconds * self.phases.of_windows();
        let Some(sampled) = sampled.filter(|sampled| sampled.ran > 0.0) else {
            let expected = self.usual.iter().map(|share| share * seconds).collect();
            return Times { expected, doubt: unseen(seconds) };
        };
        let Worth { believed, left } = self.phases.worth(how(sampled));
        let usual = seconds - believed * sampled.ran;
        let at = self.sorted(&sampled.at).into_iter().zip(&self.usual);
        let expected = at.map(|(at, share)| believed * at + usual * share).collect();
        let doubt = sampled.squares * left + unseen((seconds - sampled.ran).max(0.0));
        Times { expected, doubt }
    }
}

/// What all samples of a column show of its threads.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    ran: f64,
    by_sample: f64,
    busy: f64,
    alike: f64,
}

impl Shown {
    fn add(&mut self, sampled: &SampledUnit) {
        self.ran += sampled.ran;
        self.by_sample += sampled.by_sample;
        self.busy += sampled.busy;
        self.alike += sampled.alike;
    }

    /// The phases in which shares differ from the usual ones as these do.
    fn phases(&self, usual: impl Iterator<Item = f64>) -> Phases {
        let squares: f64 = usual.map(|share| share * share).sum();
        let variance = (self.alike / self.ran - squares) / (1.0 - squares).max(1e-9);
        let sampled = SampledUnit {
            ran: self.ran,
            by_sample: self.by_sample,
            busy: self.busy,
            ..SampledUnit::default()
        };
        Phases::of(variance, how(&sampled))
    }
}

/// How its threads were sampled, in the mean.
fn how(sampled: &SampledUnit) -> Sampled {
    let samples = (sampled.ran / sampled.by_sample).max(1.0);
    Sampled { samples, busy: sampled.busy / sampled.ran }
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
