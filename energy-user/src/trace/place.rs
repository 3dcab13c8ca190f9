//! The place of a new trace: what may be put there, and what happens to what is there already.
//! Nothing is ever removed or renamed but a trace of ours.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::directory::{DIRECTORY_MODE, Directory, Owner};
use super::file::PARTS;
use super::{TraceError, tables};

/// The file whose presence makes a directory a trace.
pub(super) const SESSION: &str = "session.json";

/// What to do with a trace that is already there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Rename it to `<dir>.old`, in place of an older `.old` trace.
    #[default]
    KeepAsOld,
    /// Remove it.
    Overwrite,
}

/// Makes an empty directory for a new trace, open and locked for as long as it is held.
pub(super) fn claim(
    path: &Path,
    existing: Existing,
    owner: Option<Owner>,
) -> Result<Directory, TraceError> {
    // Without the trailing slash, which would put `.old` inside.
    let path: PathBuf = path.components().collect();
    let is_new = match create(&path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            make_room(&path, existing)?;
            match create(&path) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
                Err(error) => return Err(TraceError::write("create", &path, &error)),
            }
        }
        Err(error) => return Err(TraceError::write("create", &path, &error)),
    };
    let directory =
        Directory::open(&path, owner).map_err(|error| TraceError::write("open", &path, &error))?;
    if is_new {
        directory
            .give_to_owner()
            .map_err(|error| TraceError::write("change the owner of", &path, &error))?;
    }
    match directory.handle().try_lock() {
        Err(TryLockError::WouldBlock) => Err(TraceError::Busy { path }),
        // Some network file systems have no locks; they only tell a live recording from a dead one.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(directory),
    }
}

/// Whether a recorder holds the trace at `path` now.
pub(super) fn is_being_recorded(path: &Path) -> bool {
    Directory::open(path, None).is_ok_and(|directory| {
        matches!(directory.handle().try_lock_shared(), Err(TryLockError::WouldBlock))
    })
}

fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIRECTORY_MODE).create(path)
}

/// Clears `path`, which exists, of a trace of ours; an empty directory stays.
fn make_room(path: &Path, existing: Existing) -> Result<(), TraceError> {
    match occupant(path)? {
        Occupant::Nothing => return Ok(()),
        Occupant::Trace => {}
        Occupant::Other(why) => {
            return Err(TraceError::Occupied { path: path.to_owned(), why });
        }
    }
    if is_being_recorded(path) {
        return Err(TraceError::Busy { path: path.to_owned() });
    }
    match existing {
        Existing::Overwrite => remove_trace(path),
        Existing::KeepAsOld => keep_as_old(path),
    }
}

fn keep_as_old(path: &Path) -> Result<(), TraceError> {
    let Some(name) = path.file_name() else {
        let why = "it holds a trace and its path has no name to add .old to".to_owned();
        return Err(TraceError::Occupied { path: path.to_owned(), why });
    };
    let mut old_name = OsString::from(name);
    old_name.push(".old");
    let old = path.with_file_name(old_name);
    match fs::symlink_metadata(&old) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(TraceError::read(&old, &error)),
        Ok(_) => match occupant(&old)? {
            Occupant::Nothing => {}
            Occupant::Trace if is_being_recorded(&old) => {
                return Err(TraceError::Busy { path: old });
            }
            Occupant::Trace => remove_trace(&old)?,
            Occupant::Other(why) => {
                let why = format!("the trace there would be kept as {}, and {why}", old.display());
                return Err(TraceError::Occupied { path: path.to_owned(), why });
            }
        },
    }
    fs::rename(path, &old).map_err(|error| TraceError::write("rename to", &old, &error))
}

/// What stands where a trace is to go.
enum Occupant {
    /// An empty directory.
    Nothing,
    /// A trace of ours.
    Trace,
    /// Something else, in words.
    Other(String),
}

fn occupant(path: &Path) -> Result<Occupant, TraceError> {
    let failed = |error: io::Error| TraceError::read(path, &error);
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    if metadata.is_symlink() {
        return Ok(Occupant::Other("it is a symbolic link".to_owned()));
    }
    if !metadata.is_dir() {
        return Ok(Occupant::Other("it is not a directory".to_owned()));
    }
    if fs::read_dir(path).map_err(failed)?.next().is_none() {
        return Ok(Occupant::Nothing);
    }
    Ok(if has_session(path) {
        Occupant::Trace
    } else {
        Occupant::Other("it is not empty and not an energy-prof trace".to_owned())
    })
}

