//! The Firefox Profiler's processed profile: stacks by process and thread, and power tracks.
//!
//! - Stacks weigh microjoules. The format knows no joules for weights, so the column headed
//!   "samples" is microjoules; the profile's name says so.
//! - Stacks stand at the end of the window that their energy belongs to.
//! - Power tracks, one for each domain and one for each process, are counters of category `power`,
//!   whose samples are energy since the sample before, in picowatt-hours. The first is 0, because
//!   the viewer has nothing to compare it with. A window of unknown energy has no sample: the
//!   viewer spreads the next one's energy over it.
//!
//! Reference: <https://github.com/firefox-devtools/profiler>, docs-developer, 2026.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, CpuDelta, Frame, FrameFlags, FrameInfo, GraphColor,
    ProcessHandle, Profile, ReferenceTimestamp, SamplingInterval, StackHandle, ThreadHandle,
    Timestamp,
};

use super::stacks::{Owner, Stacks};
use super::{ExportError, Exporter, Subject, headline};
use crate::model::Window;
use crate::profile::NodeKind;
use crate::units::{Microjoules, MonotonicTime};

/// A processed profile of the Firefox Profiler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Firefox;

/// 1 J is 1/3600 Wh, so 1 µJ is 10^12/3.6·10^9 pWh.
const PICOWATT_HOURS_PER_MICROJOULE: f64 = 1e12 / 3.6e9;

/// How much of a command fits where the viewer shows names, in characters.
const NAME_ROOM: usize = 60;

/// The beginning of the range.
fn beginning() -> Timestamp {
    Timestamp::from_nanos_since_reference(0)
}

impl Exporter for Firefox {
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let mut builder = Builder::new(subject);
        builder.add_domains(subject);
        builder.add_stacks(subject);
        builder.add_processes(subject);
        serde_json::to_writer(out, &builder.profile)?;
        Ok(())
    }
}

/// A profile in the making.
struct Builder {
    profile: Profile,
    categories: Categories,
    processes: BTreeMap<u32, ProcessHandle>,
    threads: BTreeMap<(u32, Option<u32>), ThreadHandle>,
}

/// What frames are coloured by.
struct Categories {
    user: CategoryHandle,
    kernel: CategoryHandle,
    jit: CategoryHandle,
}

impl Builder {
    fn new(subject: &Subject<'_>) -> Self {
        let span = &subject.profile.span;
        let nanos = u64::try_from(span.start_utc.epoch_nanos()).unwrap_or(0);
        let reference = ReferenceTimestamp::from(UNIX_EPOCH + Duration::from_nanos(nanos));
        let interval = SamplingInterval::from_nanos(subject.profile.facts.window.get().max(1));
        let target = headline::shortened(&headline::target(subject.profile), NAME_ROOM);
        let name = match headline::warning(subject.profile) {
            Some(warning) => format!("{warning} energy of {target} (samples are µJ)"),
            None => format!("energy of {target} (samples are µJ)"),
        };
        let mut profile = Profile::new(&name, reference, interval);
        profile.set_os_name(&format!("Linux {}", subject.profile.facts.kernel));
        profile.set_symbolicated(true);
        let categories = Categories {
            user: profile.add_category("User", CategoryColor::Yellow),
            kernel: profile.add_category("Kernel", CategoryColor::Orange),
            jit: profile.add_category("JIT", CategoryColor::Green),
        };
        Self { profile, categories, processes: BTreeMap::new(), threads: BTreeMap::new() }
    }

    /// A track for each domain, under a process that stands for the machine.
    fn add_domains(&mut self, subject: &Subject<'_>) {
        let timeline = subject.timeline;
        if timeline.domains().is_empty() {
            return;
        }
        let name = format!("{}: energy counters", subject.profile.facts.hostname);
        let machine = self.profile.add_process(&name, 0, beginning());
        let thread = self.profile.add_thread(machine, 0, beginning(), true);
        self.add_range(thread, timeline.windows());
        for (domain, samples) in timeline.domains() {
            let kinds = samples.values().map(|sample| sample.provenance);
            let kind = kinds.max().map_or("unknown", crate::model::Provenance::name);
            let energy = |window: &Window| samples.get(&window.index)?.energy;
            let name = format!("{domain} ({kind})");
            self.add_power(machine, &name, timeline.windows(), energy);
        }
    }

