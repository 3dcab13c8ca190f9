//! Division by a number that stays the same, many times: by multiplication, which takes a third of the time.

/// A number that is not 0, with its reciprocal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Divisor {
    divisor: u64,
    /// `(2^64 - 1) / divisor`, rounded down.
    reciprocal: u64,
}

impl Divisor {
    /// Panics where `divisor` is 0.
    pub(super) const fn new(divisor: u64) -> Self {
        Self { divisor, reciprocal: u64::MAX / divisor }
    }

    /// Quotient and remainder.
    pub(super) const fn divide(self, number: u64) -> (u64, u64) {
        // The product is below the exact quotient, and by less than 1, as the reciprocal is below the exact one by
        // less than 1: rounded down it is the quotient or 1 less.
        let quotient = ((number as u128 * self.reciprocal as u128) >> 64) as u64;
        let rest = number - quotient * self.divisor;
        if rest >= self.divisor { (quotient + 1, rest - self.divisor) } else { (quotient, rest) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers of all sizes, and those where rounding may go wrong.
    fn numbers() -> impl Strategy<Value = u64> {
        let of_any_size = (any::<u64>(), 0..64u32).prop_map(|(bits, shift)| bits >> shift);
        prop_oneof![of_any_size, Just(0), Just(u64::MAX), (0..64u32).prop_map(|power| 1 << power)]
    }

    proptest! {
        #[test]
        fn it_divides_as_the_processor_does(
            number in numbers(),
            divisor in numbers(),
            multiple in any::<u64>(),
            beside in 0..3u64,
        ) {
            let divisor = divisor.max(1);
            let multiple = (multiple % (u64::MAX / divisor).max(1)) * divisor;
            for number in [number, (multiple + beside).saturating_sub(1)] {
                prop_assert_eq!(Divisor::new(divisor).divide(number), (number / divisor, number % divisor));
            }
        }
    }
}
