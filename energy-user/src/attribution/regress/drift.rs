//! What programs' watts vary by: each program's in its own way, part of it fresh in each equation, part of it
//! drifting and forgotten slowly, as temperature, frequency and what a program computes are. What a counter is off by at an
//! edge, the equations on both sides of it have, one too much and one too little.
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
    /// The part of the counter's variance that is of edges: the place among [`EDGES`].
    edges: usize,
}

/// What is tried.
const PARTS: [f64; 8] = [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.98];
const KEPT: [f64; 8] = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99];
const EDGES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// What varies in some equations.
#[derive(Clone, Debug, Default)]
pub(super) struct Varying {
    /// The variance of each equation that has to do neither with those programs nor with the counter, in joules
    /// squared.
    pub apart: Vec<f64>,
    /// The counter's part of it.
    pub counter: Vec<f64>,
    /// What each of those programs drew in each equation, in joules.
    pub drawn: Vec<Vec<f64>>,
    /// The variance of each one's watts, as part of their square.
    pub variances: Vec<f64>,
}

/// What is known of how far programs are off, and at the end of how far the counter was at the last edge, before an
/// equation.
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
    /// By how much of what was not foretold each program's state moves.
    gain: Vec<f64>,
    /// And where the edge's goes.
    of_edge: f64,
}

impl Default for Drift {
    /// Halfway, so that either way is near.
    fn default() -> Self {
        Self { part: 4, kept: 4, edges: 2 }
    }
}

impl Drift {
    pub(super) const fn part(self) -> f64 {
        PARTS[self.part]
    }

    pub(super) const fn kept(self) -> f64 {
        KEPT[self.kept]
    }

    /// The part of the counter's variance that is of edges.
    const fn edges(self) -> f64 {
        EDGES[self.edges]
    }

    /// The likeliest, for these: looked for from here, a step at a time.
    pub(super) fn likeliest(self, noise: &[f64], varying: &Varying) -> Self {
        let mut best = (self.doubt(noise, varying), self);
        loop {
            let before = best.1;
            let Self { part, kept, edges } = before;
            let steps = [
                Self { part: part.saturating_sub(1), ..before },
                Self { part: (part + 1).min(PARTS.len() - 1), ..before },
                Self { kept: kept.saturating_sub(1), ..before },
                Self { kept: (kept + 1).min(KEPT.len() - 1), ..before },
                Self { edges: edges.saturating_sub(1), ..before },
                Self { edges: (edges + 1).min(EDGES.len() - 1), ..before },
            ];
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
        let mut state = vec![0.0; varying.variances.len() + 1];
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
        let mut states = vec![vec![0.0; varying.variances.len() + 1]; columns];
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
        let programs = varying.variances.len();
        let mut covariance = Square::zero(programs + 1);
        for (program, variance) in varying.variances.iter().enumerate() {
            covariance.add(program, program, drift.part() * variance);
        }
        covariance.add(programs, programs, varying.before(drift));
        Self { varying, drift, covariance, next: 0 }
    }

    /// The next equation; there is one.
    pub(super) fn step(&mut self) -> Step<'a> {
        let Varying { drawn, variances, .. } = self.varying;
        let drawn = &drawn[self.next];
        let programs = variances.len();
        let fresh = drawn.iter().zip(variances).map(|(drawn, variance)| drawn * drawn * variance);
        let (apart, edge) = self.varying.fresh(self.drift, self.next);
        let fresh = apart + edge + (1.0 - self.drift.part()) * fresh.sum::<f64>();
        self.next += 1;
        let with_all: Vec<f64> =
            (0..=programs).map(|state| seen(drawn, self.covariance.row(state))).collect();
        let all = fresh + seen(drawn, &with_all);
        let gain: Vec<f64> = with_all.iter().map(|it| it / all).collect();
        self.covariance.add_product(-1.0, &with_all, &gain);
        let kept = self.drift.kept();
        self.covariance.scale(kept * kept);
        for (program, variance) in variances.iter().enumerate() {
            let renewed = self.drift.part() * variance * (1.0 - kept * kept);
            self.covariance.add(program, program, renewed);
        }
        // The next equation begins at this one's end.
        self.covariance.scale_line(programs, 0.0);
        self.covariance.add(programs, programs, edge - edge * edge / all);
        for (program, gain) in gain.iter().enumerate().take(programs) {
            self.covariance.add(program, programs, -kept * edge * gain);
            self.covariance.add(programs, program, -kept * edge * gain);
        }
        Step { drawn, scale: 1.0 / all.sqrt(), gain, of_edge: edge / all }
    }
}

impl Varying {
    /// The variance of what the counter was off by where the first equation begins.
    pub(super) fn before(&self, drift: Drift) -> f64 {
        drift.edges() * self.counter.first().map_or(0.0, |counter| counter / 2.0)
    }

    /// What is new in an equation but for programs: the variance of what has nothing to do with another equation, and that of
    /// what the counter is off by where it ends. The next one has that too, the other way round.
    pub(super) fn fresh(&self, drift: Drift, equation: usize) -> (f64, f64) {
        let counter = self.counter[equation];
        let next = self.counter.get(equation + 1).unwrap_or(&counter);
        let apart = self.apart[equation] + (1.0 - drift.edges()) * counter;
        (apart, drift.edges() * (counter + next) / 4.0)
    }
}

