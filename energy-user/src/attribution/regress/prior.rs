//! What is believed of watts before the equations: programs' are spread around a common mean, and those of
//! a program's functions around the program's. How far, the equations say (empirical Bayes).

use std::ops::Range;

use super::estimate::{COMMON, FIRST, IDLE, Problem};
use super::linear::Square;
use super::pool::TOLD_APART;
use super::rows::{Rows, Solution};

/// How far watts are spread around their mean, as part of it, before anything was seen: work differs
/// by factors of 2 to 4.
pub(super) const USUAL_SPREAD: f64 = 0.4;

/// How sure [`USUAL_SPREAD`] is: a standard deviation of its logarithm. Hardly at all.
const SPREAD_DOUBT: f64 = 2.5;

/// The spreads tried, from the least: each is the last one times [`SPREAD_STEP`].
const LEAST_SPREAD: f64 = 0.002;
const SPREAD_STEP: f64 = 1.25;
const SPREADS: usize = 30;

/// What is idle, as part of the mean power, before anything was seen, and how sure that is.
const USUAL_IDLE: f64 = 0.4;

/// The precision of each unknown, and what it pulls to.
pub(super) type Belief = (Square, Vec<f64>);

/// How far watts are spread, as part of what they are spread around.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spreads {
    /// Those of programs.
    pub programs: f64,
    /// Those of a program's functions.
    pub functions: f64,
}

/// As far as work usually differs.
pub(super) const USUAL: Spreads = Spreads { programs: USUAL_SPREAD, functions: USUAL_SPREAD };

/// What is usual for the domain.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    /// Mean power in watts.
    pub power: f64,
    /// Mean watts per CPU second.
    pub rate: f64,
    /// Mean watts per CPU second of each program with functions.
    pub families: Vec<f64>,
}

impl Spreads {
    /// The spreads by these equations: the likeliest, and those that are to be expected. That of functions was
    /// looked for `before`.
    pub(super) fn by(problem: &Problem, rows: &Rows, scale: &Scale, before: Self) -> [Self; 2] {
        let programs = |programs| Self { programs, ..before };
        let [found, expected] = by(|spread| programs(spread).doubt(problem, rows, scale));
        let found = programs(found);
        if problem.families.is_empty() {
            return [found, programs(expected)];
        }
        let functions = |functions| Self { functions, ..found };
        let of_functions = by(|spread| functions(spread).doubt(problem, rows, scale));
        let [found, of_functions] = of_functions.map(functions);
        [found, Self { programs: expected, ..of_functions }]
    }

    /// The less, the likelier.
    fn doubt(self, problem: &Problem, rows: &Rows, scale: &Scale) -> f64 {
        let of_functions: usize = problem.families.iter().map(Range::len).sum();
        let of_programs = problem.count() - of_functions + problem.families.len();
        #[expect(clippy::cast_precision_loss, reason = "some dozens of columns")]
        let [of_programs, of_functions] = [of_programs, of_functions].map(|count| count as f64);
        2.0 * (of_programs * self.programs.ln() + of_functions * self.functions.ln())
            + rows.doubt(&problem.prior(scale, self))
    }
}

/// The spread of least doubt, where [`USUAL_SPREAD`] is a little likelier than others, and the one that is to be
/// expected, as a mean of squares over all.
fn by(doubt: impl Fn(f64) -> f64) -> [f64; 2] {
    let mut tried = Vec::with_capacity(SPREADS);
    let mut spread = LEAST_SPREAD;
    for _ in 0..SPREADS {
        let unusual = ((spread / USUAL_SPREAD).ln() / SPREAD_DOUBT).powi(2);
        tried.push((unusual + doubt(spread), spread));
        spread *= SPREAD_STEP;
    }
    let mut best = (f64::INFINITY, USUAL_SPREAD);
    for (doubt, spread) in &tried {
        if *doubt < best.0 {
            best = (*doubt, *spread);
        }
    }
    let (mut all, mut squares) = (0.0, 0.0);
    for (doubt, spread) in &tried {
        let likely = ((best.0 - doubt) / 2.0).exp();
        all += likely;
        squares += likely * spread * spread;
    }
    [best.1, if all > 0.0 { (squares / all).sqrt() } else { best.1 }]
}

