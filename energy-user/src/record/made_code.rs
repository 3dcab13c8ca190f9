//! Where processes write down what code they make while running: perf maps and jitdumps. Both are found
//! while the process lives, as it sees them, and held open when it ends: a container is gone soon
//! after. A file is believed only if it is the process's own user's, or root's.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::rc::Rc;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::symbols::{JitDump, PerfMap};

/// Perf maps of ended processes held open at most; those of later ones are opened at the end.
const HELD: usize = 256;
/// How many files that are not believed are told of.
const TOLD: usize = 5;

/// What the processes of a recording have written.
#[derive(Debug, Default)]
pub(super) struct MadeCode {
    homes: HashMap<u32, Home>,
    /// Directories for temporary files as processes see them, by device and inode.
    temporary: HashMap<(u64, u64), Rc<File>>,
    dumps: HashMap<u32, Rc<File>>,
    /// The users of processes, as of their last exec.
    users: HashMap<u32, u32>,
    held: usize,
}

/// Where a process is at home.
#[derive(Debug)]
struct Home {
    /// Its `/tmp`, where it could be seen.
    temporary: Option<Rc<File>>,
    /// The id that it knows itself by.
    pid: u32,
    /// The users it has been.
    users: Vec<u32>,
    /// Its perf map, once it has ended.
    map: Option<File>,
}

impl MadeCode {
    /// Takes note of a process that has become another program, as a user.
    pub(super) fn exec(&mut self, tgid: u32, user: u32) {
        self.users.insert(tgid, user);
    }

    /// Takes note of a process that begins as a copy of another: with its code.
    pub(super) fn fork(&mut self, parent: u32, child: u32) {
        self.homes.remove(&child);
        match self.users.get(&parent).copied() {
            Some(user) => self.users.insert(child, user),
            None => self.users.remove(&child),
        };
        match self.dumps.get(&parent).cloned() {
            Some(dump) => self.dumps.insert(child, dump),
            None => self.dumps.remove(&child),
        };
    }

    /// Looks where a process is at home, unless that is known: it runs code that it has made.
    pub(super) fn visit(&mut self, tgid: u32) {
        if self.homes.contains_key(&tgid) {
            return;
        }
        let status = fs::read_to_string(format!("/proc/{tgid}/status")).unwrap_or_default();
        let temporary = self.temporary(&format!("/proc/{tgid}/root/tmp"));
        let mut users = users(&status);
        users.extend(self.users.get(&tgid));
        let pid = own_pid(&status).unwrap_or(tgid);
        self.homes.insert(tgid, Home { temporary, pid, users, map: None });
    }

    /// Takes note of a process's end: a perf map is complete now, and may be removed soon.
    pub(super) fn exit(&mut self, tgid: u32) {
        if let Some(home) = self.homes.get_mut(&tgid)
            && home.map.is_none()
            && self.held < HELD
        {
            home.map = home.perf_map();
            self.held += usize::from(home.map.is_some());
        }
    }

    /// Takes note of a mapping that may be of a jitdump; tells whether it was.
    pub(super) fn mapped(&mut self, tgid: u32, path: &str) -> bool {
        if !is_jitdump(path) {
            return false;
        }
        self.visit(tgid);
        let inside = format!("/proc/{tgid}/root{path}");
        if let Ok(dump) = open(Path::new(&inside)).or_else(|_| open(Path::new(path))) {
            self.dumps.insert(tgid, Rc::new(dump));
        }
        true
    }

    /// What a process's files say, and in sentences which are not believed.
    pub(super) fn of(&self, tgid: u32) -> (Written, Vec<String>) {
        let mut written = Written::default();
        let mut warnings = Vec::new();
        let Some(home) = self.homes.get(&tgid) else { return (written, warnings) };
        let mut check = |file: &File, what: &str| match home.refusal(file) {
            None => true,
            Some(why) => {
                warnings.push(format!("the {what} of process {tgid} is not believed: {why}"));
                false
            }
        };
        if let Some(dump) = self.dumps.get(&tgid).filter(|file| check(file, "jitdump")) {
            written.dump = JitDump::read(dump).ok().flatten();
        }
        // The one that it wrote under the id that others know it by, where it does not see its own.
        let elsewhere = || open(Path::new(&format!("/tmp/perf-{tgid}.map"))).ok();
        let opened = if home.map.is_none() { home.perf_map().or_else(elsewhere) } else { None };
        let map = home.map.as_ref().or(opened.as_ref());
        if let Some(map) = map.filter(|file| check(file, "perf map")) {
            written.map = PerfMap::read(map).ok();
        }
        (written, warnings)
    }

    /// A directory, held open once for all processes that see it.
    fn temporary(&mut self, path: &str) -> Option<Rc<File>> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let directory = fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
        let directory = directory.ok()?;
        let metadata = directory.metadata().ok()?;
        let known = self.temporary.entry((metadata.dev(), metadata.ino()));
        Some(Rc::clone(known.or_insert_with(|| Rc::new(directory))))
    }
}

