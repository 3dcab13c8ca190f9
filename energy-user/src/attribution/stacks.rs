//! Where in its program a thread used its energy: what it is charged with in a window goes to the
//! stacks it was sampled at, in proportion to their on-CPU time, times what the model says of the code there.
//!
//! A thread that runs little is not sampled in every window. Such a window's energy goes to the
//! stacks of its nearest window with samples, and where none is near, to no stack at all.
//! Nothing is lost: what is given out adds up to what was charged, to the microjoule.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::moment::Moment;
use super::rounding::Splitter;
use crate::model::{StackId, StackSample, ThreadId, Window};
use crate::units::{Microjoules, Nanoseconds};

/// What a thread is charged with in a window, over domains that overlap nowhere.
/// `E` is the error that goes with it, in whatever form: it is only passed on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThreadCharge<E> {
    /// Who is charged.
    pub thread: ThreadId,
    /// With how much.
    pub energy: Microjoules,
    /// How firm that is.
    pub error: E,
}

/// A part of a thread's charge, at one stack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StackCharge<E> {
    /// In which window.
    pub window: u32,
    /// Who is charged.
    pub thread: ThreadId,
    /// At which stack; `None` where no sample is near.
    pub stack: Option<StackId>,
    /// With how much.
    pub energy: Microjoules,
    /// Which charge it is a part of; `None` where the thread was sampled but is charged nothing.
    pub of: Option<ThreadCharge<E>>,
    /// On-CPU time of the samples there; none where the stack was taken from another window.
    pub oncpu: Nanoseconds,
    /// How many samples there; none where the stack was taken from another window.
    pub samples: u32,
}

/// Divides the charges of windows, given in order, among stacks.
///
/// A window waits until it is clear which samples are nearest: at most as long as they may be away.
/// So memory grows with the number of threads, not with the length of the recording.
#[derive(Debug)]
pub struct StackDivider<E> {
    threads: FxHashMap<ThreadId, ThreadState<E>>,
    splitter: Splitter,
}

impl<E> Default for StackDivider<E> {
    fn default() -> Self {
        Self { threads: FxHashMap::default(), splitter: Splitter::default() }
    }
}

impl<E: Copy> StackDivider<E> {
    /// Takes the next window: what its threads are charged with, and where they were sampled, both
    /// ascending by thread, and each thread charged once. Gives to `take` all that is clear now.
    ///
    /// Samples weigh by their on-CPU time, or where all of a thread's have none, by their number; times
    /// what `weight` says of a thread at a stack, which is above nothing.
    pub fn add(
        &mut self,
        window: &Window,
        charges: &[ThreadCharge<E>],
        samples: &[StackSample],
        weight: &impl Fn(ThreadId, StackId) -> u64,
        take: &mut impl FnMut(StackCharge<E>),
    ) {
        let now = Moment::of(window);
        let mut charges = charges.iter().copied().peekable();
        for of_thread in samples.chunk_by(|a, b| a.thread == b.thread) {
            let thread = of_thread[0].thread;
            while let Some(charge) = charges.next_if(|charge| charge.thread < thread) {
                self.without_samples(now, charge, take);
            }
            let charge = charges.next_if(|charge| charge.thread == thread);
            self.with_samples(now, charge, (of_thread, weight), take);
        }
        for charge in charges {
            self.without_samples(now, charge, take);
        }
    }

    /// Gives to `take` all that still waits: there are no more windows.
    pub fn finish(mut self, take: &mut impl FnMut(StackCharge<E>)) {
        let mut threads: Vec<_> = self.threads.drain().collect();
        threads.sort_unstable_by_key(|(thread, _)| *thread);
        for (_, mut state) in threads {
            while let Some((at, charge)) = state.waiting.pop_front() {
                let near = state.last.is_some_and(|last| at.is_near(last));
                state.give((at, charge), near, &mut self.splitter, take);
            }
        }
    }

    /// A window of a thread without samples: what is charged waits until its place is clear.
    fn without_samples(
        &mut self,
        now: Moment,
        charge: ThreadCharge<E>,
        take: &mut impl FnMut(StackCharge<E>),
    ) {
        if charge.energy == Microjoules::ZERO {
            return;
        }
        let state = self.threads.entry(charge.thread).or_default();
        state.waiting.push_back((now, charge));
        while let Some(&(at, charge)) = state.waiting.front() {
            let last = state.last.filter(|last| at.is_near(*last));
            let clear = match last {
                // The next samples are in a later window than this one.
                Some(last) => at.windows_since(last) <= now.windows_since(at) + 1,
                None => !now.is_near(at),
            };
            if !clear {
                break;
            }
            state.waiting.pop_front();
            state.give((at, charge), last.is_some(), &mut self.splitter, take);
        }
    }

