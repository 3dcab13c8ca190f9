//! From the probes to rows: drains task events and switch logs, and charges every CPU's time.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

use super::RecordError;
use super::counts::CountsBook;
use super::naming::{Unnamed, unnamed};
use super::residency::ResidencyBook;
use super::stacks::Stacks;
use super::tasks::Tasks;
use super::ticker::poll;
use crate::model::{Counted, Grid, Residency, Stack, StackId, StackSample, ThreadId};
use crate::probes::{CpuState, Probes, StackSampled};
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
    /// The address of the CPU's idle task, once that has left it.
    idle: Option<u64>,
    /// The latest sample that is older than what is to be charged: when, and the address of the task that ran.
    sampled: Option<(MonotonicTime, u64)>,
    /// Where charging had got to when a switch last came late.
    late: Option<MonotonicTime>,
}

impl Seen {
    /// Whether a sample since `from`, where charging has got to, says that another thread runs than the one that
    /// was seen to come: the kernel did not tell of a switch.
    fn is_contradicted(&self, from: MonotonicTime) -> bool {
        let sampled = self.sampled.filter(|(at, _)| *at > from);
        sampled.zip(self.state.running).is_some_and(|((_, ran), running)| ran != running)
    }
}

/// The probes, and the books they are drained into.
pub(super) struct Capture {
    probes: Probes,
    tasks: Tasks,
    book: ResidencyBook,
    start: MonotonicTime,
    cpus: Vec<Seen>,
    late_switches: u64,
    late_time: Nanoseconds,
    lost_time: Nanoseconds,
    stacks: Option<Stacks>,
    /// `None` where nothing is counted.
    counts: Option<CountsBook>,
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
        let stacks = probes.sampling_event().map(|_| Stacks::new(grid));
        let counters = probes.counters();
        let counts = (!counters.is_empty()).then(|| CountsBook::new(grid, start, counters));
        let mut capture = Self {
            probes,
            tasks,
            book,
            start,
            cpus,
            late_switches: 0,
            late_time: Nanoseconds::ZERO,
            lost_time: Nanoseconds::ZERO,
            stacks,
            counts,
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
        if self.counts.is_some() {
            self.mark_busy();
        }
        // What lies beyond the line is known as well, and charged at once.
        self.read_to(line, MonotonicTime::MAX);
        line
    }

