//! A recorder that runs in the background while a test does something to it.

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::outcome::{Outcome, wait};

/// What a recorder that has begun still may, as in `/proc/PID/status`: chown, dac_override,
/// dac_read_search, kill, sys_ptrace and syslog.
pub(crate) const KEPT: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 5 | 1 << 19 | 1 << 34;

/// Longer than starting takes on an emulated machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A recorder, in a process group of its own with what it launches. It is killed when this is
/// dropped.
pub(crate) struct Recorder {
    child: Option<Child>,
}

impl Recorder {
    /// Starts it, and comes back at once.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        Self { child: Some(command.spawn().unwrap()) }
    }

    /// Starts it, and waits until it records.
    pub(crate) fn begun(command: &mut Command) -> Self {
        let mut recorder = Self::start(command);
        recorder.wait_until_begun();
        recorder
    }

    /// Waits until everything is attached, and a command is started.
    pub(crate) fn wait_until_begun(&mut self) {
        let started = Instant::now();
        while !self.is_recording() {
            if self.has_ended() {
                let outcome = Outcome::of_child(self.child.take().unwrap());
                panic!("recording ended before it began: {outcome:?}");
            }
            assert!(started.elapsed() < PATIENCE, "recording did not begin within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether everything is attached: the last step before the first window is to give up
    /// capabilities.
    pub(crate) fn is_recording(&self) -> bool {
        let mask = capabilities(&format!("/proc/{}/status", self.id()), "CapPrm");
        mask != 0 && mask & !KEPT == 0
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn process(&self) -> Pid {
        Pid::from_raw(self.id().try_into().unwrap())
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    /// Sends a signal to the recorder alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.process(), signal).unwrap();
    }

    /// What a terminal does at Ctrl-C: the recorder and its command get it.
    pub(crate) fn ctrl_c(&self) {
        killpg(self.process(), Signal::SIGINT).unwrap();
    }

    /// Waits until the command has written this as a line of its own, the first.
    pub(crate) fn wait_for_a_line(&mut self, line: &str) {
        let stdout = self.child.as_mut().unwrap().stdout.as_mut().unwrap();
        let mut said = Vec::new();
        let mut byte = [0];
        // Byte by byte, so that what comes after stays in the pipe.
        while !said.ends_with(b"\n") {
            stdout.read_exact(&mut byte).unwrap();
            said.extend(byte);
        }
        assert_eq!(String::from_utf8(said).unwrap().trim_end(), line);
    }

    /// Waits for its end, whatever else still writes to its streams.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        wait(self.child.as_mut().unwrap()).code()
    }

    /// Waits for its end, and the end of whatever else writes to its streams. A command that goes
    /// on is killed, and the test fails.
    pub(crate) fn end(mut self) -> Outcome {
        let group = self.process();
        let child = self.child.take().unwrap();
        let ended = std::thread::spawn(move || Outcome::of_child(child));
        let started = Instant::now();
        while !ended.is_finished() {
            if started.elapsed() > PATIENCE {
                killpg(group, Signal::SIGKILL).unwrap();
                let outcome = ended.join().unwrap();
                panic!("what it launched goes on after {PATIENCE:?}: {outcome:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        ended.join().unwrap()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One of the capability sets in a status file, 0 where the process is gone.
pub(crate) fn capabilities(status: &str, set: &str) -> u64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(':'));
    line.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap())
}
