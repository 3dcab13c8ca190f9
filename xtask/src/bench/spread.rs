//! The same measurement over several rounds, as its median and its extremes.

/// What several rounds gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// Of at least one round. With an even number of them, the median lies between the middle two.
    pub(super) fn of(mut rounds: Vec<f64>) -> Self {
        rounds.sort_by(f64::total_cmp);
        let middle = rounds.len() / 2;
        let median = if rounds.len().is_multiple_of(2) {
            f64::midpoint(rounds[middle - 1], rounds[middle])
        } else {
            rounds[middle]
        };
        Self { median, least: rounds[0], most: rounds[rounds.len() - 1] }
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn one_wild_round_does_not_move_the_median() {
        let spread = Spread::of(vec![3.0, 1.0, 1000.0]);
        assert_eq!(spread, Spread { median: 3.0, least: 1.0, most: 1000.0 });
    }

    #[test]
    fn two_rounds_meet_in_the_middle() {
        assert!((Spread::of(vec![1.0, 2.0]).median - 1.5).abs() < 1e-12);
    }
}
