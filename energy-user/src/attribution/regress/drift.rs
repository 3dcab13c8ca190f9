//! What programs' watts vary by: each program's in its own way, part of it fresh in each equation, part of it
//! drifting and forgotten slowly, as temperature, frequency and what a program computes are.
//!
//! Of each equation what could be foretold from those before is taken away (a Kalman filter with one
//! state for each program), so that what is left is as if its noise were fresh.
//! Reference: Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), 3.4.

use super::estimate::dot;
use super::linear::Square;

/// How what programs' watts vary by hangs together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drift {
    /// The part of the variance that drifts: the place among [`PARTS`].
    part: usize,
    /// How much of the drift is left in the next equation: the place among [`KEPT`].
    kept: usize,
}

/// What is tried.
const PARTS: [f64; 8] = [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.98];
const KEPT: [f64; 8] = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99];

/// What varies in some equations.
#[derive(Clone, Debug, Default)]
pub(super) struct Varying {
    /// The variance of each equation that has nothing to do with those programs, in joules squared.
    pub apart: Vec<f64>,
    /// What each of those programs drew in each equation, in joules.
    pub drawn: Vec<Vec<f64>>,
    /// The variance of each one's watts, as part of their square.
    pub variances: Vec<f64>,
}

/// What is known of how far programs are off, before an equation.
#[derive(Clone, Debug)]
pub(super) struct Filter<'a> {
    varying: &'a Varying,
    drift: Drift,
    covariance: Square,
    next: usize,
}

/// What a filter says of an equation.
#[derive(Clone, Debug)]
pub(super) struct Step<'a> {
    /// What each program drew in it.
    pub drawn: &'a [f64],
    /// One divided by the standard deviation of what cannot be foretold.
    pub scale: f64,
    /// By how much of what was not foretold each state moves.
    pub gain: Vec<f64>,
}

impl Default for Drift {
    /// Halfway, so that either way is near.
    fn default() -> Self {
        Self { part: 4, kept: 4 }
    }
}

impl Drift {
    pub(super) const fn part(self) -> f64 {
        PARTS[self.part]
    }

    pub(super) const fn kept(self) -> f64 {
        KEPT[self.kept]
    }

    /// The likeliest, for these: looked for from here, a step at a time.
    pub(super) fn likeliest(self, noise: &[f64], varying: &Varying) -> Self {
        let mut best = (self.doubt(noise, varying), self);
        loop {
            let Self { part, kept } = best.1;
            let steps = [
                Self { part: part.saturating_sub(1), kept },
                Self { part: (part + 1).min(PARTS.len() - 1), kept },
                Self { part, kept: kept.saturating_sub(1) },
                Self { part, kept: (kept + 1).min(KEPT.len() - 1) },
            ];
            let before = best.1;
            for drift in steps.into_iter().filter(|drift| *drift != before) {
                let doubt = drift.doubt(noise, varying);
                if doubt < best.0 {
                    best = (doubt, drift);
                }
            }
            if best.1 == before {
                return before;
            }
        }
    }

    /// By how much the variance of a long sum is larger than were all of it fresh.
    pub(super) fn inflation(self) -> f64 {
        1.0 - self.part() + self.part() * (1.0 + self.kept()) / (1.0 - self.kept())
    }

    /// The less, the likelier: minus twice the logarithm of the likelihood, but for a constant.
    pub(super) fn doubt(self, noise: &[f64], varying: &Varying) -> f64 {
        let mut filter = Filter::new(self, varying);
        let mut state = vec![0.0; varying.variances.len()];
        let mut doubt = 0.0;
        for value in noise {
            let step = filter.step();
            let new = step.go_on(*value, &mut state, self.kept());
            doubt += (new * step.scale).powi(2) - 2.0 * step.scale.ln();
        }
        doubt
    }

    /// Rows of equations with what could be foretold taken away, and what is left brought to variance 1.
    pub(super) fn whitened(self, mut rows: Vec<Vec<f64>>, varying: &Varying) -> Vec<Vec<f64>> {
        let columns = rows.first().map_or(0, Vec::len);
        let mut states = vec![vec![0.0; varying.variances.len()]; columns];
        let mut filter = Filter::new(self, varying);
        for row in &mut rows {
            let step = filter.step();
            for (value, state) in row.iter_mut().zip(&mut states) {
                *value = step.scale * step.go_on(*value, state, self.kept());
            }
        }
        rows
    }
}

impl<'a> Filter<'a> {
    /// Before the first equation.
    pub(super) fn new(drift: Drift, varying: &'a Varying) -> Self {
        let mut covariance = Square::zero(varying.variances.len());
        for (program, variance) in varying.variances.iter().enumerate() {
            covariance.add(program, program, drift.part() * variance);
        }
        Self { varying, drift, covariance, next: 0 }
    }

