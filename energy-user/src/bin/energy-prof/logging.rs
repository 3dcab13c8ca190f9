//! What the `log` crate's messages become: nothing, unless `-v` asks for them on stderr.

use log::{LevelFilter, Log, Metadata, Record};

use crate::terminal;

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let (level, target) = (record.level(), record.target());
            terminal::say(&format!("[{level}] {target}: {}\n", record.args()));
        }
    }

    fn flush(&self) {}
}

/// 0 is quiet, 1 shows warnings of the kernel side, 2 and more show how things are done.
pub(crate) fn start(verbosity: u8) {
    let level = match verbosity {
        0 => return,
        1 => LevelFilter::Warn,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    // Nobody else installs a logger.
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(level);
    }
}
