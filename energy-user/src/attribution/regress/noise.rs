//! The noise of equations: how large it is in each, and how it hangs together. Both are found from what
//! the unknowns leave of the equations.

use std::ops::Range;

use super::drift::{Drift, Varying};
use super::estimate::{FIRST, IDLE, Problem, dot};
use super::means::{Drawn, Means};
use super::misfit::Misfit;
use super::stated::Stated;

/// The noise of the equations: a counter's, that of programs whose watts are not constant, and that of
/// samples, which leave unsure where a program was.
pub(super) struct Noise {
    /// By how much the source's variance is to be multiplied.
    counter: f64,
    /// The variance of each program's watts, as part of their square, and of what varies besides.
    wobble: Vec<f64>,
    /// Those that are followed: those that matter most.
    followed: Vec<usize>,
    varying: Varying,
    drift: Drift,
    /// How many equations tell of each one's variance.
    looks: Vec<f64>,
}

/// With fewer looks at a variance, it might be anything.
const FEWEST_LOOKS: f64 = 4.0;

/// What a program's watts vary by at first, from equation to equation.
const USUAL_WOBBLE: f64 = 0.05;

/// Before anything was seen of a program its watts vary as all programs' do. That counts as so many equations.
const EQUATIONS_OF_ALL: f64 = 10.0;

/// More are not followed: what they vary by counts as fresh in each equation.
const MOST: usize = 16;

/// What varies besides programs: the watts of all of them together, as with the processor's frequency, and idle
/// power, as with temperature.
const BESIDES: usize = 2;

/// What the variance of each of these is at first, as part of that of programs.
const USUAL_BESIDES: f64 = 0.1;

/// What is tried of the counter's factor, from 1 on, which is its source's word: each is the last one times this, or divided by
/// it.
const COUNTER_STEP: f64 = 2.0;
const LEAST_COUNTER: f64 = 1.0 / 64.0;
const MOST_COUNTER: f64 = 1e6;

/// How often factors are found anew.
const ROUNDS: usize = 30;

impl Noise {
    /// Before anything is known: all programs alike.
    pub(super) fn first(problem: &Problem, rate: f64) -> Self {
        let mut unknowns = vec![rate; problem.unknowns()];
        unknowns[IDLE] = 0.0;
        let wobble = vec![USUAL_WOBBLE * USUAL_WOBBLE; problem.programs().len() + BESIDES];
        // Nothing is known of the truth but the mean, and that all of it is left.
        let mean = problem.shown.iter().sum::<f64>() / problem.lasted.iter().sum::<f64>();
        let left = problem.shown.iter().zip(&problem.lasted).map(|(shown, it)| shown - mean * it);
        let mut parts = Parts::of(problem, &unknowns);
        Parts::state_truly(&mut parts, problem, &left.collect::<Vec<f64>>());
        Self::of(&parts, 1.0, wobble, Drift::default())
    }

    fn of(parts: &[Parts], counter: f64, wobble: Vec<f64>, drift: Drift) -> Self {
        let squares = |program: usize| parts.iter().map(|part| part.squares[program]).sum::<f64>();
        let mut followed: Vec<usize> = (0..wobble.len()).collect();
        // Stable: of two that matter alike, the first comes first.
        followed.sort_by(|a, b| squares(*b).total_cmp(&squares(*a)));
        let rest = followed.split_off(followed.len().min(MOST));
        let apart = |part: &Parts| {
            let of_rest = rest.iter().map(|program| part.squares[*program] * wobble[*program]);
            part.known + of_rest.sum::<f64>()
        };
        let drawn = |part: &Parts| -> Vec<f64> {
            followed.iter().map(|program| part.squares[*program].sqrt()).collect()
        };
        let varying = Varying {
            apart: parts.iter().map(apart).collect(),
            counter: parts.iter().map(|part| part.counter * counter).collect(),
            drawn: parts.iter().map(drawn).collect(),
            variances: followed.iter().map(|program| wobble[*program]).collect(),
        };
        let look = |source: usize| {
            let part = |part: &Parts| {
                part.squares[source] * wobble[source] / part.variance(counter, &wobble)
            };
            parts.iter().map(part).sum::<f64>()
        };
        let looks = (0..wobble.len()).map(look).collect();
        Self { counter, wobble, followed, varying, drift, looks }
    }