    /// Samples of no stack at both ends: viewers take the range from samples, not from counters.
    fn add_range(&mut self, thread: ThreadHandle, windows: &[Window]) {
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return };
        for at in [beginning(), since(first.start, last.end)] {
            self.profile.add_sample(thread, at, None, CpuDelta::ZERO, 0);
        }
    }

    /// A track for each process that was charged with anything.
    fn add_processes(&mut self, subject: &Subject<'_>) {
        let timeline = subject.timeline;
        let chosen = subject.profile.facts.targets.chosen();
        let tracks = timeline.processes().iter();
        for (process, track) in tracks.filter(|(process, _)| process.target || !chosen) {
            let name = headline::shortened(&process.name, NAME_ROOM);
            let handle = self.process(process.pid, &name);
            if !self.threads.keys().any(|(pid, _)| *pid == process.pid) {
                self.thread(handle, process.pid, None, &name);
            }
            let energy = |window: &Window| Some(track.energy(window.index));
            let name = format!("attributed to {name}");
            self.add_power(handle, &name, timeline.windows(), energy);
        }
    }

    fn add_power(
        &mut self,
        process: ProcessHandle,
        name: &str,
        windows: &[Window],
        energy: impl Fn(&Window) -> Option<Microjoules>,
    ) {
        let Some(start) = windows.first().map(|window| window.start) else { return };
        let counter = self.profile.add_counter(process, name, "power", name);
        self.profile.set_counter_color(counter, GraphColor::Orange);
        self.profile.add_counter_sample(counter, beginning(), 0.0, 0);
        for window in windows {
            if let Some(energy) = energy(window) {
                let at = since(start, window.end);
                self.profile.add_counter_sample(counter, at, picowatt_hours(energy), 0);
            }
        }
    }

    /// The tree's stacks, each under its process and thread.
    fn add_stacks(&mut self, subject: &Subject<'_>) {
        let tree = subject.tree.by_function();
        let stacks = Stacks::of(&tree);
        let windows = subject.timeline.windows();
        let start = windows.first().map(|window| window.start).unwrap_or_default();
        let mut interned = BTreeMap::new();
        for moment in &tree.moments {
            let window = windows.binary_search_by_key(&moment.window, |window| window.index);
            let at = window.map_or(beginning(), |place| since(start, windows[place].end));
            let node = tree.shares[moment.share].node;
            let (thread, stack) =
                *interned.entry(node).or_insert_with(|| self.stack(&stacks, node));
            let mut cpu = CpuDelta::from_nanos(moment.oncpu.get());
            for weight in weights(moment.energy) {
                self.profile.add_sample(thread, at, stack, cpu, weight);
                cpu = CpuDelta::ZERO;
            }
        }
    }

    /// The stack that ends in a node, and its thread.
    fn stack(&mut self, stacks: &Stacks<'_>, node: usize) -> (ThreadHandle, Option<StackHandle>) {
        let owner = stacks.owner(node);
        let (pid, process) = owner.process.unwrap_or((0, "[all]"));
        let handle = self.process(pid, process);
        let thread = self.thread_of(handle, pid, process, owner);
        let frames: Vec<FrameInfo> = stacks
            .path(node)
            .into_iter()
            .map(|index| stacks.frame(index))
            .filter(|frame| !frame.kind.is_owner())
            .map(|frame| self.frame(&frame.name, frame.kind))
            .collect();
        (thread, self.profile.intern_stack_frames(thread, frames.into_iter()))
    }

    fn frame(&mut self, name: &str, kind: NodeKind) -> FrameInfo {
        let category = match kind {
            NodeKind::User | NodeKind::Inlined => self.categories.user,
            NodeKind::Kernel => self.categories.kernel,
            NodeKind::Jit => self.categories.jit,
            _ => CategoryHandle::OTHER,
        };
        FrameInfo {
            frame: Frame::Label(self.profile.intern_string(name)),
            category_pair: category.into(),
            flags: FrameFlags::empty(),
        }
    }

    fn process(&mut self, pid: u32, name: &str) -> ProcessHandle {
        let profile = &mut self.profile;
        *self.processes.entry(pid).or_insert_with(|| profile.add_process(name, pid, beginning()))
    }

    fn thread_of(
        &mut self,
        handle: ProcessHandle,
        pid: u32,
        process: &str,
        owner: Owner<'_>,
    ) -> ThreadHandle {
        match owner.thread {
            Some((tid, name)) => self.thread(handle, pid, Some(tid), name),
            None => self.thread(handle, pid, None, process),
        }
    }

    /// A thread; without a `tid` the one that stands for its whole process.
    fn thread(
        &mut self,
        process: ProcessHandle,
        pid: u32,
        tid: Option<u32>,
        name: &str,
    ) -> ThreadHandle {
        let profile = &mut self.profile;
        *self.threads.entry((pid, tid)).or_insert_with(|| {
            let is_main = tid.is_none_or(|tid| tid == pid);
            let thread = profile.add_thread(process, tid.unwrap_or(pid), beginning(), is_main);
            profile.set_thread_name(thread, name);
            thread
        })
    }
}

/// A weight in µJ as the format's whole numbers, which end at 2147 J: as many as needed.
fn weights(energy: Microjoules) -> impl Iterator<Item = i32> {
    let mut left = energy.get();
    std::iter::from_fn(move || {
        let weight = i32::try_from(left).unwrap_or(i32::MAX);
        left -= u64::from(weight.unsigned_abs());
        (weight > 0).then_some(weight)
    })
}

fn picowatt_hours(energy: Microjoules) -> f64 {
    energy.joules().get() * 1e6 * PICOWATT_HOURS_PER_MICROJOULE
}

fn since(start: MonotonicTime, at: MonotonicTime) -> Timestamp {
    Timestamp::from_nanos_since_reference(at.since(start).get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watt_hour_is_3600_joules() {
        assert!((picowatt_hours(Microjoules::new(3_600_000_000)) - 1e12).abs() < 1.0);
    }

    #[test]
    fn a_weight_beyond_the_formats_numbers_is_split_and_complete() {
        let energy = Microjoules::new(5_000_000_000);
        let parts: Vec<i32> = weights(energy).collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(
            parts.iter().map(|part| u64::from(part.unsigned_abs())).sum::<u64>(),
            5_000_000_000
        );
        assert_eq!(weights(Microjoules::ZERO).count(), 0);
    }
}
