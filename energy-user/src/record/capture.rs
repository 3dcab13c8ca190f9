//! From the probes to rows: drains task events and switch logs, and charges every CPU's time.

use std::collections::BTreeMap;

use super::residency::ResidencyBook;
use super::tasks::Tasks;
use crate::model::{Grid, Residency, ThreadId};
use crate::probes::{CpuState, Probes};
use crate::units::{MonotonicTime, Nanoseconds};

/// A switch is written down some nanoseconds after its time was read, or milliseconds where a
/// hypervisor takes the CPU away in between. A thread that runs on is charged only this far.
const SETTLED: Nanoseconds = Nanoseconds::from_millis(2);

/// What a CPU had lost when it was last read, and who was left running there.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    state: CpuState,
    /// Whether the CPU has ever switched: an offline one has not.
    alive: bool,
}

/// The probes, and the books they are drained into.
pub(super) struct Capture {
    probes: Probes,
    tasks: Tasks,
    book: ResidencyBook,
    start: MonotonicTime,
    cpus: Vec<Seen>,
    late_switches: u64,
    lost_time: Nanoseconds,
}

impl Capture {
    /// Begins now: every running thread is known, and charged from the returned start.
    pub(super) fn begin(
        mut probes: Probes,
        tasks: Tasks,
        grid: Grid,
        now: impl Fn() -> MonotonicTime,
    ) -> Self {
        for cpu in 0..probes.cpus() {
            probes.mark(cpu);
        }
        let start = now();
        let cpus = vec![Seen::default(); usize::from(probes.cpus())];
        let book = ResidencyBook::new(grid, start);
        let mut capture = Self {
            probes,
            tasks,
            book,
            start,
            cpus,
            late_switches: 0,
            lost_time: Nanoseconds::ZERO,
        };
        for (cpu, state) in capture.catch_up() {
            capture.read_cpu(cpu, state, MonotonicTime::MAX);
        }
        capture
    }

    /// When charging began.
    pub(super) fn start(&self) -> MonotonicTime {
        self.start
    }

    /// The threads.
    pub(super) fn tasks(&mut self) -> &mut Tasks {
        &mut self.tasks
    }

    /// The probes, for their log and statistics.
    pub(super) fn probes(&mut self) -> &mut Probes {
        &mut self.probes
    }

    /// Reads everything that has happened, and charges threads that run on up to the last line of
    /// `grid` that has settled. Gives that line.
    pub(super) fn drain(&mut self, grid: Grid, now: MonotonicTime) -> MonotonicTime {
        let line = grid.line_at_or_before(now - SETTLED);
        // What lies beyond the line is known as well, and charged at once.
        self.read_to(line, MonotonicTime::MAX);
        line
    }

    /// Reads everything and ends all books at `end`, a time just past.
    pub(super) fn finish(&mut self, end: MonotonicTime) {
        // Every CPU writes down who runs there now, so that nothing before `end` is still to come.
        for cpu in 0..self.probes.cpus() {
            if self.cpus[usize::from(cpu)].alive {
                self.probes.mark(cpu);
            }
        }
        self.read_to(end, end);
        self.book.close();
    }

    /// The rows of all windows before `window`.
    pub(super) fn take_before(&mut self, window: u32) -> BTreeMap<u32, Vec<Residency>> {
        self.book.take_before(window).into_iter().collect()
    }

    /// Switches lost so far, on all CPUs.
    pub(super) fn lost_switches(&self) -> u64 {
        self.cpus.iter().map(|seen| seen.state.lost_switches).sum()
    }

    /// Task events lost so far, on all CPUs.
    pub(super) fn lost_events(&self) -> u64 {
        self.cpus.iter().map(|seen| seen.state.lost_events).sum()
    }

    /// Switches that came after their time had been charged to the thread before.
    pub(super) fn late_switches(&self) -> u64 {
        self.late_switches
    }

    /// Time charged to nobody known.
    pub(super) fn lost_time(&self) -> Nanoseconds {
        self.lost_time
    }

    /// Takes note of what has become of threads, and gives how far each CPU had come before: no
    /// thread is in those records that has not announced itself.
    fn catch_up(&mut self) -> Vec<(u16, CpuState)> {
        let states = (0..self.probes.cpus()).map(|cpu| (cpu, self.probes.cpu_state(cpu))).collect();
        while let Some(event) = self.probes.next_event() {
            self.tasks.apply(event);
        }
        states
    }

    /// Charges every CPU up to `line` at least, and to `limit` at most.
    fn read_to(&mut self, line: MonotonicTime, limit: MonotonicTime) {
        for (cpu, state) in self.catch_up() {
            self.read_cpu(cpu, state, limit);
            if self.cpus[usize::from(cpu)].alive && self.book.charged_to(cpu) < line {
                self.charge_running(cpu, line, limit);
            }
        }
    }

    /// Charges all that `cpu` had written down at `state`, as far as `limit`.
    fn read_cpu(&mut self, cpu: u16, state: CpuState, limit: MonotonicTime) {
        let Self { probes, tasks, book, late_switches, lost_time, start, .. } = self;
        let seen = &mut self.cpus[usize::from(cpu)];
        seen.state = state;
        probes.read_switches(cpu, &state, |switch| {
            seen.alive = true;
            let from = book.charged_to(cpu);
            if switch.end < from {
                // Before the start, or its time was charged already to the thread that left.
                *late_switches += u64::from(from > *start);
                tasks.resolve(switch.address, switch.tid, switch.end, switch.end);
                return;
            }
            let (end, switched) = (switch.end.min(limit), switch.end <= limit);
            if switch.after_gap {
                *lost_time += end.since(from);
                book.charge(cpu, ThreadId::LOST, end, switched);
                return;
            }
            let mut reached = from;
            loop {
                let (thread, until) = tasks.resolve(switch.address, switch.tid, reached, end);
                let ends_here = until >= end;
                book.charge(cpu, thread, until.min(end), ends_here && switched);
                if ends_here {
                    return;
                }
                reached = until;
            }
        });
    }

    /// Charges whoever runs on `cpu` since its last switch, up to `line`.
    fn charge_running(&mut self, cpu: u16, line: MonotonicTime, limit: MonotonicTime) {
        let state = self.cpus[usize::from(cpu)].state;
        let from = self.book.charged_to(cpu);
        if state.gap {
            self.lost_time += line.since(from);
            return self.book.charge(cpu, ThreadId::LOST, line, false);
        }
        let known = state.running.and_then(|address| Some((address, self.tasks.tid_at(address)?)));
        let Some((address, tid)) = known else {
            // It has not left a CPU since recording began, so only the CPU itself can tell.
            self.probes.mark(cpu);
            let (_, state) = self.catch_up()[usize::from(cpu)];
            return self.read_cpu(cpu, state, limit);
        };
        let mut reached = from;
        while reached < line {
            let (thread, until) = self.tasks.resolve(address, tid, reached, line);
            self.book.charge(cpu, thread, until.min(line), false);
            reached = until;
        }
    }
}