    /// By what is left of the equations: the likeliest factors, and how noise hangs together. Both tell what is the counter's: by
    /// its size alone it would pass for what idle power, or all programs together, vary by.
    pub(super) fn refined(self, problem: &Problem, unknowns: &[f64]) -> Self {
        let left = problem.left(unknowns);
        let Self { counter, wobble, drift, .. } = self;
        let mut parts = Parts::of(problem, unknowns);
        // What of that is to be taken for the counter's.
        let of_counter = left.iter().zip(&parts);
        let of_counter = of_counter
            .map(|(left, part)| left * part.counter * counter / part.variance(counter, &wobble));
        let of_counter: Vec<f64> = of_counter.collect();
        Parts::state_truly(&mut parts, problem, &of_counter);
        let by = |counter: f64| {
            let wobble = likeliest_wobble(&left, &parts, counter);
            let found = Self::of(&parts, counter, wobble, drift);
            (drift.doubt(&left, &found.varying), found)
        };
        let mut best = by(counter);
        for step in [COUNTER_STEP, 1.0 / COUNTER_STEP] {
            loop {
                let counter = best.1.counter * step;
                if !(LEAST_COUNTER..=MOST_COUNTER).contains(&counter) {
                    break;
                }
                let next = by(counter);
                if next.0 >= best.0 {
                    break;
                }
                best = next;
            }
        }
        let (_, found) = best;
        let drift = drift.likeliest(&left, &found.varying);
        Self { drift, ..found }
    }

    /// Rows of equations with what could be foretold taken away, and what is left brought to variance 1.
    pub(super) fn whitened(&self, rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        self.drift.whitened(rows, &self.varying)
    }

    /// The variance that is to be expected, and not the likeliest: what drifts slowly was not looked at often, and
    /// of a variance by `n` looks the mean is `n / (n - 2)` of the likeliest.
    fn expected(&self, source: usize) -> f64 {
        // What all programs say is not of this one's slow drift.
        let of_all = if source + BESIDES < self.wobble.len() { EQUATIONS_OF_ALL } else { 0.0 };
        let looks = (of_all + self.looks[source] / self.drift.inflation()).max(FEWEST_LOOKS);
        self.wobble[source] * looks / (looks - 2.0)
    }

    /// How far each column's watts over the recording are from those over an endless one, by these equations.
    pub(super) fn means(
        &self,
        problem: &Problem,
        unknowns: &[f64],
        rows: &[Vec<f64>],
        misfit: &Misfit,
    ) -> Means {
        let mut states = vec![None; problem.count()];
        for (program, columns) in problem.programs().into_iter().enumerate() {
            let state = self.followed.iter().position(|followed| *followed == program);
            states[columns].fill(state);
        }
        let drawn = |times: &Vec<f64>| -> Vec<f64> {
            times.iter().zip(&unknowns[FIRST..]).map(|(time, watts)| time * watts).collect()
        };
        let each = problem.times.iter().map(drawn).collect();
        let variances = self.followed.iter().map(|source| self.expected(*source)).collect();
        let varying = Varying { variances, ..self.varying.clone() };
        let first = problem.first_bend();
        let bends = misfit.of_programs().map(|(place, bent)| (first + place, bent)).collect();
        Means::of(rows, &varying, self.drift, &Drawn { states, each, bends })
    }
}

/// The likeliest variances of each program's watts and of what varies besides, were all noise fresh, for this factor of
/// the counter.
fn likeliest_wobble(left: &[f64], parts: &[Parts], counter: f64) -> Vec<f64> {
    let count = parts.first().map_or(BESIDES, |part| part.squares.len());
    let programs = count - BESIDES;
    let of_programs: Vec<f64> =
        parts.iter().map(|part| part.squares[..programs].iter().sum()).collect();
    let mut of_all = USUAL_WOBBLE * USUAL_WOBBLE;
    for _ in 0..ROUNDS {
        let mut sum = [0.0; 2];
        for ((left, part), squares) in left.iter().zip(parts).zip(&of_programs) {
            let variance = part.counter * counter + part.known + squares * of_all;
            sum[0] += left * left * squares / (variance * variance);
            sum[1] += squares / variance;
        }
        improve(&mut of_all, sum);
    }
    let mut wobble = vec![of_all; count];
    wobble[programs..].fill(of_all * USUAL_BESIDES);
    for _ in 0..ROUNDS {
        let sums = wobble.iter().enumerate().map(|(program, wobble)| {
            let believed = if program < programs { EQUATIONS_OF_ALL } else { 0.0 };
            [believed * of_all / (wobble * wobble), believed / wobble]
        });
        let mut sums: Vec<[f64; 2]> = sums.collect();
        for (left, part) in left.iter().zip(parts) {
            let precision = 1.0 / part.variance(counter, &wobble);
            let found = (left * precision).powi(2);
            for (sum, square) in sums.iter_mut().zip(&part.squares) {
                sum[0] += square * found;
                sum[1] += square * precision;
            }
        }
        wobble.iter_mut().zip(sums).for_each(|(wobble, sum)| improve(wobble, sum));
    }
    wobble
}

