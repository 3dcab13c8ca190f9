//! What threads used at stacks, added up from charges: with numbers for names, and on a thread of its
//! own once there are many, while the next windows are divided.

use std::collections::HashSet;
use std::panic;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rustc_hash::FxHashMap;

use super::call_tree::Moment;
use super::uncertainty::ErrorSum;
use crate::attribution::StackCharge;
use crate::model::{AttributedSample, StackId, ThreadId};
use crate::units::{Microjoules, Nanoseconds};

/// Charges that are added up in one go. They come by window; by thread they meet the same few entries,
/// which stay in the processor's caches.
const AT_ONCE: usize = 1 << 17;

type Charges = Vec<StackCharge<ErrorSum>>;

/// Where a thread used energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// No sample is near.
    Unsampled,
    /// At a stack.
    Stack(StackId),
    /// On graphics cards.
    Cards,
}

/// Takes charges as they come.
#[derive(Debug, Default)]
pub(super) struct StackUseCollector {
    waiting: Charges,
    /// What cards used: few beside the stacks, and added up at the end.
    cards: Vec<(AttributedSample, ErrorSum)>,
    used: StackUse,
    /// Once there are many: the thread that adds up in place of `used`.
    beside: Option<Beside>,
}

#[derive(Debug)]
struct Beside {
    full: SyncSender<Charges>,
    /// Memory to be used again.
    emptied: Receiver<Charges>,
    thread: JoinHandle<StackUse>,
}

impl StackUseCollector {
    /// The same, which also keeps when. To be asked before the first charge.
    pub(super) fn timed(mut self) -> Self {
        self.used.times = Some(Vec::new());
        self
    }

    pub(super) fn add(&mut self, charge: StackCharge<ErrorSum>) {
        self.waiting.push(charge);
        if self.waiting.len() >= AT_ONCE {
            self.hand_on();
        }
    }

    /// Adds what a graphics card used for a thread in a window.
    pub(super) fn add_card(&mut self, charge: &AttributedSample, error: ErrorSum) {
        self.cards.push((*charge, error));
    }

    /// All there was.
    pub(super) fn finish(mut self) -> StackUse {
        let mut used = if let Some(beside) = self.beside.take() {
            // A send fails where the thread panicked, which is told by `join`.
            beside.full.send(self.waiting).ok();
            drop(beside.full);
            beside.thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        } else {
            self.used.add_up(&mut self.waiting);
            self.used
        };
        for (charge, error) in self.cards {
            used.add_card(&charge, error);
        }
        used
    }

    fn hand_on(&mut self) {
        if self.beside.is_none() {
            self.beside = Beside::start(self.used.times.is_some());
        }
        let Some(beside) = &self.beside else {
            // No thread to be had: slower, and the same.
            return self.used.add_up(&mut self.waiting);
        };
        let next = beside.emptied.try_recv().unwrap_or_default();
        let full = std::mem::replace(&mut self.waiting, next);
        beside.full.send(full).ok();
    }
}

impl Beside {
    /// `None` where the system has no thread to give.
    fn start(timed: bool) -> Option<Self> {
        let (full, to_add) = sync_channel::<Charges>(1);
        let (back, emptied) = sync_channel(1);
        let add_up = move || {
            let mut used = StackUse { times: timed.then(Vec::new), ..StackUse::default() };
            for mut charges in to_add {
                used.add_up(&mut charges);
                // One that does not fit is one too many.
                back.try_send(charges).ok();
            }
            used
        };
        let thread = thread::Builder::new().name("add up".to_owned()).spawn(add_up).ok()?;
        Some(Self { full, emptied, thread })
    }
}

/// What threads used at stacks.
#[derive(Debug, Default)]
pub(super) struct StackUse {
    threads: FxHashMap<ThreadId, ThreadUse>,
    /// How many entries there are.
    count: usize,
    /// Where that is wanted, what each charge added to which entry.
    times: Option<Vec<Moment>>,
}

/// What one thread used.
#[derive(Debug, Default)]
struct ThreadUse {
    places: FxHashMap<Place, usize>,
    entries: Vec<Entry>,
}

/// What one thread used at one stack.
#[derive(Debug)]
pub(super) struct Entry {
    /// Of all threads' entries, the how manieth it is.
    number: usize,
    pub(super) thread: ThreadId,
    pub(super) place: Place,
    pub(super) energy: Microjoules,
    pub(super) oncpu: Nanoseconds,
    pub(super) samples: u64,
    pub(super) error: ErrorSum,
}

impl StackUse {
    /// The stacks that occur.
    pub(super) fn stacks(&self) -> HashSet<StackId> {
        let entries = self.threads.values().flat_map(|thread| &thread.entries);
        let stack = |entry: &Entry| match entry.place {
            Place::Stack(stack) => Some(stack),
            Place::Unsampled | Place::Cards => None,
        };
        entries.filter_map(stack).collect()
    }