    /// A window of a thread with samples: its charge goes to them, and so do those charges that wait
    /// and are nearer to them than to the samples before.
    fn with_samples(
        &mut self,
        now: Moment,
        charge: Option<ThreadCharge<E>>,
        (samples, weight): (&[StackSample], &impl Fn(ThreadId, StackId) -> u64),
        take: &mut impl FnMut(StackCharge<E>),
    ) {
        let state = self.threads.entry(samples[0].thread).or_default();
        let splitter = &mut self.splitter;
        while let Some(&(at, waiting)) = state.waiting.front() {
            let last = state.last.filter(|last| at.is_near(*last));
            let is_nearer = last.is_none_or(|last| now.windows_since(at) < at.windows_since(last));
            if is_nearer && now.is_near(at) {
                break;
            }
            state.waiting.pop_front();
            state.give((at, waiting), last.is_some(), splitter, take);
        }
        state.look(now, samples, weight);
        // The later a window is, the nearer to these samples: all that are left belong to them.
        while let Some(waiting) = state.waiting.pop_front() {
            state.give(waiting, true, splitter, take);
        }
        let energy = charge.map_or(0, |charge| charge.energy.get());
        let parts = splitter.split(energy, &state.weights).expect("samples weigh something");
        for (sample, part) in samples.iter().zip(parts) {
            take(StackCharge {
                window: now.index,
                thread: sample.thread,
                stack: Some(sample.stack),
                energy: Microjoules::new(*part),
                of: charge,
                oncpu: sample.oncpu,
                samples: sample.samples,
            });
        }
    }
}

/// A thread between two windows with samples.
#[derive(Debug)]
struct ThreadState<E> {
    /// The last window with samples.
    last: Option<Moment>,
    /// The stacks there.
    stacks: Vec<StackId>,
    /// What each of them weighs.
    weights: Vec<u64>,
    /// What was charged since and has no place yet, in the order of the windows.
    waiting: VecDeque<(Moment, ThreadCharge<E>)>,
}

impl<E> Default for ThreadState<E> {
    fn default() -> Self {
        Self { last: None, stacks: Vec::new(), weights: Vec::new(), waiting: VecDeque::new() }
    }
}

impl<E: Copy> ThreadState<E> {
    /// Makes these samples the last ones.
    fn look(
        &mut self,
        now: Moment,
        samples: &[StackSample],
        weight: &impl Fn(ThreadId, StackId) -> u64,
    ) {
        self.last = Some(now);
        self.stacks.clear();
        self.stacks.extend(samples.iter().map(|sample| sample.stack));
        let timed = samples.iter().any(|sample| sample.oncpu > Nanoseconds::ZERO);
        let amount = |sample: &StackSample| {
            if timed { sample.oncpu.get() } else { u64::from(sample.samples.max(1)) }
        };
        let weighed = |sample: &StackSample| {
            amount(sample).saturating_mul(weight(sample.thread, sample.stack))
        };
        self.weights.clear();
        self.weights.extend(samples.iter().map(weighed));
    }

    /// Gives a charge of another window to the last stacks, where they are near, and otherwise to
    /// none.
    fn give(
        &self,
        (at, charge): (Moment, ThreadCharge<E>),
        near: bool,
        splitter: &mut Splitter,
        take: &mut impl FnMut(StackCharge<E>),
    ) {
        let mut part_of = |stack, energy| {
            let (oncpu, samples) = (Nanoseconds::ZERO, 0);
            let thread = charge.thread;
            let (window, of) = (at.index, Some(charge));
            take(StackCharge { window, thread, stack, energy, of, oncpu, samples });
        };
        if !near {
            return part_of(None, charge.energy);
        }
        let parts = splitter.split(charge.energy.get(), &self.weights);
        let parts = parts.expect("a thread with last samples has weights above nothing");
        for (stack, part) in self.stacks.iter().zip(parts) {
            part_of(Some(*stack), Microjoules::new(*part));
        }
    }
}
