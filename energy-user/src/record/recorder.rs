//! The recording itself: attach, start, tick, stop, complete. One loop, in the order of time.

use std::collections::{BTreeSet, VecDeque};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use log::debug;
use nix::sys::signal::Signal as Received;
use tokio::sync::oneshot;

use super::capture::Capture;
use super::ending::{Ending, Signals, Stop, launch_or_watch};
use super::energy::Energy;
use super::procfs::{Procfs, unified_cgroups};
use super::target::{check_command, check_pids};
use super::tasks::{Roots, Tasks};
use super::ticker::Ticker;
use super::writing::Writing;
use super::{Progress, RecordError, RecordOptions, Recording, TargetChoice, privileges};
use crate::model::{
    BusyCpus, DomainId, EnergySample, Grid, Losses, Provenance, Residency, Topology, Window,
    disjoint_cover_with,
};
use crate::probes::{
    AttachOptions, Probes, count_event, monotonic_now, sees_host_pids, suspended, wall_now,
};
use crate::sources::{HostFacts, SourceOptions, discover};
use crate::trace::{
    Batch, BpfCost, CalibrationInfo, Clock, Host, ReadTimes, SamplingInfo, Session, SessionState,
    SourceInfo, Target, TraceWriter,
};
use crate::units::{MonotonicTime, Nanoseconds, WallTime};

/// The recorder's own niceness.
const URGENT: i32 = -10;

/// How long after the last part the next is due. With the wait for a tick (0.1 s at most) and for
/// the disk, no more than a second is then lost to `kill -9`.
const SEAL_EVERY: Nanoseconds = Nanoseconds::from_millis(800);

/// Records until the target ends, the duration is over, or a signal comes; see [`RecordOptions`].
/// Must run on a current-thread tokio runtime with I/O enabled: capabilities are per thread.
pub async fn record(
    options: &RecordOptions,
    mut progress: impl FnMut(Progress),
) -> Result<Recording, RecordError> {
    let grid = Grid::new(options.window)?;
    let procfs = Procfs::new("/proc", suspended());
    if !sees_host_pids(Path::new("/proc")) {
        return Err(RecordError::PidNamespace);
    }
    let mut roots = Roots { inherit: options.inherit, ..Roots::default() };
    match &options.target {
        TargetChoice::All => {}
        TargetChoice::Pids(pids) => {
            check_pids(&procfs, pids)?;
            roots.tgids.extend(pids);
        }
        TargetChoice::Command(argv) => check_command(argv)?,
    }
    let facts = HostFacts::of_this_machine();
    let source_options = SourceOptions {
        powercap_root: options.powercap_root.clone(),
        sysfs: options.sysfs.clone(),
        dev: options.dev.clone(),
        nvml_library: options.nvml_library.clone(),
        choice: options.source,
        core_counters: options.core_counters,
    };
    let mut energy =
        Energy::new(discover(&source_options, &facts, &count_event), options.core_counters)?;
    let mut attach = AttachOptions {
        log_shift: options.log_shift,
        sampling: options.sampling(),
        counters: options.counters.clone(),
        ..AttachOptions::default()
    };
    if let Some(btf) = &options.btf {
        attach.btf.clone_from(btf);
    }
    let probes = Probes::attach(&attach)?;
    let described = energy.describe(options.window, options.calibration.as_ref());
    let mut session = new_session(options, &facts, described);
    session.discrete_cards = energy.discrete_cards();
    session.calibration = calibration_used(options, &session.sources);
    session.sampling =
        options.frequency.zip(probes.sampling_event()).map(|(frequency, event)| SamplingInfo {
            frequency,
            event: event.name().to_owned(),
            call_graph: Some(options.call_graph.to_string()),
        });
    // Handlers first: once there is a trace, an interrupt ends the recording properly.
    let mut signals = Signals::new()?;
    let writer = TraceWriter::create(&options.output, options.existing, options.owner, &session)?;
    let tasks = Tasks::scan(procfs, roots, unified_cgroups(Path::new("/proc/self/mountinfo")));
    energy.read(&monotonic_now, monotonic_now());
    let mut capture = Capture::begin(probes, tasks, grid, monotonic_now);
    let start = capture.start();
    let utc = wall_clock_at(start);
    session.clock = Clock { monotonic_start_ns: start.nanos(), utc_start_ns: utc.epoch_nanos() };
    let ending = match launch_or_watch(options, &mut capture) {
        Ok(ending) => ending,
        Err(error) => {
            writer.abandon();
            return Err(error);
        }
    };
    if let TargetChoice::Command(argv) = &options.target {
        session.target = Target::Command {
            argv: argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            pid: ending.command_pid(),
        };
    }
    // The switch log holds a tenth of a second: on a saturated machine the recorder must not wait
    // for longer. It sleeps nearly all the time, so that this takes nothing from anyone. Without
    // the right to, it records all the same, and counts what it loses.
    let _ = rustix::process::setpriority_process(None, URGENT);
    privileges::drop_unneeded()?;
    let (writing, failure) = Writing::start(writer)?;
    progress(Progress::Started {
        notes: session.sources.iter().filter_map(|source| source.note.clone()).collect(),
    });
    let mut recorder = Recorder {
        grid,
        topology: session.topology.clone(),
        start,
        utc,
        capture,
        energy,
        writing,
        batch: Batch::default(),
        next_window: 0,
        closed_to: start,
        last_seal: start,
        last_read: start,
        reads: ReadTimes::default(),
        counted: Losses::default(),
        recent: VecDeque::new(),
        losses: Losses::default(),
    };
    let until = options.duration.map(|duration| start + duration);
    let stop = recorder.run(until, ending, &mut signals, failure, &mut progress).await?;
    progress(Progress::Finishing);
    recorder.complete(session, &stop)
}

