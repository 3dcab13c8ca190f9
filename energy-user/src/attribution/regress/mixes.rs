//! Where threads were in one window, by their samples.

use rustc_hash::FxHashMap;

use super::functions::Functions;
use super::programs::Programs;
use crate::attribution::moment::Moment;
use crate::model::{StackId, StackSample, ThreadId, Window};

/// Where one thread was in a window, by its samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Mix {
    /// How many samples there are.
    pub samples: f64,
    /// Which part of them found it at each function; `None` for those that are too rare. They add up
    /// to 1.
    pub shares: Vec<(Option<u32>, f64)>,
}

impl Mix {
    /// Of the samples of one thread in a window, by number: the time since the sample before says nothing of where the thread
    /// was, and as it differs by lot where threads come and go, samples weighed by it would say less.
    fn of(samples: &[StackSample], function: impl Fn(StackId) -> Option<u32>) -> Self {
        let weight = |sample: &StackSample| f64::from(sample.samples.max(1));
        let all: f64 = samples.iter().map(weight).sum();
        let mut shares: Vec<(Option<u32>, f64)> = Vec::new();
        for sample in samples {
            let function = function(sample.stack);
            let part = weight(sample) / all;
            match shares.iter_mut().find(|(known, _)| *known == function) {
                Some((_, share)) => *share += part,
                None => shares.push((function, part)),
            }
        }
        Self { samples: all, shares }
    }
}

/// Where threads were in the window looked at last, and of those that were not sampled in it, where they were
/// when they last were.
#[derive(Clone, Debug, Default)]
pub(super) struct Mixes {
    now: Option<Moment>,
    by_thread: FxHashMap<ThreadId, (Moment, Mix)>,
}

impl Mixes {
    /// Looks at the next window and its samples, which are ascending by thread.
    pub(super) fn look(
        &mut self,
        window: &Window,
        samples: &[StackSample],
        programs: &Programs,
        functions: &Functions,
    ) {
        let now = Moment::of(window);
        self.now = Some(now);
        for of_thread in samples.chunk_by(|a, b| a.thread == b.thread) {
            let thread = of_thread[0].thread;
            let Some(unit) = programs.unit_of(thread) else { continue };
            let program = programs.program_of(unit);
            let mix = Mix::of(of_thread, |stack| functions.at(program, stack));
            self.by_thread.insert(thread, (now, mix));
        }
    }

    /// Where a thread was in this window; `None` where it was not sampled.
    pub(super) fn sampled(&self, thread: ThreadId) -> Option<&Mix> {
        let (at, mix) = self.by_thread.get(&thread)?;
        (Some(*at) == self.now).then_some(mix)
    }

    /// Where a thread was in this window or in the last one before it in which it was sampled, if that is near.
    pub(super) fn last(&self, thread: ThreadId) -> Option<&Mix> {
        let (at, mix) = self.by_thread.get(&thread)?;
        self.now?.is_near(*at).then_some(mix)
    }
}