    /// Has every CPU that something runs on say what it has counted so far, as that of a thread that does not
    /// switch would else come too late for its windows. CPUs that rest are left alone.
    fn mark_busy(&mut self) {
        for cpu in 0..self.probes.cpus() {
            let Seen { alive, idle, .. } = self.cpus[usize::from(cpu)];
            let running = self.probes.cpu_state(cpu).running;
            if alive && running.is_some() && running != idle {
                self.probes.mark(cpu);
            }
        }
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

    /// The samples of all windows before `window`.
    pub(super) fn take_samples_before(&mut self, window: u32) -> Vec<StackSample> {
        self.stacks.as_mut().map_or_else(Vec::new, |stacks| stacks.samples.take_before(window))
    }

    /// What was counted in all windows before `window`.
    pub(super) fn take_counts_before(&mut self, window: u32) -> Vec<Counted> {
        self.counts.as_mut().map_or_else(Vec::new, |counts| counts.take_before(window))
    }

    /// The stacks that are new since the last call.
    pub(super) fn take_new_stacks(&mut self) -> Vec<(StackId, Stack)> {
        let Some(stacks) = &mut self.stacks else { return Vec::new() };
        let objects = stacks.spaces.objects();
        let new = stacks.samples.take_new();
        new.into_iter().map(|(stack, places)| (stack, unnamed(&places, objects))).collect()
    }

    /// Ends the probes, and gives what is left to be named; `None` where no stacks were sampled.
    pub(super) fn into_stacks(self) -> Option<Unnamed> {
        self.stacks.map(|stacks| Unnamed { samples: stacks.samples, spaces: stacks.spaces })
    }

    /// A descriptor that becomes readable when [`Self::read_urgent`] should be called.
    pub(super) fn urgent_events(&self) -> Result<AsyncFd<OwnedFd>, RecordError> {
        self.probes
            .urgent_events()
            .and_then(poll)
            .map_err(|source| RecordError::System { what: "wait for BPF events", source })
    }

    /// Makes a process a target that was just launched.
    pub(super) fn add_root(&mut self, tgid: u32) {
        self.tasks.add_root(tgid);
    }

    /// Samples lost so far, or too late to be given a weight.
    pub(super) fn lost_samples(&self) -> u64 {
        let late = self.stacks.as_ref().map_or(0, |stacks| stacks.late_samples);
        late + self.cpus.iter().map(|seen| seen.state.lost_samples).sum::<u64>()
    }

    /// Takes note of what cannot wait for the next tick.
    pub(super) fn read_urgent(&mut self) {
        self.catch_up();
    }

    /// Switches lost so far, on all CPUs.
    pub(super) fn lost_switches(&self) -> u64 {
        self.cpus.iter().map(|seen| seen.state.lost_switches).sum()
    }

    /// Times that switches went unseen so far, on all CPUs.
    pub(super) fn unseen_switches(&self) -> u64 {
        self.cpus.iter().map(|seen| seen.state.unseen_switches).sum()
    }

    /// Task events lost so far, on all CPUs.
    pub(super) fn lost_events(&self) -> u64 {
        self.cpus.iter().map(|seen| seen.state.lost_events).sum()
    }

    /// Switches that came after their time had been charged to the thread before.
    pub(super) fn late_switches(&self) -> u64 {
        self.late_switches
    }

    /// The time that had been charged to the thread before when those came.
    pub(super) fn late_time(&self) -> Nanoseconds {
        self.late_time
    }

    /// Time charged to nobody known.
    pub(super) fn lost_time(&self) -> Nanoseconds {
        self.lost_time
    }

    /// Takes note of what has become of threads, and gives how far each CPU had come before: no
    /// thread is in those records that has not announced itself.
    fn catch_up(&mut self) -> Vec<(u16, CpuState)> {
        let states = (0..self.probes.cpus()).map(|cpu| (cpu, self.probes.cpu_state(cpu))).collect();
        let Self { probes, tasks, stacks, .. } = self;
        tasks.apply_all(
            || probes.next_event(),
            |event, tasks| {
                if let Some(stacks) = stacks {
                    stacks.follow(event, tasks);
                }
            },
        );
        states
    }

    /// Takes the samples that have come, each as its process's code was at its time. After
    /// [`Self::catch_up`], which tells who is wanted and how far each CPU had come at `line` or later.
    fn read_samples(&mut self, line: MonotonicTime) {
        let Self { probes, tasks, book, start, cpus, stacks: Some(stacks), .. } = self else {
            return;
        };
        let mut samples: Vec<StackSampled> = std::iter::from_fn(|| probes.next_sample()).collect();
        samples.sort_by_key(|sample| sample.at);
        for sample in samples.iter().filter(|sample| sample.at <= line) {
            if let Some(seen) = cpus.get_mut(usize::from(sample.cpu)) {
                seen.sampled = Some((sample.at, sample.address));
            }
        }
        // After the samples, so that nothing is missing that was before them.
        probes.read_code_events(|event| stacks.code.push(event));
        stacks.code.sort_by_key(|event| event.at);
        let mut code = std::mem::take(&mut stacks.code).into_iter().peekable();
        let is_wanted = |tgid| tasks.is_sampled(tgid);
        for sample in samples.iter().filter(|sample| sample.at >= *start) {
            while let Some(event) = code.next_if(|event| event.at <= sample.at) {
                stacks.spaces.apply(&event.change, is_wanted);
            }
            stacks.take(sample, *start, book.charged_to(sample.cpu));
        }
        // What is left may come before samples of the next reading: of a quiet machine, all of it.
        let last = samples.last().map(|sample| sample.at);
        for event in code {
            match last {
                Some(_) => stacks.code.push(event),
                None => stacks.spaces.apply(&event.change, is_wanted),
            }
        }
    }

    /// Charges every CPU up to `line` at least, and to `limit` at most.
    fn read_to(&mut self, line: MonotonicTime, limit: MonotonicTime) {
        let states = self.catch_up();
        self.read_samples(line);
        for (cpu, state) in states {
            self.read_cpu(cpu, state, limit);
            if self.cpus[usize::from(cpu)].alive && self.book.charged_to(cpu) < line {
                self.charge_running(cpu, line, limit);
            }
        }
    }

    /// Charges all that `cpu` had written down at `state`, as far as `limit`.
    fn read_cpu(&mut self, cpu: u16, state: CpuState, limit: MonotonicTime) {
        let Self {
            probes,
            tasks,
            book,
            late_switches,
            late_time,
            lost_time,
            start,
            stacks,
            counts,
            ..
        } = self;
        let mut stays = Vec::new();
        let seen = &mut self.cpus[usize::from(cpu)];
        seen.state = state;
        probes.read_switches(cpu, &state, |switch| {
            seen.alive = true;
            if switch.tid == 0 {
                seen.idle = Some(switch.address);
            }
            let from = book.charged_to(cpu);
            if switch.end < from {
                // Before the start, or its time was charged already to the thread that left.
                if from > *start {
                    *late_switches += 1;
                    // Of several, the first says it all.
                    if seen.late.replace(from) != Some(from) {
                        *late_time += from.since(switch.end);
                    }
                }
                let (thread, _) = tasks.resolve(switch.address, switch.tid, switch.end, switch.end);
                if let Some(counts) = counts.as_mut().filter(|_| from > *start) {
                    let stay = (thread, switch.end, switch.end);
                    counts.add(cpu, &[stay], switch.counts.as_ref().map(<[_; _]>::as_slice));
                }
                return;
            }
            let (end, switched) = (switch.end.min(limit), switch.end <= limit);
            if switch.after_gap {
                *lost_time += end.since(from);
                book.charge(cpu, ThreadId::LOST, end, switched);
                if let Some(counts) = counts {
                    counts.add(
                        cpu,
                        &[(ThreadId::LOST, from, end)],
                        switch.counts.as_ref().map(<[_; _]>::as_slice),
                    );
                }
                return;
            }
            let mut reached = from;
            loop {
                let (thread, until) = tasks.resolve(switch.address, switch.tid, reached, end);
                let ends_here = until >= end;
                if let Some(stacks) = stacks {
                    stacks.samples.charge(cpu, thread, reached, until.min(end));
                }
                book.charge(cpu, thread, until.min(end), ends_here && switched);
                stays.push((thread, reached, until.min(end)));
                if ends_here {
                    break;
                }
                reached = until;
            }
            if let Some(counts) = counts {
                counts.add(cpu, &stays, switch.counts.as_ref().map(<[_; _]>::as_slice));
            }
            stays.clear();
        });
    }

    /// Charges whoever runs on `cpu` since its last switch, up to `line`.
    fn charge_running(&mut self, cpu: u16, line: MonotonicTime, limit: MonotonicTime) {
        let seen = self.cpus[usize::from(cpu)];
        let Seen { state, idle, .. } = seen;
        let from = self.book.charged_to(cpu);
        if state.gap {
            self.lost_time += line.since(from);
            return self.book.charge(cpu, ThreadId::LOST, line, false);
        }
        let running = state.running.filter(|_| !seen.is_contradicted(from));
        let known = running.and_then(|address| {
            // No interrupt may wake an idle CPU only to hear that it is idle.
            let tid = if idle == Some(address) { 0 } else { self.tasks.tid_at(address)? };
            Some((address, tid))
        });
        let Some((address, tid)) = known else {
            // It has not left a CPU since recording began, or came unseen: only the CPU itself can tell.
            self.probes.mark(cpu);
            let (_, state) = self.catch_up()[usize::from(cpu)];
            return self.read_cpu(cpu, state, limit);
        };
        let mut reached = from;
        while reached < line {
            let (thread, until) = self.tasks.resolve(address, tid, reached, line);
            if let Some(stacks) = &mut self.stacks {
                stacks.samples.charge(cpu, thread, reached, until.min(line));
            }
            self.book.charge(cpu, thread, until.min(line), false);
            reached = until;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_another_thread_contradicts_only_if_it_came_later() {
        let at = MonotonicTime::from_nanos;
        let running = |address| {
            let mut state = CpuState::default();
            state.running = Some(address);
            state
        };
        let seen = Seen { state: running(7), sampled: Some((at(50), 8)), ..Seen::default() };
        assert!(seen.is_contradicted(at(49)));
        assert!(!seen.is_contradicted(at(50)), "who ran until then has been charged");
        assert!(!Seen { state: running(8), ..seen }.is_contradicted(at(0)));
        assert!(!Seen { state: CpuState::default(), ..seen }.is_contradicted(at(0)));
        assert!(!Seen { sampled: None, ..seen }.is_contradicted(at(0)));
    }
}
