//! The model `regress`: a thread's share of the active energy is its on-CPU time times the watts of its
//! program, which are found from the recording itself.
//!
//! A first pass makes an equation of every stretch of a tenth of a second: what the domain drew is its
//! idle power and, for each program, the watts of a CPU second times the seconds it ran. Programs
//! that run at different times are told apart by it. Where they are not, all are pulled to a common
//! mean, and their shares are those of the model `time`. docs/attribution.md has the method and what
//! it is worth.

mod columns;
mod drift;
mod equations;
mod estimate;
mod linear;
mod noise;
mod pool;
mod programs;

use std::collections::BTreeMap;

use super::doubt::Doubt;
use super::model::Model;
use super::time_share::TimeShare;
use super::{Baseline, Baselines};
use crate::model::{DomainId, Residency, ThreadId};
use crate::units::{Microjoules, Nanoseconds, Watts};
use columns::Columns;
use estimate::{COMMON, Estimate, FIRST, IDLE, Problem};
use linear::Factor;
use pool::TOLD_APART;

pub use equations::EquationGathering;
pub use programs::Programs;

/// The largest standard error of an idle power that is found, as part of the mean power, for it to be
/// used as the baseline.
const SURE_OF_IDLE: f64 = 0.05;

/// A weight is a time in nanoseconds times watts in these parts of the common mean.
const PARTS_OF_MEAN: u16 = 4096;

/// The watts of programs, by domain.
#[derive(Clone, Debug, Default)]
pub struct Regression {
    by_domain: BTreeMap<DomainId, Fit>,
    unit_of: Programs,
}

/// What was found of one domain.
#[derive(Clone, Debug)]
struct Fit {
    columns: Columns,
    /// Of each column, in [`PARTS_OF_MEAN`] of the common mean.
    parts: Vec<u64>,
    /// Of each column, and of the common mean at the end: how far it moves with each cause, as part of
    /// itself.
    moves: Vec<Vec<f64>>,
    /// How far idle power moves with each cause, in watts; `None` where it was known.
    idle_moves: Option<Vec<f64>>,
    facts: RegressionFacts,
}

/// What a regression says of one domain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegressionFacts {
    /// How many equations there were.
    pub equations: usize,
    /// What was found of programs, those first that ran longest.
    pub programs: Vec<ProgramWatts>,
    /// The idle power found, with its standard error, where it was unknown and became clear.
    pub idle: Option<(Watts, Watts)>,
}

/// What a regression says of one program.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramWatts {
    /// What it is called.
    pub name: String,
    /// What it draws while it runs on one CPU.
    pub power: Watts,
    /// The standard error of that.
    pub error: Watts,
    /// Whether the equations tell it apart from the others. Otherwise it shares in what they have in
    /// common, by its time.
    pub told_apart: bool,
}

impl EquationGathering<'_> {
    /// What the equations say, once baselines are known.
    pub fn solve(self, baselines: &Baselines) -> Regression {
        let (programs, by_domain) = self.finish();
        let mut fits = BTreeMap::new();
        for (domain, series) in by_domain {
            let idle = baselines.of(domain);
            if let Some(fit) = Fit::of(series.equations(), programs, idle) {
                fits.insert(domain, fit);
            }
        }
        Regression { by_domain: fits, unit_of: programs.clone() }
    }
}

impl Fit {
    fn of(equations: &[equations::Equation], programs: &Programs, idle: Baseline) -> Option<Self> {
        let columns = Columns::of(equations, programs);
        let known = idle.power().map_or(0.0, Watts::get);
        let above = if idle.is_told() { known } else { 0.0 };
        let mut problem = Problem {
            lasted: equations.iter().map(|it| it.lasted).collect(),
            energy: equations.iter().map(|it| it.energy - above * it.lasted).collect(),
            variance: equations.iter().map(|it| it.variance).collect(),
            times: equations.iter().map(|it| columns.times(it)).collect(),
            lost: equations.iter().map(|it| it.lost).collect(),
            with_idle: !idle.is_told(),
        };
        let mut estimate = problem.solve()?;
        let power = problem.energy.iter().sum::<f64>() / problem.lasted.iter().sum::<f64>();
        let sure = |estimate: &Estimate| {
            estimate.covariance.get(IDLE, IDLE).sqrt() <= SURE_OF_IDLE * power
        };
        let found_idle = problem.with_idle && sure(&estimate);
        if problem.with_idle && !found_idle && known > 0.0 {
            // Where a quiet stretch was seen, that is believed.
            problem.with_idle = false;
            for (energy, lasted) in problem.energy.iter_mut().zip(&problem.lasted) {
                *energy -= known * lasted;
            }
            estimate = problem.solve()?;
        }
        Self::from_estimate(&estimate, columns, programs, equations.len(), found_idle)
    }

