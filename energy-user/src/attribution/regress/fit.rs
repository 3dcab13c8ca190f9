//! What the equations of one domain say, made ready for dividing its windows.

use super::columns::Columns;
use super::equations::{Equation, Series};
use super::estimate::{COMMON, Estimate, FIRST, IDLE, Problem};
use super::families::{Called, Families};
use super::functions::Functions;
use super::linear::Factor;
use super::misfit::Entries;
use super::mixes::Mix;
use super::pool::TOLD_APART;
use super::programs::Programs;
use super::{FunctionWatts, ProgramWatts, RegressionFacts};
use crate::attribution::{Baseline, SmtFactor};
use crate::units::Watts;

/// A weight is a time in nanoseconds times watts in these parts of the common mean.
pub(super) const PARTS_OF_MEAN: u16 = 4096;

/// What was found of one domain. Its coefficients are one for each program that has no functions, one for
/// each function, and the common mean at the end.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    columns: Columns,
    families: Families,
    /// The common mean, in watts.
    mean: f64,
    /// Of each coefficient, in [`PARTS_OF_MEAN`] of the common mean.
    parts: Vec<u64>,
    /// Of each coefficient: how far it moves with each cause, as part of itself.
    pub moves: Vec<Vec<f64>>,
    /// How far idle power moves with each cause, in watts; `None` where it was known.
    pub idle_moves: Option<Vec<f64>>,
    /// What time beside a busy sibling is worth, where that was found.
    pub smt: Option<SmtFactor>,
    pub facts: RegressionFacts,
}

/// How many CPUs were busy in the stretch that idle power was seen in: what they drew is in it.
#[expect(clippy::cast_precision_loss, reason = "thousands of CPUs")]
fn ran_when_quiet(idle: Baseline, cpus: usize) -> f64 {
    let Baseline::LowestSeen { busy, .. } = idle else { return 0.0 };
    busy.get() * cpus as f64
}

impl Fit {
    /// What equations say of a domain with this idle power, which so many CPUs feed; `None` where that is too little.
    pub(super) fn of(
        series: &Series,
        programs: &Programs,
        functions: &Functions,
        (idle, cpus): (Baseline, usize),
    ) -> Option<Self> {
        let equations = series.equations();
        let columns = Columns::of(equations, programs);
        let families = Families::of(series, &columns);
        let known = idle.power().map_or(0.0, Watts::get);
        let above = if idle.is_told() { known } else { 0.0 };
        let times = |it: &Equation| families.times(it, &columns, &columns.times(it));
        let (times, unsure) = equations.iter().map(times).unzip();
        let has_siblings = equations.iter().any(|it| !it.beside.is_empty());
        let beside = |it: &Equation| families.of_members(&columns.beside(it));
        let beside = equations.iter().filter(|_| has_siblings).map(beside).collect();
        let of_programs = families.each().map(|(column, _)| families.members[column].clone());
        let called = families.each().flat_map(|(column, family)| {
            let first = families.members[column].start;
            family.called(functions).into_iter().map(move |called| Called {
                by: called.by.map(|member| first + member),
                each: called.each.into_iter().map(|member| first + member).collect(),
            })
        });
        let mut problem = Problem {
            called: called.collect(),
            lasted: equations.iter().map(|it| it.lasted).collect(),
            energy: equations.iter().map(|it| it.energy - above * it.lasted).collect(),
            shown: equations.iter().map(|it| it.energy).collect(),
            variance: equations.iter().map(|it| it.variance).collect(),
            times,
            beside,
            lost: equations.iter().map(|it| it.lost).collect(),
            with_idle: !idle.is_told(),
            families: of_programs.collect(),
            varied: families.each().map(|(_, family)| family.varied()).collect(),
            unsure,
            misfit: Entries::default(),
        };
        let mut estimate = problem.solve()?;
        let found_idle = problem.with_idle
            && (estimate.told.idle
                || ran_when_quiet(idle, cpus) * estimate.unknowns[COMMON] > estimate.idle_error());
        if problem.with_idle && !found_idle && known > 0.0 {
            // Where a quiet stretch was seen, in which little ran for how unsure the equations are, that is believed.
            problem.with_idle = false;
            for (energy, lasted) in problem.energy.iter_mut().zip(&problem.lasted) {
                *energy -= known * lasted;
            }
            estimate = problem.solve()?;
        }
        let mean = estimate.unknowns[COMMON];
        if !mean.is_finite() || mean <= 0.0 {
            return None;
        }
        let facts = Facts { estimate: &estimate, columns: &columns, families: &families };
        let deviation = facts.deviation(&[(IDLE, 1.0)]);
        let idle = found_idle.then(|| (Watts::new(estimate.unknowns[IDLE]), deviation));
        let facts = RegressionFacts {
            equations: equations.len(),
            programs: facts.programs(programs, functions),
            idle,
            crowding: estimate.crowding,
            siblings: estimate.siblings,
        };
        Some(Self::ready(&estimate, mean, columns, families, facts))
    }