/// A factor that fits better: of a sum by what is left, and of what it would be were the factor right.
fn improve(factor: &mut f64, [found, expected]: [f64; 2]) {
    if expected > 0.0 {
        *factor = (*factor * (found / expected).sqrt()).max(1e-9);
    }
}

/// What the variance of one equation is made of.
struct Parts {
    /// What the factor of the counter multiplies.
    counter: f64,
    /// What that of each program multiplies, the square of what it drew, and those of what varies besides.
    squares: Vec<f64>,
    /// What is known besides.
    known: f64,
}

impl Parts {
    /// With the counter's as its source states it.
    fn of(problem: &Problem, unknowns: &[f64]) -> Vec<Self> {
        let mean = problem.energy.iter().sum::<f64>() / problem.lasted.iter().sum::<f64>();
        let watts = &unknowns[FIRST..];
        let programs = problem.programs();
        let parts = problem.times.iter().enumerate().map(|(index, times)| {
            let energy =
                |program: &Range<usize>| dot(&times[program.clone()], &watts[program.clone()]);
            let squares = programs.iter().map(|program| energy(program).powi(2));
            let besides = [dot(times, watts).powi(2), (mean * problem.lasted[index]).powi(2)];
            let unsure = problem.unsure.get(index).into_iter().flatten();
            let unsure = unsure.zip(problem.families.iter().zip(&problem.varied));
            let of_samples = unsure.map(|(unsure, (family, varied))| {
                unsure.variance(varied, &times[family.clone()], &watts[family.clone()])
            });
            // Without a source's word, a thousandth of the mean.
            let least = (1e-3 * mean * problem.lasted[index]).powi(2);
            Self {
                counter: problem.variance[index].max(least),
                squares: squares.chain(besides).collect(),
                known: of_samples.sum(),
            }
        });
        parts.collect()
    }

    /// With the counter's as its source would state it, had it not been off by so much.
    fn state_truly(parts: &mut [Self], problem: &Problem, off: &[f64]) {
        let stated = Stated::of(&problem.variance, &problem.shown);
        for ((part, shown), off) in parts.iter_mut().zip(&problem.shown).zip(off) {
            part.counter = stated.of_truth(part.counter, *shown, shown - off);
        }
    }

    fn variance(&self, counter: f64, wobble: &[f64]) -> f64 {
        self.counter * counter + self.known + dot(&self.squares, wobble)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lottery::Lottery;
    use super::*;

    /// One program of 10 W in 600 equations of 100 ms, every fourth of which it does not run in, beside 20 W of idle power
    /// that are given. The counter is off by so many times what its source says, where it says 0.04 J of each equation.
    fn found(times: f64) -> Noise {
        let mut lottery = Lottery::new();
        let mut problem = Problem::default();
        let (mut before, mut wobble) = (0.0, 0.0);
        for equation in 0..600 {
            let ran = if equation % 4 == 0 { 0.0 } else { 0.1 };
            wobble = 0.95 * wobble + 0.03 * (1.0 - 0.95f64.powi(2)).sqrt() * lottery.normal();
            let edge = times * 0.04 / 2f64.sqrt() * lottery.normal();
            let energy = 10.0 * (1.0 + wobble) * ran + edge - before;
            before = edge;
            problem.lasted.push(0.1);
            problem.energy.push(energy);
            problem.shown.push(energy + 2.0);
            problem.variance.push(0.04 * 0.04);
            problem.times.push(vec![ran]);
            problem.lost.push(0.0);
        }
        let unknowns = [0.0, 10.0, 10.0];
        (0..3).fold(Noise::first(&problem, 10.0), |noise, _| noise.refined(&problem, &unknowns))
    }

    #[test]
    fn a_counter_that_is_as_good_as_it_says_is_believed() {
        let noise = found(1.0);
        assert!((0.5..=2.0).contains(&noise.counter), "{}", noise.counter);
        assert!((0.015..0.06).contains(&noise.wobble[0].sqrt()), "{:?}", noise.wobble);
    }

    #[test]
    fn a_counter_that_is_worse_than_it_says_is_found_out() {
        let noise = found(10.0);
        assert!((50.0..=200.0).contains(&noise.counter), "{}", noise.counter);
    }
}
