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
        capture.read_events();
        for cpu in 0..capture.probes.cpus() {
            capture.read_cpu(cpu);
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
        self.read_to(line);
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
        self.read_to(end);
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

    fn read_events(&mut self) {
        while let Some(event) = self.probes.next_event() {
            self.tasks.apply(event);
        }
    }

    fn read_to(&mut self, line: MonotonicTime) {
        self.read_events();
        for cpu in 0..self.probes.cpus() {
            self.read_cpu(cpu);
            if self.cpus[usize::from(cpu)].alive && self.book.charged_to(cpu) < line {
                self.charge_running(cpu, line);
            }
        }
    }

    /// Charges all that `cpu` has written down.
    fn read_cpu(&mut self, cpu: u16) {
        let Self { probes, tasks, book, late_switches, lost_time, .. } = self;
        let seen = &mut self.cpus[usize::from(cpu)];
        let mut alive = seen.alive;
        seen.state = probes.read_switches(cpu, |switch| {
            alive = true;
            let from = book.charged_to(cpu);
            if switch.end < from {
                // Before the start, or its time was charged already to the thread that left.
                *late_switches += u64::from(from > self.start);
                tasks.resolve(switch.address, switch.tid, switch.end, switch.end);
                return;
            }
            if switch.after_gap {
                *lost_time += switch.end.since(from);
                book.charge(cpu, ThreadId::LOST, switch.end, true);
                return;
            }
            let mut reached = from;
            loop {
                let (thread, until) =
                    tasks.resolve(switch.address, switch.tid, reached, switch.end);
                let ends_here = until >= switch.end;
                book.charge(cpu, thread, until.min(switch.end), ends_here);
                if ends_here {
                    return;
                }
                reached = until;
            }
        });
        seen.alive = alive;
    }

    /// Charges whoever runs on `cpu` since its last switch, up to `line`.
    fn charge_running(&mut self, cpu: u16, line: MonotonicTime) {
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
            return self.read_cpu(cpu);
        };
        let mut reached = from;
        while reached < line {
            let (thread, until) = self.tasks.resolve(address, tid, reached, line);
            self.book.charge(cpu, thread, until.min(line), false);
            reached = until;
        }
    }
}
