//! In which directions a program's functions take each other's time from window to window, and how fast in each.
//!
//! A program may be in one part of its work for seconds, and within that in one function or another from sample to
//! sample. The first is known almost exactly by regular samples, the second as by a lottery, so that what samples say is not to be
//! believed alike. The directions are those in which shares of windows vary apart from one another, and also would if windows were
//! moments drawn by lot (principal components of the one covariance with the other for a unit). What they vary by in windows, as
//! part of what moments do, says how often code changes there (`phases.rs`).

use super::estimate::dot;
use super::linear::Square;
use super::phases::{Phases, Sampled, Worth};

/// Directions in which moments vary by less, as part of what they may vary by, are none: a thread that is always in one function
/// says nothing of how long others last.
const LEAST_VARIED: f64 = 1e-6;

/// The directions of one program's functions.
#[derive(Clone, Debug, Default)]
pub(super) struct Directions {
    each: Vec<Direction>,
}

/// One of them.
#[derive(Clone, Debug)]
struct Direction {
    /// What shares are to be multiplied with for how far they are along it. One moment has the variance 1.
    take: Vec<f64>,
    /// What shares differ by that are so far along it.
    give: Vec<f64>,
    phases: Phases,
}

/// What samples of a window say of where a program was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Believed {
    /// By how much shares differ from usual ones, as is to be expected.
    pub off: Vec<f64>,
    /// By direction.
    pub worth: Vec<Worth>,
}

impl Directions {
    /// Those of functions with these shares of all time, where shares of threads in windows that are sampled so have the covariance
    /// `windows` around usual ones, and those of moments `moments`.
    pub(super) fn of(shares: &[f64], windows: &Square, moments: &Square, sampled: Sampled) -> Self {
        // In parts of their roots the covariance of moments is near to one for all functions, large and small.
        let roots: Vec<f64> = shares.iter().map(|share| share.sqrt()).collect();
        let scaled = |covariance: &Square| {
            let mut scaled = Square::zero(roots.len());
            for (row, a) in roots.iter().enumerate() {
                for (column, b) in roots.iter().enumerate() {
                    scaled.add(row, column, covariance.get(row, column) / (a * b));
                }
            }
            scaled
        };
        let windows = scaled(windows);
        let mut moments = scaled(moments).principal();
        // Shares add up to 1, so that one direction at least is left out.
        moments.retain(|(variance, _)| *variance > LEAST_VARIED);
        let mut among = Square::zero(moments.len());
        for (row, (of_row, a)) in moments.iter().enumerate() {
            for (column, (of_column, b)) in moments.iter().enumerate() {
                let together: f64 =
                    a.iter().enumerate().map(|(at, a)| a * dot(windows.row(at), b)).sum();
                among.add(row, column, together / (of_row * of_column).sqrt());
            }
        }
        let direction = |(variance, parts): (f64, Vec<f64>)| {
            let of = |at: usize, power: f64| -> f64 {
                let along = parts.iter().zip(&moments);
                along.map(|(part, (variance, unit))| part * variance.powf(power) * unit[at]).sum()
            };
            let each = || roots.iter().enumerate();
            Direction {
                take: each().map(|(at, root)| of(at, -0.5) / root).collect(),
                give: each().map(|(at, root)| of(at, 0.5) * root).collect(),
                phases: Phases::of(variance, sampled),
            }
        };
        Self { each: among.principal().into_iter().map(direction).collect() }
    }

    /// What shares differ by along each.
    pub(super) fn by_function(&self) -> Vec<Vec<f64>> {
        self.each.iter().map(|direction| direction.give.clone()).collect()
    }

    /// The variance of the true shares of a window, by direction.
    pub(super) fn of_windows(&self) -> impl Iterator<Item = f64> {
        self.each.iter().map(|direction| direction.phases.of_windows())
    }

    /// What shares say that differ from usual ones by so much, by samples.
    pub(super) fn believed(&self, off: &[f64], sampled: Sampled) -> Believed {
        let mut expected = vec![0.0; off.len()];
        let worth = self.each.iter().map(|Direction { take, give, phases }| {
            let worth = phases.worth(sampled);
            let along = worth.believed * dot(take, off);
            expected.iter_mut().zip(give).for_each(|(expected, give)| *expected += along * give);
            worth
        });
        Believed { worth: worth.collect(), off: expected }
    }
}

/// How the functions of a program vary.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Varied {
    /// Which part of its time the program is at each.
    pub shares: Vec<f64>,
    /// What shares differ by, for each direction.
    pub directions: Vec<Vec<f64>>,
}

/// How unsure it is where a program was in an equation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Unsure {
    /// By direction: the variance of time there that is left, in seconds squared.
    pub left: Vec<f64>,
    /// By direction: the variance of the shares that are to be expected.
    pub shown: Vec<f64>,
}

