//! Threads as the trace knows them: one incarnation of one thread between two execs.

use crate::units::MonotonicTime;

/// A thread's number in a trace; never reused, unlike a tid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub u32);

impl ThreadId {
    /// The idle task of every CPU: its residency is the time no thread ran.
    pub const IDLE: Self = Self(0);
    /// Time whose thread is unknown because switches were lost.
    pub const LOST: Self = Self(1);
    /// The first number given to a real thread.
    pub const FIRST: Self = Self(2);
}

/// Who a thread was. A tid that is used again, and a program started by `exec`, are new entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadInfo {
    /// Process id (thread group id).
    pub tgid: u32,
    /// Thread id.
    pub tid: u32,
    /// When the thread was created.
    pub start: MonotonicTime,
    /// When it exited, if it did so while recording.
    pub exit: Option<MonotonicTime>,
    /// How many programs the thread had become by `exec` since recording saw it first.
    pub exec: u32,
    /// The process that created this one, where known.
    pub parent_tgid: Option<u32>,
    /// The kernel's name of the thread, at most 15 bytes.
    pub comm: String,
    /// The program's path, where known.
    pub exe: Option<String>,
    /// The command line, arguments separated by spaces, possibly cut.
    pub cmdline: Option<String>,
    /// The real user id, where known.
    pub uid: Option<u32>,
    /// The cgroup's path below its mount, where known.
    pub cgroup: Option<String>,
    /// Whether it is a target of the recording or descends from one.
    pub target: bool,
}

impl ThreadInfo {
    /// The container id in the cgroup's path, if it names one.
    pub fn container(&self) -> Option<&str> {
        self.cgroup.as_deref().and_then(container_of_cgroup)
    }

    /// The systemd unit in the cgroup's path, if it names one.
    pub fn unit(&self) -> Option<&str> {
        self.cgroup.as_deref().and_then(unit_of_cgroup)
    }

    /// Whether it is a kernel thread: those have no program.
    pub fn is_kernel(&self) -> bool {
        self.tgid == 2 || (self.exe.is_none() && self.parent_tgid == Some(2))
    }
}

/// The container id in a cgroup path: 64 hexadecimal digits, as Docker, containerd, CRI-O and
/// Podman write them, bare (`/docker/<id>`) or dressed (`cri-containerd-<id>.scope`).
pub fn container_of_cgroup(path: &str) -> Option<&str> {
    path.rsplit('/').find_map(|part| {
        let name = part.strip_suffix(".scope").unwrap_or(part);
        let id = name.rsplit(['-', ':']).next().unwrap_or(name);
        (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
    })
}

/// The innermost systemd service, scope or similar unit in a cgroup path; slices only group them.
pub fn unit_of_cgroup(path: &str) -> Option<&str> {
    const KINDS: [&str; 6] = [".service", ".scope", ".socket", ".mount", ".timer", ".swap"];
    path.rsplit('/').find(|part| KINDS.iter().any(|kind| part.ends_with(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4a5ee2f0d1b7c8e9a0b1c2d3e4f5061728394a5b6c7d8e9f00112233445566ff";

    #[test]
    fn container_ids_are_found_in_the_usual_paths() {
        for path in [
            format!("/docker/{ID}"),
            format!("/system.slice/docker-{ID}.scope"),
            format!("/kubepods.slice/kubepods-burstable.slice/cri-containerd-{ID}.scope"),
            format!("/machine.slice/libpod-{ID}.scope/container"),
            format!("/kubepods/besteffort/pod1234/{ID}"),
            format!("/system.slice/containerd.service/kubepods-x.slice:cri-containerd:{ID}"),
        ] {
            assert_eq!(container_of_cgroup(&path), Some(ID), "{path}");
        }
        assert_eq!(container_of_cgroup("/user.slice/user-1000.slice/session-2.scope"), None);
    }

    #[test]
    fn the_innermost_unit_is_named() {
        assert_eq!(unit_of_cgroup("/system.slice/nginx.service/worker"), Some("nginx.service"));
        assert_eq!(
            unit_of_cgroup("/user.slice/user@1000.service/app.slice/app-x.scope"),
            Some("app-x.scope")
        );
        assert_eq!(unit_of_cgroup("/user.slice"), None);
    }
}
