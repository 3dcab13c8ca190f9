//! Errors of charges, added up in whole numbers: the same in whatever order they come.

use super::uncertainty::ErrorSum;
use crate::model::Provenance;
use crate::units::Microjoules;

/// What an [`ErrorSum`] is made of, but for the model's part. Sums that would not fit stay at the greatest number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ExactErrors {
    /// `Σ a²` in µJ².
    variance: u128,
    /// `Σ a·T` in µJ².
    ceiling: u128,
    /// `Σ a` in µJ, of estimates.
    correlated: u64,
}

impl ExactErrors {
    /// Adds the error of one charge in one window, where all charges' errors come to `of_all`.
    pub(super) fn add(&mut self, error: Microjoules, of_all: Microjoules, provenance: Provenance) {
        let wide = u128::from(error.get());
        match provenance {
            Provenance::Measured | Provenance::Attributed => {
                self.variance = self.variance.saturating_add(wide * wide);
                self.ceiling = self.ceiling.saturating_add(wide * u128::from(of_all.get()));
            }
            Provenance::Estimated | Provenance::Assumed => {
                self.correlated = self.correlated.saturating_add(error.get());
            }
        }
    }

    /// Adds the errors of other windows.
    pub(super) fn extend(&mut self, windows: Self) {
        self.variance = self.variance.saturating_add(windows.variance);
        self.ceiling = self.ceiling.saturating_add(windows.ceiling);
        self.correlated = self.correlated.saturating_add(windows.correlated);
    }
}

impl From<&ExactErrors> for ErrorSum {
    #[expect(clippy::cast_precision_loss, reason = "an error is known to a few digits")]
    fn from(exact: &ExactErrors) -> Self {
        Self::of_sums(exact.variance as f64, exact.ceiling as f64, exact.correlated as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A charge's error, that of all charges of its window, and what kind of figure they are.
    fn charges(most: u64) -> impl Strategy<Value = Vec<(u64, u64, Provenance)>> {
        let microjoules = move || prop_oneof![Just(0), 1..1_000u64, 0..=most];
        let provenance = prop_oneof![Just(Provenance::Measured), Just(Provenance::Estimated)];
        prop::collection::vec((microjoules(), microjoules(), provenance), 0..30)
    }

    fn added(charges: &[(u64, u64, Provenance)]) -> ExactErrors {
        let mut sum = ExactErrors::default();
        for (error, of_all, provenance) in charges {
            sum.add(Microjoules::new(*error), Microjoules::new(*of_all), *provenance);
        }
        sum
    }

    proptest! {
        #[test]
        fn parts_in_any_order_make_the_same_sum(charges in charges(u64::MAX), first in 0..30usize) {
            let (first, second) = charges.split_at(first.min(charges.len()));
            let mut backwards = added(second);
            backwards.extend(added(first));
            prop_assert_eq!(backwards, added(&charges));
        }

        #[test]
        fn they_are_what_floating_point_comes_to(charges in charges(1 << 60)) {
            let mut sum = ErrorSum::default();
            for (error, of_all, provenance) in &charges {
                sum.add(Microjoules::new(*error), Microjoules::new(*of_all), *provenance);
            }
            let exact = ErrorSum::from(&added(&charges)).standard().deviation().get();
            let floating = sum.standard().deviation().get();
            prop_assert!((exact - floating).abs() <= 1e-9 * floating, "{exact} {floating}");
        }
    }
}
