//! From the embedded object to attached programs, and the one handle to what they record.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use aya::maps::{Map, MapData, RingBuf};
use aya::programs::{PerfEvent, ProgramError, RawTracePoint, RawTracePointRunOptions, TestRun};
use aya::{Ebpf, EbpfError, EbpfLoader, VerifierLogLevel};
use aya_log::EbpfLogger;
use energy_ebpf::counters::MOST_COUNTERS;
use log::debug;
use nix::unistd::geteuid;

use super::events::decode;
use super::mappings::{CodeEvent, MappingEvents};
use super::samples::{self, StackSampled};
use super::sampling::{self, CallGraph, SampledProcesses, Sampling, SamplingEvent};
use super::switches::SwitchLog;
use super::{CounterEvent, CpuState, ProbeError, SwitchRecord, TaskEvent, counters, offsets};
use crate::model::HardwareCounter;

/// The object built from `energy-ebpf` by `cargo xtask build-ebpf`.
static OBJECT: &[u8] = aya::include_bytes_aligned!("energy-probes.bpf.o");

/// Programs that must attach, and those that only add names.
const SWITCH: &str = "sched_switch";
const LIFECYCLE: [&str; 3] = ["sched_process_exec", "sched_process_exit", "task_rename"];
const WITH_BTF: [&str; 3] = ["sched_process_fork", "cgroup_mkdir", "cgroup_attach_task"];
const MARK: &str = "mark_running";
const SAMPLE: &str = "cpu_sample";
const SAMPLE_COPY: &str = "cpu_sample_copy";

const COPY_STACKS: &str = "copy stacks for `--call-graph dwarf`, for which it must be 5.15 or newer \
                           with CONFIG_DEBUG_INFO_BTF";

/// How to attach.
#[derive(Clone, Debug)]
pub struct AttachOptions {
    /// Binary logarithm of the records each CPU's switch log holds, 8 to 20.
    pub log_shift: u32,
    /// Where the kernel's type information is.
    pub btf: PathBuf,
    /// Whose stacks to sample; `None` for nobody's.
    pub sampling: Option<Sampling>,
    /// What is counted at each switch, [`MOST_COUNTERS`] at most.
    pub counters: Vec<CounterEvent>,
}

impl Default for AttachOptions {
    /// 65,536 records (1 MiB) per CPU: a tenth of a second at 650,000 switches a second.
    fn default() -> Self {
        Self {
            log_shift: 16,
            btf: PathBuf::from("/sys/kernel/btf/vmlinux"),
            sampling: None,
            counters: Vec::new(),
        }
    }
}

/// What the kernel counted of our programs while `kernel.bpf_stats_enabled` was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunStatistics {
    /// Runs of the program at every context switch.
    pub switch_runs: u64,
    /// Their time in nanoseconds.
    pub switch_ns: u64,
}

/// The programs, attached until this is dropped. Nothing is pinned: when the process ends, however
/// it ends, the kernel unloads them.
pub struct Probes {
    ebpf: Ebpf,
    switches: SwitchLog,
    events: RingBuf<MapData>,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
    has_btf: bool,
    stacks: Option<Stacks>,
    counters: Vec<HardwareCounter>,
    /// Hardware counters count for as long as these are open.
    _counting: Vec<OwnedFd>,
}

/// What sampling needs besides the programs.
struct Stacks {
    samples: RingBuf<MapData>,
    mappings: MappingEvents,
    event: SamplingEvent,
}

/// Where the kernel side looks for the events of each counter.
const COUNTER_MAPS: [&str; MOST_COUNTERS] = ["COUNTER_0", "COUNTER_1", "COUNTER_2"];

/// The smallest ring buffer, where no stacks are wanted.
const ONE_PAGE: u32 = 4096;

