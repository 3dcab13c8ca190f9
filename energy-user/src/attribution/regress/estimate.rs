//! The estimate: watts per CPU second of each column, and how sure they are.
//!
//! A linear mixed model: of each equation `energy = idle × length + Σ watts × time + noise`, where each
//! column's watts are spread around a common mean that is itself looked for. The spread, the noise's
//! size and how long it lasts are found from the equations (empirical Bayes), so that the pull
//! towards the mean is as strong as the equations leave doubt. docs/attribution.md derives it.

use super::linear::{Factor, Square, non_negative};
use super::noise::Noise;
use super::pool::Pool;

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

/// How often weights are found anew.
const ROUNDS: usize = 6;

/// What is known of a domain.
#[derive(Clone, Debug, Default)]
pub(super) struct Problem {
    /// How long each equation is, in seconds.
    pub lasted: Vec<f64>,
    /// The energy of each in joules; where idle power is known, without it.
    pub energy: Vec<f64>,
    /// The variance of each by the source's word, in joules squared.
    pub variance: Vec<f64>,
    /// For how many seconds each column ran in each.
    pub times: Vec<Vec<f64>>,
    /// For how many seconds it is unknown who ran.
    pub lost: Vec<f64>,
    /// Whether idle power is looked for, too.
    pub with_idle: bool,
}

/// What was found. Unknowns are idle power, the common mean, and each column's watts.
#[derive(Clone, Debug)]
pub(super) struct Estimate {
    /// In watts.
    pub unknowns: Vec<f64>,
    /// In watts squared.
    pub covariance: Square,
    /// What is known of each column's distance from the mean: 0 where the equations say nothing of it,
    /// 1 where all.
    pub told: Vec<f64>,
    /// How far columns' watts are spread around the mean, in watts.
    pub spread: f64,
}

/// The place of idle power among the unknowns.
pub(super) const IDLE: usize = 0;
/// The place of the common mean.
pub(super) const COMMON: usize = 1;
/// The place of the first column.
pub(super) const FIRST: usize = 2;

impl Problem {
    /// The estimate; `None` where there is nothing to estimate from. Columns that are not told apart have
    /// one estimate for all.
    pub(super) fn solve(&self) -> Option<Estimate> {
        let estimate = self.solve_each()?;
        let pool = Pool::of(self, &estimate.told);
        if pool.members.len() < 2 {
            return Some(estimate);
        }
        let pooled = pool.problem(self).solve_each()?;
        Some(pool.spread_out(&pooled, &estimate))
    }

    /// The estimate with watts of its own for each column.
    fn solve_each(&self) -> Option<Estimate> {
        let count = self.times.first().map_or(0, Vec::len);
        let ran: f64 = self.times.iter().flatten().chain(&self.lost).sum();
        let energy: f64 = self.energy.iter().sum();
        if count == 0 || self.times.len() < 2 * FIRST || ran <= 0.0 || energy <= 0.0 {
            return None;
        }
        let scale = Scale { power: energy / self.lasted.iter().sum::<f64>(), rate: energy / ran };
        let mut noise = Noise::first(self, scale.rate);
        let mut found = None;
        for _ in 0..ROUNDS {
            let rows = self.rows(&noise);
            let spread = self.likeliest_spread(&rows, &scale, count);
            let prior = self.prior(&scale, spread, count);
            let solution = Solution::of(&rows, &prior);
            noise = noise.refined(self, &solution.unknowns);
            found = Some((rows, prior, solution, spread));
        }
        let (rows, prior, solution, spread) = found?;
        let mut covariance = rows.covariance(&solution, &prior);
        for (column, variance) in noise.of_means(self, &solution.unknowns).into_iter().enumerate() {
            covariance.add(FIRST + column, FIRST + column, variance);
        }
        let told = self.told(&rows, &scale, count);
        let spread = spread * scale.rate;
        Some(Estimate { unknowns: solution.unknowns, covariance, told, spread })
    }

