//! Files that know more about a program than the program itself: found by its build id, never by
//! its name alone.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::debuginfod::{Artifact, Debuginfod};
use super::elf::Elf;

/// Where distributions put debug files.
const SYSTEM: &str = "/usr/lib/debug";
/// The most files of a debug directory that are asked for their build id.
const MOST_LOOSE: usize = 1 << 16;
/// The longest build id that is believed, in hexadecimal digits.
const LONGEST_ID: usize = 128;

/// A debug directory cannot be read.
#[derive(Debug, Error)]
#[error(
    "cannot read the debug directory {}: {why}; give one that is there and may be read", .path.display()
)]
pub struct DebugDirectoryError {
    /// Which.
    path: PathBuf,
    /// Why not.
    why: io::Error,
}

/// Where a file of a build may be, in the order to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// The debug directories.
    DebugDirectories,
    /// Where the program was when it ran.
    OwnPath,
    /// A debuginfod server.
    Server(Artifact),
}

impl Whereabouts {
    /// All, what costs the least for what it tells first.
    pub const ALL: [Self; 4] = [
        Self::DebugDirectories,
        Self::OwnPath,
        Self::Server(Artifact::DebugInformation),
        Self::Server(Artifact::Executable),
    ];
}

/// The files of builds.
#[derive(Debug)]
pub struct DebugFiles {
    directories: Vec<PathBuf>,
    /// The files that lie in the directories themselves, by build id.
    loose: HashMap<String, Vec<PathBuf>>,
    servers: Option<Debuginfod>,
}

impl DebugFiles {
    /// Those below `directories` and the system's own, and those that servers give where there are any.
    pub fn new(
        directories: Vec<PathBuf>,
        servers: Option<Debuginfod>,
    ) -> Result<Self, DebugDirectoryError> {
        let mut loose: HashMap<String, Vec<PathBuf>> = HashMap::new();
        for directory in &directories {
            let failed = |why| DebugDirectoryError { path: directory.clone(), why };
            for entry in fs::read_dir(directory).map_err(failed)?.take(MOST_LOOSE) {
                let path = entry.map_err(failed)?.path();
                if let Some(id) = build_id_of(&path) {
                    loose.entry(id).or_default().push(path);
                }
            }
        }
        let directories = directories.into_iter().chain([PathBuf::from(SYSTEM)]).collect();
        Ok(Self { directories, loose, servers })
    }

    /// The files at these whereabouts that have this build id; `path` is where the program was when
    /// it ran.
    pub fn find(&mut self, whereabouts: Whereabouts, build_id: &str, path: &str) -> Vec<PathBuf> {
        if !is_build_id(build_id) {
            return Vec::new();
        }
        match whereabouts {
            Whereabouts::DebugDirectories => self.in_directories(build_id),
            Whereabouts::OwnPath => {
                Some(PathBuf::from(path)).filter(|path| is_of(path, build_id)).into_iter().collect()
            }
            Whereabouts::Server(artifact) => {
                let servers = self.servers.as_mut();
                servers.and_then(|servers| servers.fetch(build_id, artifact)).into_iter().collect()
            }
        }
    }

    /// What went wrong with servers, in sentences.
    pub fn warnings(&self) -> Vec<String> {
        self.servers.as_ref().map(Debuginfod::warnings).unwrap_or_default()
    }

    fn in_directories(&self, build_id: &str) -> Vec<PathBuf> {
        let (folder, rest) = build_id.split_at(2);
        let name = format!("{folder}/{rest}.debug");
        let filed =
            |directory: &PathBuf| [directory.join(".build-id").join(&name), directory.join(&name)];
        let filed = self.directories.iter().flat_map(filed).filter(|path| is_of(path, build_id));
        filed.chain(self.loose.get(build_id).into_iter().flatten().cloned()).collect()
    }
}

/// Whether it can be one: it becomes part of paths and addresses.
fn is_build_id(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (4..=LONGEST_ID).contains(&text.len()) && text.bytes().all(digit)
}

/// Whether there is a file with this build id, and all of it.
pub(super) fn is_of(path: &Path, build_id: &str) -> bool {
    build_id_of(path).as_deref() == Some(build_id)
}

fn build_id_of(path: &Path) -> Option<String> {
    // What cannot be read is not the file that is sought.
    Elf::open(path).ok()??.whole_build_id()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_elsewhere_is_no_build_id() {
        assert!(is_build_id("c0ffee") && is_build_id(&"a0".repeat(20)));
        for other in ["", "ab", "../../etc", "ABCD", "c0ff/e", &"a".repeat(129)] {
            assert!(!is_build_id(other), "{other}");
        }
    }
}