    fn ready(
        estimate: &Estimate,
        mean: f64,
        columns: Columns,
        families: Families,
        facts: RegressionFacts,
    ) -> Self {
        let factor: Factor = estimate.covariance.factor();
        let count = families.members.last().map_or(0, |members| members.end);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to what 20 bits hold"
        )]
        let in_parts = |watts: &f64| {
            (watts / mean * f64::from(PARTS_OF_MEAN)).round().clamp(1.0, 1_048_576.0) as u64
        };
        let mut parts: Vec<u64> =
            estimate.unknowns[FIRST..FIRST + count].iter().map(in_parts).collect();
        parts.push(u64::from(PARTS_OF_MEAN));
        let scaled = |unknown: usize, parts: u64| -> Vec<f64> {
            #[expect(clippy::cast_precision_loss, reason = "at most 20 bits")]
            let watts = parts as f64 / f64::from(PARTS_OF_MEAN) * mean;
            factor.row(unknown).iter().map(|value| value / watts).collect()
        };
        let unknowns = (FIRST..FIRST + count).chain([COMMON]);
        let moves = unknowns.zip(&parts).map(|(unknown, parts)| scaled(unknown, *parts)).collect();
        let idle_moves = facts.idle.is_some().then(|| factor.row(IDLE).to_vec());
        let smt = facts.siblings.and_then(|found| SmtFactor::new(found.worth));
        Self { columns, families, mean, parts, moves, idle_moves, smt, facts }
    }

    /// How many independent causes there are that its coefficients move with.
    pub(super) fn causes(&self) -> usize {
        self.moves[self.common()].len()
    }

    /// The place of the common mean among the coefficients.
    pub(super) const fn common(&self) -> usize {
        self.parts.len() - 1
    }

    /// The place of a unit's function.
    pub(super) fn place(&self, unit: u32, function: Option<u32>) -> usize {
        let Some(column) = self.columns.of_unit.get(&unit) else { return self.common() };
        let family = self.families.of_column(*column);
        self.families.members[*column].start + family.map_or(0, |it| it.member(function))
    }

    /// Where a unit was by its samples, or else as it usually is: places, and the part of time at each.
    pub(super) fn at(&self, unit: Option<u32>, mix: Option<&Mix>) -> Places {
        let column = unit.and_then(|unit| self.columns.of_unit.get(&unit));
        let Some(column) = column else { return Places::One(self.common()) };
        let first = self.families.members[*column].start;
        let Some(family) = self.families.of_column(*column) else { return Places::One(first) };
        let Some(mix) = mix else {
            return Places::Several((first..).zip(family.usual.iter().copied()).collect());
        };
        let at =
            mix.shares.iter().map(|(function, share)| (first + family.member(*function), *share));
        let mut at: Vec<(usize, f64)> = at.collect();
        // Stable: sums of floating point depend on their order.
        at.sort_by_key(|(place, _)| *place);
        at.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        Places::Several(at)
    }

    /// What there is drawn in the mean over places, in [`PARTS_OF_MEAN`] of the common mean.
    pub(super) fn parts(&self, places: &Places) -> u64 {
        let Places::Several(places) = places else { return self.parts[places.first()] };
        let mean: f64 = places.iter().map(|(place, share)| share * self.part(*place)).sum();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a mean of what 20 bits hold"
        )]
        let parts = mean.round().max(1.0) as u64;
        parts
    }

    /// Which part of the energy there is drawn at each place.
    pub(super) fn drawn(&self, places: &Places) -> Vec<(usize, f64)> {
        let Places::Several(places) = places else { return vec![(places.first(), 1.0)] };
        let all: f64 = places.iter().map(|(place, share)| share * self.part(*place)).sum();
        let part = |(place, share): &(usize, f64)| (*place, share * self.part(*place) / all);
        places.iter().map(part).collect()
    }

    /// The watts of a place in whole milliwatts.
    pub(super) fn milliwatts(&self, place: usize) -> u64 {
        let milliwatts = self.part(place) / f64::from(PARTS_OF_MEAN) * self.mean * 1e3;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and a float too large becomes the largest"
        )]
        let milliwatts = milliwatts.round() as u64;
        milliwatts.clamp(1, 1 << 32)
    }

    #[expect(clippy::cast_precision_loss, reason = "at most 20 bits")]
    fn part(&self, place: usize) -> f64 {
        self.parts[place] as f64
    }
}