struct Recorder {
    grid: Grid,
    topology: Topology,
    start: MonotonicTime,
    utc: WallTime,
    capture: Capture,
    energy: Energy,
    writing: Writing,
    batch: Batch,
    next_window: u32,
    /// Up to where every CPU has been charged.
    closed_to: MonotonicTime,
    last_seal: MonotonicTime,
    /// The line at which the counters were read last.
    last_read: MonotonicTime,
    /// How long after the lines that was done.
    reads: ReadTimes,
    /// Losses that windows written so far account for.
    counted: Losses,
    /// Windows of the last second or so, for showing the power.
    recent: VecDeque<(Nanoseconds, Vec<EnergySample>)>,
    losses: Losses,
}

impl Recorder {
    async fn run(
        &mut self,
        until: Option<MonotonicTime>,
        mut ending: Ending,
        signals: &mut Signals,
        mut failure: oneshot::Receiver<()>,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Stop, RecordError> {
        let ticker = Ticker::new(self.grid, self.start)?;
        let urgent = self.capture.urgent_events()?;
        let mut interrupted = false;
        loop {
            let duration_over = async {
                match until {
                    Some(until) => {
                        let left = until.since(monotonic_now());
                        tokio::time::sleep(left.into()).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // What ends the recording comes first: where ticks come faster than they can be dealt
                // with, there is always one more.
                biased;
                stop = ending.wait() => return stop,
                signal = signals.next() => {
                    // A first Ctrl-C at the terminal reaches the command too, which then ends the
                    // recording when it ends.
                    let is_interrupt = signal == Received::SIGINT;
                    if is_interrupt && matches!(ending, Ending::Command(_)) && !interrupted {
                        interrupted = true;
                        continue;
                    }
                    if !is_interrupt {
                        ending.pass_on(signal);
                    }
                    return Ok(Stop::Signal(signal));
                }
                _ = &mut failure => return Ok(Stop::WritingFailed),
                () = duration_over => return Ok(Stop::Duration),
                ready = urgent.readable() => {
                    if let Ok(mut ready) = ready {
                        ready.clear_ready();
                    }
                    self.capture.read_urgent();
                }
                ticks = ticker.tick() => self.tick(ticks?, ticker.step(), progress),
            }
        }
    }

    fn tick(&mut self, ticks: u64, step: Nanoseconds, progress: &mut impl FnMut(Progress)) {
        let now = monotonic_now();
        let line = self.grid.line_at_or_before(now);
        if line > self.last_read {
            self.energy.read(&monotonic_now, line);
            let done = monotonic_now();
            let mut edge = self.grid.line_after(self.last_read);
            while edge <= line {
                self.reads.add(done.since(edge));
                edge = edge + self.grid.step();
            }
            self.last_read = line;
            // Long windows have ticks in between; short ones a missed tick each.
            if step == self.grid.step() {
                self.losses.late_ticks += ticks.saturating_sub(1);
            }
        }
        // Short windows are read one by one, and drained together.
        if now.since(self.closed_to) < Nanoseconds::from_millis(95) && step == self.grid.step() {
            return;
        }
        let settled = self.capture.drain(self.grid, now);
        self.closed_to = self.closed_to.max(settled);
        self.write_windows_to(settled);
        self.capture.probes().flush_log();
        if now.since(self.last_seal) >= SEAL_EVERY {
            self.last_seal = now;
            self.seal();
            self.capture.tasks().forget_before(settled);
            progress(self.running(now));
        }
    }

    /// Sends what is complete to be written.
    fn seal(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        batch.threads = self.capture.tasks().take_changed();
        batch.stacks = self.capture.take_new_stacks();
        self.writing.send(batch);
    }

    /// Moves every window that ends at or before `line` into the batch.
    fn write_windows_to(&mut self, line: MonotonicTime) {
        let mut rows = self.capture.take_before(self.grid.index_between(self.start, line));
        loop {
            let end = self.grid.line_after(self.window_start(self.next_window));
            if end > line {
                return;
            }
            let residency = rows.remove(&self.next_window).unwrap_or_default();
            self.write_window(end, residency);
        }
    }

    fn write_window(&mut self, end: MonotonicTime, residency: Vec<Residency>) {
        let start = self.window_start(self.next_window);
        let switches = self.capture.lost_switches();
        let events = self.capture.lost_events();
        let since_start = start.since(self.start).get();
        let window = Window {
            index: self.next_window,
            start,
            end,
            start_utc: WallTime::from_epoch_nanos(
                self.utc.epoch_nanos() + i64::try_from(since_start).unwrap_or(i64::MAX),
            ),
            lost_switches: switches - self.counted.switches,
            lost_events: events - self.counted.events,
        };
        self.counted.switches = switches;
        self.counted.events = events;
        // Counters are read at every line before windows are drained past it.
        let busy = BusyCpus::new(&self.topology, &residency);
        let samples = self.energy.of_window(&window, &busy).unwrap_or_default();
        let cards = self.energy.cards_of_window(&window);
        self.capture.tasks().introduce(cards.iter().filter_map(|card| card.pid));
        self.losses.energy_gaps +=
            samples.iter().filter(|sample| sample.energy.is_none()).count() as u64;
        self.recent.push_back((window.length(), samples.clone()));
        let kept = usize::try_from(1_000_000_000 / self.grid.step().get()).unwrap_or(1).max(1);
        while self.recent.len() > kept {
            self.recent.pop_front();
        }
        self.batch.windows.push(window);
        self.batch.energy.extend(samples);
        self.batch.gpu.extend(cards);
        self.batch.residency.extend(residency);
        self.batch.samples.extend(self.capture.take_samples_before(window.index + 1));
        self.batch.counts.extend(self.capture.take_counts_before(window.index + 1));
        self.next_window += 1;
    }

    fn window_start(&self, index: u32) -> MonotonicTime {
        if index == 0 {
            return self.start;
        }
        let step = Nanoseconds::new(self.grid.step().get() * u64::from(index));
        self.grid.line_at_or_before(self.start) + step
    }

    fn running(&self, now: MonotonicTime) -> Progress {
        let length: Nanoseconds = self.recent.iter().map(|(length, _)| *length).sum();
        let samples = || self.recent.iter().flat_map(|(_, samples)| samples);
        let mut present: Vec<DomainId> = samples().map(|sample| sample.domain).collect();
        present.sort_unstable();
        present.dedup();
        let cover = disjoint_cover_with(&present, &self.energy.discrete_cards());
        let mut joules = None;
        let mut estimated = false;
        let mut told = BTreeSet::new();
        for sample in samples().filter(|sample| cover.contains(&sample.domain)) {
            // Another source of the same domain tells of the same joules.
            if let Some(energy) = sample.energy
                && told.insert((sample.window, sample.domain))
            {
                estimated |= sample.provenance > Provenance::Attributed;
                joules = Some(joules.unwrap_or(0.0) + energy.joules().get());
            }
        }
        let watts = joules.filter(|_| length > Nanoseconds::ZERO).map(|sum| sum / length.seconds());
        Progress::Running { elapsed: now.since(self.start), watts, estimated }
    }

    /// Ends all books now and completes the trace.
    fn complete(mut self, mut session: Session, stop: &Stop) -> Result<Recording, RecordError> {
        let end = monotonic_now();
        self.capture.finish(end);
        self.energy.read(&monotonic_now, end);
        self.write_windows_to(self.grid.line_at_or_before(end));
        if self.window_start(self.next_window) < end {
            let mut rest = self.capture.take_before(u32::MAX);
            let residency = rest.remove(&self.next_window).unwrap_or_default();
            self.write_window(end, residency);
        }
        self.seal();
        self.capture.probes().flush_log();
        let statistics = self.capture.probes().run_statistics();
        session.bpf = statistics.map(|statistics| BpfCost {
            runs: statistics.switch_runs,
            run_time_ns: statistics.switch_ns,
        });
        session.losses = self.losses();
        session.reads = Some(self.reads);
        session.state = SessionState::Complete;
        session.ended = Some(stop.in_words());
        if let Stop::CommandExited(status) = stop {
            // As a shell tells it: 128 and the signal's number.
            session.exit_code =
                status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        }
        // The kernel unloads the programs before names are looked for and the disk is waited for.
        let mut warnings = self.energy.disagreements();
        // The first source is the one to be believed, so its figures are those that doubts belong to.
        if let Some(source) = session.sources.first_mut()
            && !warnings.is_empty()
        {
            source.note = Some(warnings.join("; "));
        }
        warnings.extend(self.energy.note_failures(&mut session.sources));
        if let Some(stacks) = self.capture.into_stacks() {
            let (stacks, unnamed) = stacks.named();
            self.writing.send(Batch { stacks, ..Batch::default() });
            warnings.extend(unnamed);
        }
        let size = self.writing.finish(&session)?;
        Ok(Recording { session, size, warnings })
    }

    fn losses(&mut self) -> Losses {
        Losses {
            switches: self.capture.lost_switches(),
            cpu_time_ns: self.capture.lost_time().get(),
            events: self.capture.lost_events(),
            samples: self.capture.lost_samples(),
            mappings: self.capture.probes().lost_mappings(),
            late_switches: self.capture.late_switches(),
            late_time_ns: self.capture.late_time().get(),
            unseen_switches: self.capture.unseen_switches(),
            unnamed_threads: self.capture.tasks().unnamed(),
            ..self.losses
        }
    }
}

/// The wall clock at a monotonic instant just past.
fn wall_clock_at(start: MonotonicTime) -> WallTime {
    let (wall, now) = (wall_now(), monotonic_now());
    let since = i64::try_from(now.since(start).get()).unwrap_or(0);
    WallTime::from_epoch_nanos(wall.epoch_nanos() - since)
}

/// The calibration, where any of its figures is of a counter that is read.
fn calibration_used(options: &RecordOptions, sources: &[SourceInfo]) -> Option<CalibrationInfo> {
    let calibration = options.calibration.as_ref()?;
    let measured = |source: &&SourceInfo| source.provenance == Provenance::Measured;
    let used = sources.iter().filter(measured).any(|source| !source.idle.is_empty());
    used.then(|| CalibrationInfo {
        taken_utc_ns: calibration.taken_utc_ns.epoch_nanos(),
        busy_share: calibration.idle.busy_share,
    })
}

fn new_session(options: &RecordOptions, facts: &HostFacts, sources: Vec<SourceInfo>) -> Session {
    debug!("sources: {sources:?}");
    Session {
        host: Host {
            hostname: facts.hostname.clone(),
            kernel: facts.kernel.clone(),
            arch: facts.arch.clone(),
            cpu_model: facts.cpu_model.clone().unwrap_or_default(),
            cpus: facts.cpus,
            memory_bytes: facts.memory_bytes,
            boot_id: facts.boot_id.clone(),
            virtualisation: facts.virtualisation.clone(),
        },
        topology: facts.topology.clone(),
        window_ns: options.window.get(),
        sources,
        target: match &options.target {
            TargetChoice::Pids(pids) => Target::Pids { pids: pids.clone() },
            TargetChoice::All | TargetChoice::Command(_) => Target::All,
        },
        inherit: options.inherit,
        options: options.given.clone(),
        recorder_tgid: std::process::id(),
        ..Session::default()
    }
}