impl Step<'_> {
    /// What of `value` could not be foretold by `state`, which then knows it.
    fn go_on(&self, value: f64, state: &mut [f64], kept: f64) -> f64 {
        let new = value - seen(self.drawn, state);
        for (state, gain) in state.iter_mut().zip(&self.gain) {
            *state = kept * (*state + gain * new);
        }
        if let Some(edge) = state.last_mut() {
            *edge = self.of_edge * new;
        }
        new
    }
}

/// What an equation shows of states: what programs are off by, and the edge it begins at, the other way round.
fn seen(drawn: &[f64], states: &[f64]) -> f64 {
    dot(drawn, states) - states[drawn.len()]
}

#[cfg(test)]
impl Varying {
    /// The covariance of all equations, as it is written down and not as a filter has it.
    pub(super) fn covariance(&self, drift: Drift) -> Square {
        let mut covariance = Square::zero(self.drawn.len());
        for a in 0..self.drawn.len() {
            let (apart, edge) = self.fresh(drift, a);
            let before = a.checked_sub(1).map(|before| self.fresh(drift, before).1);
            covariance.add(a, a, apart + edge + before.unwrap_or(self.before(drift)));
            if let Some(shared) = before {
                covariance.add(a, a - 1, -shared);
                covariance.add(a - 1, a, -shared);
            }
            for b in 0..self.drawn.len() {
                let both = self.drawn[a].iter().zip(&self.drawn[b]).zip(&self.variances);
                let both: f64 = both.map(|((a, b), variance)| a * b * variance).sum();
                covariance.add(a, b, both * drift.in_common(a.abs_diff(b)));
            }
        }
        covariance
    }
}

#[cfg(test)]
impl Drift {
    /// What watts have in common with those so many equations later, as part of their variance.
    pub(super) fn in_common(self, apart: usize) -> f64 {
        let drifts = self.part() * self.kept().powi(i32::try_from(apart).unwrap());
        if apart == 0 { drifts + 1.0 - self.part() } else { drifts }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lottery::Lottery;
    use super::*;

    /// Two programs that draw 1 J by turns, 50 equations each, of which the first alone varies:
    /// what is left of the equations, and what the filter is told.
    fn turns(drift: Drift) -> (Vec<f64>, Varying) {
        let mut lottery = Lottery::new();
        let variances = vec![1.0, 1e-6];
        let mut state = drift.part().sqrt() * lottery.normal();
        let mut noise = Vec::new();
        let mut drawn = Vec::new();
        for equation in 0..3000 {
            let is_first = equation / 50 % 2 == 0;
            let own = state + (1.0 - drift.part()).sqrt() * lottery.normal();
            noise.push(if is_first { own } else { 0.0 } + 0.1 * lottery.normal());
            drawn.push(if is_first { vec![1.0, 0.0] } else { vec![0.0, 1.0] });
            let renewed = drift.part() * (1.0 - drift.kept() * drift.kept());
            state = drift.kept() * state + renewed.sqrt() * lottery.normal();
        }
        let counter = vec![0.01; noise.len()];
        (noise, Varying { apart: vec![0.0; drawn.len()], counter, drawn, variances })
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
        let drifting = Drift { part: 5, kept: 5, edges: 0 };
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
        let (noise, varying) = turns(Drift { part: 0, kept: 0, edges: 0 });
        let found = Drift::default().likeliest(&noise, &varying);
        assert!(found.part() < 0.15, "{found:?}");
        assert!(found.edges() < 0.3, "{found:?}");
    }

    #[test]
    fn what_a_counter_is_off_by_at_an_edge_is_taken_from_both_sides_of_it() {
        let (noise, varying) = turns(Drift::default());
        // What the turns of the program that does not vary leave, 0.1 J, one after the other.
        let off: Vec<f64> = noise.chunks(50).skip(1).step_by(2).flatten().copied().collect();
        let edges: Vec<f64> = off.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(neighbours(&edges) < -0.4);
        let varying = Varying {
            apart: vec![0.0; edges.len()],
            counter: vec![0.02; edges.len()],
            drawn: vec![vec![0.0; 2]; edges.len()],
            ..varying
        };
        let found = Drift::default().likeliest(&edges, &varying);
        assert!(found.edges() > 0.9, "{found:?}");
        let rows = edges.into_iter().map(|value| vec![value]).collect();
        let left: Vec<f64> = found.whitened(rows, &varying).concat();
        assert!(neighbours(&left).abs() < 0.06, "{}", neighbours(&left));
        assert!((variance(&left) - 1.0).abs() < 0.1, "{}", variance(&left));
    }

    #[test]
    fn doubt_is_that_of_the_covariance_of_all_equations() {
        let drift = Drift { part: 5, kept: 4, edges: 3 };
        let (noise, varying) = turns(drift);
        // Equations 30 to 69: the first program, and then the second.
        let noise = noise[30..70].to_vec();
        let varying = Varying {
            apart: vec![0.02; 40],
            counter: (0..40_u32).map(|it| 0.01 + 0.001 * f64::from(it)).collect(),
            drawn: varying.drawn[30..70].to_vec(),
            ..varying
        };
        let factor = varying.covariance(drift).factor();
        let doubt = factor.logarithm() + dot(&noise, &factor.solve(&noise));
        assert!((drift.doubt(&noise, &varying) - doubt).abs() < 1e-6, "{doubt}");
    }
}
