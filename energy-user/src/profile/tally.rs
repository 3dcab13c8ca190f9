//! What some shares of threads' energy come to, with the error of having been sampled.
//!
//! Of a thread's energy *E*, `n` samples say that the share *p* was used at a place. As a share of
//! `n` draws, that has the standard error `sqrt(p (1 − p) / n)`. Where *p* is near 1 or `n` is small,
//! this pretends to know more than it does (one sample would leave no doubt at all), so `1/n` is
//! added to `1 − p`: in the mean that is never too small, and for more samples soon nothing.
//! Different threads are sampled independently: their errors add in quadrature.

use super::call_tree::StackShare;
use super::uncertainty::{StandardError, Together};
use crate::units::{Microjoules, Nanoseconds};

/// What some shares come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// The energy.
    pub energy: Microjoules,
    /// Its standard error, that of sampling included.
    pub error: StandardError,
    /// The on-CPU time of the samples.
    pub oncpu: Nanoseconds,
    /// How many samples.
    pub samples: u64,
}

/// All that was sampled of one thread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    /// The thread's place among all.
    pub index: usize,
    /// The energy divided by samples.
    pub energy: Microjoules,
    /// How many samples.
    pub samples: u64,
}

impl Run {
    /// The variance in µJ² of what its samples say is `part` of its energy.
    fn variance(&self, part: Microjoules) -> f64 {
        let (part, all) = (microjoules(part), microjoules(self.energy));
        #[expect(clippy::cast_precision_loss, reason = "an error is known to a few digits")]
        let samples = self.samples.max(1) as f64;
        part * (all - part + all / samples) / samples
    }
}

/// What of a run has been added.
#[derive(Clone, Debug, Default)]
struct Part {
    energy: Microjoules,
    /// What of it errs in which direction: few of each thread.
    by_direction: Vec<(usize, Microjoules)>,
}

/// Shares being added up, thread by thread.
#[derive(Clone, Debug)]
pub(super) struct Tally<'a> {
    figures: Figures,
    together: Together,
    sampling: f64,
    /// In which directions shares may err.
    directions: &'a [Vec<f64>],
    /// How far all that was added moves with each cause, in µJ.
    moved: Vec<f64>,
    /// The thread being added, and what of what was sampled of it has been.
    run: Option<(Run, Part)>,
}

impl<'a> Tally<'a> {
    /// Of nothing so far.
    pub(super) fn new(directions: &'a [Vec<f64>]) -> Self {
        Self {
            figures: Figures::default(),
            together: Together::default(),
            sampling: 0.0,
            directions,
            moved: Vec::new(),
            run: None,
        }
    }

    /// Adds a share of `run`; without one, what it comes to is no matter of sampling. The shares of
    /// a thread come one after the other.
    pub(super) fn add(&mut self, share: &StackShare, run: Option<Run>) {
        self.figures.energy += share.energy;
        self.figures.oncpu += share.oncpu;
        self.figures.samples += share.samples;
        let Some(run) = run else { return self.together.add(&share.error) };
        if self.run.as_ref().is_none_or(|(last, _)| last.index != run.index) {
            self.end_run();
        }
        let (_, part) = self.run.get_or_insert_with(|| (run, Part::default()));
        part.energy += share.energy;
        let Some(direction) = share.direction else { return self.together.add(&share.error) };
        match part.by_direction.iter_mut().find(|(known, _)| *known == direction) {
            Some((_, energy)) => *energy += share.energy,
            None => part.by_direction.push((direction, share.energy)),
        }
        self.together.add_code(&share.error);
    }

    /// What they come to.
    pub(super) fn finish(mut self) -> Figures {
        self.end_run();
        let by_model: f64 = self.moved.iter().map(|moved| moved * moved).sum();
        let error = self.together.standard().with_variance(self.sampling + by_model);
        Figures { error, ..self.figures }
    }

    fn end_run(&mut self) {
        let Some((run, part)) = self.run.take() else { return };
        self.sampling += run.variance(part.energy);
        for (direction, energy) in part.by_direction {
            let direction = &self.directions[direction];
            self.moved.resize(direction.len(), 0.0);
            let energy = microjoules(energy);
            self.moved.iter_mut().zip(direction).for_each(|(moved, by)| *moved += energy * by);
        }
    }
}

fn microjoules(energy: Microjoules) -> f64 {
    energy.joules().get() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ThreadId;
    use crate::profile::ErrorSum;

    fn share(thread: u32, microjoules: u64) -> StackShare {
        StackShare {
            thread: ThreadId(thread),
            node: 0,
            energy: Microjoules::new(microjoules),
            oncpu: Nanoseconds::ZERO,
            samples: 1,
            error: ErrorSum::default(),
            direction: None,
        }
    }

    fn run(index: usize, microjoules: u64, samples: u64) -> Run {
        let energy = Microjoules::new(microjoules);
        Run { index, energy, samples }
    }

    fn deviation(tally: &Tally<'_>) -> f64 {
        tally.clone().finish().error.deviation().get() * 1e6
    }

    #[test]
    fn a_fifth_of_a_hundred_samples_is_known_to_four_percent_of_the_whole() {
        // sqrt(0.2 × (0.8 + 0.01) / 100) = 4.02 %, of 1 J.
        let mut tally = Tally::new(&[]);
        tally.add(&share(2, 150_000), Some(run(0, 1_000_000, 100)));
        tally.add(&share(2, 50_000), Some(run(0, 1_000_000, 100)));
        assert!((deviation(&tally) - 40_249.0).abs() < 1.0, "{}", deviation(&tally));
    }

    #[test]
    fn one_sample_does_not_make_sure() {
        let mut tally = Tally::new(&[]);
        tally.add(&share(2, 1_000), Some(run(0, 1_000, 1)));
        assert!((deviation(&tally) - 1_000.0).abs() < 1e-6);
    }

    #[test]
    fn two_threads_are_sampled_independently() {
        let mut tally = Tally::new(&[]);
        tally.add(&share(2, 3), Some(run(0, 3, 1)));
        tally.add(&share(3, 4), Some(run(1, 4, 1)));
        assert!((deviation(&tally) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_sampled_has_no_error_of_sampling() {
        let mut tally = Tally::new(&[]);
        tally.add(&share(2, 1_000), None);
        assert!(deviation(&tally).abs() < 1e-12);
    }

    #[test]
    fn what_one_piece_of_code_draws_too_much_another_draws_too_little() {
        // Of 10 J each: 3 % with one cause, and 4 % with another, in which the second errs the other way.
        let directions = [vec![0.03, 0.04], vec![0.03, -0.04]];
        let piece = |direction| StackShare { direction: Some(direction), ..share(2, 10_000_000) };
        let alone = |direction| {
            let mut tally = Tally::new(&directions);
            tally.add(&piece(direction), Some(run(0, 20_000_000, 1 << 40)));
            deviation(&tally)
        };
        let mut both = Tally::new(&directions);
        for direction in [0, 1] {
            assert!((alone(direction) - 500_000.0).abs() < 20.0, "{}", alone(direction));
            both.add(&piece(direction), Some(run(0, 20_000_000, 1 << 40)));
        }
        assert!((deviation(&both) - 600_000.0).abs() < 20.0, "{}", deviation(&both));
    }
}
