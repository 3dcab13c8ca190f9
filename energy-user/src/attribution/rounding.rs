//! Sharing out whole microjoules so that the parts add up to the whole.
//! The largest-remainder (Hamilton) method, in integers only: each part is within one unit of its
//! exact share, and the same input gives the same parts on every machine.

use super::divisor::Divisor;
use super::remainders::Remainders;

/// Splits `whole` in proportion to `weights`; the parts add up to `whole` exactly.
///
/// Each part is its exact share rounded down, and the units left over go to the largest
/// remainders; of equal remainders, to the earlier. A weight of nothing gets nothing.
/// `None` where no weight is above nothing: there is no one to give to.
pub fn split(whole: u64, weights: &[u64]) -> Option<Vec<u64>> {
    split_by(whole, weights, sum(weights))
}

/// [`split`] by weights that add up to `total`.
pub(super) fn split_by(whole: u64, weights: &[u64], total: u128) -> Option<Vec<u64>> {
    let mut splitter = Splitter::default();
    splitter.split_by(whole, weights, total)?;
    Some(splitter.parts)
}

/// What weights add up to.
pub(super) fn sum(weights: &[u64]) -> u128 {
    weights.iter().copied().map(u128::from).sum()
}

/// [`split`] again and again, in the same memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Splitter {
    parts: Vec<u64>,
    narrow: Remainders<u64>,
    wide: Remainders<u128>,
}

impl Splitter {
    /// As [`split`]; the parts are there until the next call.
    pub(super) fn split(&mut self, whole: u64, weights: &[u64]) -> Option<&[u64]> {
        self.split_by(whole, weights, sum(weights))
    }

    fn split_by(&mut self, whole: u64, weights: &[u64], total: u128) -> Option<&[u64]> {
        if total == 0 {
            return None;
        }
        // Dividing 128 bits takes many times as long, and few windows need them.
        if let Some(total) = in_64_bits(whole, total) {
            let divisor = Divisor::new(total);
            let products = weights.iter().map(|weight| whole * weight);
            self.narrow.divide(products, total, |product| divisor.divide(product), &mut self.parts);
            let left = whole - self.parts.iter().sum::<u64>();
            self.narrow.hand_out(left, total, &mut self.parts);
        } else {
            let part = |part| u64::try_from(part).expect("a part is not above the whole");
            let divide = |product: u128| (part(product / total), product % total);
            let products = weights.iter().map(|weight| u128::from(whole) * u128::from(*weight));
            self.wide.divide(products, total, divide, &mut self.parts);
            let left = whole - self.parts.iter().sum::<u64>();
            self.wide.hand_out(left, total, &mut self.parts);
        }
        Some(&self.parts)
    }
}

/// `total`, where it and its product with `whole`, which no product with a weight exceeds, fit.
fn in_64_bits(whole: u64, total: u128) -> Option<u64> {
    u64::try_from(total).ok().filter(|total| whole.checked_mul(*total).is_some())
}

/// The standard errors of the parts of a whole that was split by `weights`, which add up to `total`: of the whole's
/// `error` the share of each, rounded up, as it may be too large but not too small, and one unit more, as a part is
/// less than one unit away from its exact share.
pub(super) fn errors_of_parts(error: u64, weights: &[u64], total: u128) -> Vec<u64> {
    match in_64_bits(error, total) {
        Some(0) => vec![1; weights.len()],
        Some(total) => {
            let total = Divisor::new(total);
            let share = |weight: &u64| {
                let (share, rest) = total.divide(error * weight);
                (share + u64::from(rest > 0)).saturating_add(1)
            };
            weights.iter().map(share).collect()
        }
        None => {
            let share = |weight: &u64| (u128::from(error) * u128::from(*weight)).div_ceil(total);
            let fits = |share| u64::try_from(share).expect("a share is not above the whole");
            weights.iter().map(|weight| fits(share(weight)).saturating_add(1)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_in_three_equal_parts_gives_the_odd_unit_to_the_first() {
        assert_eq!(split(10, &[1, 1, 1]), Some(vec![4, 3, 3]));
    }

    #[test]
    fn the_largest_remainder_gets_the_odd_unit() {
        // Exact shares of 10 in 1:2:4 are 1.43, 2.86 and 5.71.
        assert_eq!(split(10, &[1, 2, 4]), Some(vec![1, 3, 6]));
    }

    #[test]
    fn nobody_to_give_to_is_not_an_empty_gift() {
        assert_eq!(split(10, &[0, 0]), None);
        assert_eq!(split(10, &[]), None);
        assert_eq!(split(0, &[3]), Some(vec![0]));
    }

    #[test]
    fn an_error_is_rounded_up_and_a_unit_larger() {
        let errors = |error, weights: &[u64]| errors_of_parts(error, weights, sum(weights));
        assert_eq!(errors(10, &[1, 2]), [5, 8]);
        assert_eq!(errors(10, &[3, 0]), [11, 1]);
        assert_eq!(errors(10, &[0, 0]), [1, 1]);
        assert_eq!(errors(u64::MAX, &[1, u64::MAX]), [2, u64::MAX]);
    }

    #[test]
    fn a_product_beyond_64_bits_is_split_alike() {
        // 10^12 in 1:2 does not need 128 bits, in 10^12:2·10^12 it does.
        let small = split(1_000_000_000_000, &[1, 2]);
        assert_eq!(small, Some(vec![333_333_333_333, 666_666_666_667]));
        assert_eq!(split(1_000_000_000_000, &[1_000_000_000_000, 2_000_000_000_000]), small);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_are_within_one_unit_of_their_share(
            whole in any::<u64>(),
            weights in prop::collection::vec(prop_oneof![Just(0), 1..10u64, any::<u64>()], 1..40),
        ) {
            let total: u128 = weights.iter().copied().map(u128::from).sum();
            prop_assume!(total > 0);
            let parts = split(whole, &weights).unwrap();
            prop_assert_eq!(parts.iter().copied().map(u128::from).sum::<u128>(), u128::from(whole));
            for (part, weight) in parts.iter().zip(&weights) {
                let floor = u128::from(whole) * u128::from(*weight) / total;
                prop_assert!((floor..=floor + 1).contains(&u128::from(*part)));
                prop_assert!(*weight > 0 || *part == 0);
            }
        }
    }
}
