//! Decoding the ring buffer's records: what happened to which task. Lengths are checked.

use energy_ebpf::event::{CgroupEvent, ExecEvent, TaskEvent as RawTask, kind};
use energy_ebpf::switch_log::address_part;

use crate::units::{MonotonicTime, Nanoseconds};

/// Something that happened to a task or cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEvent {
    /// When.
    pub at: MonotonicTime,
    /// What.
    pub change: TaskChange,
}

/// What happened. `address` names a task as the switch log does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskChange {
    /// A task was created.
    Fork {
        /// The new task.
        address: u64,
        /// Its thread id.
        tid: u32,
        /// Its process id.
        tgid: u32,
        /// When, by the kernel's own record; `None` where that could not be read.
        start: Option<MonotonicTime>,
        /// The creating process.
        parent_tgid: u32,
        /// The creating thread's name, which the new one inherits.
        comm: String,
    },
    /// A task became another program.
    Exec {
        /// The task.
        address: u64,
        /// Its thread id, which is now its process id.
        tid: u32,
        /// Its process id.
        tgid: u32,
        /// The program's path as given; `None` where it could not be read.
        path: Option<String>,
        /// The command line, arguments separated by spaces; `None` where it could not be read.
        cmdline: Option<String>,
        /// When the task was created; `None` where that could not be read.
        start: Option<MonotonicTime>,
        /// CPU time of the task before, to a tick; `None` where that could not be read.
        cpu_time: Option<Nanoseconds>,
        /// The new name.
        comm: String,
        /// The real user id.
        uid: u32,
        /// The cgroup's id.
        cgroup: u64,
    },
    /// A task is exiting.
    Exit {
        /// The task.
        address: u64,
        /// Its thread id.
        tid: u32,
        /// Its process id.
        tgid: u32,
        /// When it was created; `None` where that could not be read.
        start: Option<MonotonicTime>,
        /// Its last name.
        comm: String,
        /// The real user id.
        uid: u32,
        /// The cgroup's id.
        cgroup: u64,
    },
    /// A task's name changed.
    Rename {
        /// The task.
        address: u64,
        /// The new name.
        comm: String,
    },
    /// A cgroup of the unified hierarchy was created.
    CgroupCreated {
        /// Its id.
        id: u64,
        /// Its path below the mount.
        path: String,
    },
    /// A process was moved to a cgroup.
    CgroupAttached {
        /// The process's leader.
        tgid: u32,
        /// The cgroup's path below the mount.
        path: String,
    },
}

/// Decodes one record; `None` for one that is too short or of an unknown kind.
pub(super) fn decode(bytes: &[u8]) -> Option<TaskEvent> {
    let of_kind = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
    match of_kind {
        kind::FORK | kind::EXIT | kind::RENAME => {
            let raw = read::<RawTask>(bytes)?;
            Some(TaskEvent { at: MonotonicTime::from_nanos(raw.at_ns), change: task(&raw) })
        }
        kind::EXEC => {
            let raw = read::<ExecEvent>(bytes)?;
            Some(TaskEvent { at: MonotonicTime::from_nanos(raw.task.at_ns), change: exec(&raw) })
        }
        kind::CGROUP_CREATED | kind::CGROUP_ATTACHED => {
            let raw = read::<CgroupEvent>(bytes)?;
            let path = text(raw.path.get(..raw.path_len as usize)?);
            let change = if of_kind == kind::CGROUP_CREATED {
                TaskChange::CgroupCreated { id: raw.id, path }
            } else {
                TaskChange::CgroupAttached { tgid: raw.tid, path }
            };
            Some(TaskEvent { at: MonotonicTime::from_nanos(raw.at_ns), change })
        }
        _ => None,
    }
}

/// A record of the ABI: integers and bytes only, without padding.
trait Record: Copy {}
impl Record for RawTask {}
impl Record for ExecEvent {}
impl Record for CgroupEvent {}

fn read<T: Record>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: the length was checked, the read does not need alignment, and every bit pattern is a
    // valid `Record`.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

fn task(raw: &RawTask) -> TaskChange {
    let address = address_part(raw.task);
    let comm = comm(raw.comm);
    match raw.kind {
        kind::FORK => TaskChange::Fork {
            address,
            tid: raw.tid,
            tgid: raw.tgid,
            start: start(raw),
            parent_tgid: raw.other_tgid,
            comm,
        },
        kind::EXIT => TaskChange::Exit {
            address,
            tid: raw.tid,
            tgid: raw.tgid,
            start: start(raw),
            comm,
            uid: raw.uid,
            cgroup: raw.cgroup,
        },
        _ => TaskChange::Rename { address, comm },
    }
}

fn exec(raw: &ExecEvent) -> TaskChange {
    let path = raw.path.get(..raw.path_len as usize).filter(|path| !path.is_empty());
    let args = raw.args.get(..raw.args_len as usize).filter(|args| !args.is_empty());
    TaskChange::Exec {
        address: address_part(raw.task.task),
        tid: raw.task.tid,
        tgid: raw.task.tgid,
        path: path.map(text),
        cmdline: args.map(arguments),
        start: start(&raw.task),
        cpu_time: (raw.cpu_ns != u64::MAX).then(|| Nanoseconds::new(raw.cpu_ns)),
        comm: comm(raw.task.comm),
        uid: raw.task.uid,
        cgroup: raw.task.cgroup,
    }
}

fn start(raw: &RawTask) -> Option<MonotonicTime> {
    (raw.start_ns != 0).then(|| MonotonicTime::from_nanos(raw.start_ns))
}

fn comm(bytes: [u8; 16]) -> String {
    text(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Arguments that each end with a 0 byte, joined by spaces.
fn arguments(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let words: Vec<_> =
        bytes[..end].split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_unknown_records_are_none() {
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&kind::FORK.to_ne_bytes()), None);
        assert_eq!(decode(&[0xff; 1000]), None);
    }

    #[test]
    fn arguments_are_joined_by_spaces() {
        assert_eq!(arguments(b"sh\0-c\0echo hi\0\0"), "sh -c echo hi");
        assert_eq!(arguments(b"\0\0"), "");
    }

    #[test]
    fn a_length_beyond_the_record_is_refused() {
        let mut bytes = vec![0; size_of::<CgroupEvent>()];
        bytes[..4].copy_from_slice(&kind::CGROUP_CREATED.to_ne_bytes());
        bytes[24..28].copy_from_slice(&4096u32.to_ne_bytes());
        assert_eq!(decode(&bytes), None);
    }
}
