//! What ends a recording: its command, its processes, a signal, the duration, a disk that is full.

use std::process::ExitStatus;

use nix::sys::signal::{Signal as Received, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::capture::Capture;
use super::target::{Watched, launch};
use super::{RecordError, RecordOptions, TargetChoice};

/// Why recording stopped.
#[derive(Debug)]
pub(super) enum Stop {
    Duration,
    Signal(Received),
    CommandExited(ExitStatus),
    TargetsGone,
    WritingFailed,
}

impl Stop {
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Duration => "duration reached".to_owned(),
            Self::Signal(signal) => format!("interrupted ({signal})"),
            Self::CommandExited(_) => "command exited".to_owned(),
            Self::TargetsGone => "all targets exited".to_owned(),
            Self::WritingFailed => "the trace could not be written".to_owned(),
        }
    }
}

/// What ends the recording by itself.
pub(super) enum Ending {
    Command(Box<Child>),
    Processes(Watched),
    Nothing,
}

impl Ending {
    pub(super) fn command_pid(&self) -> u32 {
        match self {
            Self::Command(child) => child.id().unwrap_or_default(),
            _ => 0,
        }
    }

    /// Passes on to the command a signal that only the recorder got, and that is meant for both.
    pub(super) fn pass_on(&self, signal: Received) {
        let Self::Command(child) = self else { return };
        if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It may just have exited, which is as well.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    pub(super) async fn wait(&mut self) -> Result<Stop, RecordError> {
        match self {
            Self::Command(child) => child
                .wait()
                .await
                .map(Stop::CommandExited)
                .map_err(|source| RecordError::System { what: "wait for the command", source }),
            Self::Processes(watched) => {
                watched.all_gone().await;
                Ok(Stop::TargetsGone)
            }
            Self::Nothing => std::future::pending().await,
        }
    }
}

pub(super) fn launch_or_watch(
    options: &RecordOptions,
    capture: &mut Capture,
) -> Result<Ending, RecordError> {
    match &options.target {
        TargetChoice::All => Ok(Ending::Nothing),
        TargetChoice::Pids(pids) => Ok(Ending::Processes(Watched::new(pids)?)),
        TargetChoice::Command(argv) => {
            let child = launch(argv, options.account.as_ref(), &options.environment)?;
            capture.add_root(child.id().unwrap_or_default());
            Ok(Ending::Command(Box::new(child)))
        }
    }
}

/// The signals that end a recording.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, RecordError> {
        let listen = |kind| {
            signal(kind).map_err(|source| RecordError::System { what: "handle signals", source })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.interrupt.recv() => Received::SIGINT,
            _ = self.terminate.recv() => Received::SIGTERM,
            _ = self.hangup.recv() => Received::SIGHUP,
        }
    }
}
