//! Sampling of stacks: an event on every online CPU that runs the sampling program.
//! Hardware cycles where there is a PMU: they do not tick while a CPU is halted. Elsewhere a clock of
//! the kernel's, whose timer does wake a halted CPU.

use std::io;

use aya::Ebpf;
use aya::maps::HashMap;
use aya::programs::perf_event::{
    HardwareEvent, PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent,
};
use aya::programs::{PerfEvent, ProgramError};
use log::debug;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Whose stacks are sampled, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Samples a second on each CPU.
    pub frequency: u32,
    /// Whose.
    pub whose: SampledProcesses,
    /// Whether their children's, too.
    pub inherit: bool,
}

/// Whose stacks are sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampledProcesses {
    /// Everyone's.
    All,
    /// These processes'.
    Tgids(Vec<u32>),
    /// The command's that this process will launch.
    Launched,
}

/// What makes the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplingEvent {
    /// CPU cycles counted by the hardware.
    Cycles,
    /// The kernel's clock of the CPU.
    CpuClock,
}

impl SamplingEvent {
    /// Its name in the trace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::CpuClock => "cpu-clock",
        }
    }
}

/// Tells the programs whose stacks are wanted. Before they are attached.
pub(super) fn choose(ebpf: &mut Ebpf, sampling: &Sampling) -> Result<(), aya::maps::MapError> {
    let SampledProcesses::Tgids(tgids) = &sampling.whose else { return Ok(()) };
    let mut targets: HashMap<_, u32, u8> =
        HashMap::try_from(ebpf.map_mut("TARGETS").expect("the object has it"))?;
    for tgid in tgids {
        targets.insert(tgid, 1, 0)?;
    }
    Ok(())
}

/// Starts sampling on every online CPU.
pub(super) fn attach(
    program: &mut PerfEvent,
    frequency: u32,
) -> Result<SamplingEvent, ProgramError> {
    let cpus = aya::util::online_cpus().map_err(|(_, error)| ProgramError::IOError(error))?;
    let cycles = PerfEventConfig::Hardware(HardwareEvent::CpuCycles);
    let clock = PerfEventConfig::Software(SoftwareEvent::CpuClock);
    let mut event = SamplingEvent::Cycles;
    for cpu in cpus {
        let scope = || PerfEventScope::AllProcessesOneCpu { cpu };
        let policy = || SamplePolicy::Frequency(u64::from(frequency));
        if event == SamplingEvent::Cycles {
            match program.attach(cycles, scope(), policy(), false) {
                Ok(_) => continue,
                Err(error) => debug!("no hardware cycles: {error}"),
            }
            event = SamplingEvent::CpuClock;
        }
        program.attach(clock, scope(), policy(), false)?;
    }
    keep_from_children().map_err(ProgramError::IOError)?;
    Ok(event)
}

/// The events' descriptors are opened without `O_CLOEXEC`, so a launched command would hold them.
fn keep_from_children() -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let is_event = std::fs::read_link(entry.path())
            .is_ok_and(|target| target.as_os_str() == "anon_inode:[perf_event]");
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let (true, Some(number)) = (is_event, number) {
            // SAFETY: the descriptor is open in this process, as its directory just said, and it is
            // aya's own to close; it is borrowed for one call.
            let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
            fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
    }
    Ok(())
}
