//! perf as a recorder of switches, to be compared with, and the file system that it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

use super::Setting;
use super::background::Background;
use crate::command;

const PLACE: &str = "/sys/kernel/tracing";

/// tracefs, which perf reads its tracepoints from; unmounted again if it was not mounted before.
pub(super) struct Tracefs {
    ours: bool,
}

impl Tracefs {
    /// Mounts it unless it is there. Fails where perf is missing or mounting is not allowed.
    pub(super) fn find() -> anyhow::Result<Self> {
        if command::find("perf").is_none() {
            bail!("perf is not installed");
        }
        if Path::new(PLACE).join("events/sched/sched_switch").exists() {
            return Ok(Self { ours: false });
        }
        command::read(Command::new("mount").args(["-t", "tracefs", "tracefs", PLACE]))?;
        Ok(Self { ours: true })
    }
}

impl Drop for Tracefs {
    fn drop(&mut self) {
        if self.ours {
            // Where someone else has begun to use it meanwhile, it stays.
            let _ = command::read(Command::new("umount").arg(PLACE));
        }
    }
}

/// perf recording in the background.
pub(super) struct Perf {
    program: Background,
    data: PathBuf,
}

impl Perf {
    /// Starts `perf ARGUMENTS`, and waits until it records.
    pub(super) fn start(arguments: &[&str], setting: &Setting) -> anyhow::Result<Self> {
        let data = setting.place.join("perf.data");
        let mut perf = Command::new("perf");
        perf.args(arguments).arg("-o").arg(&data).stderr(Stdio::null());
        let mut program = Background::start(&mut perf)?;
        // Its events are open before its file has a header, and enabled soon after.
        for _ in 0..1_000 {
            thread::sleep(Duration::from_millis(10));
            if fs::metadata(&data).is_ok_and(|data| data.len() > 0) {
                thread::sleep(Duration::from_millis(500));
                return Ok(Self { program, data });
            }
            if let Some(status) = program.ended()? {
                bail!("perf {} ended at once: {status}", arguments.join(" "));
            }
        }
        bail!("perf {} wrote nothing within 10 s", arguments.join(" "));
    }

    /// Ends it and removes what it recorded; gives how many bytes that was.
    pub(super) fn finish(mut self) -> anyhow::Result<u64> {
        self.program.interrupt()?;
        let recorded = || -> std::io::Result<u64> {
            let size = fs::metadata(&self.data)?.len();
            fs::remove_file(&self.data)?;
            Ok(size)
        };
        recorded().with_context(|| format!("cannot remove {}", self.data.display()))
    }
}
