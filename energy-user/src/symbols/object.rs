//! A program or library that code of a stack is in.

use std::path::PathBuf;

/// What the kernel calls the object it maps into every process for calls such as `clock_gettime`.
pub const VDSO: &str = "[vdso]";

/// A program or library, as somebody had it mapped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserObject {
    /// Where the file can be opened now: `/proc/self/fd/12`, `/proc/PID/root/usr/bin/x`. Not used
    /// where `shown` is [`VDSO`].
    pub open_at: PathBuf,
    /// The path as the process knew it, which frames carry. [`VDSO`] stands for the 64-bit vDSO of
    /// the running kernel.
    pub shown: String,
    /// Its build id in hexadecimal, where known; else it is read from the file.
    pub build_id: Option<String>,
}
