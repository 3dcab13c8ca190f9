//! What the recording is about: processes that run, or a command that is launched.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;

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
    #[error("{0} is energy-prof itself; its own load is a row of every report anyway")]
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

/// Starts the command, as `account` where one is given.
pub(super) fn launch(argv: &[OsString], account: Option<&Account>) -> Result<Child, TargetError> {
    let Some(program) = argv.first() else {
        return Err(TargetError::NotFound { program: OsString::new() });
    };
    Command::from(command(argv, account)).spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => TargetError::NotFound { program: program.clone() },
        _ => TargetError::NotExecutable { program: program.clone(), source },
    })
}
