//! A directory held open while its trace is written.
//!
//! Every file is made relative to the open directory and never through a symbolic link. So a
//! recorder that runs as root in a user's directory cannot be led elsewhere by swapping names, and
//! keeps writing to its own trace when that is renamed under it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use super::TraceError;

/// Whom the files of a trace belong to: under sudo, the calling user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Command lines can hold secrets, so a trace is its owner's alone, like `perf.data`.
pub(super) const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// An open directory, and to whom new files in it are given.
#[derive(Debug)]
pub(super) struct Directory {
    handle: File,
    path: PathBuf,
    owner: Option<Owner>,
}

impl Directory {
    /// Opens `path`, which must be a directory and not a symbolic link to one.
    pub(super) fn open(path: &Path, owner: Option<Owner>) -> io::Result<Self> {
        let handle = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
            .open(path)?;
        Ok(Self { handle, path: path.to_owned(), owner })
    }

    /// Opens a trace that is there, to put tables into it. They will belong to whom it belongs.
    pub(super) fn open_to_add(path: &Path) -> Result<Self, TraceError> {
        let failed = |error: io::Error| TraceError::write("write into", path, &error);
        let metadata = fs::metadata(path).map_err(failed)?;
        // Only root can, and only root would otherwise leave files the owner cannot read.
        let owner = geteuid().is_root().then(|| Owner { uid: metadata.uid(), gid: metadata.gid() });
        Self::open(&fs::canonicalize(path).map_err(failed)?, owner).map_err(failed)
    }

    /// Where it was when it was opened; for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The open directory itself.
    pub(super) fn handle(&self) -> &File {
        &self.handle
    }

    /// Gives the directory itself to the owner.
    pub(super) fn give_to_owner(&self) -> io::Result<()> {
        self.give(&self.handle)
    }

    /// Makes a directory in this one.
    pub(super) fn create_directory(&self, name: &str) -> Result<Self, TraceError> {
        let path = self.path.join(name);
        let make = || -> io::Result<File> {
            mkdirat(&self.handle, name, Mode::from_bits_truncate(DIRECTORY_MODE))?;
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let handle = File::from(openat(&self.handle, name, flags, Mode::empty())?);
            self.give(&handle)?;
            Ok(handle)
        };
        let handle = make().map_err(|error| TraceError::write("create", &path, &error))?;
        Ok(Self { handle, path, owner: self.owner })
    }

    /// Makes a new file for writing; one of that name left by a failed attempt is replaced.
    pub(super) fn create_file(&self, name: &str) -> Result<File, TraceError> {
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let open = || openat(&self.handle, name, flags, Mode::from_bits_truncate(FILE_MODE));
        let make = || -> io::Result<File> {
            let file = match open() {
                Err(Errno::EEXIST) => {
                    unlinkat(&self.handle, name, UnlinkatFlags::NoRemoveDir)?;
                    open()?
                }
                opened => opened?,
            };
            let file = File::from(file);
            self.give(&file)?;
            Ok(file)
        };
        make().map_err(|error| TraceError::write("create", &self.path.join(name), &error))
    }

    /// Opens a file for reading.
    pub(super) fn open_file(&self, name: &str) -> Result<File, TraceError> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&self.handle, name, flags, Mode::empty())
            .map(File::from)
            .map_err(|error| TraceError::read(&self.path.join(name), &error.into()))
    }

    /// A file's size in bytes.
    pub(super) fn file_size(&self, name: &str) -> Result<u64, TraceError> {
        let metadata = self.open_file(name)?.metadata();
        metadata
            .map(|metadata| metadata.len())
            .map_err(|error| TraceError::read(&self.path.join(name), &error))
    }

    /// Renames a file within the directory, replacing `to`.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), TraceError> {
        renameat(&self.handle, from, &self.handle, to)
            .map_err(|error| TraceError::write("rename to", &self.path.join(to), &error.into()))
    }

    /// Removes a file; one that is already gone is no error.
    pub(super) fn remove_file(&self, name: &str) -> Result<(), TraceError> {
        self.remove(name, UnlinkatFlags::NoRemoveDir)
    }

    /// Removes an empty directory; one that is already gone is no error.
    pub(super) fn remove_directory(&self, name: &str) -> Result<(), TraceError> {
        self.remove(name, UnlinkatFlags::RemoveDir)
    }

    /// Makes renames and removals last through a power cut.
    pub(super) fn sync(&self) -> Result<(), TraceError> {
        self.handle.sync_all().map_err(|error| TraceError::write("sync", &self.path, &error))
    }

    /// Writes a whole file so that a reader sees either the old one or the new one.
    pub(super) fn replace_file(&self, name: &str, bytes: &[u8]) -> Result<(), TraceError> {
        let staged = format!("{name}.tmp");
        let mut file = self.create_file(&staged)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if let Err(error) = written {
            // The first error is the one to tell; a leftover `.tmp` is ignored by readers.
            let _ = self.remove_file(&staged);
            return Err(TraceError::write("write", &self.path.join(name), &error));
        }
        self.rename(&staged, name)?;
        self.sync()
    }

    fn give(&self, file: &File) -> io::Result<()> {
        match self.owner {
            Some(owner) => fchown(file, Some(owner.uid), Some(owner.gid)),
            None => Ok(()),
        }
    }

    fn remove(&self, name: &str, flag: UnlinkatFlags) -> Result<(), TraceError> {
        match unlinkat(&self.handle, name, flag) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(TraceError::write("remove", &self.path.join(name), &error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_symbolic_link_is_replaced_and_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let victim = root.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, root.path().join("session.json.tmp")).unwrap();
        symlink(&victim, root.path().join("session.json")).unwrap();
        let directory = Directory::open(root.path(), None).unwrap();
        directory.replace_file("session.json", b"{}").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        let written = root.path().join("session.json");
        assert!(fs::symlink_metadata(&written).unwrap().is_file());
    }

    #[test]
    fn a_link_to_a_directory_is_not_opened() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("link");
        symlink(root.path(), &link).unwrap();
        assert!(Directory::open(&link, None).is_err());
    }
}
