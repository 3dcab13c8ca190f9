//! What a source says of its errors, without what noise makes of that.
//!
//! Sources state much of an error as a part of the energy that they showed. Where that is off, so is what is
//! stated: an equation that shows too little by chance would be believed more than one that shows too much, and watts
//! be pulled down by it.

use super::estimate::dot;

/// How standard errors go with the energy shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stated {
    /// In joules.
    base: f64,
    /// In joules per joule.
    slope: f64,
    /// What was shown in the mean.
    mean: f64,
}

/// Nothing draws less than this part of the mean, for this purpose.
const LEAST: f64 = 0.1;

impl Stated {
    /// By variances and what was shown with them: the line with the least squares of what it leaves, along which
    /// errors neither begin below nothing nor fall.
    #[expect(clippy::cast_precision_loss, reason = "thousands of equations")]
    pub(super) fn of(variances: &[f64], shown: &[f64]) -> Self {
        let errors: Vec<f64> = variances.iter().map(|variance| variance.max(0.0).sqrt()).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let [error, energy] = [mean(&errors), mean(shown)];
        let apart = |values: &[f64], mean: f64| -> Vec<f64> {
            values.iter().map(|value| value - mean).collect()
        };
        let [errors_apart, shown_apart] = [apart(&errors, error), apart(shown, energy)];
        let spread = dot(&shown_apart, &shown_apart);
        let slope = if spread > 0.0 { dot(&errors_apart, &shown_apart) / spread } else { 0.0 };
        let through_nothing = dot(&errors, shown) / dot(shown, shown).max(f64::MIN_POSITIVE);
        match error - slope * energy {
            _ if slope <= 0.0 => Self { base: error, slope: 0.0, mean: energy },
            base if base < 0.0 => Self { base: 0.0, slope: through_nothing, mean: energy },
            base => Self { base, slope, mean: energy },
        }
    }

    /// The variance of an equation as it would have been stated, had the source shown what it is taken to be in truth.
    pub(super) fn of_truth(&self, variance: f64, shown: f64, truth: f64) -> f64 {
        let error = |energy: f64| self.base + self.slope * energy.max(LEAST * self.mean);
        let stated = error(shown);
        if stated > 0.0 { variance * (error(truth) / stated).powi(2) } else { variance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: [f64; 4] = [1.0, 2.0, 3.0, 6.0];

    fn stated(error: impl Fn(f64) -> f64) -> Stated {
        Stated::of(&SHOWN.map(|shown| error(shown).powi(2)), &SHOWN)
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9
    }

    #[test]
    fn errors_in_proportion_follow_the_truth() {
        let stated = stated(|shown| 0.1 * shown);
        assert!(close(stated.of_truth(0.04, 2.0, 4.0), 0.16));
        assert!(close(stated.of_truth(0.04, 2.0, -1.0), 9e-4), "a tenth of the mean");
    }

    #[test]
    fn errors_that_are_always_the_same_stay_so() {
        let stated = stated(|_| 0.3);
        assert!(close(stated.of_truth(0.09, 2.0, 4.0), 0.09));
    }

    #[test]
    fn a_quantum_and_a_proportion_are_told_apart() {
        let stated = stated(|shown| 0.2 + 0.1 * shown);
        assert!(close(stated.base, 0.2) && close(stated.slope, 0.1), "{stated:?}");
        assert!(close(stated.of_truth(0.16, 2.0, 4.0), 0.36));
        // A larger error than usual stays larger.
        assert!(close(stated.of_truth(0.64, 2.0, 4.0), 1.44));
    }

    #[test]
    fn errors_that_fall_or_are_missing_are_taken_as_they_are() {
        assert!(close(stated(|shown| 1.0 - 0.1 * shown).of_truth(0.5, 2.0, 4.0), 0.5));
        assert!(close(stated(|_| 0.0).of_truth(0.0, 2.0, 4.0), 0.0));
        assert!(close(Stated::of(&[], &[]).of_truth(0.5, 2.0, 4.0), 0.5));
    }
}
