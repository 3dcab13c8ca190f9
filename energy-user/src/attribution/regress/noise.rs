//! The noise of equations: how large it is in each, and how it hangs together. Both are found from what
//! the unknowns leave of the equations.

use std::ops::Range;

use super::drift::Drift;
use super::estimate::{FIRST, IDLE, Problem, dot};
use super::linear::Square;

/// The noise of the equations: a counter's, that of programs whose watts are not constant, and that of
/// samples, which leave unsure where a program was.
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
        let mut unknowns = vec![rate; problem.unknowns()];
        unknowns[IDLE] = 0.0;
        let factors = [1.0, USUAL_WOBBLE * USUAL_WOBBLE];
        let parts = Self::parts(problem, &unknowns);
        Self { deviation: Self::deviation(&parts, factors), drift: Drift::default(), factors }
    }

    /// What the two factors multiply, for each equation, and what no factor does.
    fn parts(problem: &Problem, unknowns: &[f64]) -> Vec<Parts> {
        let mean = problem.energy.iter().sum::<f64>() / problem.lasted.iter().sum::<f64>();
        let watts = &unknowns[FIRST..];
        let programs = problem.programs();
        let parts = problem.times.iter().enumerate().map(|(index, times)| {
            let energy =
                |program: &Range<usize>| dot(&times[program.clone()], &watts[program.clone()]);
            let squares = programs.iter().map(|program| energy(program).powi(2));
            let unsure =
                problem.families.iter().zip(problem.unsure.get(index).into_iter().flatten());
            let of_samples = unsure.map(|(family, unsure)| {
                unsure * variance(&times[family.clone()], &watts[family.clone()])
            });
            // Without a source's word, a thousandth of the mean.
            let least = (1e-3 * mean * problem.lasted[index]).powi(2);
            Parts {
                multiplied: [problem.variance[index].max(least), squares.sum()],
                known: of_samples.sum(),
            }
        });
        parts.collect()
    }

    fn deviation(parts: &[Parts], factors: [f64; 2]) -> Vec<f64> {
        parts.iter().map(|part| part.variance(factors).sqrt()).collect()
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
                let variance = part.variance(factors);
                for (sum, part) in sums.iter_mut().zip(part.multiplied) {
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

    /// Adds the variance of each column's mean watts over the recording, around those it would have over an
    /// endless one: what its program's watts vary by, and for how long. Functions' vary with their program's.
    pub(super) fn add_of_means(
        &self,
        problem: &Problem,
        unknowns: &[f64],
        covariance: &mut Square,
    ) {
        let watts = &unknowns[FIRST..];
        let sum = |a: usize, b: usize| -> f64 {
            problem.times.iter().map(|times| times[a] * times[b]).sum()
        };
        let ran = |a: usize| -> f64 { problem.times.iter().map(|times| times[a]).sum() };
        for program in problem.programs() {
            let ran: Vec<f64> = program.clone().map(ran).collect();
            for (a, of_a) in program.clone().zip(&ran) {
                for (b, of_b) in program.clone().zip(&ran).filter(|(_, of_b)| of_a * **of_b > 0.0) {
                    let effective = sum(a, b) / (of_a * of_b);
                    let varying = watts[a] * watts[b] * self.factors[1] * self.drift.inflation();
                    covariance.add(FIRST + a, FIRST + b, varying * effective);
                }
            }
        }
    }
}

/// The variance of one equation: what each of two factors multiplies, and what is known besides.
struct Parts {
    multiplied: [f64; 2],
    known: f64,
}

impl Parts {
    fn variance(&self, factors: [f64; 2]) -> f64 {
        dot(&self.multiplied, &factors) + self.known
    }
}

/// The variance of watts over time.
fn variance(times: &[f64], watts: &[f64]) -> f64 {
    let all: f64 = times.iter().sum();
    if all <= 0.0 {
        return 0.0;
    }
    let mean = dot(times, watts) / all;
    times.iter().zip(watts).map(|(time, watts)| time / all * (watts - mean).powi(2)).sum()
}
