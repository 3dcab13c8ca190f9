//! The estimate: watts per CPU second of each column, and how sure they are.
//!
//! A linear mixed model: of each equation `energy = idle × length + Σ watts × time + noise`, where each
//! column's watts are spread around a common mean that is itself looked for, or where columns are functions of
//! one program, around that program's. The spreads, the noise's
//! size and how long it lasts are found from the equations (empirical Bayes), so that the pull
//! towards the mean is as strong as the equations leave doubt. docs/attribution.md derives it.

use std::ops::Range;

use super::directions::{Unsure, Varied};
use super::families::Called;
use super::linear::Square;
use super::misfit::{Entries, Misfit};
use super::noise::Noise;
use super::pool::Pool;
use super::prior::{Scale, Spreads, Told, USUAL};
use super::rows::{Rows, Solution};
use super::{Crowding, Siblings};

/// How often weights are found anew.
const ROUNDS: usize = 6;

/// The least mean watts of a program with functions, as part of those of all, for the spread of its
/// functions' watts to be in proportion to.
const LEAST_RATE: f64 = 0.1;

/// What is known of a domain.
#[derive(Clone, Debug, Default)]
pub(super) struct Problem {
    /// How long each equation is, in seconds.
    pub lasted: Vec<f64>,
    /// The energy of each in joules; where idle power is known, without it.
    pub energy: Vec<f64>,
    /// The same as the source showed it: idle power is in it.
    pub shown: Vec<f64>,
    /// The variance of each by the source's word, in joules squared.
    pub variance: Vec<f64>,
    /// For how many seconds each column ran in each.
    pub times: Vec<Vec<f64>>,
    /// Which part of that was beside a busy sibling; nothing where siblings are not looked at.
    pub beside: Vec<Vec<f64>>,
    /// For how many seconds it is unknown who ran.
    pub lost: Vec<f64>,
    /// Whether idle power is looked for, too.
    pub with_idle: bool,
    /// The columns that are functions, for each program that has any.
    pub families: Vec<Range<usize>>,
    /// Columns that are called by the same function of a program.
    pub called: Vec<Called>,
    /// Of each family: how its functions vary.
    pub varied: Vec<Varied>,
    /// Of each equation and family: how unsure they are.
    pub unsure: Vec<Vec<Unsure>>,
    /// Of what watts do not add up by, where that is looked for.
    pub misfit: Entries,
}

/// What was found. Unknowns are idle power, the common mean, each column's watts, and each family's mean; while they are
/// looked for, at the end how much there is of each bend.
#[derive(Clone, Debug)]
pub(super) struct Estimate {
    /// In watts.
    pub unknowns: Vec<f64>,
    /// In watts squared.
    pub covariance: Square,
    pub told: Told,
    /// How far columns' watts are spread around the mean, in watts.
    pub spread: f64,
    /// How far functions' are around their program's, in watts, for each family.
    pub family_spreads: Vec<f64>,
    /// How far watts add up.
    pub crowding: Option<Crowding>,
    /// What time beside a busy sibling is worth, where that is looked for.
    pub siblings: Option<Siblings>,
}

impl Estimate {
    /// The standard error of idle power, in watts.
    pub(super) fn idle_error(&self) -> f64 {
        self.covariance.get(IDLE, IDLE).max(0.0).sqrt()
    }
}

/// Chooses what is put together.
type PoolOf = fn(&Problem, &Estimate) -> Option<Pool>;

/// The place of idle power among the unknowns.
pub(super) const IDLE: usize = 0;
/// The place of the common mean.
pub(super) const COMMON: usize = 1;
/// The place of the first column.
pub(super) const FIRST: usize = 2;

/// What was found when all agrees.
pub(super) struct Settled {
    /// With times as they are worth.
    problem: Problem,
    pub misfit: Misfit,
    rows: Rows,
    solution: Solution,
    noise: Noise,
    scale: Scale,
    /// The likeliest, and those that are to be expected.
    spreads: Spreads,
    expected: Spreads,
}

impl Problem {
    /// The estimate; `None` where there is nothing to estimate from. What is not told apart has one estimate with
    /// others: what a function of a program calls, with that function; then functions, with others of their
    /// program; then programs, with other programs.
    pub(super) fn solve(&self) -> Option<Estimate> {
        self.solve_pooled(&[Pool::of_called, Pool::of_functions])
    }

    fn solve_pooled(&self, pools: &[PoolOf]) -> Option<Estimate> {
        let each = self.solve_each()?;
        let found = pools.iter().enumerate().find_map(|(index, pool)| {
            let pool = pool(self, &each)?;
            Some((pool, &pools[index + 1..]))
        });
        if let Some((pool, rest)) = found {
            let pooled = pool.problem(self).solve_pooled(rest)?;
            return Some(pool.spread_out(self, &pooled, &each));
        }
        let Some(pool) = Pool::of_programs(self, &each) else { return Some(each) };
        Some(pool.spread_out(self, &pool.mean(&each), &each))
    }

    /// How many columns there are.
    pub(super) fn count(&self) -> usize {
        self.times.first().map_or(0, Vec::len)
    }

    /// How many unknowns there are.
    pub(super) fn unknowns(&self) -> usize {
        self.first_bend() + self.misfit.kinds.len()
    }

    /// The place of the first bend among the unknowns. All before are watts.
    pub(super) fn first_bend(&self) -> usize {
        FIRST + self.count() + self.families.len()
    }

    /// The place of a family's mean among the unknowns.
    pub(super) fn mean_of(&self, family: usize) -> usize {
        FIRST + self.count() + family
    }