impl Probes {
    /// Loads and attaches all programs. Needs `CAP_BPF` and `CAP_PERFMON`, or root.
    pub fn attach(options: &AttachOptions) -> Result<Self, ProbeError> {
        let count = possible_cpus()?;
        let shift = options.log_shift.clamp(8, 20);
        let found = offsets::from_btf(&options.btf);
        let offsets = found.unwrap_or_default();
        let sampling = options.sampling.as_ref();
        let whose = sampling.map(|sampling| &sampling.whose);
        let all = u8::from(whose == Some(&SampledProcesses::All));
        let inherit = u8::from(sampling.is_some_and(|sampling| sampling.inherit));
        let launcher =
            if whose == Some(&SampledProcesses::Launched) { std::process::id() } else { 0 };
        let mut loader = EbpfLoader::new();
        loader.map_max_entries("SAMPLES", sampling.map_or(ONE_PAGE, |s| ring_bytes(count, s)));
        let mut stack_limit = 0;
        if let Some(CallGraph::Dwarf { stack_bytes }) = sampling.map(|sampling| sampling.call_graph)
        {
            if offsets.registers_sp == 0 {
                let reason = "no readable kernel type information".to_owned();
                return Err(unsupported(COPY_STACKS, reason));
            }
            loader.map_max_entries("COPY_SCRATCH", u32::from(count));
            stack_limit = stack_bytes;
        }
        let counters: Vec<HardwareCounter> =
            options.counters.iter().map(|event| event.counter).collect();
        let wanted = u32::try_from(counters.len()).expect("a few counters");
        let counted = if counters.is_empty() { 1 } else { u32::from(count) << shift };
        let mut ebpf = loader
            .btf(None)
            .verifier_log_level(VerifierLogLevel::STATS)
            .override_global("LOG_SHIFT", &shift, true)
            .override_global("OFFSETS", &offsets, true)
            .override_global("SAMPLE_ALL", &all, true)
            .override_global("INHERIT", &inherit, true)
            .override_global("LAUNCHER", &launcher, true)
            .override_global("STACK_LIMIT", &stack_limit, true)
            .override_global("COUNTERS", &wanted, true)
            .map_max_entries("COUNTED", counted)
            .map_max_entries("COUNTER_READINGS", u32::from(count))
            .map_max_entries("CPU_LOGS", u32::from(count))
            .map_max_entries("SWITCHES", u32::from(count) << shift)
            .load(OBJECT)
            .map_err(|error| failure("create BPF maps", &error))?;
        let switches = {
            let [logs, records, counted] =
                ["CPU_LOGS", "SWITCHES", "COUNTED"].map(|name| array(&ebpf, name).fd());
            SwitchLog::map(logs, records, (!counters.is_empty()).then_some(counted), count, shift)?
        };
        // Before the first switch that is written down.
        let mut counting = Vec::new();
        for (event, name) in options.counters.iter().zip(COUNTER_MAPS) {
            let Some(Map::PerfEventArray(events)) = ebpf.map(name) else {
                unreachable!("the object has the map of events {name}");
            };
            counting.append(&mut counters::open(event, &online()?, events.fd())?);
        }
        let events = RingBuf::try_from(ebpf.take_map("TASK_EVENTS").expect("the object has it"))
            .map_err(|error| failure("map a BPF ring buffer", &error.into()))?;
        // Without a logger installed there is nobody to tell.
        let logger = EbpfLogger::init(&mut ebpf).ok();
        let has_btf = found.is_some();
        let mut probes = Self {
            ebpf,
            switches,
            events,
            logger,
            has_btf,
            stacks: None,
            counters,
            _counting: counting,
        };
        probes.load(MARK)?;
        if let Some(sampling) = sampling {
            // Before the first mapping and the first sample.
            sampling::choose(&mut probes.ebpf, sampling)
                .map_err(|error| failure("fill a BPF map", &error.into()))?;
        }
        // Task events first: a thread that the switch log shows has then announced itself.
        for name in LIFECYCLE.into_iter().chain(WITH_BTF.into_iter().filter(|_| found.is_some())) {
            if let Err(error) = probes.load(name).and_then(|()| probes.attach_to(name, name)) {
                if LIFECYCLE.contains(&name) {
                    return Err(error);
                }
                debug!("without {name}: {error}");
            }
        }
        probes.load(SWITCH)?;
        probes.attach_to(SWITCH, SWITCH)?;
        if let Some(sampling) = sampling {
            probes.stacks = Some(probes.sample(sampling)?);
        }
        Ok(probes)
    }

    /// Whether the kernel's type information was found, and with it forks and cgroups are seen.
    pub fn has_btf(&self) -> bool {
        self.has_btf
    }

    /// Number of CPUs that may ever be online; their numbers are below it.
    pub fn cpus(&self) -> u16 {
        self.switches.cpus()
    }

