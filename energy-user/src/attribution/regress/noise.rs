//! The noise of equations: how large it is in each, and how it hangs together. Both are found from what
//! the unknowns leave of the equations.

use super::drift::Drift;
use super::estimate::{FIRST, IDLE, Problem, dot};

/// The noise of the equations: a counter's, and that of programs whose watts are not constant.
pub(super) struct Noise {
    /// The standard deviation of each, in joules.
    pub deviation: Vec<f64>,
    /// How the noise of equations hangs together.
    pub drift: Drift,
    /// By how much the source's variance is to be multiplied, and that of active energy.
    factors: [f64; 2],
}

/// What a program's watts vary by at first, from equation to equation.
const USUAL_WOBBLE: f64 = 0.05;

impl Noise {
    /// Before anything is known: all programs alike.
    pub(super) fn first(problem: &Problem, rate: f64) -> Self {
        let count = problem.times.first().map_or(0, Vec::len);
        let mut unknowns = vec![rate; FIRST + count];
        unknowns[IDLE] = 0.0;
        let factors = [1.0, USUAL_WOBBLE * USUAL_WOBBLE];
        let parts = Self::parts(problem, &unknowns);
        Self { deviation: Self::deviation(&parts, factors), drift: Drift::default(), factors }
    }

    /// What the two factors multiply, for each equation.
    fn parts(problem: &Problem, unknowns: &[f64]) -> Vec<[f64; 2]> {
        let mean = problem.energy.iter().sum::<f64>() / problem.lasted.iter().sum::<f64>();
        let parts = problem.times.iter().enumerate().map(|(index, times)| {
            let squares =
                times.iter().zip(&unknowns[FIRST..]).map(|(t, watts)| (t * watts).powi(2));
            // Without a source's word, a thousandth of the mean.
            let least = (1e-3 * mean * problem.lasted[index]).powi(2);
            [problem.variance[index].max(least), squares.sum()]
        });
        parts.collect()
    }

    fn deviation(parts: &[[f64; 2]], factors: [f64; 2]) -> Vec<f64> {
        parts.iter().map(|part| (part[0] * factors[0] + part[1] * factors[1]).sqrt()).collect()
    }

    /// By what is left of the equations: the likeliest factors, and the correlation of neighbours.
    pub(super) fn refined(self, problem: &Problem, unknowns: &[f64]) -> Self {
        let left: Vec<f64> = (0..problem.times.len())
            .map(|index| problem.energy[index] - dot(&problem.row(index), unknowns))
            .collect();
        let parts = Self::parts(problem, unknowns);
        let mut factors = self.factors;
        for _ in 0..30 {
            let mut sums = [[0.0; 2]; 2];
            for (left, part) in left.iter().zip(&parts) {
                let variance = part[0] * factors[0] + part[1] * factors[1];
                for (sum, part) in sums.iter_mut().zip(part) {
                    sum[0] += left * left * part / (variance * variance);
                    sum[1] += part / variance;
                }
            }
            for (factor, sum) in factors.iter_mut().zip(sums) {
                if sum[1] > 0.0 {
                    *factor = (*factor * (sum[0] / sum[1]).sqrt()).max(1e-9);
                }
            }
        }
        let deviation = Self::deviation(&parts, factors);
        let normal: Vec<f64> = left.iter().zip(&deviation).map(|(left, d)| left / d).collect();
        Self { deviation, drift: Drift::likeliest(&normal), factors }
    }

    /// The variance of each column's mean watts over the recording, around those it would have over an
    /// endless one: what its watts vary by, and for how long.
    pub(super) fn of_means(&self, problem: &Problem, unknowns: &[f64]) -> Vec<f64> {
        let of_column = |column: usize| {
            let times = || problem.times.iter().map(|times| times[column]);
            let (sum, squares) = (times().sum::<f64>(), times().map(|t| t * t).sum::<f64>());
            let watts = unknowns[FIRST + column];
            let effective = if sum > 0.0 { squares / (sum * sum) } else { 0.0 };
            watts * watts * self.factors[1] * self.drift.inflation() * effective
        };
        (0..unknowns.len() - FIRST).map(of_column).collect()
    }
}
