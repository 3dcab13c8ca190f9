//! Standard errors of sums: over windows, over the threads of a group, over domains.
//! Only here are errors floating point; no energy is.
//!
//! What may be relied on, and why (the long form is in docs/attribution.md):
//! - *Over windows* a counter's errors add in quadrature. A window's error is that of its two edges,
//!   and neighbours share an edge with opposite sign; as shares are never negative, what that does
//!   to a sum is to make it smaller. Quadrature is an upper bound.
//! - *Over threads* errors come from one counter. Adding them up is an upper bound, and so is the
//!   root of `Σ a·T`, with `a` a charge's error and `T` that of all charges of its window, because
//!   `(Σ a)² ≤ Σ a·T` in each window. The smaller of the two is taken.
//! - *A model's coefficients* are wrong in the same way in every window. What that does to a thread's
//!   energy is added up as vectors ([`crate::attribution::Doubt`]). Threads of one program err
//!   together and their errors add up; those of different programs partly cancel, so that adding them
//!   up is an upper bound.
//! - *Estimates* are wrong in the same direction again and again: their errors add up everywhere.

use crate::model::Provenance;
use crate::units::{Joules, Microjoules};

/// How many standard errors make a 95 % interval of a normal distribution.
const DEVIATIONS_95: f64 = 1.96;

/// The error of one thread's energy of one domain, or of a whole domain, over windows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ErrorSum {
    /// `Σ a²` in µJ².
    variance: f64,
    /// `Σ a·T` in µJ².
    ceiling: f64,
    /// `Σ a` in µJ, of estimates.
    correlated: f64,
    /// What the model's coefficients add, in µJ: as a part of what its thread used.
    model: f64,
}

impl ErrorSum {
    /// Of charges whose `Σ a²`, `Σ a·T` and, of estimates, `Σ a` are these, in µJ² and µJ.
    pub(super) const fn of_sums(variance: f64, ceiling: f64, correlated: f64) -> Self {
        Self { variance, ceiling, correlated, model: 0.0 }
    }

    /// Adds the error of one charge in one window, where all charges' errors come to `of_all`.
    pub fn add(&mut self, error: Microjoules, of_all: Microjoules, provenance: Provenance) {
        let microjoules = error.joules().get() * 1e6;
        match provenance {
            Provenance::Measured | Provenance::Attributed => {
                self.variance += microjoules * microjoules;
                self.ceiling += microjoules * of_all.joules().get() * 1e6;
            }
            Provenance::Estimated | Provenance::Assumed => self.correlated += microjoules,
        }
    }

    /// Says what the model's coefficients add to the error of all windows together, in µJ.
    pub(super) const fn set_model(&mut self, deviation: f64) {
        self.model = deviation;
    }

    /// What the model's coefficients add to the error, in µJ.
    pub(super) const fn model(&self) -> f64 {
        self.model
    }

    /// Of a part of the energy, its part of the error.
    pub(super) fn scaled(self, part: f64) -> Self {
        Self {
            variance: self.variance * part * part,
            ceiling: self.ceiling * part,
            correlated: self.correlated * part,
            model: self.model * part,
        }
    }

    /// Adds the errors of other windows.
    pub(super) fn extend(&mut self, windows: Self) {
        self.variance += windows.variance;
        self.ceiling += windows.ceiling;
        self.correlated += windows.correlated;
        self.model += windows.model;
    }

    /// The standard error.
    pub fn standard(&self) -> StandardError {
        let mut together = Together::default();
        together.add(self);
        together.standard()
    }
}

/// The error of several threads' energy of one domain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Together {
    linear: f64,
    ceiling: f64,
    correlated: f64,
    model: f64,
}

impl Together {
    /// Adds a thread.
    pub(super) fn add(&mut self, thread: &ErrorSum) {
        self.linear += thread.variance.sqrt();
        self.ceiling += thread.ceiling;
        self.correlated += thread.correlated;
        self.model += thread.model;
    }

    /// Adds a piece of a thread's code, but for what the model adds to it.
    pub(super) fn add_code(&mut self, code: &ErrorSum) {
        self.add(&ErrorSum { model: 0.0, ..*code });
    }

    /// The standard error of the sum.
    pub(super) fn standard(&self) -> StandardError {
        StandardError {
            independent: self.linear.min(self.ceiling.sqrt()).hypot(self.model),
            correlated: self.correlated,
        }
    }
}

/// A standard error, with what adds up apart from what averages out. In µJ.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StandardError {
    independent: f64,
    correlated: f64,
}

impl StandardError {
    /// The error of a sum of energies of different domains, whose counters err independently.
    pub fn and(self, other: Self) -> Self {
        Self {
            independent: self.independent.hypot(other.independent),
            correlated: self.correlated + other.correlated,
        }
    }

    /// The error of a sum of which nothing is known but its parts: never too small.
    pub fn plus(self, other: Self) -> Self {
        Self {
            independent: self.independent + other.independent,
            correlated: self.correlated + other.correlated,
        }
    }

    /// With an independent error beside it, given as its variance in µJ².
    pub(super) fn with_variance(self, variance: f64) -> Self {
        Self { independent: self.independent.hypot(variance.sqrt()), ..self }
    }

