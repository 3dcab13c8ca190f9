//! The command under measurement, as the user who called `sudo` would have started it.

use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::{Gid, Uid, User, initgroups, setgid, setuid};

/// A user a command runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Login name and home directory, where the user database knows them.
    pub login: Option<(String, OsString)>,
}

impl Account {
    /// The user behind `sudo`, from the environment it sets; `None` without sudo, or for root's own.
    pub fn behind_sudo() -> Option<Self> {
        let id = |name| std::env::var(name).ok()?.parse::<u32>().ok();
        let (uid, gid) = (id("SUDO_UID")?, id("SUDO_GID")?);
        if uid == 0 || !nix::unistd::geteuid().is_root() {
            return None;
        }
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let login = user.map(|user| (user.name, user.dir.into_os_string()));
        Some(Self { uid, gid, login })
    }
}

/// The command `argv`, ready to be spawned: as `account` with its groups where one is given.
/// Signals and file descriptors are as a shell would leave them.
pub fn command(argv: &[OsString], account: Option<&Account>) -> Command {
    let (program, arguments) = argv.split_first().expect("the caller checked that there is one");
    let mut command = Command::new(program);
    command.args(arguments);
    let Some(account) = account else { return command };
    match &account.login {
        Some((name, home)) => {
            command.env("USER", name).env("LOGNAME", name).env("HOME", home);
        }
        // Better none than root's, where the command could not write.
        None => {
            command.env_remove("USER").env_remove("LOGNAME").env("HOME", "/");
        }
    }
    for variable in ["SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND"] {
        command.env_remove(variable);
    }
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let name = account.login.as_ref().and_then(|(name, _)| CString::new(name.as_str()).ok());
    let become_user = move || -> io::Result<()> {
        match &name {
            Some(name) => initgroups(name, gid)?,
            None => nix::unistd::setgroups(&[gid])?,
        }
        setgid(gid)?;
        setuid(uid)?;
        Ok(())
    };
    // SAFETY: between fork and exec, where reading the group database is allowed as long as no other
    // thread holds one of the C library's locks: the recorder starts its threads later, and a thread
    // that it runs on behalf of waits for it.
    unsafe { command.pre_exec(become_user) };
    command
}
