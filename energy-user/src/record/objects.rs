//! The files that sampled code is in, opened while they are there: a program that deletes itself, or
//! a container that is gone, can still be looked into at the end.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::symbols::{UnwindInfo, VDSO};

/// Files held open at most; later ones are opened at the end, by their path.
const HELD: usize = 512;

/// A file's number in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ObjectId(pub(super) u32);

/// What the kernel puts behind the path of a file that is no longer there: whatever has that path
/// now is another one.
const DELETED: &str = " (deleted)";

/// A file that code was mapped from.
#[derive(Debug)]
pub(super) struct Object {
    /// Its path, as the process knew it.
    pub(super) path: String,
    /// Its build id, where the kernel could read it.
    pub(super) build_id: Option<String>,
    /// Whether it had been deleted when it was met.
    deleted: bool,
    file: Option<Held>,
}

/// A file held open.
#[derive(Debug)]
struct Held {
    file: File,
    identity: Identity,
}

/// A file's device and inode.
type Identity = (u64, u64);

impl Object {
    /// What its file says about frames.
    pub(super) fn unwind_info(&self) -> Option<UnwindInfo> {
        if self.path == VDSO { UnwindInfo::vdso() } else { UnwindInfo::read(&self.open_at()) }
    }

    /// Where it can be opened now.
    pub(super) fn open_at(&self) -> PathBuf {
        match &self.file {
            Some(held) => PathBuf::from(format!("/proc/self/fd/{}", held.file.as_raw_fd())),
            None if self.deleted => PathBuf::from(format!("{}{DELETED}", self.path)),
            None => PathBuf::from(&self.path),
        }
    }
}

impl Held {
    /// Opens it; `None` for what cannot be opened and what is no file.
    fn open(path: &Path) -> Option<Self> {
        // A pipe that was put where the file was must not be waited for.
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok()?;
        let metadata = file.metadata().ok()?;
        metadata.is_file().then(|| Self { file, identity: identity(&metadata) })
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// All files seen.
#[derive(Debug, Default)]
pub(super) struct Objects {
    all: Vec<Object>,
    known: HashMap<(String, Option<String>), ObjectId>,
    held: usize,
}

impl Objects {
    /// The file at `path` as process `tgid` sees it, or the vDSO; `None` for what is no file:
    /// anonymous memory, shared memory.
    pub(super) fn find(
        &mut self,
        tgid: u32,
        path: &str,
        build_id: Option<String>,
    ) -> Option<ObjectId> {
        let path = path.strip_suffix(DELETED).unwrap_or(path);
        if path == VDSO {
            return self.vdso();
        }
        if !is_file(path) {
            return None;
        }
        let key = (path.to_owned(), build_id);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        if key.1.is_some()
            && let Some(early) = self.known.remove(&(path.to_owned(), None))
        {
            // Opened at its exec, before the kernel told its build id.
            self.all[early.0 as usize].build_id.clone_from(&key.1);
            self.known.insert(key, early);
            return Some(early);
        }
        // The process may live in another root directory.
        let inside = Path::new("/proc").join(tgid.to_string()).join("root").join(&path[1..]);
        let file = self.hold(|| Held::open(&inside).or_else(|| Held::open(Path::new(path))));
        let (path, build_id) = key.clone();
        self.add(key, Object { path, build_id, deleted: false, file })
    }

    /// The vDSO: the same in every process, and no file.
    fn vdso(&mut self) -> Option<ObjectId> {
        let key = (VDSO.to_owned(), None);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let path = VDSO.to_owned();
        self.add(key, Object { path, build_id: None, deleted: false, file: None })
    }

    /// The file of this path and inode that process `tgid` has in its `/proc/PID/maps`. One that was
    /// deleted can be opened only where it is the process's own program.
    pub(super) fn find_mapped(&mut self, tgid: u32, path: &str, inode: u64) -> Option<ObjectId> {
        let Some(path) = path.strip_suffix(DELETED).filter(|path| is_file(path)) else {
            return self.find(tgid, path, None);
        };
        let key = (format!("{path}{DELETED} {inode}"), None);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let program = || Held::open(&program_link(tgid)).filter(|held| held.identity.1 == inode);
        let file = self.hold(program);
        self.add(key, Object { path: path.to_owned(), build_id: None, deleted: true, file })
    }

    /// Opens a process's program at once: it may delete itself. Gives nothing; [`Self::find`] will
    /// find it by its path.
    pub(super) fn hold_program(&mut self, tgid: u32) {
        let link = program_link(tgid);
        let Ok(path) = fs::read_link(&link) else { return };
        let path = path.to_string_lossy();
        let path = path.strip_suffix(DELETED).unwrap_or(&path).to_owned();
        let Ok(metadata) = fs::metadata(&link) else { return };
        let same = |object: &Object| {
            object.path == path
                && object.file.as_ref().is_some_and(|held| held.identity == identity(&metadata))
        };
        if self.all.iter().any(same) {
            return;
        }
        let Some(file) = self.hold(|| Held::open(&link)) else { return };
        // Where another file had the path before, that one is found by its build id only.
        let key = (path.clone(), None);
        self.add(key, Object { path, build_id: None, deleted: false, file: Some(file) });
    }

    /// Opens a file unless too many are held.
    fn hold(&mut self, open: impl FnOnce() -> Option<Held>) -> Option<Held> {
        let file = if self.held < HELD { open() } else { None };
        self.held += usize::from(file.is_some());
        file
    }

    fn add(&mut self, key: (String, Option<String>), object: Object) -> Option<ObjectId> {
        let id = ObjectId(u32::try_from(self.all.len()).ok()?);
        self.all.push(object);
        self.known.insert(key, id);
        Some(id)
    }

    /// One of them.
    pub(super) fn get(&self, id: ObjectId) -> &Object {
        &self.all[id.0 as usize]
    }
}

/// Whether a mapping's name is a file's path.
fn is_file(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/memfd:")
}

fn program_link(tgid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{tgid}/exe"))
}