/// Whether the directory has a `session.json` that one of our programs wrote.
fn has_session(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Signature {
        tool: String,
    }
    fs::read(path.join(SESSION))
        .ok()
        .and_then(|json| serde_json::from_slice::<Signature>(&json).ok())
        .is_some_and(|signature| signature.tool.starts_with("energy-prof"))
}

/// Removes a trace, but only if there is nothing else in its directory.
fn remove_trace(path: &Path) -> Result<(), TraceError> {
    let failed = |error: io::Error| TraceError::read(path, &error);
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !is_ours(&name.to_string_lossy()) {
            let why = format!("the trace there also holds {}, which is not ours", name.display());
            return Err(TraceError::Occupied { path: path.to_owned(), why });
        }
    }
    fs::remove_dir_all(path).map_err(|error| TraceError::write("remove", path, &error))
}

fn is_ours(name: &str) -> bool {
    let name = name.strip_suffix(".tmp").unwrap_or(name);
    name == SESSION
        || name == PARTS
        || name.strip_suffix(".parquet").is_some_and(|table| tables::NAMES.contains(&table))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn trace_in(path: &Path, mark: &str) {
        fs::create_dir_all(path.join(PARTS)).unwrap();
        fs::write(path.join(SESSION), format!(r#"{{"tool":"energy-prof {mark}"}}"#)).unwrap();
    }

    #[test]
    fn an_empty_directory_is_used_and_a_missing_one_is_made() {
        let root = tempfile::tempdir().unwrap();
        claim(root.path(), Existing::KeepAsOld, None).unwrap();
        claim(&root.path().join("new"), Existing::KeepAsOld, None).unwrap();
        assert!(root.path().join("new").is_dir());
    }

    #[test]
    fn what_is_not_a_trace_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("photos");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("cat.jpg"), "cat").unwrap();
        for existing in [Existing::KeepAsOld, Existing::Overwrite] {
            let error = claim(&path, existing, None).unwrap_err().to_string();
            assert!(error.contains("not an energy-prof trace"), "{error}");
        }
        // Another program's session.json makes no trace.
        fs::write(path.join(SESSION), r#"{"tool":"browser"}"#).unwrap();
        assert!(claim(&path, Existing::Overwrite, None).is_err());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
    }

    #[test]
    fn an_old_trace_is_kept_once() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("energy.trace");
        let old = root.path().join("energy.trace.old");
        for mark in ["1", "2"] {
            trace_in(&path, mark);
            // The trailing slash that a shell completes must not matter.
            let typed = PathBuf::from(format!("{}/", path.display()));
            drop(claim(&typed, Existing::KeepAsOld, None).unwrap());
            assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
            let kept = fs::read_to_string(old.join(SESSION)).unwrap();
            assert!(kept.contains(mark), "{kept}");
            fs::remove_dir(&path).unwrap();
        }
    }

    #[test]
    fn an_old_place_taken_by_something_else_stops_the_recording() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("t");
        trace_in(&path, "1");
        fs::write(root.path().join("t.old"), "notes").unwrap();
        let error = claim(&path, Existing::KeepAsOld, None).unwrap_err().to_string();
        assert!(error.contains("t.old, and it is not a directory"), "{error}");
        assert!(path.join(SESSION).exists());
    }

    #[test]
    fn a_trace_with_files_of_the_users_is_not_removed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("t");
        trace_in(&path, "1");
        fs::write(path.join("notes.txt"), "notes").unwrap();
        let error = claim(&path, Existing::Overwrite, None).unwrap_err().to_string();
        assert!(error.contains("notes.txt"), "{error}");
        assert!(path.join("notes.txt").exists());
    }

    #[test]
    fn a_trace_being_recorded_is_not_taken_away() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("t");
        let held = claim(&path, Existing::KeepAsOld, None).unwrap();
        held.replace_file(SESSION, br#"{"tool":"energy-prof 1"}"#).unwrap();
        assert!(is_being_recorded(&path));
        let error = claim(&path, Existing::Overwrite, None).unwrap_err();
        assert!(matches!(error, TraceError::Busy { .. }), "{error}");
        drop(held);
        assert!(!is_being_recorded(&path));
    }

    #[test]
    fn a_symbolic_link_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("link");
        symlink(root.path(), &link).unwrap();
        let error = claim(&link, Existing::Overwrite, None).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
    }
}
