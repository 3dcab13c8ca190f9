//! Being somebody who is not root, with and without single rights.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::geteuid;
use rustix::process::{Gid, Uid};
use rustix::thread::{
    set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

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

/// Runs `work` as nobody on a thread of its own, with `rights` that programs started there keep.
pub(crate) fn as_nobody_with<T: Send>(rights: &[Capability], work: impl FnOnce() -> T + Send) -> T {
    let become_nobody = || {
        // Identities are a thread's own to the kernel; only the C library changes all at once.
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        set_keep_capabilities(true).unwrap();
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
        let kept: CapsHashSet = rights.iter().copied().collect();
        for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
            caps::set(None, set, &kept).unwrap();
        }
        caps::set(None, CapSet::Ambient, &kept).unwrap();
        work()
    };
    std::thread::scope(|scope| scope.spawn(become_nobody).join().unwrap())
}

/// Runs `work` on a thread of its own that is in a group besides, as most users are in some.
pub(crate) fn in_group<T: Send>(group: u32, work: impl FnOnce() -> T + Send) -> T {
    let join = || {
        set_thread_groups(&[Gid::from_raw(group)]).unwrap();
        work()
    };
    std::thread::scope(|scope| scope.spawn(join).join().unwrap())
}

/// Runs `work` as root on a thread of its own, where started programs lack `rights`.
pub(crate) fn as_root_without<T: Send>(
    rights: &[Capability],
    work: impl FnOnce() -> T + Send,
) -> T {
    let give_up = || {
        for right in rights {
            caps::drop(None, CapSet::Bounding, *right).unwrap();
        }
        work()
    };
    std::thread::scope(|scope| scope.spawn(give_up).join().unwrap())
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
