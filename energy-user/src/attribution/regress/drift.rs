//! Noise that hangs together: part of it is fresh in each equation, part drifts and is forgotten slowly,
//! as temperature, frequency and what a program computes are.
//!
//! Of each equation what could be foretold from those before is taken away (a Kalman filter with one
//! state), so that what is left is as if its noise were fresh.
//! Reference: Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), 3.4.

/// How the noise of equations hangs together, where the variance of each is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Drift {
    /// The part of the variance that drifts.
    part: f64,
    /// How much of the drift is left in the next equation.
    kept: f64,
}

/// What is tried.
const PARTS: [f64; 12] = [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98];
const KEPT: [f64; 8] = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99];

/// What the filter knows before an equation.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// One divided by the standard deviation of what cannot be foretold.
    scale: f64,
    /// How much of what was not foretold is drift.
    gain: f64,
}

impl Drift {
    /// The steps of the filter, which do not depend on what is filtered.
    fn steps(self) -> impl Iterator<Item = Step> {
        let Self { part, kept } = self;
        std::iter::successors(Some(part), move |before| {
            let gain = before / (before + 1.0 - part);
            Some(kept * kept * before * (1.0 - gain) + part * (1.0 - kept * kept))
        })
        .map(move |before| {
            let all = before + 1.0 - part;
            Step { scale: 1.0 / all.sqrt(), gain: before / all }
        })
    }

    /// The drift that makes these likeliest, whatever their size.
    pub(super) fn likeliest(noise: &[f64]) -> Self {
        let tried = PARTS.iter().flat_map(|part| KEPT.map(|kept| Self { part: *part, kept }));
        let mut best = (Self::default().doubt(noise), Self::default());
        for drift in tried {
            let doubt = drift.doubt(noise);
            if doubt < best.0 {
                best = (doubt, drift);
            }
        }
        best.1
    }

    /// By how much the variance of a long sum is larger than were the noise fresh.
    pub(super) fn inflation(self) -> f64 {
        1.0 - self.part + self.part * (1.0 + self.kept) / (1.0 - self.kept)
    }

    /// The less, the likelier: minus twice the logarithm of the likelihood, but for a constant.
    fn doubt(self, noise: &[f64]) -> f64 {
        let (mut state, mut squares, mut logarithms) = (0.0, 0.0, 0.0);
        for (value, step) in noise.iter().zip(self.steps()) {
            let new = value - state;
            squares += (new * step.scale).powi(2);
            logarithms -= 2.0 * step.scale.ln();
            state = self.kept * (state + step.gain * new);
        }
        #[expect(clippy::cast_precision_loss, reason = "thousands of equations")]
        let count = noise.len() as f64;
        count * (squares / count).ln() + logarithms
    }

    /// Rows of equations with what could be foretold taken away, and what is left brought to variance 1.
    pub(super) fn whitened(self, mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let mut state = vec![0.0; rows.first().map_or(0, Vec::len)];
        for (row, step) in rows.iter_mut().zip(self.steps()) {
            for (value, state) in row.iter_mut().zip(&mut state) {
                let new = *value - *state;
                *value = new * step.scale;
                *state = self.kept * (*state + step.gain * new);
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise that drifts so much and is fresh besides, from a generator of Park and Miller.
    fn noise(drift: Drift) -> Vec<f64> {
        let mut seed = 1_u64;
        let mut fresh = || {
            let sum: f64 = (0..12)
                .map(|_| {
                    seed = seed * 48_271 % 0x7fff_ffff;
                    f64::from(u32::try_from(seed).unwrap()) / f64::from(0x7fff_ffff_u32)
                })
                .sum();
            sum - 6.0
        };
        let mut state = drift.part.sqrt() * fresh();
        let mut noise = Vec::new();
        for _ in 0..2000 {
            noise.push(state + (1.0 - drift.part).sqrt() * fresh());
            let renewed = drift.part * (1.0 - drift.kept * drift.kept);
            state = drift.kept * state + renewed.sqrt() * fresh();
        }
        noise
    }

    fn neighbours(noise: &[f64]) -> f64 {
        let pairs: f64 = noise.iter().zip(&noise[1..]).map(|(a, b)| a * b).sum();
        pairs / noise.iter().map(|value| value * value).sum::<f64>()
    }

    #[test]
    fn drift_is_found_and_taken_away() {
        let drifting = noise(Drift { part: 0.8, kept: 0.95 });
        assert!(neighbours(&drifting) > 0.6);
        let found = Drift::likeliest(&drifting);
        assert!(
            (0.6..=0.98).contains(&found.part) && (0.9..=0.99).contains(&found.kept),
            "{found:?}"
        );
        let rows = drifting.into_iter().map(|value| vec![value]).collect();
        let left: Vec<f64> = found.whitened(rows).concat();
        assert!(neighbours(&left).abs() < 0.06, "{}", neighbours(&left));
    }

    #[test]
    fn fresh_noise_is_left_as_it_is() {
        let found = Drift::likeliest(&noise(Drift::default()));
        assert!(found.inflation() < 1.5, "{found:?}");
    }
}
