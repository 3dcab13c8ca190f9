//! What samples are worth of code that is in one function for a while and then in another.
//!
//! Samples taken at regular times of code that changes less often than they are taken say almost exactly where a
//! thread was; those of code that changes more often are as good as drawn by lot. Which of the two it is shows
//! in how much shares differ from window to window: long phases make windows all of one function. A thread
//! that is on its CPU now and then is there when it is sampled by chance, however regular the clock.
//!
//! All is said of a function that is there or not there, as a process without memory has it, where being there
//! has the variance 1. One window is `changes` times as long as such a process remembers.
//! Reference: Cox and Miller, The Theory of Stochastic Processes (1965), section 4.9 (the variance of a
//! time average).

/// How often code changes in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Phases {
    changes: f64,
}

/// How threads were sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampled {
    /// How many samples a thread has in a window.
    pub samples: f64,
    /// Which part of the time it is on its CPU.
    pub busy: f64,
}

/// What samples of a window say of a share of its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Worth {
    /// By how much the share differs from the usual one, as part of what samples say.
    pub believed: f64,
    /// The variance of what is to be expected.
    pub shown: f64,
    /// The variance that is left.
    pub left: f64,
}

const LEAST_CHANGES: f64 = 1e-3;
const MOST_CHANGES: f64 = 1e4;

impl Phases {
    /// Those in which shares by samples have this variance.
    pub(super) fn of(variance: f64, sampled: Sampled) -> Self {
        let (mut least, mut most) = (LEAST_CHANGES.ln(), MOST_CHANGES.ln());
        // The more changes, the less do windows differ.
        for _ in 0..50 {
            let middle = f64::midpoint(least, most);
            let phases = Self { changes: middle.exp() };
            if phases.of_samples(sampled) > variance {
                least = middle;
            } else {
                most = middle;
            }
        }
        Self { changes: most.exp() }
    }

    /// The variance of the true share of a window.
    pub(super) fn of_windows(self) -> f64 {
        let y = self.changes;
        2.0 * (y - (1.0 - (-y).exp())) / (y * y)
    }

    /// The variance of the share of samples in a window.
    fn of_samples(self, sampled: Sampled) -> f64 {
        let Sampled { samples, busy } = sampled;
        let truth = self.of_windows();
        let by_lot = truth + (1.0 - truth) / samples;
        busy * self.of_regular(samples) + (1.0 - busy) * by_lot
    }

    /// The same of samples at regular times.
    fn of_regular(self, samples: f64) -> f64 {
        let kept = (-self.changes / samples).exp();
        let gone = -(-self.changes / samples).exp_m1();
        let of_window = -(-self.changes).exp_m1();
        ((1.0 + kept) / gone - 2.0 * kept * of_window / (samples * gone * gone)) / samples
    }

    /// What the share of samples at regular times has in common with the true one.
    fn of_regular_and_truth(self, samples: f64) -> f64 {
        let kept = (-self.changes / samples).exp();
        let gone = -(-self.changes / samples).exp_m1();
        let of_window = -(-self.changes).exp_m1();
        (2.0 * samples - (1.0 + kept) * of_window / gone) / (samples * self.changes)
    }

    /// What samples of a window say.
    pub(super) fn worth(self, sampled: Sampled) -> Worth {
        let truth = self.of_windows();
        let in_common = sampled.busy * self.of_regular_and_truth(sampled.samples)
            + (1.0 - sampled.busy) * truth;
        let of_samples = self.of_samples(sampled);
        let believed = (in_common / of_samples).clamp(0.0, 1.0);
        let left = (truth - believed * in_common).max(0.0);
        Worth { believed, shown: believed * believed * of_samples, left }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REGULAR: Sampled = Sampled { samples: 10.0, busy: 1.0 };

    #[test]
    fn code_that_hardly_changes_is_known_where_it_is_sampled() {
        // A change in ten windows: of the thirtieth that windows vary within, a fiftieth is left.
        let worth = Phases { changes: 0.1 }.worth(REGULAR);
        assert!(worth.believed > 0.995 && worth.left < 0.03 * (1.0 - worth.shown), "{worth:?}");
    }

    #[test]
    fn samples_of_code_that_changes_all_the_time_say_as_much_as_a_lottery() {
        // Ten samples of a share of variance 2/1000: 1 part in 51 is no chance.
        let worth = Phases { changes: 1000.0 }.worth(Sampled { busy: 0.0, ..REGULAR });
        assert!((worth.believed - 0.002 / (0.002 + 0.0998)).abs() < 1e-3, "{worth:?}");
        assert!((worth.left - 0.002).abs() < 1e-3, "{worth:?}");
    }

    proptest! {
        #[test]
        fn how_often_code_changes_is_found_from_its_samples(
            changes in 0.02..500.0f64,
            samples in 2.0..500.0f64,
            busy in 0.0..=1.0f64,
        ) {
            let sampled = Sampled { samples, busy };
            let phases = Phases { changes };
            let found = Phases::of(phases.of_samples(sampled), sampled);
            prop_assert!((found.of_windows() - phases.of_windows()).abs() < 1e-3);
            let worth = phases.worth(sampled);
            prop_assert!((0.0..=1.0).contains(&worth.believed));
            prop_assert!(worth.left >= 0.0 && worth.left <= 1.01 * (1.0 - worth.shown));
        }
    }
}
