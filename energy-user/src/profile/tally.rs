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
    /// How far the model may be off about all of it, in µJ.
    pub model: f64,
    /// How far about each piece of its code, added up, in µJ.
    pub of_code: f64,
}

impl Run {
    /// The variance in µJ² of what its samples say is `part` of its energy.
    fn variance(&self, part: Microjoules) -> f64 {
        let microjoules = |energy: Microjoules| energy.joules().get() * 1e6;
        let (part, all) = (microjoules(part), microjoules(self.energy));
        #[expect(clippy::cast_precision_loss, reason = "an error is known to a few digits")]
        let samples = self.samples.max(1) as f64;
        part * (all - part + all / samples) / samples
    }
}

impl Run {
    /// How far the model may be off about pieces of its code that come to `of_code` when added up. What they
    /// err by, the rest errs by the other way, but for what all does.
    fn model_of(&self, of_code: f64) -> f64 {
        of_code.min(self.model + (self.of_code - of_code).max(0.0))
    }
}

/// What of a run has been added.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    energy: Microjoules,
    of_code: f64,
}

/// Shares being added up, thread by thread.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    figures: Figures,
    together: Together,
    sampling: f64,
    /// The thread being added, and what of what was sampled of it has been.
    run: Option<(Run, Part)>,
}

impl Tally {
    /// Adds a share of `run`; without one, what it comes to is no matter of sampling. The shares of
    /// a thread come one after the other.
    pub(super) fn add(&mut self, share: &StackShare, run: Option<Run>) {
        self.figures.energy += share.energy;
        self.figures.oncpu += share.oncpu;
        self.figures.samples += share.samples;
        let Some(run) = run else { return self.together.add(&share.error) };
        self.together.add_code(&share.error);
        let known = self.run.take_if(|(last, _)| last.index == run.index);
        let mut part = known.map_or_else(
            || {
                self.end_run();
                Part::default()
            },
            |(_, part)| part,
        );
        part.energy += share.energy;
        part.of_code += share.error.of_code();
        self.run = Some((run, part));
    }

    /// What they come to.
    pub(super) fn finish(mut self) -> Figures {
        self.end_run();
        Figures { error: self.together.standard().with_variance(self.sampling), ..self.figures }
    }

    fn end_run(&mut self) {
        if let Some((run, part)) = self.run.take() {
            self.sampling += run.variance(part.energy);
            self.together.add_model(run.model_of(part.of_code));
        }
    }
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
        }
    }

    fn run(index: usize, microjoules: u64, samples: u64) -> Run {
        let energy = Microjoules::new(microjoules);
        Run { index, energy, samples, model: 0.0, of_code: 0.0 }
    }

    fn deviation(tally: Tally) -> f64 {
        tally.finish().error.deviation().get() * 1e6
    }

    #[test]
    fn a_fifth_of_a_hundred_samples_is_known_to_four_percent_of_the_whole() {
        // sqrt(0.2 × (0.8 + 0.01) / 100) = 4.02 %, of 1 J.
        let mut tally = Tally::default();
        tally.add(&share(2, 150_000), Some(run(0, 1_000_000, 100)));
        tally.add(&share(2, 50_000), Some(run(0, 1_000_000, 100)));
        assert!((deviation(tally) - 40_249.0).abs() < 1.0, "{}", deviation(tally));
    }

    #[test]
    fn one_sample_does_not_make_sure() {
        let mut tally = Tally::default();
        tally.add(&share(2, 1_000), Some(run(0, 1_000, 1)));
        assert!((deviation(tally) - 1_000.0).abs() < 1e-6);
    }

    #[test]
    fn two_threads_are_sampled_independently() {
        let mut tally = Tally::default();
        tally.add(&share(2, 3), Some(run(0, 3, 1)));
        tally.add(&share(3, 4), Some(run(1, 4, 1)));
        assert!((deviation(tally) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_sampled_has_no_error_of_sampling() {
        let mut tally = Tally::default();
        tally.add(&share(2, 1_000), None);
        assert!(deviation(tally).abs() < 1e-12);
    }
}
