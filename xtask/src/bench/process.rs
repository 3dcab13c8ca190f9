//! What another process has used, from `/proc`.
//! Reference: Linux v6.12, Documentation/scheduler/sched-stats.rst; proc_pid_status(5).

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// The CPU time of all threads that the process has now.
pub(super) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let tasks = format!("/proc/{pid}/task");
    let mut total = Duration::ZERO;
    for task in fs::read_dir(&tasks).with_context(|| format!("cannot list {tasks}"))? {
        let path = task.with_context(|| format!("cannot list {tasks}"))?.path().join("schedstat");
        // A thread may end between being listed and being read.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        total += ran(&text)?;
    }
    Ok(total)
}

/// The CPU time of one of our own threads.
pub(super) fn own_cpu_time(tid: i32) -> anyhow::Result<Duration> {
    let path = format!("/proc/self/task/{tid}/schedstat");
    ran(&fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?)
}

fn ran(schedstat: &str) -> anyhow::Result<Duration> {
    let time = schedstat.split(' ').next().and_then(|number| number.parse().ok());
    Ok(Duration::from_nanos(time.with_context(|| format!("no time in {schedstat:?}"))?))
}

/// Resident memory in MiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Memory {
    pub(super) now: f64,
    pub(super) peak: f64,
}

/// The memory of a process; `None` once it has ended.
pub(super) fn memory(pid: u32) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Memory { now: mebibytes(&status, "VmRSS:")?, peak: mebibytes(&status, "VmHWM:")? })
}

fn mebibytes(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_mebibytes() {
        assert_eq!(mebibytes("VmHWM:\t   20480 kB\nVmRSS:\t 1024 kB\n", "VmRSS:"), Some(1.0));
        assert_eq!(mebibytes("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    fn this_process_has_used_some() {
        let me = std::process::id();
        assert!(cpu_time(me).unwrap() > Duration::ZERO);
        let memory = memory(me).unwrap();
        assert!(memory.peak >= memory.now && memory.now > 0.0);
    }
}
