//! What the recording is about: processes that run, or a command that is launched.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{
    self,
    ErrorKind::{NotADirectory, NotFound},
};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use thiserror::Error;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};

use super::procfs::Procfs;
use super::ticker::poll;
use crate::probes::{Account, command};

/// Why a target cannot be recorded.
#[derive(Debug, Error)]
pub enum TargetError {
    /// No such process.
    #[error("no process {0}: it has exited, or never was; `ps -e` lists the ones that run")]
    NoProcess(u32),
    /// A thread's id where a process's is wanted.
    #[error("{tid} is a thread of process {tgid}, not a process; record the process: -p {tgid}")]
    Thread {
        /// What was given.
        tid: u32,
        /// Its process.
        tgid: u32,
    },
    /// The recorder itself.
    #[error(
        "cannot record {0}: it is energy-prof itself, whose load is a row of every report anyway; give \
         another process"
    )]
    Itself(u32),
    /// The command does not exist.
    #[error("cannot run {program:?}: command not found; check its spelling and PATH")]
    NotFound {
        /// What was to be run.
        program: OsString,
    },
    /// The command cannot be executed.
    #[error(
        "cannot run {program:?}: {source}; it must be an executable file that its user may run"
    )]
    NotExecutable {
        /// What was to be run.
        program: OsString,
        /// Why not.
        source: io::Error,
    },
    /// A process cannot be watched.
    #[error("cannot watch process {pid}: {source}; Linux 5.3 or newer is needed")]
    Watch {
        /// Which.
        pid: u32,
        /// Why not.
        source: io::Error,
    },
}

/// Checks that each of `pids` is a process other than this one.
pub(super) fn check_pids(procfs: &Procfs, pids: &[u32]) -> Result<(), TargetError> {
    for &pid in pids {
        if pid == std::process::id() {
            return Err(TargetError::Itself(pid));
        }
        match procfs.thread(pid) {
            None => return Err(TargetError::NoProcess(pid)),
            Some(facts) if facts.tgid != pid => {
                return Err(TargetError::Thread { tid: pid, tgid: facts.tgid });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Checks that there is a program to execute, so that whoever mistypes it loses no older trace.
/// Whether its user may execute it, only starting it can tell.
pub(super) fn check_command(argv: &[OsString]) -> Result<(), TargetError> {
    let program = argv.first().cloned().unwrap_or_default();
    let mut refused = None;
    for candidate in candidates(&program, std::env::var_os("PATH").as_deref()) {
        match fs::metadata(&candidate) {
            Ok(metadata) if metadata.is_file() && metadata.mode() & 0o111 != 0 => return Ok(()),
            Ok(_) => refused = Some(io::ErrorKind::PermissionDenied.into()),
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {}
            Err(error) => refused = Some(error),
        }
    }
    Err(match refused {
        Some(source) => TargetError::NotExecutable { program, source },
        None => TargetError::NotFound { program },
    })
}

/// Where a program of that name may be: exactly there, or without a slash in a directory of `path`.
/// Reference: execvp(3), man-pages 6.9.
fn candidates(program: &OsStr, path: Option<&OsStr>) -> Vec<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return vec![PathBuf::from(program)];
    }
    if program.is_empty() {
        return Vec::new();
    }
    let directories = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    std::env::split_paths(directories).map(|directory| directory.join(program)).collect()
}

/// Waits until every process of a list has exited.
pub(super) struct Watched {
    alive: Vec<AsyncFd<OwnedFd>>,
}

impl Watched {
    /// Begins watching. A process that has just exited is not an error: it was there when checked.
    pub(super) fn new(pids: &[u32]) -> Result<Self, TargetError> {
        let mut alive = Vec::new();
        for &pid in pids {
            let watch = |source| TargetError::Watch { pid, source };
            let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let Some(raw) = raw else { continue };
            match pidfd_open(raw, PidfdFlags::empty()) {
                Ok(descriptor) => alive.push(poll(descriptor).map_err(watch)?),
                Err(rustix::io::Errno::SRCH) => {}
                Err(errno) => return Err(watch(errno.into())),
            }
        }
        Ok(Self { alive })
    }

    /// Returns when all have exited.
    pub(super) async fn all_gone(&mut self) {
        while let Some(process) = self.alive.last() {
            // Readable means exited; an error would mean the same for us: nothing left to watch.
            let _ = process.readable().await;
            self.alive.pop();
        }
    }
}

/// Starts the command, as `account` where one is given, with these variables in its environment.
pub(super) fn launch(
    argv: &[OsString],
    account: Option<&Account>,
    environment: &[(&str, OsString)],
) -> Result<Child, TargetError> {
    let Some(program) = argv.first() else {
        return Err(TargetError::NotFound { program: OsString::new() });
    };
    let mut command = Command::from(command(argv, account));
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.spawn().map_err(|source| match source.kind() {
        NotFound => TargetError::NotFound { program: program.clone() },
        _ => TargetError::NotExecutable { program: program.clone(), source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_a_slash_is_looked_for_in_the_search_path() {
        let found = candidates(OsStr::new("make"), Some(OsStr::new("/usr/bin::/bin")));
        assert_eq!(found, ["/usr/bin/make", "make", "/bin/make"].map(PathBuf::from));
        assert_eq!(candidates(OsStr::new("./make"), None), [PathBuf::from("./make")]);
        assert!(candidates(OsStr::new(""), None).is_empty());
    }

    #[test]
    fn a_command_must_be_there_and_executable() {
        let refusal = |program: &str| check_command(&[program.into()]).unwrap_err();
        assert!(matches!(refusal("no-such-command"), TargetError::NotFound { .. }));
        assert!(matches!(refusal("/proc/version/x"), TargetError::NotFound { .. }));
        assert!(matches!(refusal("/proc/version"), TargetError::NotExecutable { .. }));
        assert!(matches!(refusal("/"), TargetError::NotExecutable { .. }));
        let me = std::env::current_exe().unwrap();
        check_command(&[me.into()]).unwrap();
    }
}