    /// The next equation; there is one.
    pub(super) fn step(&mut self) -> Step<'a> {
        let Varying { apart, drawn, variances } = self.varying;
        let drawn = &drawn[self.next];
        let fresh = drawn.iter().zip(variances).map(|(drawn, variance)| drawn * drawn * variance);
        let fresh = apart[self.next] + (1.0 - self.drift.part()) * fresh.sum::<f64>();
        self.next += 1;
        let with_all: Vec<f64> =
            (0..variances.len()).map(|program| dot(self.covariance.row(program), drawn)).collect();
        let all = fresh + dot(&with_all, drawn);
        let gain: Vec<f64> = with_all.iter().map(|it| it / all).collect();
        self.covariance.add_product(-1.0, &with_all, &gain);
        let kept = self.drift.kept();
        self.covariance.scale(kept * kept);
        for (program, variance) in variances.iter().enumerate() {
            let renewed = self.drift.part() * variance * (1.0 - kept * kept);
            self.covariance.add(program, program, renewed);
        }
        Step { drawn, scale: 1.0 / all.sqrt(), gain }
    }
}

impl Step<'_> {
    /// What of `value` could not be foretold by `state`, which then knows it.
    fn go_on(&self, value: f64, state: &mut [f64], kept: f64) -> f64 {
        let new = value - dot(self.drawn, state);
        for (state, gain) in state.iter_mut().zip(&self.gain) {
            *state = kept * (*state + gain * new);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two programs that draw 1 J by turns, 50 equations each, of which the first alone varies, from a generator
    /// of Park and Miller: what is left of the equations, and what the filter is told.
    fn turns(drift: Drift) -> (Vec<f64>, Varying) {
        let mut seed = 1_u64;
        let mut normal = || {
            let sum: f64 = (0..12)
                .map(|_| {
                    seed = seed * 48_271 % 0x7fff_ffff;
                    f64::from(u32::try_from(seed).unwrap()) / f64::from(0x7fff_ffff_u32)
                })
                .sum();
            sum - 6.0
        };
        let variances = vec![1.0, 1e-6];
        let mut state = drift.part().sqrt() * normal();
        let mut noise = Vec::new();
        let mut drawn = Vec::new();
        for equation in 0..3000 {
            let is_first = equation / 50 % 2 == 0;
            let own = state + (1.0 - drift.part()).sqrt() * normal();
            noise.push(if is_first { own } else { 0.0 } + 0.1 * normal());
            drawn.push(if is_first { vec![1.0, 0.0] } else { vec![0.0, 1.0] });
            let renewed = drift.part() * (1.0 - drift.kept() * drift.kept());
            state = drift.kept() * state + renewed.sqrt() * normal();
        }
        let apart = vec![0.01; noise.len()];
        (noise, Varying { apart, drawn, variances })
    }

    fn variance(noise: &[f64]) -> f64 {
        let count = f64::from(u32::try_from(noise.len()).unwrap());
        noise.iter().map(|value| value * value).sum::<f64>() / count
    }

    fn neighbours(noise: &[f64]) -> f64 {
        let pairs: f64 = noise.iter().zip(&noise[1..]).map(|(a, b)| a * b).sum();
        pairs / noise.iter().map(|value| value * value).sum::<f64>()
    }

    #[test]
    fn drift_is_found_and_taken_away_from_the_program_that_drifts() {
        let drifting = Drift { part: 5, kept: 5 };
        let (noise, varying) = turns(drifting);
        assert!(neighbours(&noise) > 0.6);
        let found = Drift::default().likeliest(&noise, &varying);
        assert!((0.6..=0.98).contains(&found.part()), "{found:?}");
        assert!((0.9..=0.99).contains(&found.kept()), "{found:?}");
        let rows = noise.into_iter().map(|value| vec![value]).collect();
        let left: Vec<f64> = found.whitened(rows, &varying).concat();
        assert!(neighbours(&left).abs() < 0.06, "{}", neighbours(&left));
        let of_turn = |first: bool| -> Vec<f64> {
            let turns = left.chunks(50).enumerate();
            let of_turn = turns.filter(|(turn, _)| (turn % 2 == 0) == first);
            of_turn.flat_map(|(_, left)| left.to_vec()).collect()
        };
        for turn in [of_turn(true), of_turn(false)] {
            assert!((variance(&turn) - 1.0).abs() < 0.15, "{}", variance(&turn));
        }
    }

    #[test]
    fn fresh_noise_is_left_as_it_is() {
        let (noise, varying) = turns(Drift { part: 0, kept: 0 });
        let found = Drift::default().likeliest(&noise, &varying);
        assert!(found.part() < 0.15, "{found:?}");
    }
}
