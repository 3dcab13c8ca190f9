//! CPU time of processes by their own clocks, and of the whole machine by its root cgroup.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

use super::SimulationError;
use crate::sources::ReadCount;
use crate::units::Nanoseconds;

/// Opens the exact clock of a process: nanoseconds of CPU time of all its threads from then on. Passed in so that no
/// source calls perf_event_open(2) by itself.
pub type OpenClock = fn(u32) -> io::Result<ReadCount>;

/// The CPU time of a process, counted from when it was opened.
pub(super) struct ProcessClock {
    read: Box<dyn FnMut() -> Option<Nanoseconds> + Send>,
    last: Nanoseconds,
}

impl fmt::Debug for ProcessClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ProcessClock").field("last", &self.last).finish_non_exhaustive()
    }
}

impl ProcessClock {
    /// By `exact` where it can be had, and by the process's POSIX clock elsewhere.
    pub(super) fn of(pid: u32, exact: OpenClock) -> Result<Self, SimulationError> {
        // This one tells, too, whether there is such a process.
        let ticking = ticking_clock(pid)?;
        let read: Box<dyn FnMut() -> Option<Nanoseconds> + Send> = match exact(pid) {
            Ok(mut read) => Box::new(move || read().ok().map(Nanoseconds::new)),
            Err(_) => Box::new(ticking),
        };
        Ok(Self { read, last: Nanoseconds::ZERO })
    }

    /// CPU time of all its threads, exited ones included. A process that is gone keeps what was last seen.
    pub(super) fn elapsed(&mut self) -> Nanoseconds {
        let now = (self.read)().unwrap_or_default();
        self.last = self.last.max(now);
        self.last
    }
}

/// The POSIX clock of a process. What it ran since the kernel's last timer tick is not in it yet, and what
/// it ran after the last look at it is not seen when it ends.
fn ticking_clock(
    pid: u32,
) -> Result<impl FnMut() -> Option<Nanoseconds> + Send + 'static, SimulationError> {
    let no_process = |cause| SimulationError::NoProcess { pid, cause };
    let number = i32::try_from(pid).map_err(|_| no_process(nix::Error::ESRCH))?;
    let clock = clock_getcpuclockid(Pid::from_raw(number)).map_err(no_process)?;
    let now = move |clock: ClockId| clock.now().map(|now| Nanoseconds::from(Duration::from(now)));
    let first = now(clock).map_err(no_process)?;
    // When its parent has taken note of its exit, the pid may belong to another process.
    let mut gone = false;
    let mut last = first;
    Ok(move || {
        match now(clock) {
            Ok(now) if !gone && now >= last => last = now,
            _ => gone = true,
        }
        (!gone).then(|| last.saturating_sub(first))
    })
}

/// CPU time of all that runs, counted from when it was opened.
#[derive(Debug)]
pub(super) struct MachineClock {
    path: PathBuf,
    file: File,
    parse: fn(&str) -> Option<Nanoseconds>,
    first: Nanoseconds,
}

impl MachineClock {
    /// From the root cgroup under `cgroups`: version 1's `cpuacct` where there is one, since it counts
    /// nanoseconds; version 2's root counts as `/proc/stat` does, on most kernels in timer ticks.
    pub(super) fn open(cgroups: &Path) -> Result<Self, SimulationError> {
        type Parse = fn(&str) -> Option<Nanoseconds>;
        let candidates: [(&str, Parse); 4] = [
            ("cpuacct/cpuacct.usage", parse_cpuacct),
            ("cpu,cpuacct/cpuacct.usage", parse_cpuacct),
            ("cpu.stat", parse_cpu_stat),
            ("unified/cpu.stat", parse_cpu_stat),
        ];
        for (name, parse) in candidates {
            let path = cgroups.join(name);
            let Ok(text) = fs::read_to_string(&path) else { continue };
            if let (Some(first), Ok(file)) = (parse(&text), File::open(&path)) {
                return Ok(Self { path, file, parse, first });
            }
        }
        Err(SimulationError::NoMachineClock(cgroups.to_owned()))
    }

    pub(super) fn elapsed(&self) -> Result<Nanoseconds, SimulationError> {
        let mut text = [0; 512];
        let length = self
            .file
            .read_at(&mut text, 0)
            .map_err(|cause| super::file_error("read", &self.path, cause))?;
        let now = str::from_utf8(&text[..length]).ok().and_then(self.parse);
        let now = now.ok_or_else(|| SimulationError::NoMachineClock(self.path.clone()))?;
        Ok(now.saturating_sub(self.first))
    }
}

fn parse_cpuacct(text: &str) -> Option<Nanoseconds> {
    text.trim().parse().ok().map(Nanoseconds::new)
}

fn parse_cpu_stat(text: &str) -> Option<Nanoseconds> {
    let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    let microseconds: u64 = usage.trim().parse().ok()?;
    Some(Nanoseconds::new(microseconds * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_cgroups_are_read() {
        assert_eq!(parse_cpuacct("12345\n"), Some(Nanoseconds::new(12_345)));
        let stat = "usage_usec 7\nuser_usec 5\nsystem_usec 2\n";
        assert_eq!(parse_cpu_stat(stat), Some(Nanoseconds::new(7000)));
        assert_eq!(parse_cpu_stat("nr_periods 0\n"), None);
    }

    #[test]
    fn a_process_that_works_spends_cpu_time() {
        let refused: OpenClock = |_| Err(io::ErrorKind::PermissionDenied.into());
        let mut clock = ProcessClock::of(std::process::id(), refused).unwrap();
        let before = clock.elapsed();
        let sum = (0..2_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        std::hint::black_box(sum);
        assert!(clock.elapsed() > before);
    }

    #[test]
    fn an_exact_clock_is_preferred_and_keeps_its_last_word() {
        let exact: OpenClock = |_| {
            let mut readings = [Some(5), None, Some(7)].into_iter();
            let read = move || readings.next().flatten().ok_or(io::ErrorKind::NotFound.into());
            Ok(Box::new(read))
        };
        let mut clock = ProcessClock::of(std::process::id(), exact).unwrap();
        let seen = [(); 4].map(|()| clock.elapsed().get());
        assert_eq!(seen, [5, 5, 7, 7]);
    }
}
