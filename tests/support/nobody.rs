//! Being somebody who is not root, with and without single rights.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

use super::energy_prof::energy_prof;

/// A user without files or rights; on most machines it is called `nobody`.
pub(crate) const NOBODY: u32 = 65_534;

/// Lets everybody into a directory of the test's.
pub(crate) fn open_to_all(directory: &Path) {
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
}

/// Gives a directory and the files in it to nobody, as far as this user can.
pub(crate) fn give_to_nobody(directory: &Path) {
    if !geteuid().is_root() {
        return;
    }
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    for path in entries.chain([directory.to_owned()]) {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// `energy-prof` for somebody who is not root, run in `directory`, which is made readable for all.
/// The program is copied there where its own place is closed to others.
pub(crate) fn as_nobody(directory: &Path) -> Command {
    if !geteuid().is_root() {
        let mut command = energy_prof();
        command.current_dir(directory);
        return command;
    }
    open_to_all(directory);
    let become_nobody = |program: &Path| {
        let mut command = Command::new(program);
        command.uid(NOBODY).gid(NOBODY).current_dir(directory);
        command.env_remove("SUDO_UID").env_remove("SUDO_GID").env_remove("NO_COLOR");
        command
    };
    let program = PathBuf::from(energy_prof().get_program());
    if become_nobody(&program).arg("--version").output().is_ok() {
        return become_nobody(&program);
    }
    let copy = directory.join("energy-prof");
    if !copy.exists() {
        fs::copy(&program, &copy).unwrap();
    }
    become_nobody(&copy)
}