    /// How far the log of `cpu` has come now.
    pub fn cpu_state(&self, cpu: u16) -> CpuState {
        self.switches.state(cpu)
    }

    /// What is counted at each switch, in the order of a record's counts.
    pub fn counters(&self) -> &[HardwareCounter] {
        &self.counters
    }

    /// Hands every unread switch of `cpu` that was there at `state` to `each`, oldest first.
    pub fn read_switches(&self, cpu: u16, state: &CpuState, each: impl FnMut(SwitchRecord)) {
        self.switches.read(cpu, state, each);
    }

    /// The next task event, oldest first; `None` when there is none for now.
    pub fn next_event(&mut self) -> Option<TaskEvent> {
        loop {
            let item = self.events.next()?;
            // A record of a kind we do not know cannot come from our own object.
            if let Some(event) = decode(&item) {
                return Some(event);
            }
        }
    }

    /// What makes the samples; `None` where no stacks are sampled.
    pub fn sampling_event(&self) -> Option<SamplingEvent> {
        self.stacks.as_ref().map(|stacks| stacks.event)
    }

    /// The next sample, oldest first on each CPU; `None` when there is none for now.
    pub fn next_sample(&mut self) -> Option<StackSampled> {
        let stacks = self.stacks.as_mut()?;
        loop {
            let item = stacks.samples.next()?;
            if let Some(sample) = samples::decode(&item) {
                return Some(sample);
            }
        }
    }

    /// Hands all that has become of processes' code since the last call to `each`, in order on each
    /// CPU; nothing without sampling.
    pub fn read_code_events(&mut self, each: impl FnMut(CodeEvent)) {
        if let Some(stacks) = &mut self.stacks {
            stacks.mappings.read(each);
        }
    }

    /// Mappings lost because a ring was full.
    pub fn lost_mappings(&self) -> u64 {
        self.stacks.as_ref().map_or(0, |stacks| stacks.mappings.lost())
    }

    /// A descriptor that becomes readable when something happened that should not wait for the next
    /// tick: a sampled process has become another program.
    pub fn urgent_events(&self) -> io::Result<OwnedFd> {
        self.events.as_fd().try_clone_to_owned()
    }

    /// Starts sampling.
    fn sample(&mut self, sampling: &Sampling) -> Result<Stacks, ProbeError> {
        let (name, what) = match sampling.call_graph {
            CallGraph::FramePointers => (SAMPLE, "load a BPF program"),
            CallGraph::Dwarf { .. } => (SAMPLE_COPY, COPY_STACKS),
        };
        let samples = self.ebpf.take_map("SAMPLES").expect("the object has it");
        let samples = RingBuf::try_from(samples)
            .map_err(|error| failure("map a BPF ring buffer", &error.into()))?;
        let mappings = MappingEvents::open(online()?)
            .map_err(|error| events_failure("watch mappings", ProgramError::IOError(error)))?;
        let program: &mut PerfEvent = self
            .ebpf
            .program_mut(name)
            .expect("the object has this program")
            .try_into()
            .map_err(|error: ProgramError| failure(what, &error.into()))?;
        program.load().map_err(|error| failure(what, &error.into()))?;
        let event = sampling::attach(program, sampling.frequency)
            .map_err(|error| events_failure("sample stacks", error))?;
        Ok(Stacks { samples, mappings, event })
    }

    /// Passes on what the programs wanted to say, to the `log` crate's logger.
    pub fn flush_log(&mut self) {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
    }

    /// Has `cpu` write down who runs on it right now, by an interrupt. A CPU that is offline is
    /// left alone: `false`.
    pub fn mark(&mut self, cpu: u16) -> bool {
        let Ok(program) = self.raw_tracepoint(MARK) else { return false };
        program
            .test_run(RawTracePointRunOptions { cpu: Some(u32::from(cpu)), ..Default::default() })
            .is_ok()
    }

