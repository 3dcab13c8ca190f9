//! Writes a trace of any size, of a machine that never was: `synthetic_trace DIR ROWS [SAMPLES]`.
//!
//! Eight CPUs, two thousand threads, windows of a tenth of a second with a thousand residency rows
//! each; with SAMPLES for each of those rows, of two hundred stacks in each process. Equal arguments give equal
//! tables. `cargo xtask bench read` and `flamegraph` measure what reads them.

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
/// Threads that may run on each CPU. In a window every second one does.
const THREADS_OF_CPU: u32 = 250;
const WINDOW: Nanoseconds = Nanoseconds::from_millis(100);
/// The idle task has a row on each CPU, too.
const ROWS_OF_WINDOW: u32 = CPUS as u32 * (THREADS_OF_CPU / 2);
const WINDOWS_OF_PART: u32 = 1_000;

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
    let (directory, rows, samples) = match arguments.as_slice() {
        [directory, rows] => (directory, rows, "0"),
        [directory, rows, samples] => (directory, rows, samples.as_str()),
        _ => bail!("usage: synthetic_trace DIR ROWS [SAMPLES]"),
    };
    let rows: u64 = rows.parse().context("ROWS is a number")?;
    let samples: u32 = samples.parse().context("SAMPLES is a number")?;
    let windows = u32::try_from(rows / u64::from(ROWS_OF_WINDOW)).context("that is too many")?;
    let session = session(samples > 0);
    let mut writer =
        TraceWriter::create(Path::new(directory), Existing::Overwrite, None, &session)?;
    let stacks = if samples > 0 { (0..STACKS).map(stack).collect() } else { Vec::new() };
    writer.append(Batch { threads: threads(), stacks, ..Batch::default() });
    let mut chance = Chance(1);
    for first in (0..windows).step_by(WINDOWS_OF_PART as usize) {
        for index in first..windows.min(first + WINDOWS_OF_PART) {
            let window = window(index, &mut chance);
            let samples = sampled(&window.residency, samples, &mut chance);
            writer.append(Batch { samples, ..window });
        }
        writer.seal()?;
    }
    let size = writer.finish(&Session { state: SessionState::Complete, ..session })?;
    println!("{directory}: {} residency rows, {} bytes", size.residency, size.bytes);
    Ok(())
}

fn session(sampled: bool) -> Session {
    let place = |cpu| (cpu, CpuPlace { socket: 0, die: 0, core: cpu });
    Session {
        host: Host { hostname: "synthetic".to_owned(), cpus: u32::from(CPUS), ..Host::default() },
        topology: Topology { cpus: (0..CPUS).map(place).collect() },
        clock: Clock { monotonic_start_ns: START_NS, utc_start_ns: START_UTC_NS },
        window_ns: WINDOW.get(),
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

/// A window in which every second thread ran on its CPU, for up to 0.7 ms. Some seconds are quiet, so
/// that the idle power can be found.
fn window(index: u32, chance: &mut Chance) -> Batch {
    let start = MonotonicTime::from_nanos(START_NS + u64::from(index) * WINDOW.get());
    let longest = if index % 1_000 < 12 { 7_000 } else { 700_000 };
    let mut idle = Vec::new();
    let mut ran = Vec::new();
    let mut busy = 0;
    for cpu in 0..CPUS {
        let mut left = WINDOW.get();
        let first = u32::from(cpu) * THREADS_OF_CPU + index % 2;
        for number in (first..).step_by(2).take(THREADS_OF_CPU as usize / 2 - 1) {
            let oncpu = 1 + chance.below(longest);
            left -= oncpu;
            let thread = ThreadId(ThreadId::FIRST.0 + number);
            ran.push(row(index, thread, cpu, oncpu));
        }
        idle.push(row(index, ThreadId::IDLE, cpu, left));
        busy += WINDOW.get() - left;
    }
    idle.append(&mut ran);
    let since_start = i64::from(index) * 100_000_000;
    Batch {
        windows: vec![Window {
            index,
            start,
            end: start + WINDOW,
            start_utc: WallTime::from_epoch_nanos(START_UTC_NS + since_start),
            lost_switches: 0,
            lost_events: 0,
        }],
        // 10 W and 2 W when nothing runs, and 5 W for each busy CPU.
        energy: vec![
            sample(index, PACKAGE, 1_000_000 + busy * 5 / 1_000, busy),
            sample(index, DRAM, 200_000 + busy / 10_000, busy),
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
        source: SOURCE.to_owned(),
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
