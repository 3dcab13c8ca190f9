//! A recording in memory, written down window by window with numbers a reader can check by hand.

use std::collections::BTreeMap;
use std::convert::Infallible;

use energy_prof::analyze::Recording;
use energy_prof::model::{
    Counted, CounterFlags, CpuPlace, Domain, DomainId, EnergySample, GpuSample, Provenance,
    Residency, Stack, StackId, StackSample, ThreadId, ThreadInfo, Topology, Window,
};
use energy_prof::profile::{Facts, SourceFacts};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime};

pub(crate) const PACKAGE: DomainId = DomainId::of_socket(Domain::Package, 0);
pub(crate) const CORE: DomainId = DomainId::of_socket(Domain::Core, 0);
pub(crate) const DRAM: DomainId = DomainId::of_socket(Domain::Dram, 0);

/// Monday 2026-11-23 07:14:00 UTC.
const START_UTC_NS: i64 = 1_795_418_040_000_000_000;
const START_NS: u64 = 7_000_000_000;

#[derive(Clone, Debug)]
pub(crate) struct InMemory {
    pub(crate) facts: Facts,
    pub(crate) topology: Topology,
    pub(crate) windows: Vec<Window>,
    pub(crate) energy: Vec<EnergySample>,
    pub(crate) gpu: Vec<GpuSample>,
    pub(crate) threads: BTreeMap<ThreadId, ThreadInfo>,
    pub(crate) residency: Vec<Residency>,
    pub(crate) counts: Vec<Counted>,
    pub(crate) samples: Vec<StackSample>,
    pub(crate) stacks: Vec<(StackId, Stack)>,
    pub(crate) provenance: Provenance,
    /// How many rows of residency, samples and stacks come at once.
    pub(crate) batch: usize,
}

impl InMemory {
    /// Nothing yet, of a machine with one socket and `cpus`, measured by RAPL.
    pub(crate) fn new(cpus: u16) -> Self {
        let place = |core| (core, CpuPlace { socket: 0, die: 0, core });
        Self {
            facts: Facts {
                tool: "energy-prof 0.1.0".to_owned(),
                hostname: "bench".to_owned(),
                kernel: "6.12.0".to_owned(),
                cpu_model: "Example CPU @ 3.00GHz".to_owned(),
                cpus: u32::from(cpus),
                window: Nanoseconds::from_millis(1000),
                sources: vec![SourceFacts {
                    name: "rapl-powercap".to_owned(),
                    provenance: Provenance::Measured,
                    idle: BTreeMap::new(),
                    note: None,
                }],
                recorder_tgid: 900,
                ending: "duration reached".to_owned(),
                complete: true,
                ..Facts::default()
            },
            topology: Topology { cpus: (0..cpus).map(place).collect() },
            windows: Vec::new(),
            energy: Vec::new(),
            gpu: Vec::new(),
            threads: BTreeMap::new(),
            residency: Vec::new(),
            counts: Vec::new(),
            samples: Vec::new(),
            stacks: Vec::new(),
            provenance: Provenance::Measured,
            batch: 3,
        }
    }

    /// Adds a thread.
    pub(crate) fn thread(&mut self, id: u32, info: ThreadInfo) -> &mut Self {
        self.threads.insert(ThreadId(id), info);
        self
    }

    /// Adds a window: energies and their standard errors in millijoules, and who ran where for how
    /// many milliseconds.
    pub(crate) fn window(
        &mut self,
        milliseconds: u64,
        energy: &[(DomainId, Option<(u64, u64)>)],
        ran: &[(u32, u16, u64)],
    ) -> &mut Self {
        let index = u32::try_from(self.windows.len()).unwrap();
        let start =
            self.windows.last().map_or(MonotonicTime::from_nanos(START_NS), |last| last.end);
        let since = i64::try_from(start.nanos() - START_NS).unwrap();
        self.windows.push(Window {
            index,
            start,
            end: start + Nanoseconds::from_millis(milliseconds),
            start_utc: WallTime::from_epoch_nanos(START_UTC_NS + since),
            lost_switches: 0,
            lost_events: 0,
        });
        for (domain, millijoules) in energy {
            let (energy, error) = millijoules.unzip();
            self.energy.push(EnergySample {
                window: index,
                domain: *domain,
                source: self.facts.sources[0].name.as_str().into(),
                provenance: self.provenance,
                energy: energy.map(|energy| Microjoules::new(energy * 1000)),
                error: error.map(|error| Microjoules::new(error * 1000)),
                flags: CounterFlags::NONE,
                busy: None,
            });
        }
        for (thread, cpu, milliseconds) in ran {
            self.residency.push(Residency {
                window: index,
                thread: ThreadId(*thread),
                cpu: *cpu,
                oncpu: Nanoseconds::from_millis(*milliseconds),
                switches: 1,
            });
        }
        self
    }

    /// Adds what was counted in the last window: thread, CPU, cycles and misses of the last cache.
    pub(crate) fn counted(&mut self, counts: &[(u32, u16, Option<u64>, Option<u64>)]) -> &mut Self {
        let window = self.windows.last().unwrap().index;
        self.counts.extend(counts.iter().map(|(thread, cpu, cycles, misses)| Counted {
            window,
            thread: ThreadId(*thread),
            cpu: *cpu,
            counts: [*cycles, None, *misses],
        }));
        self
    }