    /// What the kernel counted, `None` unless `kernel.bpf_stats_enabled` is set.
    pub fn run_statistics(&mut self) -> Option<RunStatistics> {
        let info = self.raw_tracepoint(SWITCH).ok()?.info().ok()?;
        let switch_runs = info.run_count();
        (switch_runs > 0).then(|| RunStatistics {
            switch_runs,
            switch_ns: u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX),
        })
    }

    fn raw_tracepoint(&mut self, name: &str) -> Result<&mut RawTracePoint, ProgramError> {
        self.ebpf.program_mut(name).expect("the object has this program").try_into()
    }

    fn load(&mut self, name: &str) -> Result<(), ProbeError> {
        self.raw_tracepoint(name)
            .and_then(RawTracePoint::load)
            .map_err(|error| failure("load a BPF program", &error.into()))
    }

    fn attach_to(&mut self, name: &str, tracepoint: &str) -> Result<(), ProbeError> {
        self.raw_tracepoint(name)
            .and_then(|program| program.attach(tracepoint))
            .map(|_| ())
            .map_err(|error| failure("attach to a raw tracepoint", &error.into()))
    }
}

fn array<'a>(ebpf: &'a Ebpf, name: &str) -> &'a MapData {
    match ebpf.map(name) {
        Some(Map::Array(data)) => data,
        _ => unreachable!("the object has the array {name}"),
    }
}

/// The CPUs that are online.
fn online() -> Result<Vec<u32>, ProbeError> {
    aya::util::online_cpus()
        .map_err(|(path, source)| ProbeError::System { path: path.to_owned(), source })
}

/// Room for twice the samples of the time between two readings, at a usual half kibibyte each
/// besides copied stacks.
fn ring_bytes(cpus: u16, sampling: &Sampling) -> u32 {
    let copied = match sampling.call_graph {
        CallGraph::FramePointers => 0,
        CallGraph::Dwarf { stack_bytes } => u64::from(stack_bytes) + 1024,
    };
    let samples = u64::from(cpus) * u64::from(sampling.frequency).div_ceil(10);
    let bytes = (2 * samples * (512 + copied)).next_power_of_two().clamp(1 << 20, 256 << 20);
    u32::try_from(bytes).expect("at most 256 MiB")
}

/// The number of possible CPUs, from `/sys/devices/system/cpu/possible` (`0-3`, `0,2-5`).
fn possible_cpus() -> Result<u16, ProbeError> {
    let path = Path::new("/sys/devices/system/cpu/possible");
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not a list of CPUs");
    std::fs::read_to_string(path)
        .and_then(|text| {
            let last = text.trim().rsplit([',', '-']).next().unwrap_or_default().to_owned();
            last.parse::<u16>().map(|last| last + 1).map_err(|_| invalid())
        })
        .map_err(|source| ProbeError::System { path: path.display().to_string(), source })
}

/// Sorts the kernel's answer into what the user can do about it.
fn failure(what: &'static str, error: &EbpfError) -> ProbeError {
    let errno = errno_of(error);
    let reason = errno.map_or_else(|| error.to_string(), ToString::to_string);
    match errno.and_then(io::Error::raw_os_error) {
        Some(libc::EPERM | libc::EACCES) if !geteuid().is_root() => {
            ProbeError::Permission { uid: geteuid().as_raw() }
        }
        Some(libc::EPERM | libc::EACCES) if !refused_by_verifier(error) => {
            ProbeError::Forbidden { reason }
        }
        _ => {
            debug!("{what}: {error:?}");
            unsupported(what, reason)
        }
    }
}

/// The same for perf events, which have a lock of their own.
fn events_failure(what: &'static str, error: ProgramError) -> ProbeError {
    let error = error.into();
    match errno_of(&error).and_then(io::Error::raw_os_error) {
        Some(libc::EPERM | libc::EACCES) => {
            let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
            let paranoid =
                paranoid.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned());
            ProbeError::EventsForbidden { what, paranoid }
        }
        _ => failure(what, &error),
    }
}

fn unsupported(what: &'static str, reason: String) -> ProbeError {
    let kernel = nix::sys::utsname::uname().map_or_else(
        |_| "unknown".to_owned(),
        |name| name.release().to_string_lossy().into_owned(),
    );
    ProbeError::Unsupported { kernel, what, reason }
}

/// Whether the kernel looked at a program and found fault with it.
fn refused_by_verifier(error: &EbpfError) -> bool {
    matches!(error, EbpfError::ProgramError(ProgramError::LoadError { verifier_log, .. })
        if !verifier_log.to_string().is_empty())
}

/// The operating system's error inside aya's, if there is one.
fn errno_of(error: &EbpfError) -> Option<&io::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        // It passes for its cause, but is not it.
        if let Some(ProgramError::IOError(io)) = error.downcast_ref() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}
