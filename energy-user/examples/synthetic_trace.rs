//! Writes a trace of any size, of a machine that never was: `synthetic_trace DIR ROWS [SAMPLES [WINDOW_MS]]`.
//!
//! Eight CPUs, two thousand threads, windows of a tenth of a second (or WINDOW_MS) with a thousand residency rows
//! each (a hundred, where windows are of less than 10 ms); with SAMPLES for each of those rows, of two hundred
//! stacks in each process. Equal arguments give equal tables. `cargo xtask bench read` and `flamegraph` measure what reads them.

use std::path::Path;

use anyhow::{Context, bail};
use energy_prof::model::{
    CounterFlags, CpuPlace, Domain, DomainId, EnergySample, Frame, FrameKind, Provenance,
    Residency, Stack, StackId, StackSample, ThreadId, ThreadInfo, Topology, Window,
};
use energy_prof::trace::{
    Batch, Clock, Existing, Host, SamplingInfo, Session, SessionState, SourceInfo, Target,
    TraceWriter,
};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime};

const CPUS: u16 = 8;
/// Threads that may run on each CPU. In a long window every second one does.
const THREADS_OF_CPU: u32 = 250;
const ROWS_OF_PART: u32 = 1_000_000;

const STACKS_OF_PROCESS: u32 = 200;
const STACKS: u32 = STACKS_OF_PROCESS * (CPUS as u32 * THREADS_OF_CPU).div_ceil(20);
/// The functions of each depth; a stack has one of each.
const FUNCTIONS_OF_DEPTH: u32 = 40;
const DEPTH: u32 = 24;

const START_NS: u64 = 1_000_000_000;
/// Monday 2026-11-23 07:14:00 UTC.
const START_UTC_NS: i64 = 1_795_418_040_000_000_000;

const SOURCE: &str = "rapl-powercap";
const PACKAGE: DomainId = DomainId::of_socket(Domain::Package, 0);
const DRAM: DomainId = DomainId::of_socket(Domain::Dram, 0);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, rows, more @ ..] = arguments.as_slice() else {
        bail!("usage: synthetic_trace DIR ROWS [SAMPLES [WINDOW_MS]]");
    };
    let number = |index: usize, default: u64| {
        more.get(index)
            .map_or(Ok(default), |number| number.parse())
            .context("SAMPLES and WINDOW_MS are numbers")
    };
    let rows: u64 = rows.parse().context("ROWS is a number")?;
    let samples = u32::try_from(number(0, 0)?).context("SAMPLES is a small number")?;
    let shape = Shape::of(Nanoseconds::from_millis(number(1, 100)?));
    let windows = u32::try_from(rows / u64::from(shape.rows())).context("that is too many")?;
    let session = session(shape, samples > 0);
    let mut writer =
        TraceWriter::create(Path::new(directory), Existing::Overwrite, None, &session)?;
    let stacks = if samples > 0 { (0..STACKS).map(stack).collect() } else { Vec::new() };
    writer.append(Batch { threads: threads(), stacks, ..Batch::default() });
    let mut chance = Chance(1);
    let of_part = ROWS_OF_PART / shape.rows();
    for first in (0..windows).step_by(of_part as usize) {
        for index in first..windows.min(first + of_part) {
            let window = window(shape, index, &mut chance);
            let samples = sampled(&window.residency, samples, &mut chance);
            writer.append(Batch { samples, ..window });
        }
        writer.seal()?;
    }
    let size = writer.finish(&Session { state: SessionState::Complete, ..session })?;
    println!("{directory}: {} residency rows, {} bytes", size.residency, size.bytes);
    Ok(())
}

/// How long windows are, and who runs in them.
#[derive(Clone, Copy)]
struct Shape {
    window: Nanoseconds,
    /// Threads that run on each CPU in a window.
    running: u32,
}

impl Shape {
    fn of(window: Nanoseconds) -> Self {
        let is_long = window >= Nanoseconds::from_millis(10);
        Self { window, running: if is_long { THREADS_OF_CPU / 2 - 1 } else { 12 } }
    }

    /// The idle task has a row on each CPU, too.
    const fn rows(self) -> u32 {
        CPUS as u32 * (self.running + 1)
    }

    /// Of the threads of a CPU, those that run in a window.
    fn who(self, index: u32) -> impl Iterator<Item = u32> {
        // Every second one, of which one window in two has the odd ones, or a few that follow each other.
        let is_long = self.running == THREADS_OF_CPU / 2 - 1;
        let (first, step) = if is_long { (index % 2, 2) } else { (index % 20 * self.running, 1) };
        (first..).step_by(step).take(self.running as usize)
    }

    /// How long a thread runs at most, in ns. Some seconds are quiet, so that the idle power can be found.
    const fn longest(self, index: u32) -> u64 {
        let longest = self.window.get() * 868 / 1_000 / self.running as u64;
        let since_start = index as u64 * self.window.get();
        let is_quiet = since_start % 100_000_000_000 < 1_200_000_000;
        if is_quiet { longest / 100 } else { longest }
    }
}

fn session(shape: Shape, sampled: bool) -> Session {
    let place = |cpu| (cpu, CpuPlace { socket: 0, die: 0, core: cpu });
    Session {
        host: Host { hostname: "synthetic".to_owned(), cpus: u32::from(CPUS), ..Host::default() },
        topology: Topology { cpus: (0..CPUS).map(place).collect() },
        clock: Clock { monotonic_start_ns: START_NS, utc_start_ns: START_UTC_NS },
        window_ns: shape.window.get(),
        sources: vec![SourceInfo {
            name: SOURCE.to_owned(),
            provenance: Provenance::Measured,
            domains: vec![PACKAGE, DRAM],
            idle: Vec::new(),
            note: None,
        }],
        target: Target::All,
        sampling: sampled.then(|| SamplingInfo {
            frequency: 99,
            event: "cycles".to_owned(),
            call_graph: Some("fp".to_owned()),
        }),
        ended: Some("duration reached".to_owned()),
        ..Session::default()
    }
}