impl Unsure {
    /// The same where each second is worth so many.
    pub(super) fn scale(&mut self, worth: f64) {
        self.left.iter_mut().for_each(|left| *left *= worth * worth);
    }

    /// The variance of energy, in joules squared, if functions draw these watts and had these times.
    ///
    /// Where a program is found in one function for all of the time, it hardly can have been elsewhere: what is left goes with
    /// the variance of one moment.
    pub(super) fn variance(&self, varied: &Varied, times: &[f64], watts: &[f64]) -> f64 {
        let all = variance(&varied.shares, watts);
        let (mut left, mut shown) = (0.0, 0.0);
        for (direction, (of_left, of_shown)) in
            varied.directions.iter().zip(self.left.iter().zip(&self.shown))
        {
            let along = dot(direction, watts).powi(2);
            left += along * of_left;
            shown += along * of_shown;
        }
        if left <= 0.0 || all <= 0.0 {
            return 0.0;
        }
        left * variance(times, watts) / (all - shown).max(LEAST_WITHIN * all)
    }
}

/// Where windows are expected to be all of one function, one moment varies by no less.
const LEAST_WITHIN: f64 = 1e-9;

/// The variance of watts over time.
fn variance(times: &[f64], watts: &[f64]) -> f64 {
    let all: f64 = times.iter().sum();
    if all <= 0.0 {
        return 0.0;
    }
    let mean = dot(times, watts) / all;
    times.iter().zip(watts).map(|(time, watts)| time / all * (watts - mean).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLED: Sampled = Sampled { samples: 100.0, busy: 1.0 };
    /// Of a fifth of 100 samples.
    const LOTTERY: f64 = 0.2 * 0.8 / 100.0;
    const SHARES: [f64; 4] = [0.4, 0.1, 0.4, 0.1];

    /// A program in one of two functions for many windows at a time, and a fifth of the time of each in another that it calls,
    /// for moments: cheap, called by it, dear, called by that. Samples show the called one's part with this variance.
    fn slow_and_fast(variance: f64) -> Directions {
        let mut windows = Square::zero(4);
        let mut moments = Square::zero(4);
        for (row, a) in SHARES.iter().enumerate() {
            moments.add(row, row, *a);
            for (column, b) in SHARES.iter().enumerate() {
                windows.add(row, column, -a * b);
                moments.add(row, column, -a * b);
            }
        }
        // A window is all of one pair.
        for pair in [0, 2] {
            windows.add(pair, pair, 0.5 * (0.64 + variance));
            windows.add(pair + 1, pair + 1, 0.5 * (0.04 + variance));
            windows.add(pair, pair + 1, 0.5 * (0.16 - variance));
            windows.add(pair + 1, pair, 0.5 * (0.16 - variance));
        }
        Directions::of(&SHARES, &windows, &moments, SAMPLED)
    }

    #[test]
    fn what_lasts_is_believed_and_what_changes_from_sample_to_sample_is_not() {
        let off = slow_and_fast(LOTTERY).believed(&[0.3, 0.2, -0.4, -0.1], SAMPLED).off;
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.02, "{off:?}");
        near(off[0] + off[1], 0.5);
        near(off[2] + off[3], -0.5);
        // Three tenths in what is called are chance.
        near(off[1], 0.1);
        near(off[2], -0.4);
    }

    #[test]
    fn watts_that_differ_between_what_lasts_leave_little_doubt() {
        let directions = slow_and_fast(1.5 * LOTTERY);
        let times = [0.05, 0.01, 0.03, 0.01];
        let worth = directions.believed(&[0.0; 4], SAMPLED).worth;
        let unsure = Unsure {
            left: worth.iter().map(|worth| 0.01 * worth.left).collect(),
            shown: worth.iter().map(|worth| worth.shown).collect(),
        };
        let varied = Varied { shares: SHARES.to_vec(), directions: directions.by_function() };
        let of = |watts: [f64; 4]| unsure.variance(&varied, &times, &watts);
        let slow = of([1.0, 1.0, 3.0, 3.0]);
        let fast = of([1.0, 3.0, 1.0, 3.0]);
        // Were nothing known of where it was, a share of one moment in a hundred or so would be left of 0.64 W².
        let left = fast / (0.1 * 0.1 * 0.64);
        assert!((0.002..0.01).contains(&left), "{left}");
        assert!(slow < 0.2 * fast, "{slow} {fast}");
        assert!(of([2.0; 4]).abs() < 1e-12);
    }

    #[test]
    fn a_program_that_never_changes_has_no_directions() {
        let directions = Directions::of(&[0.5, 0.5], &Square::zero(2), &Square::zero(2), SAMPLED);
        assert!(directions.by_function().is_empty());
        assert_eq!(directions.believed(&[0.1, -0.1], SAMPLED).off, [0.0, 0.0]);
    }
}