    /// By thread and stack, with the moments of their charges, which tell of entries by their place:
    /// the same recording gives the same, in whatever order its samples came.
    pub(super) fn into_entries(self) -> (Vec<Entry>, Vec<Moment>) {
        let threads = self.threads.into_values();
        let mut entries: Vec<Entry> = threads.flat_map(|thread| thread.entries).collect();
        entries.sort_unstable_by_key(|entry| (entry.thread, entry.place));
        let mut moments = self.times.unwrap_or_default();
        if !moments.is_empty() {
            let mut became = vec![0; entries.len()];
            entries.iter().enumerate().for_each(|(share, entry)| became[entry.number] = share);
            for moment in &mut moments {
                moment.share = became[moment.share];
            }
            moments.sort_unstable();
        }
        (entries, moments)
    }

    /// Adds up `charges`, and leaves none there.
    fn add_up(&mut self, charges: &mut Charges) {
        // Stable: errors are floating point, and the same recording gives the same sums.
        charges.sort_by_key(|charge| charge.thread);
        for charges in charges.chunk_by(|a, b| a.thread == b.thread) {
            let thread = self.threads.entry(charges[0].thread).or_default();
            for charge in charges {
                let place = charge.stack.map_or(Place::Unsampled, Place::Stack);
                let entry = thread.entry(charge.thread, place, &mut self.count);
                entry.add(charge);
                if let Some(times) = &mut self.times {
                    let StackCharge { window, energy, oncpu, .. } = *charge;
                    times.push(Moment { window, share: entry.number, energy, oncpu });
                }
            }
        }
        charges.clear();
    }

    fn add_card(&mut self, charge: &AttributedSample, error: ErrorSum) {
        let AttributedSample { window, thread, energy, .. } = *charge;
        let entry = self.threads.entry(thread).or_default();
        let entry = entry.entry(thread, Place::Cards, &mut self.count);
        entry.energy += energy;
        entry.error.extend(error);
        if let Some(times) = &mut self.times {
            times.push(Moment { window, share: entry.number, energy, oncpu: Nanoseconds::ZERO });
        }
    }
}

impl ThreadUse {
    fn entry(&mut self, thread: ThreadId, place: Place, count: &mut usize) -> &mut Entry {
        let index = *self.places.entry(place).or_insert(self.entries.len());
        if index == self.entries.len() {
            self.entries.push(Entry {
                number: *count,
                thread,
                place,
                energy: Microjoules::ZERO,
                oncpu: Nanoseconds::ZERO,
                samples: 0,
                error: ErrorSum::default(),
            });
            *count += 1;
        }
        &mut self.entries[index]
    }
}

impl Entry {
    fn add(&mut self, charge: &StackCharge<ErrorSum>) {
        self.energy += charge.energy;
        self.oncpu += charge.oncpu;
        self.samples += u64::from(charge.samples);
        if let Some(of) = charge.of.filter(|of| of.energy > Microjoules::ZERO) {
            let part = charge.energy.joules().get() / of.energy.joules().get();
            self.error.extend(of.error.scaled(part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(index: u64) -> StackCharge<ErrorSum> {
        StackCharge {
            window: u32::try_from(index / 1000).unwrap(),
            thread: ThreadId(u32::try_from(7 + index % 13).unwrap()),
            stack: Some(StackId(u32::try_from(index % 5).unwrap())),
            energy: Microjoules::new(index),
            oncpu: Nanoseconds::new(2 * index),
            samples: 1,
            of: None,
        }
    }

    #[test]
    fn so_many_charges_that_a_thread_adds_them_up_come_to_what_a_few_at_a_time_do() {
        let count = 2 * AT_ONCE as u64 + 5;
        let mut collector = StackUseCollector::default().timed();
        let mut here = StackUse { times: Some(Vec::new()), ..StackUse::default() };
        for index in 0..count {
            collector.add(charge(index));
            here.add_up(&mut vec![charge(index)]);
        }
        assert!(collector.beside.is_some(), "they are many");
        let ((beside, when), (here, then)) =
            (collector.finish().into_entries(), here.into_entries());
        assert_eq!((when.len() as u64, &when), (count, &then));
        assert_eq!(beside.len(), 13 * 5);
        let energy: Microjoules = beside.iter().map(|entry| entry.energy).sum();
        assert_eq!(energy.get(), count * (count - 1) / 2);
        for (one, other) in beside.iter().zip(&here) {
            assert_eq!((one.thread, one.place), (other.thread, other.place));
            assert_eq!((one.energy, one.oncpu), (other.energy, other.oncpu));
            assert_eq!(one.samples, other.samples);
        }
    }
}
