//! How busy a machine is, and with what, from procfs. CPU time there is in clock ticks of 10 ms.
//! Reference: proc_stat(5), proc_pid_stat(5).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How many of what ran is told.
const TOLD: usize = 3;

/// What has ended is told where it ran for a hundredth of the time of all CPUs.
const GONE_IS_TOLD_FROM: u64 = 100;

/// CPU time since boot, in ticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CpuTimes {
    busy: u64,
    all: u64,
    cpus: u64,
    /// By process id: its name and time.
    processes: BTreeMap<u32, (String, u64)>,
}

impl CpuTimes {
    /// Now. What cannot be read is left out.
    pub(super) fn now(procfs: &Path) -> Self {
        let stat = fs::read_to_string(procfs.join("stat")).unwrap_or_default();
        let (busy, all, cpus) = machine_ticks(&stat).unwrap_or_default();
        let entries = fs::read_dir(procfs).into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let processes = pids.filter(|pid| *pid != std::process::id()).filter_map(|pid| {
            let stat = fs::read_to_string(procfs.join(format!("{pid}/stat"))).ok()?;
            Some((pid, process_ticks(&stat)?))
        });
        Self { busy, all, cpus, processes: processes.collect() }
    }

    /// The part of all CPUs' time since `before` in which anything ran; `None` where no time went by.
    pub(super) fn busy_share_since(&self, before: &Self) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        Some(ratio(self.busy.saturating_sub(before.busy).min(all), all))
    }

    /// What ran most since `before`, with its part of one CPU, and how much those ran that are gone.
    pub(super) fn running_since(&self, before: &Self) -> Vec<String> {
        let all = self.all.saturating_sub(before.all).max(1);
        let ran = |(pid, (name, now)): (&u32, &(String, u64))| {
            let earlier = before.processes.get(pid).map_or(0, |(_, ticks)| *ticks);
            let ticks = now.saturating_sub(earlier);
            (ticks > 0).then(|| (ticks, format!("{name} ({pid})")))
        };
        let mut ran: Vec<(u64, String)> = self.processes.iter().filter_map(ran).collect();
        let seen: u64 = ran.iter().map(|(ticks, _)| ticks).sum();
        let gone = self.busy.saturating_sub(before.busy).saturating_sub(seen);
        // The kernel and interrupts run a little besides all processes.
        if gone * GONE_IS_TOLD_FROM > all {
            ran.push((gone, "what has ended since".to_owned()));
        }
        ran.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        ran.truncate(TOLD);
        ran.into_iter()
            .map(|(ticks, name)| {
                let percent = 100.0 * ratio(ticks * self.cpus.max(1), all);
                format!("{name} {percent:.1} %")
            })
            .collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "ticks of seconds")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// Busy ticks, all ticks, and the number of CPUs, from `/proc/stat`. Guests' time is in that of users.
fn machine_ticks(stat: &str) -> Option<(u64, u64, u64)> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).take(8).filter_map(|ticks| ticks.parse().ok()).collect();
    let [user, nice, system, idle, iowait, irq, softirq, ..] = ticks[..] else { return None };
    let busy = user + nice + system + irq + softirq;
    // Time that a hypervisor took away is no time of this machine's.
    let cpus = stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "));
    Some((busy, busy + idle + iowait, cpus.count() as u64))
}

/// Name and ticks of a process, from `/proc/PID/stat`. A name may hold blanks and brackets.
fn process_ticks(stat: &str) -> Option<(String, u64)> {
    let (head, fields) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = fields.split_whitespace();
    // The state is field 3, the user's time field 14, the kernel's field 15.
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((name.to_owned(), user + system))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "cpu  100 0 50 800 40 5 5 7 0 0\ncpu0 50 0 0 0 0 0 0 0 0 0\ncpu1 50 0 0 0\nintr 1\n";

    fn times(busy: u64, all: u64, ticks: u64) -> CpuTimes {
        let processes = [(7, ("cc1plus".to_owned(), ticks)), (9, ("idle".to_owned(), 5))];
        CpuTimes { busy, all, cpus: 2, processes: processes.into() }
    }

    #[test]
    fn waiting_for_a_disk_is_idle_and_interrupts_are_busy() {
        assert_eq!(machine_ticks(STAT), Some((160, 1000, 2)));
        assert_eq!(machine_ticks("cpu  1 2\n"), None);
    }

    #[test]
    fn a_processes_name_may_hold_brackets() {
        let stat = "42 (a) b) (c) S 1 42 42 0 -1 0 0 0 0 0 30 12 0 0 20 0";
        assert_eq!(process_ticks(stat), Some(("a) b) (c".to_owned(), 42)));
    }

    #[test]
    fn who_ran_is_told_with_its_part_of_one_cpu() {
        // 20 s of CPU time on two CPUs are 10 s; 5 s of them are half a CPU.
        let (before, after) = (times(0, 0, 100), times(700, 2000, 600));
        assert_eq!(after.busy_share_since(&before), Some(0.35));
        let running = ["cc1plus (7) 50.0 %", "what has ended since 20.0 %"];
        assert_eq!(after.running_since(&before), running);
        assert_eq!(before.busy_share_since(&before), None);
    }
}
