//! The files that sampled code is in, opened while they are there: a program that deletes itself, or
//! a container that is gone, can still be looked into at the end.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::fcntl::OFlag;

use crate::symbols::VDSO;

/// Files held open at most; later ones are opened at the end, by their path.
const HELD: usize = 512;

/// A file's number in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ObjectId(pub(super) u32);

/// A file that code was mapped from.
#[derive(Debug)]
pub(super) struct Object {
    /// Its path, as the process knew it.
    pub(super) path: String,
    /// Its build id, where the kernel could read it.
    pub(super) build_id: Option<String>,
    file: Option<File>,
}

impl Object {
    /// Where it can be opened now.
    pub(super) fn open_at(&self) -> PathBuf {
        match &self.file {
            Some(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
            None => PathBuf::from(&self.path),
        }
    }
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
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        let is_file =
            path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/memfd:");
        if !is_file && path != VDSO {
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
        let id = ObjectId(u32::try_from(self.all.len()).ok()?);
        // The process may live in another root directory.
        let inside = format!("/proc/{tgid}/root{path}");
        let file = (is_file && self.held < HELD)
            .then(|| open(&inside).or_else(|_| open(path)).ok())
            .flatten()
            .filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()));
        self.held += usize::from(file.is_some());
        let (path, build_id) = key.clone();
        self.all.push(Object { path, build_id, file });
        self.known.insert(key, id);
        Some(id)
    }

    /// Opens a process's program at once: it may delete itself. Gives nothing; [`Self::find`] will
    /// find it by its path.
    pub(super) fn hold_program(&mut self, tgid: u32) {
        let link = format!("/proc/{tgid}/exe");
        let Ok(path) = std::fs::read_link(&link) else { return };
        let path = path.to_string_lossy();
        let path = path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned();
        let unheld = |object: &&mut Object| object.path == path && object.file.is_none();
        if self.all.iter().any(|object| object.path == path && object.file.is_some())
            || self.held >= HELD
        {
            return;
        }
        let Ok(file) = File::open(&link) else { return };
        self.held += 1;
        match self.all.iter_mut().find(unheld) {
            Some(object) => object.file = Some(file),
            None => self.early(path, file),
        }
    }

    fn early(&mut self, path: String, file: File) {
        let Ok(number) = u32::try_from(self.all.len()) else { return };
        self.known.insert((path.clone(), None), ObjectId(number));
        self.all.push(Object { path, build_id: None, file: Some(file) });
    }

    /// One of them.
    pub(super) fn get(&self, id: ObjectId) -> &Object {
        &self.all[id.0 as usize]
    }
}

/// A pipe that was put where the file was must not be waited for.
fn open(path: &str) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)
}
