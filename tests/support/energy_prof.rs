//! Running the program under test, and reading what it leaves behind.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::profile::Profile;
use energy_prof::trace::TraceReader;
use tempfile::TempDir;

/// The program under test, with nothing of the environment that changes what it says.
pub(crate) fn energy_prof() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_energy-prof"));
    for variable in ["NO_COLOR", "SUDO_UID", "SUDO_GID", "SUDO_USER"] {
        command.env_remove(variable);
    }
    // Nobody's own configuration.
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    command.stdin(Stdio::null());
    command
}

/// A place for a trace, gone when it is dropped.
pub(crate) struct Place {
    root: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    /// A directory that the test may use.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where the trace goes.
    pub(crate) fn trace(&self) -> PathBuf {
        self.root.path().join("energy.trace")
    }

    /// `energy-prof record … -o HERE`, to be started; `target` comes last, e.g. `["--", "true"]`.
    pub(crate) fn record(&self, options: &[&str], target: &[&str]) -> Command {
        let mut command = energy_prof();
        command.arg("record").args(options).arg("-o").arg(self.trace()).args(target);
        command
    }

    /// Records to the end, which must be a success.
    pub(crate) fn recorded(&self, options: &[&str], target: &[&str]) -> Output {
        let output = self.record(options, target).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Starts recording in the background and waits until it has begun.
    pub(crate) fn recording(&self, options: &[&str], target: &[&str]) -> Child {
        let mut child = self.record(options, target).stderr(Stdio::piped()).spawn().unwrap();
        let session = self.trace().join("parts/windows.000001.parquet");
        for _ in 0..3_000 {
            if session.exists() {
                return child;
            }
            if let Some(status) = child.try_wait().unwrap() {
                let output = child.wait_with_output().unwrap();
                panic!("{status}: {}", String::from_utf8_lossy(&output.stderr));
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("recording did not begin within 30 s");
    }

    /// The trace.
    pub(crate) fn reader(&self) -> TraceReader {
        TraceReader::open(&self.trace()).unwrap()
    }

    /// Its profile, with the default choices.
    pub(crate) fn profile(&self) -> Profile {
        analyze(&self.reader(), &AnalyzeOptions::default()).unwrap()
    }
}
