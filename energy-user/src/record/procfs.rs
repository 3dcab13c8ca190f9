//! What `/proc` says of processes, read while they live. Roots are arguments.
//! Reference: proc(5), man-pages 6.9; cgroups(7).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::units::{MonotonicTime, Nanoseconds};

/// Ticks per second of `/proc/PID/stat`: fixed by the kernel's user interface.
const TICKS_PER_SECOND: u64 = 100;

/// A process as `/proc` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessFacts {
    /// The name of its first thread.
    pub(super) comm: String,
    /// The process that created it.
    pub(super) parent_tgid: u32,
    /// The program's path; none for kernel threads.
    pub(super) exe: Option<String>,
    /// The command line.
    pub(super) cmdline: Option<String>,
    /// The real user id.
    pub(super) uid: Option<u32>,
    /// The cgroup's path.
    pub(super) cgroup: Option<String>,
}

/// A thread as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ThreadFacts {
    /// Its process.
    pub(super) tgid: u32,
    /// Its name.
    pub(super) comm: String,
    /// When it was created, to a hundredth of a second.
    pub(super) start: MonotonicTime,
}

/// A place to read `/proc` from.
#[derive(Clone, Debug)]
pub(super) struct Procfs {
    root: PathBuf,
    suspended: Nanoseconds,
}

impl Procfs {
    /// The one at `root`, of a machine that has been suspended for so long since boot: `/proc` tells
    /// when a thread began by a clock that counts that time.
    pub(super) fn new(root: impl Into<PathBuf>, suspended: Nanoseconds) -> Self {
        Self { root: root.into(), suspended }
    }

    /// All processes, in no order.
    pub(super) fn processes(&self) -> Vec<u32> {
        numbered_entries(&self.root)
    }

    /// The threads of a process, in no order; none when it is gone.
    pub(super) fn threads(&self, tgid: u32) -> Vec<u32> {
        numbered_entries(&self.root.join(format!("{tgid}/task")))
    }

    /// A process; `None` when it is gone.
    pub(super) fn process(&self, tgid: u32) -> Option<ProcessFacts> {
        let directory = self.root.join(tgid.to_string());
        let stat = fs::read(directory.join("stat")).ok()?;
        Some(ProcessFacts {
            comm: stat_comm(&stat)?,
            parent_tgid: stat_field(&stat, 4)?.parse().ok()?,
            exe: self.exe(tgid),
            cmdline: self.cmdline(tgid),
            uid: fs::metadata(&directory).ok().map(|metadata| metadata.uid()),
            cgroup: self.cgroup(tgid),
        })
    }

    /// The path of a process's program; `None` for kernel threads and when it is gone.
    pub(super) fn exe(&self, tgid: u32) -> Option<String> {
        let path = fs::read_link(self.root.join(format!("{tgid}/exe"))).ok()?;
        let path = path.to_string_lossy();
        Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
    }

    /// A process's command line; `None` for kernel threads and when it is gone.
    pub(super) fn cmdline(&self, tgid: u32) -> Option<String> {
        cmdline(&fs::read(self.root.join(format!("{tgid}/cmdline"))).ok()?)
    }

    /// The path of a process's cgroup.
    pub(super) fn cgroup(&self, tgid: u32) -> Option<String> {
        cgroup_path(&fs::read_to_string(self.root.join(format!("{tgid}/cgroup"))).ok()?)
    }

    /// A thread; `None` when it is gone.
    pub(super) fn thread(&self, tid: u32) -> Option<ThreadFacts> {
        // A thread's own directory exists under its tid too, though listings leave it out.
        let directory = self.root.join(tid.to_string());
        let status = fs::read_to_string(directory.join("status")).ok()?;
        let tgid =
            status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()?;
        let task = directory.join(format!("task/{tid}"));
        let comm = fs::read(task.join("comm")).ok()?;
        let stat = fs::read(task.join("stat")).ok()?;
        let ticks: u64 = stat_field(&stat, 22)?.parse().ok()?;
        Some(ThreadFacts {
            tgid,
            comm: String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned(),
            start: MonotonicTime::from_nanos(ticks.checked_mul(1_000_000_000 / TICKS_PER_SECOND)?)
                - self.suspended,
        })
    }
}

