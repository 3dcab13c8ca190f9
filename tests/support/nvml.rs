//! NVIDIA's cards by the stand-in for their library, which is made when it is first needed.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::skip::skip;

const SOURCE: &str = include_str!("nvml/stand_in.rs");

/// A library of its own, whose cards are what its script says.
pub(crate) struct StandIn {
    root: TempDir,
}

impl StandIn {
    /// A stand-in with this script; `None`, and said so, where there is no compiler to make it.
    pub(crate) fn new(script: &str) -> Option<Self> {
        let made = made()?;
        let stand_in = Self { root: tempfile::tempdir().unwrap() };
        // A copy, so that each test has a library that was never opened.
        fs::copy(made, stand_in.library()).unwrap();
        stand_in.play(script);
        Some(stand_in)
    }

    pub(crate) fn library(&self) -> PathBuf {
        self.root.path().join("libnvidia-ml.so.1")
    }

    /// Has it follow another script from now on.
    pub(crate) fn play(&self, script: &str) {
        fs::rename(self.written("new", script), self.script()).unwrap();
    }

    /// A script that is there to be put in place of [`Self::script`].
    pub(crate) fn written(&self, name: &str, script: &str) -> PathBuf {
        let path = self.root.path().join(name);
        fs::write(&path, script).unwrap();
        path
    }

    /// The script it follows.
    pub(crate) fn script(&self) -> PathBuf {
        self.root.path().join("libnvidia-ml.so.1.script")
    }
}

/// The library, made once for each version of its source.
fn made() -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    SOURCE.hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join(format!("nvml-stand-in-{:016x}.so", hasher.finish()));
    if library.exists() {
        return Some(library);
    }
    let Ok(work) = tempfile::tempdir_in(folder) else {
        skip("no place to make a stand-in for NVIDIA's library in");
        return None;
    };
    let source = work.path().join("stand_in.rs");
    fs::write(&source, SOURCE).unwrap();
    let new = work.path().join("stand_in.so");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let made = Command::new(compiler)
        .args(["--edition", "2024", "--crate-type", "cdylib", "-C", "debuginfo=0", "-o"])
        .args([&new, &source])
        .output();
    let Ok(output) = made else {
        skip("no rustc to make a stand-in for NVIDIA's library with");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Another test may have been as quick: both have made the same.
    fs::rename(new, &library).unwrap();
    Some(library)
}
