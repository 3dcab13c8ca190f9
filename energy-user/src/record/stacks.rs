//! Sampled stacks on their way from the probes to the book: whose code an address is in at the time of its sample.

use super::address_space::{AddressSpaces, MOST_FRAMES, Place};
use super::sample_book::SampleBook;
use super::tasks::Tasks;
use crate::model::Grid;
use crate::probes::{CodeEvent, StackSampled, TaskChange, TaskEvent, UserStack};
use crate::units::{MonotonicTime, Nanoseconds};

/// How long an exited process's mappings are kept.
const AFTERLIFE: Nanoseconds = Nanoseconds::from_millis(2_000);

/// Sampled stacks, and where their code comes from.
pub(super) struct Stacks {
    grid: Grid,
    pub samples: SampleBook,
    pub spaces: AddressSpaces,
    /// What has become of code since the last sample, in order.
    pub code: Vec<CodeEvent>,
    /// Processes that have exited; their last samples may still be read.
    exited: Vec<(MonotonicTime, u32)>,
    /// Samples that came too late to be given a weight.
    pub late_samples: u64,
}

impl Stacks {
    /// None yet.
    pub(super) fn new(grid: Grid) -> Self {
        Self {
            grid,
            samples: SampleBook::default(),
            spaces: AddressSpaces::default(),
            code: Vec::new(),
            exited: Vec::new(),
            late_samples: 0,
        }
    }

    /// Follows what becomes of processes, as far as their code is concerned.
    pub(super) fn follow(&mut self, event: &TaskEvent, tasks: &Tasks) {
        match event.change {
            TaskChange::Fork { tid, tgid, parent_tgid, .. } if tid == tgid => {
                self.exited.retain(|(_, gone)| *gone != tgid);
                self.spaces.begin(parent_tgid, tgid);
            }
            TaskChange::Exec { tgid, uid, .. } if tasks.is_sampled(tgid) => {
                self.spaces.exec(tgid, uid);
            }
            TaskChange::Exit { tid, tgid, .. } if tid == tgid => {
                self.exited.push((event.at, tgid));
                self.spaces.exit(tgid);
            }
            _ => {}
        }
        let spaces = &mut self.spaces;
        self.exited.retain(|(at, tgid)| {
            let kept = event.at.since(*at) < AFTERLIFE;
            if !kept {
                spaces.forget(*tgid);
            }
            kept
        });
    }

    /// Takes a sample, unless its time on the CPU has been charged already.
    pub(super) fn take(
        &mut self,
        sample: &StackSampled,
        start: MonotonicTime,
        charged_to: MonotonicTime,
    ) {
        if sample.at < charged_to {
            self.late_samples += 1;
            return;
        }
        let spaces = &mut self.spaces;
        // All but the innermost are return addresses: the call is just before.
        let called = |(index, address): (usize, &u64)| address - u64::from(index > 0);
        let user = match &sample.user {
            UserStack::Addresses(addresses) => addresses,
            UserStack::Copied(copy) => &spaces.unwound(sample.tgid, copy),
        };
        let mut places = Vec::with_capacity(user.len() + sample.kernel.len());
        for address in user.iter().enumerate().map(called) {
            let place = spaces.place(sample.tgid, address);
            places.push(place);
            // What lies further out was found by following something that is no stack.
            if place == Place::Nowhere {
                break;
            }
        }
        // The rest of a stack that is deeper than what is followed.
        if user.len() >= MOST_FRAMES && places.last() != Some(&Place::Nowhere) {
            places.push(Place::Nowhere);
        }
        places.reverse();
        let kernel = sample.kernel.iter().enumerate().map(called).rev();
        places.extend(kernel.map(Place::Kernel));
        let window = self.grid.index_between(start, sample.at);
        self.samples.add(sample.cpu, sample.at, window, places);
    }
}
