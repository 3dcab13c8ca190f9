//! What goes to the terminal besides a command's own output: errors, and a line of progress.

use std::io::{IsTerminal, Write};

use anyhow::Context;

/// Says something on stderr. Where nobody listens any more, because the terminal or the pipe is
/// gone, a recording has more important things to do than to fail for it.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Says what went wrong, in one line. Broken pipes are silent: the reader has had enough.
pub(crate) fn complain(error: &anyhow::Error) {
    let broken = error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if !broken {
        say(&format!("energy-prof: {}\n", in_one_line(error)));
    }
}

/// An error and its causes, without those that it quotes itself.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
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

/// Prints to stdout; an error where that is full or nobody reads any more.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to stdout; is the disk it goes to full?")
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
            say(&format!("\r\x1b[2K{text}"));
            self.shown = true;
        }
    }

    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            say("\r\x1b[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let quoting =
            anyhow!("no such file").context("cannot read x: no such file; check the path");
        assert_eq!(in_one_line(&quoting), "cannot read x: no such file; check the path");
        let silent = anyhow!("no such file").context("cannot make the directory x");
        assert_eq!(in_one_line(&silent), "cannot make the directory x: no such file");
    }
}