impl Home {
    fn perf_map(&self) -> Option<File> {
        let name = format!("perf-{}.map", self.pid);
        open_in(self.temporary.as_ref()?, Path::new(&name)).ok()
    }

    /// Why a file is not believed, where it is not.
    fn refusal(&self, file: &File) -> Option<String> {
        match file.metadata() {
            Err(why) => Some(why.to_string()),
            Ok(metadata) if !metadata.is_file() => Some("it is not a regular file".to_owned()),
            Ok(metadata) if metadata.uid() == 0 || self.users.contains(&metadata.uid()) => None,
            Ok(metadata) => Some(format!("it belongs to user {}", metadata.uid())),
        }
    }
}

/// What a process has written down.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) dump: Option<JitDump>,
    pub(super) map: Option<PerfMap>,
}

/// The first of the sentences, and how many more there are.
pub(super) fn some_of(mut warnings: Vec<String>) -> Vec<String> {
    let more = warnings.len().saturating_sub(TOLD);
    warnings.truncate(TOLD);
    warnings.extend((more > 0).then(|| format!("nor are those of {more} more processes")));
    warnings
}

/// Whether a path is that of a jitdump: `jit-PID.dump`.
fn is_jitdump(path: &str) -> bool {
    let name = path.strip_suffix(" (deleted)").unwrap_or(path).rsplit('/').next();
    let number = name.and_then(|name| name.strip_prefix("jit-")?.strip_suffix(".dump"));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Anyone may have put anything there: a pipe must not be waited for, nor a link followed to where
/// only the recorder may read.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY;
    fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

fn open_in(directory: &File, name: &Path) -> io::Result<File> {
    let flags = OFlag::O_RDONLY
        | OFlag::O_NONBLOCK
        | OFlag::O_NOFOLLOW
        | OFlag::O_NOCTTY
        | OFlag::O_CLOEXEC;
    Ok(File::from(openat(directory.as_fd(), name, flags, Mode::empty())?))
}

/// The id that a process has in its innermost namespace, from `/proc/PID/status`.
fn own_pid(status: &str) -> Option<u32> {
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    ids.split_whitespace().next_back()?.parse().ok()
}

/// The users that a process is, from `/proc/PID/status`: real, effective, saved, and of its files.
fn users(status: &str) -> Vec<u32> {
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    ids.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_jitdump_is_told_by_its_name() {
        assert!(is_jitdump("/tmp/jit-17.dump") && is_jitdump("/x/jit-1.dump (deleted)"));
        for other in ["/tmp/jit-.dump", "/tmp/jit-a.dump", "/tmp/jit-1.dump/x", "jit-1"] {
            assert!(!is_jitdump(other), "{other}");
        }
    }

    #[test]
    fn a_process_has_an_id_of_its_own_and_users() {
        let status = "Name:\tnode\nUid:\t1000\t0\t1001\t1000\nNSpid:\t4711\t12\n";
        assert_eq!((own_pid(status), users(status)), (Some(12), vec![1000, 0, 1001, 1000]));
        assert_eq!((own_pid(""), users("")), (None, vec![]));
    }

    #[test]
    fn a_file_of_another_user_and_what_is_no_file_are_refused() {
        let file = tempfile::tempfile().unwrap();
        let home =
            |users: &[u32]| Home { temporary: None, pid: 1, users: users.to_vec(), map: None };
        let own = file.metadata().unwrap().uid();
        assert_eq!(home(&[own]).refusal(&file), None);
        let directory = File::open("/tmp").unwrap();
        assert!(home(&[0]).refusal(&directory).unwrap().contains("not a regular file"));
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::fchown(&file, Some(4711), None).unwrap();
            assert!(home(&[0]).refusal(&file).unwrap().contains("user 4711"));
            assert_eq!(home(&[4711]).refusal(&file), None);
        }
    }

    #[test]
    fn a_pipe_is_not_waited_for_and_a_link_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let home = Home { temporary: None, pid: 1, users: vec![0], map: None };
        assert!(home.refusal(&open(&pipe).unwrap()).is_some());
        symlink("/etc/passwd", root.path().join("link")).unwrap();
        assert!(open(&root.path().join("link")).is_err());
        let directory = File::open(root.path()).unwrap();
        assert!(open_in(&directory, Path::new("link")).is_err());
    }

    #[test]
    fn the_map_of_an_ended_process_stays_readable() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("perf-12.map"), "1000 10 f\n").unwrap();
        let temporary = Some(Rc::new(File::open(root.path()).unwrap()));
        let users = vec![fs::metadata(root.path()).unwrap().uid()];
        let mut made = MadeCode::default();
        made.homes.insert(4711, Home { temporary, pid: 12, users, map: None });
        made.exit(4711);
        drop(root);
        let map = made.of(4711).0.map.unwrap();
        assert_eq!(map.lookup(0x1008), Some("f"));
    }
}