    /// One row of the table: what each unknown is multiplied by.
    pub(super) fn row(&self, equation: usize) -> Vec<f64> {
        let mut row = vec![0.0; FIRST];
        row[IDLE] = if self.with_idle { self.lasted[equation] } else { 0.0 };
        row[COMMON] = self.lost[equation];
        row.extend(&self.times[equation]);
        row
    }

    /// The equations, each divided by its noise, and less what its noise has of the one before.
    fn rows(&self, noise: &Noise) -> Rows {
        let weighted = |equation: usize| {
            let scale = 1.0 / noise.deviation[equation];
            let mut row = self.row(equation);
            row.push(self.energy[equation]);
            row.into_iter().map(|value| value * scale).collect()
        };
        let rows: Vec<Vec<f64>> = (0..self.times.len()).map(weighted).collect();
        Rows::of(noise.drift.whitened(rows))
    }

    /// The spread of the columns' watts around their mean that makes the equations likeliest.
    fn likeliest_spread(&self, rows: &Rows, scale: &Scale, count: usize) -> f64 {
        let mut best = (f64::INFINITY, USUAL_SPREAD);
        let mut spread = LEAST_SPREAD;
        for _ in 0..SPREADS {
            let unusual = ((spread / USUAL_SPREAD).ln() / SPREAD_DOUBT).powi(2);
            let doubt = unusual + rows.doubt(&self.prior(scale, spread, count), spread, count);
            if doubt < best.0 {
                best = (doubt, spread);
            }
            spread *= SPREAD_STEP;
        }
        best.1
    }

    /// What is believed before the equations: the precision of each unknown, and what it pulls to.
    fn prior(&self, scale: &Scale, spread: f64, count: usize) -> (Square, Vec<f64>) {
        let mut precision = Square::zero(FIRST + count);
        let mut right = vec![0.0; FIRST + count];
        let of_column = 1.0 / (spread * scale.rate).powi(2);
        for column in FIRST..FIRST + count {
            precision.add(column, column, of_column);
            precision.add(COMMON, COMMON, of_column);
            precision.add(column, COMMON, -of_column);
            precision.add(COMMON, column, -of_column);
        }
        // The mean itself may be anything.
        precision.add(COMMON, COMMON, 1e-6 / scale.rate.powi(2));
        let usual = USUAL_IDLE * scale.power;
        let of_idle = 1.0 / (usual * usual);
        precision.add(IDLE, IDLE, of_idle);
        right[IDLE] = if self.with_idle { of_idle * usual } else { 0.0 };
        (precision, right)
    }

    /// How much of the usual doubt about each column's distance from the mean the equations take away.
    fn told(&self, rows: &Rows, scale: &Scale, count: usize) -> Vec<f64> {
        let prior = self.prior(scale, USUAL_SPREAD, count);
        let solution = Solution::of(rows, &prior);
        let usual = (USUAL_SPREAD * scale.rate).powi(2);
        let left = |column| solution.distance_variance(column) / usual;
        (FIRST..FIRST + count).map(|column| (1.0 - left(column)).clamp(0.0, 1.0)).collect()
    }
}

/// What is usual for the domain.
struct Scale {
    /// Mean power in watts.
    power: f64,
    /// Mean watts per CPU second.
    rate: f64,
}

/// The equations as they are solved: each row has an entry for each unknown, and its energy last.
struct Rows {
    each: Vec<Vec<f64>>,
    /// Sums over the rows: of each two unknowns' entries, and of each unknown's and the energy.
    gram: Square,
    right: Vec<f64>,
}

impl Rows {
    fn of(rows: Vec<Vec<f64>>) -> Self {
        let size = rows.first().map_or(0, |row| row.len() - 1);
        let mut gram = Square::zero(size);
        let mut right = vec![0.0; size];
        for row in &rows {
            let (row, energy) = Self::split(row);
            gram.add_product(1.0, row, row);
            right.iter_mut().zip(row).for_each(|(right, value)| *right += value * energy);
        }
        Self { each: rows, gram, right }
    }