    fn from_estimate(
        estimate: &Estimate,
        columns: Columns,
        programs: &Programs,
        equations: usize,
        found_idle: bool,
    ) -> Option<Self> {
        let common = estimate.unknowns[COMMON];
        if !common.is_finite() || common <= 0.0 {
            return None;
        }
        let deviation = |unknown: usize| estimate.covariance.get(unknown, unknown).max(0.0).sqrt();
        let factor: Factor = estimate.covariance.factor();
        let count = columns.columns.len();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to what 20 bits hold"
        )]
        let parts: Vec<u64> = estimate.unknowns[FIRST..]
            .iter()
            .map(|watts| {
                (watts / common * f64::from(PARTS_OF_MEAN)).round().clamp(1.0, 1_048_576.0) as u64
            })
            .collect();
        let scaled = |unknown: usize, watts: f64| -> Vec<f64> {
            factor.row(unknown).iter().map(|value| value / watts).collect()
        };
        let mut moves: Vec<Vec<f64>> = (0..count)
            .map(|column| {
                #[expect(clippy::cast_precision_loss, reason = "at most 20 bits")]
                let watts = parts[column] as f64 / f64::from(PARTS_OF_MEAN) * common;
                scaled(FIRST + column, watts)
            })
            .collect();
        moves.push(scaled(COMMON, common));
        let found = |column: usize| ProgramWatts {
            name: columns.name(column, programs),
            power: Watts::new(estimate.unknowns[FIRST + column]),
            error: Watts::new(deviation(FIRST + column)),
            told_apart: estimate.told[column] >= TOLD_APART,
        };
        let idle =
            found_idle.then(|| (Watts::new(estimate.unknowns[IDLE]), Watts::new(deviation(IDLE))));
        let programs = (0..count).map(found).collect();
        Some(Self {
            parts,
            moves,
            idle_moves: found_idle.then(|| factor.row(IDLE).to_vec()),
            facts: RegressionFacts { equations, programs, idle },
            columns,
        })
    }

    /// The column of a thread; `None` where it has none and draws the common mean.
    fn column(&self, thread: ThreadId, programs: &Programs) -> Option<usize> {
        self.columns.of_unit.get(&programs.unit_of(thread)?).copied()
    }
}

impl Regression {
    /// What was found of each domain. One of which too little was recorded is not there: the model
    /// divides it as `time` does.
    pub fn facts(&self) -> BTreeMap<DomainId, RegressionFacts> {
        self.by_domain.iter().map(|(domain, fit)| (*domain, fit.facts.clone())).collect()
    }

    /// What was found of a domain or, of a single core, of its package.
    fn fit(&self, domain: DomainId) -> Option<&Fit> {
        let of_package = || self.by_domain.iter().find(|(package, _)| package.contains(domain));
        let fit = self.by_domain.get(&domain);
        fit.or_else(|| of_package().filter(|_| domain.is_one_core()).map(|(_, fit)| fit))
    }
}

impl Model for Regression {
    fn weights(&self, domain: DomainId, ran: &[Residency]) -> Vec<(ThreadId, u64)> {
        let mut weights = TimeShare.weights(domain, ran);
        let Some(fit) = self.fit(domain) else { return weights };
        for (thread, weight) in &mut weights {
            let column = fit.column(*thread, &self.unit_of);
            let parts = column.map_or(u64::from(PARTS_OF_MEAN), |column| fit.parts[column]);
            *weight = weight.saturating_mul(parts);
        }
        weights
    }

    /// A charge is `A w / Σ w`, and moves with the watts of its own program, against those of all.
    fn doubt(
        &self,
        domain: DomainId,
        above_idle_for: Nanoseconds,
        active: Microjoules,
        weights: &[(ThreadId, u64)],
    ) -> Doubt {
        let Some(fit) = self.fit(domain) else { return Doubt::default() };
        #[expect(clippy::cast_precision_loss, reason = "an error is known to a few digits")]
        let float = |weight: u64| weight as f64;
        let total: f64 = weights.iter().map(|(_, weight)| float(*weight)).sum();
        let last = fit.moves.len() - 1;
        let places: Vec<usize> = weights
            .iter()
            .map(|(thread, _)| fit.column(*thread, &self.unit_of).unwrap_or(last))
            .collect();
        let mut shares = vec![0.0; fit.moves.len()];
        for (place, (_, weight)) in places.iter().zip(weights) {
            shares[*place] += float(*weight) / total;
        }
        let mut of_all = vec![0.0; fit.moves[last].len()];
        for (share, moves) in shares.iter().zip(&fit.moves).filter(|(share, _)| **share > 0.0) {
            of_all.iter_mut().zip(moves).for_each(|(all, moved)| *all += share * moved);
        }
        let active_uj = active.joules().get() * 1e6;
        let idle_uj = above_idle_for.seconds() * 1e6;
        let mut doubt = Doubt::default();
        for (place, (_, weight)) in places.iter().zip(weights) {
            let share = float(*weight) / total;
            let own = fit.moves[*place].iter().zip(&of_all);
            let mut vector: Vec<f64> =
                own.map(|(own, all)| active_uj * share * (own - all)).collect();
            if let Some(idle) = &fit.idle_moves {
                let moved = vector.iter_mut().zip(idle);
                moved.for_each(|(value, idle)| *value -= idle_uj * share * idle);
            }
            doubt.push(&vector);
        }
        doubt
    }
}
