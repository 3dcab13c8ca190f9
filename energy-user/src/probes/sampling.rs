//! Sampling of stacks: an event on every online CPU that runs the sampling program.
//! Hardware cycles where there is a PMU: they do not tick while a CPU is halted. Elsewhere a clock of
//! the kernel's, whose timer does wake a halted CPU.

use std::fmt;
use std::io;
use std::str::FromStr;

use aya::Ebpf;
use aya::maps::HashMap;
use aya::programs::perf_event::{
    HardwareEvent, PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent,
};
use aya::programs::{PerfEvent, ProgramError};
use log::debug;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use thiserror::Error;

/// How the calls of a program are found that led to where it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallGraph {
    /// By following frame pointers, in the kernel: cheap, and complete for programs that keep them.
    #[default]
    FramePointers,
    /// By copying this much of the stack, to be unwound by the program's unwind tables.
    Dwarf {
        /// Bytes, at most 64 KiB.
        stack_bytes: u32,
    },
}

impl CallGraph {
    /// Twice what perf copies.
    const DEFAULT_BYTES: u32 = 16 << 10;
    const BYTES: std::ops::RangeInclusive<u32> = 1024..=65_536;
}

impl fmt::Display for CallGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FramePointers => f.write_str("fp"),
            Self::Dwarf { stack_bytes } => write!(f, "dwarf,{stack_bytes}"),
        }
    }
}

impl FromStr for CallGraph {
    type Err = CallGraphError;
    fn from_str(text: &str) -> Result<Self, CallGraphError> {
        if text == "fp" {
            return Ok(Self::FramePointers);
        }
        let bytes = match text.strip_prefix("dwarf").ok_or(CallGraphError)? {
            "" => Some(Self::DEFAULT_BYTES),
            rest => rest.strip_prefix(',').and_then(|bytes| bytes.parse().ok()),
        };
        let stack_bytes =
            bytes.filter(|bytes| Self::BYTES.contains(bytes)).ok_or(CallGraphError)?;
        Ok(Self::Dwarf { stack_bytes })
    }
}

/// A way to find calls that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected fp, dwarf, or dwarf,BYTES with 1024 to 65536 bytes of stack, e.g. dwarf,32768")]
pub struct CallGraphError;

/// Whose stacks are sampled, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Samples a second on each CPU.
    pub frequency: u32,
    /// Whose.
    pub whose: SampledProcesses,
    /// Whether their children's, too.
    pub inherit: bool,
    /// How calls are found.
    pub call_graph: CallGraph,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_find_calls_read_as_they_are_written() {
        for given in ["fp", "dwarf,1024", "dwarf,65536"] {
            assert_eq!(given.parse::<CallGraph>().unwrap().to_string(), given);
        }
        assert_eq!("dwarf".parse(), Ok(CallGraph::Dwarf { stack_bytes: 16_384 }));
        for wrong in ["", "lbr", "dwarf,", "dwarf,1023", "dwarf,65537", "dwarf;2048", "dwarfs"] {
            assert_eq!(wrong.parse::<CallGraph>(), Err(CallGraphError), "{wrong:?}");
        }
    }
}