/// Where something was, among the coefficients of a fit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Places {
    /// All the time at one.
    One(usize),
    /// At each of these for a part of the time; the parts add up to 1.
    Several(Vec<(usize, f64)>),
}

impl Places {
    fn first(&self) -> usize {
        match self {
            Self::One(place) => *place,
            Self::Several(places) => places.first().map_or(0, |(place, _)| *place),
        }
    }
}

/// What is to be said of programs and functions.
struct Facts<'a> {
    estimate: &'a Estimate,
    columns: &'a Columns,
    families: &'a Families,
}

impl Facts<'_> {
    fn programs(&self, programs: &Programs, functions: &Functions) -> Vec<ProgramWatts> {
        let mut families = self.estimate.told.families.iter();
        let program = |column: usize| {
            let members = self.families.members[column].clone();
            let family = self.families.of_column(column);
            let usual = family.map_or(vec![1.0], |family| family.usual.clone());
            let mean: Vec<(usize, f64)> =
                members.clone().map(|member| FIRST + member).zip(usual).collect();
            let told = match family {
                Some(_) => families.next().copied().unwrap_or_default(),
                None => self.estimate.told.columns[members.start],
            };
            let function = |member: usize| FunctionWatts {
                name: family
                    .and_then(|family| family.function(member - members.start))
                    .map_or("all others", |function| functions.name(function))
                    .to_owned(),
                power: Watts::new(self.estimate.unknowns[FIRST + member]),
                error: self.deviation(&[(FIRST + member, 1.0)]),
                told_apart: self.estimate.told.columns[member] >= TOLD_APART,
            };
            let of_family = family.map_or(0..0, |_| members.clone());
            ProgramWatts {
                name: self.columns.name(column, programs),
                power: Watts::new(
                    mean.iter()
                        .map(|(unknown, part)| part * self.estimate.unknowns[*unknown])
                        .sum(),
                ),
                error: self.deviation(&mean),
                told_apart: told >= TOLD_APART,
                functions: of_family.map(function).collect(),
            }
        };
        (0..self.columns.columns.len()).map(program).collect()
    }

    /// The standard error of a sum of unknowns, each so many times.
    fn deviation(&self, times: &[(usize, f64)]) -> Watts {
        let covariance = &self.estimate.covariance;
        let cells = times.iter().flat_map(|(row, a)| {
            times.iter().map(move |(column, b)| a * b * covariance.get(*row, *column))
        });
        Watts::new(cells.sum::<f64>().max(0.0).sqrt())
    }
}