    /// The family a column is a function of.
    pub(super) fn family_of(&self, column: usize) -> Option<usize> {
        self.families.iter().position(|members| members.contains(&column))
    }

    /// The columns of each program.
    pub(super) fn programs(&self) -> Vec<Range<usize>> {
        let alone = (0..self.count()).filter(|column| self.family_of(*column).is_none());
        let alone = alone.map(|column| column..column + 1);
        alone.chain(self.families.iter().cloned()).collect()
    }

    /// Which part of their time each of these columns has.
    pub(super) fn shares(&self, members: &Range<usize>) -> Vec<f64> {
        let ran: Vec<f64> =
            members.clone().map(|column| self.times.iter().map(|it| it[column]).sum()).collect();
        let all: f64 = ran.iter().sum();
        ran.into_iter().map(|ran| if all > 0.0 { ran / all } else { 0.0 }).collect()
    }

    /// Watts of its own for each column, their spread and the noise: in turn, until they agree.
    pub(super) fn settle(&self) -> Option<Settled> {
        let ran: f64 = self.times.iter().flatten().chain(&self.lost).sum();
        let energy: f64 = self.energy.iter().sum();
        if self.count() == 0 || self.times.len() < 2 * FIRST || ran <= 0.0 || energy <= 0.0 {
            return None;
        }
        let rate = energy / ran;
        let power = energy / self.lasted.iter().sum::<f64>();
        let mut scale = Scale { power, rate, families: vec![rate; self.families.len()] };
        let mut noise = Noise::first(self, rate);
        let mut spreads = USUAL;
        let mut expected = USUAL;
        let mut watts = vec![rate; self.unknowns()];
        let mut misfit = Misfit::none(self, &watts);
        let mut found = None;
        for _ in 0..ROUNDS {
            let problem = misfit.applied(self, &watts);
            let rows = problem.rows(&noise);
            [spreads, expected] = Spreads::by(&problem, &rows, &scale, spreads);
            let prior = problem.prior(&scale, spreads);
            let solution = Solution::of(&rows, &prior, problem.first_bend());
            noise = noise.refined(&problem, &solution.unknowns);
            watts.copy_from_slice(&solution.unknowns[..problem.first_bend()]);
            misfit.go_on(&solution.unknowns);
            let of_families = self.families.iter().map(|members| {
                let watts = members.clone().map(|column| solution.unknowns[FIRST + column]);
                let mean: f64 = watts.zip(self.shares(members)).map(|(w, share)| w * share).sum();
                mean.max(LEAST_RATE * rate)
            });
            scale.families = of_families.collect();
            found = Some((problem, rows, solution));
        }
        let (problem, rows, solution) = found?;
        Some(Settled { problem, misfit, rows, solution, noise, scale, spreads, expected })
    }

    /// The estimate with watts of its own for each column.
    fn solve_each(&self) -> Option<Estimate> {
        let Settled { problem, misfit, rows, solution, noise, scale, spreads, expected } =
            self.settle()?;
        let told = problem.told(&rows, &scale, spreads);
        let family_spreads =
            scale.families.iter().map(|scale| expected.functions * scale).collect();
        let spread = expected.programs * scale.rate;
        // How far watts do not add up is in doubt: as far as is to be expected, and not as is likeliest. So are watts
        // where idle power can be told from them only by how alike they are.
        let told_by_likeness = self.with_idle && !told.idle;
        let programs = if told_by_likeness { expected.programs } else { spreads.programs };
        let doubted = Spreads { misfit: expected.misfit, programs, ..spreads };
        let prior = problem.prior(&scale, doubted);
        let mut covariance = rows.covariance(&solution.doubted(&rows, &prior), &prior);
        let crowding = misfit.crowding(&covariance, problem.first_bend());
        let siblings = misfit.siblings(&covariance, problem.first_bend());
        let mut unknowns = solution.unknowns;
        let means = noise.means(&problem, &unknowns, &problem.plain_rows(), &misfit);
        means.apply(&mut unknowns, &mut covariance);
        // Bends are of no use any more, but for what they leave in doubt of the others.
        unknowns.truncate(problem.first_bend());
        let covariance = covariance.part(&(0..unknowns.len()).collect::<Vec<_>>());
        Some(Estimate { unknowns, covariance, told, spread, family_spreads, crowding, siblings })
    }

    /// One row of the table: what each unknown is multiplied by.
    pub(super) fn row(&self, equation: usize) -> Vec<f64> {
        let mut row = vec![0.0; FIRST];
        row[IDLE] = if self.with_idle { self.lasted[equation] } else { 0.0 };
        row[COMMON] = self.lost[equation];
        row.extend(&self.times[equation]);
        // Only functions run; that their program has a mean is believed, and not seen.
        row.resize(self.first_bend(), 0.0);
        row.extend(self.misfit.each.get(equation).into_iter().flatten());
        row
    }

    /// What unknowns leave of the equations' energy.
    pub(super) fn left(&self, unknowns: &[f64]) -> Vec<f64> {
        let left = |equation: usize| self.energy[equation] - dot(&self.row(equation), unknowns);
        (0..self.times.len()).map(left).collect()
    }

    /// The equations as they are: a row's entries and its energy.
    fn plain_rows(&self) -> Vec<Vec<f64>> {
        let plain = |equation: usize| {
            let mut row = self.row(equation);
            row.push(self.energy[equation]);
            row
        };
        (0..self.times.len()).map(plain).collect()
    }

    /// The equations, less what their noise has of those before, and each divided by what is left of it.
    fn rows(&self, noise: &Noise) -> Rows {
        Rows::of(noise.whitened(self.plain_rows()))
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
