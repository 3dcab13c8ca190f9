//! Who gets the units that rounding down left over: the parts with the largest remainders.

use std::cmp::Reverse;
use std::ops::Shr;

/// Remainders are put into this many ranks, so that only those of one rank have to be compared.
const RANKS: usize = 64;

/// What rounding down left of each part.
#[derive(Clone, Debug)]
pub(super) struct Remainders<N> {
    of: Vec<N>,
    /// How many are of each rank.
    ranks: [usize; RANKS],
    /// Of one rank, largest first, with the part that each is of.
    compared: Vec<(Reverse<N>, usize)>,
}

impl<N> Default for Remainders<N> {
    fn default() -> Self {
        Self { of: Vec::new(), ranks: [0; RANKS], compared: Vec::new() }
    }
}

impl<N: Bits> Remainders<N> {
    /// Divides each of `numbers` by `total`, which gives the parts, and remembers what is left.
    pub(super) fn divide(
        &mut self,
        numbers: impl ExactSizeIterator<Item = N>,
        total: N,
        divide: impl Fn(N) -> (u64, N),
        parts: &mut Vec<u64>,
    ) {
        let shift = shift(total);
        self.ranks = [0; RANKS];
        self.of.clear();
        self.of.resize(numbers.len(), N::default());
        parts.clear();
        parts.resize(numbers.len(), 0);
        for ((part, left), number) in parts.iter_mut().zip(&mut self.of).zip(numbers) {
            (*part, *left) = divide(number);
            self.ranks[left.rank(shift)] += 1;
        }
    }

    /// Gives one unit more to so many of the parts, those with the largest remainders, of equal ones the earlier.
    /// Each remainder is below `total`, and all add up to `units × total`.
    pub(super) fn hand_out(&mut self, units: u64, total: N, parts: &mut [u64]) {
        // More than `units` remainders are above nothing: no unit ever goes to a weight of nothing.
        let mut units = usize::try_from(units).expect("fewer than there are parts");
        if units == 0 {
            return;
        }
        let (ranks, shift) = (&self.ranks, shift(total));
        // All of the ranks above `last` get one, and of that some or all.
        let mut last = RANKS - 1;
        while ranks[last] < units {
            units -= ranks[last];
            last -= 1;
        }
        self.compared.clear();
        for (index, (part, remainder)) in parts.iter_mut().zip(&self.of).enumerate() {
            let rank = remainder.rank(shift);
            *part += u64::from(rank > last);
            if rank == last {
                self.compared.push((Reverse(*remainder), index));
            }
        }
        self.compared.select_nth_unstable(units - 1);
        for (_, index) in &self.compared[..units] {
            parts[*index] += 1;
        }
    }
}

/// How far remainders of `total` are shifted to get their rank.
fn shift<N: Bits>(total: N) -> u32 {
    total.length().saturating_sub(RANKS.ilog2())
}

/// Numbers whose highest bits say roughly how large they are.
pub(super) trait Bits:
    Copy + Default + Ord + Shr<u32, Output = Self> + TryInto<usize>
{
    /// How many bits there are up to the highest that is set.
    fn length(self) -> u32;

    /// The bits above the lowest `shift`, of which there are few.
    fn rank(self, shift: u32) -> usize {
        (self >> shift).try_into().map_or(RANKS - 1, |rank| rank.min(RANKS - 1))
    }
}

impl Bits for u64 {
    fn length(self) -> u32 {
        Self::BITS - self.leading_zeros()
    }
}

impl Bits for u128 {
    fn length(self) -> u32 {
        Self::BITS - self.leading_zeros()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_largest_get_a_unit_and_of_equal_ones_the_earlier(
            total in 1..=u64::MAX,
            remainders in prop::collection::vec(prop_oneof![Just(0), Just(7), any::<u64>()], 1..300),
            units in any::<prop::sample::Index>(),
        ) {
            let remainders: Vec<u64> = remainders.into_iter().map(|remainder| remainder % total).collect();
            let units = units.index(remainders.len() + 1);
            let mut expected = vec![0; remainders.len()];
            let mut sorted: Vec<usize> = (0..remainders.len()).collect();
            sorted.sort_by_key(|index| Reverse(remainders[*index]));
            sorted[..units].iter().for_each(|index| expected[*index] = 1);
            let mut parts = vec![0; remainders.len()];
            let mut given = Remainders::default();
            // Remainders of nothing but themselves: what is divided is less than the total.
            given.divide(remainders.into_iter(), total, |number| (0, number), &mut parts);
            given.hand_out(units as u64, total, &mut parts);
            prop_assert_eq!(parts, expected);
        }
    }
}
