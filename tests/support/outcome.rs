//! A command run to its end: what it said and how it ended, and whether that is how one says no.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Output};
use std::time::{Duration, Instant};

/// Longer than anything a test waits for takes on an emulated machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Runs `command` to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::from_output(&command.output().unwrap())
    }

    /// Of a command that was started with its streams piped.
    pub(crate) fn of_child(mut child: Child) -> Self {
        wait(&mut child);
        Self::from_output(&child.wait_with_output().unwrap())
    }

    fn from_output(output: &Output) -> Self {
        let outcome = Self {
            code: code(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        for sign in ["panicked", "backtrace", "RUST_BACKTRACE"] {
            assert!(!outcome.stderr.contains(sign), "{}", outcome.stderr);
        }
        outcome
    }

    /// That it succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    /// That it said no with `code`, in one sentence on stderr that has all of `words`, and nothing
    /// on stdout. A usage error has a line that points to `--help` besides.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, words: &[&str]) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, code, "{stderr}");
        assert_eq!(stdout, "");
        let paragraphs: Vec<&str> = stderr.trim_end().split("\n\n").collect();
        let (complaint, rest) = paragraphs.split_first().unwrap();
        let by_us = complaint.strip_prefix("energy-prof: ");
        if let Some(sentence) = by_us {
            assert_eq!(rest, [""; 0], "{stderr}");
            // No full stop, and no cause that is told twice.
            let numbers = sentence.matches("(os error").count();
            assert!(!sentence.ends_with('.') && numbers <= 1, "{stderr}");
        } else {
            assert!(complaint.starts_with("error: "), "{stderr}");
            assert_eq!(rest.last(), Some(&"For more information, try '--help'."), "{stderr}");
        }
        for word in words {
            assert!(complaint.contains(word), "{word:?} is missing in {stderr:?}");
        }
        self
    }
}

/// Waits for a child to end; one that does not is killed, and the test fails.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("process {} did not end within {PATIENCE:?}", child.id());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An exit code as a shell tells it.
fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap()
}