    /// The error of a difference of sums that have everything in common that errs in the same
    /// direction again and again: where both are too large by the same factor, so is the difference.
    pub fn of_difference_alike(self, other: Self) -> Self {
        Self {
            independent: self.independent.hypot(other.independent),
            correlated: (self.correlated - other.correlated).abs(),
        }
    }

    /// One standard deviation.
    pub fn deviation(self) -> Joules {
        Joules::new((self.independent + self.correlated) * 1e-6)
    }

    /// Half the width of the 95 % interval.
    pub fn half_width_95(self) -> Joules {
        Joules::new(self.deviation().get() * DEVIATIONS_95)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(errors: &[(u64, u64)], provenance: Provenance) -> ErrorSum {
        let mut sum = ErrorSum::default();
        for (error, of_all) in errors {
            sum.add(Microjoules::new(*error), Microjoules::new(*of_all), provenance);
        }
        sum
    }

    fn microjoules(error: StandardError) -> f64 {
        error.deviation().get() * 1e6
    }

    #[test]
    fn a_counters_errors_of_3_and_4_make_5_over_two_windows() {
        let over_windows = sum(&[(3, 3), (4, 4)], Provenance::Measured);
        assert!((microjoules(over_windows.standard()) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn a_half_has_half_the_error() {
        let whole = sum(&[(6, 10), (8, 10)], Provenance::Measured);
        assert!((microjoules(whole.scaled(0.5).standard()) - 5.0).abs() < 1e-9);
        let estimate = sum(&[(6, 10), (8, 10)], Provenance::Estimated);
        assert!((microjoules(estimate.scaled(0.5).standard()) - 7.0).abs() < 1e-9);
    }

    #[test]
    fn an_estimates_errors_of_3_and_4_make_7() {
        let over_windows = sum(&[(3, 3), (4, 4)], Provenance::Estimated);
        assert!((microjoules(over_windows.standard()) - 7.0).abs() < 1e-9);
    }

    #[test]
    fn threads_of_one_window_share_its_error() {
        // One window with an error of 10: two threads with half of it each.
        let half = sum(&[(5, 10)], Provenance::Measured);
        let mut both = Together::default();
        both.add(&half);
        both.add(&half);
        assert!((microjoules(both.standard()) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn threads_of_different_windows_do_not_add_up_their_errors() {
        // Four windows with an error of 10 each, a thread in each: sqrt(4 · 10²), not 4 · 10.
        let mut all = Together::default();
        for _ in 0..4 {
            all.add(&sum(&[(10, 10)], Provenance::Measured));
        }
        assert!((microjoules(all.standard()) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn what_one_model_estimates_too_high_twice_differs_by_less() {
        let estimates =
            [30, 40].map(|error| sum(&[(error, error)], Provenance::Estimated).standard());
        let [before, after] = estimates;
        assert!((microjoules(after.of_difference_alike(before)) - 10.0).abs() < 1e-9);
        assert!((microjoules(after.and(before)) - 70.0).abs() < 1e-9);
    }

    #[test]
    fn two_domains_errors_of_3_and_4_make_5() {
        let package = sum(&[(3, 3)], Provenance::Measured).standard();
        let dram = sum(&[(4, 4)], Provenance::Measured).standard();
        assert!((microjoules(package.and(dram)) - 5.0).abs() < 1e-9);
        assert!((microjoules(package.plus(dram)) - 7.0).abs() < 1e-9);
    }

    /// Windows with, per thread, its charge's error in µJ.
    fn errors() -> impl Strategy<Value = Vec<Vec<u64>>> {
        (1..6usize).prop_flat_map(|threads| {
            let window = prop::collection::vec(prop_oneof![Just(0), 1..1000u64], threads);
            prop::collection::vec(window, 1..20)
        })
    }

    proptest! {
        #[test]
        fn a_groups_error_is_never_below_the_exact_one(errors in errors(), group in 0..32usize) {
            let threads = errors[0].len();
            let in_group = |thread: &usize| group >> thread & 1 == 1;
            let mut together = Together::default();
            for thread in (0..threads).filter(in_group) {
                let over_windows: Vec<(u64, u64)> =
                    errors.iter().map(|window| (window[thread], window.iter().sum())).collect();
                together.add(&sum(&over_windows, Provenance::Measured));
            }
            // Within a window the errors are one error's shares; windows are independent.
            let exact: u64 = errors
                .iter()
                .map(|window| (0..threads).filter(in_group).map(|thread| window[thread]).sum())
                .map(|error: u64| error * error)
                .sum();
            let exact = Microjoules::new(exact).joules().get() * 1e6;
            prop_assert!(microjoules(together.standard()) >= exact.sqrt() - 1e-6);
        }

        #[test]
        fn shared_edges_only_make_a_sum_over_windows_surer(
            shares in prop::collection::vec(0.0..=1.0f64, 1..50),
        ) {
            // With an error of 1 at each edge a window's has variance 2, and an edge between two
            // windows counts with the difference of their shares.
            let inner = shares.windows(2).map(|pair| (pair[0] - pair[1]).powi(2)).sum::<f64>();
            let outer = shares[0].powi(2) + shares[shares.len() - 1].powi(2);
            let quadrature: f64 = shares.iter().map(|share| 2.0 * share * share).sum();
            prop_assert!(inner + outer <= quadrature + 1e-9);
        }
    }
}