/// The idle task, and a hundred processes of twenty threads each.
fn threads() -> Vec<(ThreadId, ThreadInfo)> {
    let idle = ThreadInfo { comm: "idle".to_owned(), ..ThreadInfo::default() };
    let thread = |number: u32| {
        let process = number / 20;
        let info = ThreadInfo {
            tgid: 1_000 + process * 20,
            tid: 1_000 + number,
            start: MonotonicTime::from_nanos(START_NS / 2),
            parent_tgid: Some(1),
            comm: format!("worker-{process}"),
            exe: Some(format!("/usr/bin/worker-{process}")),
            cmdline: Some(format!("worker-{process} --serve")),
            uid: Some(1_000),
            cgroup: Some(format!("/system.slice/worker-{process}.service")),
            ..ThreadInfo::default()
        };
        (ThreadId(ThreadId::FIRST.0 + number), info)
    };
    let others = (0..u32::from(CPUS) * THREADS_OF_CPU).map(thread);
    std::iter::once((ThreadId::IDLE, idle)).chain(others).collect()
}

/// A window in which each thread whose turn it is ran on its CPU.
fn window(shape: Shape, index: u32, chance: &mut Chance) -> Batch {
    let length = shape.window.get();
    let since_start = u64::from(index) * length;
    let start = MonotonicTime::from_nanos(START_NS + since_start);
    let longest = shape.longest(index);
    let mut idle = Vec::new();
    let mut ran = Vec::new();
    let mut busy = 0;
    for cpu in 0..CPUS {
        let mut left = length;
        for number in shape.who(index) {
            let oncpu = 1 + chance.below(longest);
            left -= oncpu;
            let thread = ThreadId::FIRST.0 + u32::from(cpu) * THREADS_OF_CPU + number;
            ran.push(row(index, ThreadId(thread), cpu, oncpu));
        }
        idle.push(row(index, ThreadId::IDLE, cpu, left));
        busy += length - left;
    }
    idle.append(&mut ran);
    Batch {
        windows: vec![Window {
            index,
            start,
            end: start + shape.window,
            start_utc: WallTime::from_epoch_nanos(START_UTC_NS + since_start.cast_signed()),
            lost_switches: 0,
            lost_events: 0,
        }],
        // 10 W and 2 W when nothing runs, and 5 W for each busy CPU.
        energy: vec![
            sample(index, PACKAGE, length / 100 + busy * 5 / 1_000, busy),
            sample(index, DRAM, length / 500 + busy / 10_000, busy),
        ],
        residency: idle,
        threads: Vec::new(),
        ..Batch::default()
    }
}

/// So many rows of samples for each thread that ran, each of one sample at a stack of its own.
fn sampled(residency: &[Residency], each: u32, chance: &mut Chance) -> Vec<StackSample> {
    let ran = residency.iter().filter(|row| row.thread >= ThreadId::FIRST);
    ran.flat_map(|row| (0..each).map(move |number| (row, number)))
        .map(|(row, number)| {
            // Few stacks are frequent and many are rare; none comes twice in a thread's window.
            let below = u64::from(STACKS_OF_PROCESS / each);
            let group = chance.below(below).min(chance.below(below));
            let process = (row.thread.0 - ThreadId::FIRST.0) / 20;
            let stack = u32::try_from(group).unwrap_or(0) * each + number;
            StackSample {
                window: row.window,
                thread: row.thread,
                stack: StackId(process * STACKS_OF_PROCESS + stack),
                oncpu: Nanoseconds::new(row.oncpu.get() / u64::from(each)),
                samples: 1,
            }
        })
        .collect()
}

/// A stack whose outer frames it shares with many others.
fn stack(number: u32) -> (StackId, Stack) {
    let frame = |depth: u32| {
        // As many different functions at a depth as there are stacks that part there.
        let parts = (depth + 1).pow(2).min(FUNCTIONS_OF_DEPTH);
        let which = number.wrapping_mul(2_654_435_761) / (depth + 1) % parts;
        let offset = u64::from(depth * FUNCTIONS_OF_DEPTH + which) * 64;
        Frame {
            function: Some(format!("module_{depth}::function_{which}")),
            file: Some(format!("/src/module_{depth}.rs")),
            line: Some(10 + which),
            module: Some("/usr/bin/worker".to_owned()),
            build_id: Some("c0ffee".to_owned()),
            file_offset: Some(offset),
            function_offset: None,
            kind: FrameKind::User,
        }
    };
    (StackId(number), (0..DEPTH).map(frame).collect())
}

fn row(window: u32, thread: ThreadId, cpu: u16, oncpu: u64) -> Residency {
    Residency { window, thread, cpu, oncpu: Nanoseconds::new(oncpu), switches: 1 + window % 7 }
}

fn sample(window: u32, domain: DomainId, energy_uj: u64, busy: u64) -> EnergySample {
    EnergySample {
        window,
        domain,
        source: SOURCE.into(),
        provenance: Provenance::Measured,
        energy: Some(Microjoules::new(energy_uj)),
        error: Some(Microjoules::new(61)),
        flags: CounterFlags::NONE,
        busy: Some(Nanoseconds::new(busy)),
    }
}

/// Numbers without a pattern that Parquet could use, the same in every run.
/// Reference: Marsaglia, Xorshift RNGs, Journal of Statistical Software 8(14), 2003,
/// doi:10.18637/jss.v008.i14.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
