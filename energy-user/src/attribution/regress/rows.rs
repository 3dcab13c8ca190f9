//! The equations as they are solved: divided by their noise, summed up, and the unknowns that fit them
//! best.

use super::estimate::dot;
use super::linear::{Factor, Square, non_negative};
use super::prior::Belief;

/// The equations as they are solved: each row has an entry for each unknown, and its energy last.
pub(super) struct Rows {
    each: Vec<Vec<f64>>,
    /// Sums over the rows: of each two unknowns' entries, and of each unknown's and the energy.
    gram: Square,
    right: Vec<f64>,
}

impl Rows {
    pub(super) fn of(rows: Vec<Vec<f64>>) -> Self {
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

    /// Minus twice the logarithm of how likely the equations are, but for the belief's own part and what all
    /// beliefs have in common. Negative unknowns are allowed here.
    pub(super) fn doubt(&self, (prior, pull): &Belief) -> f64 {
        let right: Vec<f64> =
            self.right.iter().zip(pull).map(|(right, pull)| right + pull).collect();
        let mut precision = self.gram.clone();
        precision.add_all(prior);
        let factor = precision.factor();
        factor.logarithm() - dot(&right, &factor.solve(&right))
    }

    /// The unknowns that fit best, of which none of the first so many is negative.
    fn likeliest(&self, (prior, pull): &Belief, positive: usize) -> Vec<f64> {
        let right: Vec<f64> =
            self.right.iter().zip(pull).map(|(right, pull)| right + pull).collect();
        let mut precision = self.gram.clone();
        precision.add_all(prior);
        non_negative(&precision, &right, positive)
    }

    fn split(row: &[f64]) -> (&[f64], f64) {
        let (energy, unknowns) = row.split_last().expect("a row has its energy at the end");
        (unknowns, *energy)
    }

    /// The covariance of the unknowns, by what is left of the equations and not by what was assumed of
    /// their noise: neighbours' may hang together.
    /// Reference: Newey and West, Econometrica 55 (1987), for the sum over neighbours.
    pub(super) fn covariance(&self, solution: &Solution, prior: &Belief) -> Square {
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
pub(super) struct Solution {
    pub unknowns: Vec<f64>,
    /// The inverse of the precision: what is left of doubt if the noise is as assumed.
    inverse: Square,
    /// How many unknowns the equations, and not the prior, determine.
    effective: f64,
}

impl Solution {
    pub(super) fn of(rows: &Rows, belief: &Belief, positive: usize) -> Self {
        let unknowns = rows.likeliest(belief, positive);
        Self::doubtful(rows, belief, unknowns)
    }

    /// The same unknowns, with the doubt that another prior leaves.
    pub(super) fn doubted(&self, rows: &Rows, belief: &Belief) -> Self {
        Self::doubtful(rows, belief, self.unknowns.clone())
    }

    fn doubtful(rows: &Rows, (prior, pull): &Belief, unknowns: Vec<f64>) -> Self {
        let mut precision = rows.gram.clone();
        precision.add_all(prior);
        let factor: Factor = precision.factor();
        let inverse = factor.inverse();
        let of_equations = inverse.times(&rows.gram);
        let effective = (0..pull.len()).map(|index| of_equations.get(index, index)).sum();
        Self { unknowns, inverse, effective }
    }

    /// The variance of a sum of unknowns, each so many times.
    pub(super) fn variance(&self, times: &[(usize, f64)]) -> f64 {
        self.covariance(times, times)
    }

    /// What two such sums have in common.
    pub(super) fn covariance(&self, one: &[(usize, f64)], other: &[(usize, f64)]) -> f64 {
        let cell = |(row, a): &(usize, f64), (column, b): &(usize, f64)| {
            a * b * self.inverse.get(*row, *column)
        };
        one.iter().flat_map(|one| other.iter().map(move |other| cell(one, other))).sum()
    }
}