    /// Adds who used graphics cards in the last window: the card, the process (none for the card itself), and
    /// how many percent.
    pub(crate) fn used(&mut self, by: &[(u16, Option<u32>, Option<u8>)]) -> &mut Self {
        let window = self.windows.last().unwrap().index;
        self.gpu.extend(by.iter().map(|(gpu, pid, sm_percent)| GpuSample {
            window,
            gpu: *gpu,
            pid: *pid,
            sm_percent: *sm_percent,
            ..GpuSample::default()
        }));
        self
    }

    /// Adds a stack.
    pub(crate) fn stack(&mut self, id: u32, frames: Stack) -> &mut Self {
        self.stacks.push((StackId(id), frames));
        self
    }

    /// Adds where threads were in the last window: at which stack, for how many milliseconds, in how
    /// many samples.
    pub(crate) fn sampled(&mut self, at: &[(u32, u32, u64, u32)]) -> &mut Self {
        let window = self.windows.last().unwrap().index;
        self.samples.extend(at.iter().map(|(thread, stack, milliseconds, samples)| StackSample {
            window,
            thread: ThreadId(*thread),
            stack: StackId(*stack),
            oncpu: Nanoseconds::from_millis(*milliseconds),
            samples: *samples,
        }));
        self
    }
}

impl Recording for InMemory {
    type Error = Infallible;

    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    fn topology(&self) -> &Topology {
        &self.topology
    }

    fn windows(&self) -> Result<Vec<Window>, Infallible> {
        Ok(self.windows.clone())
    }

    fn energy(&self) -> Result<Vec<EnergySample>, Infallible> {
        Ok(self.energy.clone())
    }

    fn gpu(&self) -> Result<Vec<GpuSample>, Infallible> {
        Ok(self.gpu.clone())
    }

    fn threads(&self) -> Result<BTreeMap<ThreadId, ThreadInfo>, Infallible> {
        Ok(self.threads.clone())
    }

    fn residency(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<Residency>, Infallible>>, Infallible> {
        Ok(self.residency.chunks(self.batch).map(|rows| Ok(rows.to_vec())))
    }

    fn counts(&self) -> Result<impl Iterator<Item = Result<Vec<Counted>, Infallible>>, Infallible> {
        Ok(self.counts.chunks(self.batch).map(|rows| Ok(rows.to_vec())))
    }

    fn samples(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<StackSample>, Infallible>>, Infallible> {
        Ok(self.samples.chunks(self.batch).map(|rows| Ok(rows.to_vec())))
    }

    fn stacks(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<(StackId, Stack)>, Infallible>>, Infallible> {
        Ok(self.stacks.chunks(self.batch).map(|rows| Ok(rows.to_vec())))
    }
}

/// A process's first thread.
pub(crate) fn leader(pid: u32, parent: u32, command: &str) -> ThreadInfo {
    let program = command.split(' ').next().unwrap_or(command);
    ThreadInfo {
        tgid: pid,
        tid: pid,
        start: MonotonicTime::from_nanos(u64::from(pid) * 1000),
        parent_tgid: Some(parent),
        comm: program.rsplit('/').next().unwrap_or(program).to_owned(),
        exe: Some(format!("/usr/bin/{program}")),
        cmdline: Some(command.to_owned()),
        uid: Some(1000),
        cgroup: Some("/user.slice/user-1000.slice/session-2.scope".to_owned()),
        ..ThreadInfo::default()
    }
}

/// A build on two CPUs: a quiet second, then four seconds of `make` and two compilers beside a web
/// server, the last of them with a fifth of a second lost.
///
/// The quiet second draws 2 W (package) and 1 W (DRAM): the baselines. In each busy second the
/// package draws 12 J, so 10 J are active and go to 2 s of CPU time: 5 J a CPU second; of DRAM's
/// 2 J, 1 J is active: 0.5 J a CPU second.
pub(crate) fn build() -> InMemory {
    let mut recording = InMemory::new(2);
    let target = |info: ThreadInfo| ThreadInfo { target: true, ..info };
    let nginx = ThreadInfo {
        uid: Some(33),
        cgroup: Some("/system.slice/nginx.service".to_owned()),
        ..leader(80, 1, "nginx: worker process")
    };
    recording
        .thread(2, target(leader(100, 900, "make -j2")))
        .thread(3, target(leader(101, 100, "cc1 -quiet -O2 first.c -o /tmp/ccAbCdEf.s")))
        .thread(4, target(leader(102, 100, "cc1 -quiet -O2 second.c -o /tmp/ccGhIjKl.s")))
        .thread(5, nginx)
        .thread(6, leader(900, 1, "energy-prof record -- make -j2"));
    let energy = |package: u64, core: u64, dram: u64| {
        [(PACKAGE, Some((package, 100))), (CORE, Some((core, 50))), (DRAM, Some((dram, 10)))]
    };
    recording.window(1000, &energy(2000, 500, 1000), &[(0, 0, 1000), (0, 1, 900), (6, 1, 100)]);
    let busy = [(3, 0, 1000), (4, 1, 500), (5, 1, 300), (2, 1, 100), (6, 1, 100)];
    for _ in 0..3 {
        recording.window(1000, &energy(12000, 9000, 2000), &busy);
    }
    let lossy = [(3, 0, 1000), (4, 1, 500), (5, 1, 100), (1, 1, 200), (2, 1, 100), (6, 1, 100)];
    recording.window(1000, &energy(12000, 9000, 2000), &lossy);
    recording.facts.losses.switches = 12;
    recording.facts.losses.cpu_time_ns = 200_000_000;
    recording.facts.targets = energy_prof::profile::Targets::Command {
        argv: vec!["make".to_owned(), "-j2".to_owned()],
        pid: 100,
    };
    recording.facts.exit_code = Some(0);
    "target exited".clone_into(&mut recording.facts.ending);
    recording
}
