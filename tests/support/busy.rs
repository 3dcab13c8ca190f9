//! Processes that do nothing but use CPU time.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use energy_prof::units::Nanoseconds;
use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// A process with one thread that always wants a CPU. It is gone when this is dropped.
pub(crate) struct Busy {
    child: Child,
}

impl Busy {
    pub(crate) fn start() -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
        Self { child: command.spawn().unwrap() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process, as signals and clocks name it.
    pub(crate) fn process(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// CPU time so far, by the kernel's own clock of the process.
    pub(crate) fn cpu_time(&self) -> Nanoseconds {
        Duration::from(clock_getcpuclockid(self.process()).unwrap().now().unwrap()).into()
    }

    /// Makes it wait until [`Self::go_on`].
    pub(crate) fn pause(&self) {
        kill(self.process(), Signal::SIGSTOP).unwrap();
    }

    pub(crate) fn go_on(&self) {
        kill(self.process(), Signal::SIGCONT).unwrap();
    }

    /// Ends it, as a target that exits does.
    pub(crate) fn end(mut self) {
        self.stop();
    }

    /// That it still runs: not ended, not stopped, and using CPU time.
    #[track_caller]
    pub(crate) fn assert_runs(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "the load has ended");
        let before = self.cpu_time();
        for _ in 0..2_000 {
            if self.cpu_time() > before {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the load does not run any more");
    }

    fn stop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop();
    }
}
