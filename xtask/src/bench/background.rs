//! A program in the background that ends as it does at Ctrl-C.

use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A program under way, without input and output. Dropped, it is told to end and waited for.
pub(super) struct Background {
    child: Child,
    name: String,
}

impl Background {
    /// Starts it; errors go where ours go.
    pub(super) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, name })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Interrupts it, and waits until it has ended.
    pub(super) fn interrupt(&mut self) -> anyhow::Result<ExitStatus> {
        self.end_by(Signal::SIGINT)
    }

    /// Ends it by this signal, and waits until it has ended. Whoever started us in the background has us ignore
    /// interrupts, and with us programs that do not care for them.
    pub(super) fn end_by(&mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        let pid = Pid::from_raw(i32::try_from(self.pid()).context("a pid is positive")?);
        kill(pid, signal).with_context(|| format!("cannot end {}", self.name))?;
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Whoever cared how it ended has asked.
        let _ = self.end_by(Signal::SIGTERM);
    }
}
