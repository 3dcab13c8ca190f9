//! Samples, and the on-CPU time each stands for: what its thread spent on CPUs since its sample
//! before. So weights are time, not counts, and rare samples weigh right.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::address_space::Place;
use crate::model::{StackId, StackSample, ThreadId};
use crate::units::{MonotonicTime, Nanoseconds};

/// A sample that waits for its CPU's time to be charged.
#[derive(Clone, Copy, Debug)]
struct Pending {
    at: MonotonicTime,
    window: u32,
    stack: StackId,
}

/// All samples of a recording, added up by window, thread and stack.
#[derive(Debug, Default)]
pub(super) struct SampleBook {
    pending: HashMap<u16, VecDeque<Pending>>,
    /// On-CPU time of each thread since the start, and how much of it samples stand for.
    threads: Vec<Clock>,
    rows: BTreeMap<u32, HashMap<(ThreadId, StackId), Weight>>,
    stacks: HashMap<Box<[Place]>, StackId>,
    new: Vec<(StackId, Box<[Place]>)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    spent: Nanoseconds,
    sampled: Nanoseconds,
}

#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    oncpu: Nanoseconds,
    samples: u32,
}

impl SampleBook {
    /// Takes a sample of a stack, the outermost place first.
    pub(super) fn add(&mut self, cpu: u16, at: MonotonicTime, window: u32, places: Vec<Place>) {
        let next = StackId(u32::try_from(self.stacks.len()).unwrap_or(u32::MAX));
        let places: Box<[Place]> = places.into();
        let stack = self.stacks.get(&places).copied().unwrap_or_else(|| {
            self.new.push((next, places.clone()));
            self.stacks.insert(places, next);
            next
        });
        self.pending.entry(cpu).or_default().push_back(Pending { at, window, stack });
    }

    /// `thread` was on `cpu` from `from` to `until`.
    pub(super) fn charge(
        &mut self,
        cpu: u16,
        thread: ThreadId,
        from: MonotonicTime,
        until: MonotonicTime,
    ) {
        let number = thread.0 as usize;
        if self.threads.len() <= number {
            self.threads.resize(number + 1, Clock::default());
        }
        let clock = &mut self.threads[number];
        if let Some(pending) = self.pending.get_mut(&cpu) {
            while let Some(sample) = pending.front().filter(|sample| sample.at < until).copied() {
                pending.pop_front();
                let now = clock.spent + sample.at.since(from);
                let weight = self
                    .rows
                    .entry(sample.window)
                    .or_default()
                    .entry((thread, sample.stack))
                    .or_default();
                weight.oncpu += now.saturating_sub(clock.sampled);
                weight.samples += 1;
                clock.sampled = clock.sampled.max(now);
            }
        }
        clock.spent += until.since(from);
    }

    /// The rows of all windows before `window`, in order.
    pub(super) fn take_before(&mut self, window: u32) -> Vec<StackSample> {
        let kept = self.rows.split_off(&window);
        let mut taken = Vec::new();
        for (window, rows) in std::mem::replace(&mut self.rows, kept) {
            let first = taken.len();
            taken.extend(rows.into_iter().map(|((thread, stack), weight)| StackSample {
                window,
                thread,
                stack,
                oncpu: weight.oncpu,
                samples: weight.samples,
            }));
            taken[first..].sort_unstable_by_key(|row| (row.thread, row.stack));
        }
        taken
    }

    /// The stacks that are new since the last call.
    pub(super) fn take_new(&mut self) -> Vec<(StackId, Box<[Place]>)> {
        std::mem::take(&mut self.new)
    }

    /// All stacks.
    pub(super) fn stacks(&self) -> impl Iterator<Item = (StackId, &[Place])> {
        self.stacks.iter().map(|(places, stack)| (*stack, &**places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> MonotonicTime {
        MonotonicTime::from_nanos(milliseconds * 1_000_000)
    }

    fn row(window: u32, thread: u32, stack: u32, milliseconds: u64, samples: u32) -> StackSample {
        StackSample {
            window,
            thread: ThreadId(thread),
            stack: StackId(stack),
            oncpu: Nanoseconds::from_millis(milliseconds),
            samples,
        }
    }

    #[test]
    fn a_sample_stands_for_the_time_since_the_one_before() {
        let mut book = SampleBook::default();
        let (a, b) = (vec![Place::Kernel(1)], vec![Place::Kernel(2)]);
        book.add(0, at(10), 0, a.clone());
        book.add(0, at(40), 0, b);
        book.add(0, at(45), 1, a);
        book.charge(0, ThreadId(7), at(0), at(20));
        book.charge(0, ThreadId(8), at(20), at(30));
        book.charge(0, ThreadId(7), at(30), at(50));
        assert_eq!(book.take_before(1), [row(0, 7, 0, 10, 1), row(0, 7, 1, 20, 1)]);
        assert_eq!(book.take_before(2), [row(1, 7, 0, 5, 1)]);
    }

    #[test]
    fn a_stack_is_new_once() {
        let mut book = SampleBook::default();
        book.add(0, at(1), 0, vec![Place::Kernel(1)]);
        assert_eq!(book.take_new().len(), 1);
        book.add(0, at(2), 0, vec![Place::Kernel(1)]);
        book.add(0, at(3), 0, vec![Place::Kernel(2)]);
        assert_eq!(book.take_new(), [(StackId(1), [Place::Kernel(2)].into())]);
    }
}