/// Cgroups of the unified hierarchy by id: a directory's inode number is its cgroup's id.
pub(super) fn unified_cgroups(mountinfo: &Path) -> Vec<(u64, String)> {
    let Some(mount) = fs::read_to_string(mountinfo).ok().and_then(|text| unified_mount(&text))
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut pending = vec![mount.clone()];
    while let Some(directory) = pending.pop() {
        let Ok(metadata) = fs::metadata(&directory) else { continue };
        let below = directory.strip_prefix(&mount).unwrap_or(&directory);
        found.push((metadata.ino(), format!("/{}", below.display())));
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        pending.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    found
}

fn numbered_entries(directory: &Path) -> Vec<u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Field `number` of a stat line, counted from 1 as in proc(5); the name in brackets may hold
/// blanks and brackets itself.
fn stat_field(stat: &[u8], number: usize) -> Option<&str> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = str::from_utf8(&stat[after_name..]).ok()?;
    rest.split_whitespace().nth(number.checked_sub(3)?)
}

/// The name in a stat line, which is in brackets.
fn stat_comm(stat: &[u8]) -> Option<String> {
    let begin = stat.iter().position(|byte| *byte == b'(')? + 1;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    stat.get(begin..end).map(|comm| String::from_utf8_lossy(comm).into_owned())
}

fn cmdline(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
    let words: Vec<_> =
        bytes[..end].split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    Some(words.join(" "))
}

/// The path that says most in `/proc/PID/cgroup`: the unified hierarchy's, or where that is only
/// the root, a version-1 controller's.
fn cgroup_path(text: &str) -> Option<String> {
    let paths = || text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let unified = text.lines().find_map(|line| line.strip_prefix("0::"));
    match unified {
        Some(path) if path != "/" => Some(path.to_owned()),
        _ => paths()
            .find(|path| *path != "/")
            .or(unified)
            .or_else(|| paths().next())
            .map(str::to_owned),
    }
}

fn unified_mount(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup2 ").then(|| before.split(' ').nth(4).map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_do_not_shift_the_fields() {
        let stat = b"42 (a) b) c) S 7 42 42 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 123456 9 9";
        assert_eq!(stat_field(stat, 4), Some("7"));
        assert_eq!(stat_field(stat, 22), Some("123456"));
        assert_eq!(stat_field(b"42", 4), None);
        assert_eq!(stat_comm(stat).as_deref(), Some("a) b) c"));
        assert_eq!(stat_comm(b")("), None);
    }

    #[test]
    fn the_unified_path_is_preferred_unless_it_is_only_the_root() {
        assert_eq!(cgroup_path("0::/a.slice/b.scope\n").as_deref(), Some("/a.slice/b.scope"));
        assert_eq!(cgroup_path("5:memory:/docker/ab\n0::/\n").as_deref(), Some("/docker/ab"));
        assert_eq!(cgroup_path("1:cpu:/\n0::/\n").as_deref(), Some("/"));
        assert_eq!(cgroup_path(""), None);
    }

    #[test]
    fn the_unified_mount_is_found() {
        let line = "31 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(unified_mount(line), Some(PathBuf::from("/sys/fs/cgroup")));
        assert_eq!(unified_mount("1 2 0:3 / /proc rw - proc proc rw"), None);
    }

    #[test]
    fn this_process_is_found_in_proc() {
        let me = std::process::id();
        let facts = Procfs::new("/proc", Nanoseconds::ZERO).process(me).unwrap();
        assert!(facts.exe.is_some());
        assert_eq!(Procfs::new("/proc", Nanoseconds::ZERO).thread(me).unwrap().tgid, me);
    }
}
