//! What threads and programs are called.

use crate::model::ThreadInfo;

/// What a thread is called: kernel threads in brackets, as `ps` writes them.
pub(super) fn of_thread(info: &ThreadInfo) -> String {
    match info.comm.as_str() {
        "" => "[unnamed]".to_owned(),
        comm if info.is_kernel() => format!("[{comm}]"),
        comm => comm.to_owned(),
    }
}

/// What a process is called: its command line, or else its program, or else its thread's name.
pub(super) fn of_process(leader: &ThreadInfo) -> String {
    let command = leader.cmdline.as_deref().map(str::trim).filter(|text| !text.is_empty());
    command.or(leader.exe.as_deref()).map_or_else(|| of_thread(leader), ToOwned::to_owned)
}

/// What a program is called: its path, or else its thread's name; the kernel is one program.
pub(super) fn of_program(info: &ThreadInfo) -> &str {
    match &info.exe {
        Some(path) => path,
        None if info.is_kernel() => "[kernel threads]",
        None if info.comm.is_empty() => "[unnamed]",
        None => &info.comm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_called_by_the_best_that_is_known_of_it() {
        let mut info = ThreadInfo { tgid: 7, comm: "cc1".to_owned(), ..ThreadInfo::default() };
        assert_eq!(of_process(&info), "cc1");
        info.exe = Some("/usr/lib/gcc/cc1".to_owned());
        assert_eq!(of_process(&info), "/usr/lib/gcc/cc1");
        info.cmdline = Some("cc1 -O2 a.c".to_owned());
        assert_eq!(of_process(&info), "cc1 -O2 a.c");
        assert_eq!(of_program(&info), "/usr/lib/gcc/cc1");
    }

    #[test]
    fn a_kernel_thread_is_in_brackets() {
        let info = ThreadInfo {
            tgid: 33,
            parent_tgid: Some(2),
            comm: "kworker/0:1".to_owned(),
            ..ThreadInfo::default()
        };
        assert_eq!(of_process(&info), "[kworker/0:1]");
        assert_eq!(of_program(&info), "[kernel threads]");
    }
}