    /// Minus twice the logarithm of how likely the equations are with a spread, but for what all spreads
    /// have in common. Negative unknowns are allowed here.
    fn doubt(&self, (prior, pull): &(Square, Vec<f64>), spread: f64, count: usize) -> f64 {
        let right: Vec<f64> =
            self.right.iter().zip(pull).map(|(right, pull)| right + pull).collect();
        let mut precision = self.gram.clone();
        precision.add_all(prior);
        let factor = precision.factor();
        #[expect(clippy::cast_precision_loss, reason = "some dozens of columns")]
        let columns = count as f64;
        factor.logarithm() + 2.0 * columns * spread.ln() - dot(&right, &factor.solve(&right))
    }

    fn split(row: &[f64]) -> (&[f64], f64) {
        let (energy, unknowns) = row.split_last().expect("a row has its energy at the end");
        (unknowns, *energy)
    }

    /// The covariance of the unknowns, by what is left of the equations and not by what was assumed of
    /// their noise: neighbours' may hang together.
    /// Reference: Newey and West, Econometrica 55 (1987), for the sum over neighbours.
    fn covariance(&self, solution: &Solution, prior: &(Square, Vec<f64>)) -> Square {
        let count = self.each.len();
        let scores: Vec<Vec<f64>> = self
            .each
            .iter()
            .map(|row| {
                let (row, energy) = Self::split(row);
                let left = energy - dot(row, &solution.unknowns);
                row.iter().map(|value| value * left).collect()
            })
            .collect();
        let size = solution.unknowns.len();
        #[expect(clippy::cast_precision_loss, reason = "thousands of equations")]
        let equations = count as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let reach = ((4.0 * (equations / 100.0).powf(2.0 / 9.0)) as usize).min(count / 4);
        let mut spread = Square::zero(size);
        for (index, score) in scores.iter().enumerate() {
            spread.add_product(1.0, score, score);
            for apart in 1..=reach.min(index) {
                #[expect(clippy::cast_precision_loss, reason = "a handful")]
                let weight = 1.0 - apart as f64 / (reach + 1) as f64;
                let before = &scores[index - apart];
                spread.add_product(weight, score, before);
                spread.add_product(weight, before, score);
            }
        }
        let free = (equations - solution.effective).max(1.0);
        let mut middle = Square::zero(size);
        for row in 0..size {
            for column in 0..size {
                middle.add(row, column, spread.get(row, column) * equations / free);
            }
        }
        middle.add_all(&prior.0);
        let inverse = &solution.inverse;
        inverse.times(&middle).times(inverse)
    }
}

/// The unknowns for some weights and a prior.
struct Solution {
    unknowns: Vec<f64>,
    /// The inverse of the precision: what is left of doubt if the noise is as assumed.
    inverse: Square,
    /// How many unknowns the equations, and not the prior, determine.
    effective: f64,
}

impl Solution {
    fn of(rows: &Rows, (prior, pull): &(Square, Vec<f64>)) -> Self {
        let right: Vec<f64> =
            rows.right.iter().zip(pull).map(|(right, pull)| right + pull).collect();
        let mut precision = rows.gram.clone();
        precision.add_all(prior);
        let unknowns = non_negative(&precision, &right);
        let factor: Factor = precision.factor();
        let inverse = factor.inverse();
        let of_equations = inverse.times(&rows.gram);
        let effective = (0..pull.len()).map(|index| of_equations.get(index, index)).sum();
        Self { unknowns, inverse, effective }
    }

    /// The variance of a column's distance from the common mean.
    fn distance_variance(&self, column: usize) -> f64 {
        self.inverse.get(column, column) + self.inverse.get(COMMON, COMMON)
            - 2.0 * self.inverse.get(column, COMMON)
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
