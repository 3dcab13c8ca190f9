//! What goes to the terminal besides a command's own output: errors, and a line of progress.

use std::io::{IsTerminal, Write};

/// Says what went wrong, in one line. Broken pipes are silent: the reader has had enough.
pub(crate) fn complain(error: &anyhow::Error) {
    let broken = error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if !broken {
        eprintln!("energy-prof: {error:#}");
    }
}

/// Whether `stream` should be coloured.
pub(crate) fn colours(choice: crate::cli::Color, stream: &impl IsTerminal) -> bool {
    match choice {
        crate::cli::Color::Always => true,
        crate::cli::Color::Never => false,
        crate::cli::Color::Auto => {
            // https://no-color.org: any value that is not empty turns colours off.
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            stream.is_terminal() && !refused
        }
    }
}

/// Columns of the terminal on stdout or stderr; 100 where there is none.
pub(crate) fn width() -> usize {
    let columns = [
        rustix::termios::tcgetwinsize(std::io::stdout()),
        rustix::termios::tcgetwinsize(std::io::stderr()),
    ];
    let mut columns = columns.into_iter().flatten().map(|size| usize::from(size.ws_col));
    columns.find(|columns| *columns > 0).unwrap_or(100)
}

/// A user's name by number, from the user database.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok()??;
    Some(user.name)
}

/// Prints to stdout; an error where nobody reads any more.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// One line on stderr that is written over while a recording runs; nothing unless a terminal.
pub(crate) struct StatusLine {
    shown: bool,
    terminal: bool,
}

impl StatusLine {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { shown: false, terminal: !quiet && std::io::stderr().is_terminal() }
    }

    pub(crate) fn show(&mut self, text: &str) {
        if self.terminal {
            eprint!("\r\x1b[2K{text}");
            self.shown = true;
        }
    }

    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprint!("\r\x1b[2K");
        }
    }
}