impl Problem {
    /// What is believed with these spreads.
    pub(super) fn prior(&self, scale: &Scale, spreads: Spreads) -> Belief {
        let size = self.unknowns();
        let mut precision = Square::zero(size);
        let mut right = vec![0.0; size];
        let mut pull = |unknown: usize, to: usize, spread: f64| {
            let strength = 1.0 / (spread * spread);
            precision.add(unknown, unknown, strength);
            precision.add(to, to, strength);
            precision.add(unknown, to, -strength);
            precision.add(to, unknown, -strength);
        };
        let of_programs = spreads.programs * scale.rate;
        for column in (0..self.count()).filter(|column| self.family_of(*column).is_none()) {
            pull(FIRST + column, COMMON, of_programs);
        }
        for (family, members) in self.families.iter().enumerate() {
            let mean = self.mean_of(family);
            for column in members.clone() {
                pull(FIRST + column, mean, spreads.functions * scale.families[family]);
            }
            pull(mean, COMMON, of_programs);
        }
        // The mean itself may be anything.
        precision.add(COMMON, COMMON, 1e-6 / scale.rate.powi(2));
        let usual = USUAL_IDLE * scale.power;
        let of_idle = 1.0 / (usual * usual);
        precision.add(IDLE, IDLE, of_idle);
        right[IDLE] = if self.with_idle { of_idle * usual } else { 0.0 };
        (precision, right)
    }

    /// How much of the usual doubt the equations take away: about each column's distance from the common
    /// mean, or where it is a function, from its program's; and about each family's from the common mean.
    #[expect(clippy::cast_precision_loss, reason = "a hundred programs at most")]
    pub(super) fn told(&self, rows: &Rows, scale: &Scale) -> (Vec<f64>, Vec<f64>) {
        let solution = Solution::of(rows, &self.prior(scale, USUAL));
        let of_programs = (USUAL_SPREAD * scale.rate).powi(2);
        let told = |left: f64, usual: f64| (1.0 - left / usual).clamp(0.0, 1.0);
        // Of few programs even the common mean is not sure: were all else known, so much would be left.
        let unsure = of_programs / self.programs().len().max(2) as f64;
        let mut columns: Vec<f64> = (FIRST..FIRST + self.count())
            .map(|unknown| {
                let left = solution.variance(&[(unknown, 1.0), (COMMON, -1.0)]);
                told(left - unsure, of_programs - unsure)
            })
            .collect();
        let mut families = Vec::new();
        for (family, members) in self.families.iter().enumerate() {
            let shares = self.shares(members);
            let mut mean: Vec<(usize, f64)> =
                members.clone().map(|column| FIRST + column).zip(shares).collect();
            let of_functions = (USUAL_SPREAD * scale.families[family]).powi(2);
            for column in members.clone() {
                let from_mean: Vec<(usize, f64)> = mean
                    .iter()
                    .map(|(unknown, share)| {
                        (*unknown, f64::from(u8::from(*unknown == FIRST + column)) - share)
                    })
                    .collect();
                let squares: f64 = from_mean.iter().map(|(_, times)| times * times).sum();
                columns[column] = told(solution.variance(&from_mean), of_functions * squares);
            }
            mean.push((COMMON, -1.0));
            families.push(told(solution.variance(&mean), of_programs));
        }
        self.tell_together(&solution, of_programs, &mut columns);
        (columns, families)
    }

    /// Takes back of programs that they are told apart where those that are not would be, were it known what that
    /// one draws: then the equations say what both draw together, and not which of them.
    fn tell_together(&self, solution: &Solution, usual: f64, told: &mut [f64]) {
        let alone: Vec<usize> =
            (0..self.count()).filter(|column| self.family_of(*column).is_none()).collect();
        let ran: Vec<f64> =
            (0..self.count()).map(|column| self.times.iter().map(|it| it[column]).sum()).collect();
        loop {
            let (apart, rest): (Vec<usize>, Vec<usize>) =
                alone.iter().partition(|column| told[**column] >= TOLD_APART);
            let all: f64 = rest.iter().map(|column| ran[*column]).sum();
            if all <= 0.0 {
                return;
            }
            let shares: Vec<(usize, f64)> =
                rest.iter().map(|column| (FIRST + column, ran[*column] / all)).collect();
            let squares: f64 = shares.iter().map(|(_, share)| share * share).sum();
            let from_mean: Vec<(usize, f64)> = shares.into_iter().chain([(COMMON, -1.0)]).collect();
            let of_rest = |variance: f64| (1.0 - variance / (usual * squares)).clamp(0.0, 1.0);
            let variance = solution.variance(&from_mean);
            let before = of_rest(variance);
            if before >= TOLD_APART {
                return;
            }
            let known = |column: usize| {
                let one = [(FIRST + column, 1.0)];
                let common = solution.covariance(&from_mean, &one);
                of_rest(variance - common * common / solution.variance(&one))
            };
            let most = apart.into_iter().map(|column| (column, known(column)));
            let most = most.max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((column, _)) = most.filter(|(_, after)| *after >= TOLD_APART) else { return };
            told[column] = before;
        }
    }
}
