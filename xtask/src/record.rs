//! `cargo xtask record [CMD…]`: the whole way once: build energy-prof, record a command with it, as
//! root through sudo where need be, and report. Without a command it records the build of this crate.

use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::command::{self, is_root};
use crate::workspace::{cargo, root, target};

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    command::run(Command::new(cargo()).current_dir(root()).args([
        "build",
        "--release",
        "-p",
        "energy-prof",
    ]))?;
    let program = target().join("release/energy-prof");
    let mut record = if is_root() {
        Command::new(&program)
    } else {
        // The command then runs as the user who called sudo, and the trace belongs to them.
        let mut sudo = Command::new("sudo");
        sudo.arg("--preserve-env=PATH,CARGO_HOME,RUSTUP_HOME").arg(&program);
        sudo
    };
    // Quietly: the report that follows says it all.
    record.args(["record", "--quiet", "--"]);
    let scratch = target().join("recorded");
    if arguments.is_empty() {
        // From nothing each time, so that there is something to record.
        if scratch.exists() {
            std::fs::remove_dir_all(&scratch)
                .with_context(|| format!("cannot remove {}", scratch.display()))?;
        }
        record.arg(cargo()).args(["build", "--quiet", "-p", "xtask", "--target-dir"]).arg(&scratch);
    } else {
        record.args(arguments);
    }
    command::run(&mut record)?;
    command::run(Command::new(&program).args(["report", "--top", "10"]))?;
    Ok(ExitCode::SUCCESS)
}
