//! blazesym kept at a distance: asked on a thread of its own, with a time limit, its panics caught.
//!
//! It reads files of strangers, and DWARF is a language of programs and references: a library that
//! reads it may fail in any way. Whatever it does, the one who asked goes on. Two things cannot be held
//! off here: a file that is shortened in place while it is mapped (`SIGBUS`), and functions said to be
//! inlined into each other deeper than the thread's stack.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{self, CodeInfo, Input, Sym, Symbolized};
use thiserror::Error;

use super::contain::contained;
use super::demangle::{Demangler, one_line};

/// The thread's name.
const THREAD: &str = "symbols";
/// Enough for functions inlined into each other some 100,000 deep; only what is used is taken.
const STACK_BYTES: usize = 256 << 20;
/// How many objects are kept open before all are closed. Each takes a file descriptor or more.
const MOST_OBJECTS: usize = 64;

/// Why an object was given up.
#[derive(Debug, Error)]
pub(super) enum LibraryError {
    #[error("{0}")]
    Refused(String),
    #[error("its contents make no sense")]
    Panicked,
    #[error("it was not read within {} s", .0.as_secs())]
    TooLong(Duration),
    #[error("cannot start a thread to read it: {0}")]
    NoThread(#[from] std::io::Error),
}

/// What an object is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// DWARF where there is some, in the object or its debug file, and symbols.
    DebugInformation,
    /// Symbol tables only.
    Symbols,
}

/// A source line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) file: String,
    pub(super) line: Option<u32>,
}

/// What is known about an address. Names are demangled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) function: String,
    /// The function's virtual address and the one asked for.
    pub(super) addresses: (u64, u64),
    /// Whether the object says where the function ends.
    pub(super) bounded: bool,
    pub(super) line: Option<Line>,
    /// Functions inlined into it, from the outermost to the innermost.
    pub(super) inlined: Vec<(String, Option<Line>)>,
}

/// For each address what is known about it.
pub(super) type Places = Vec<Option<Place>>;

/// The library on its thread.
#[derive(Debug)]
pub(super) struct Library {
    debug_dirs: Vec<PathBuf>,
    limit: Duration,
    jobs: Option<Sender<Job>>,
}

#[derive(Debug)]
struct Job {
    path: PathBuf,
    addresses: Vec<u64>,
    read: Read,
    answer: Sender<Result<Places, LibraryError>>,
}

impl Library {
    /// `debug_dirs` are searched for separate debug information; no object may take longer than
    /// `limit`.
    pub(super) fn new(debug_dirs: Vec<PathBuf>, limit: Duration) -> Self {
        Self { debug_dirs, limit, jobs: None }
    }

    /// What the object at a path knows about each of these virtual addresses.
    pub(super) fn ask(
        &mut self,
        path: &Path,
        addresses: &[u64],
        read: Read,
    ) -> Result<Places, LibraryError> {
        let (answer, answered) = mpsc::channel();
        let job = Job { path: path.to_owned(), addresses: addresses.to_owned(), read, answer };
        // Without a receiver the answer below is `Disconnected`.
        self.jobs()?.send(job).ok();
        match answered.recv_timeout(self.limit) {
            Ok(places) => places,
            Err(why) => {
                // The thread is lost; the next question starts another.
                self.jobs = None;
                Err(match why {
                    RecvTimeoutError::Timeout => LibraryError::TooLong(self.limit),
                    RecvTimeoutError::Disconnected => LibraryError::Panicked,
                })
            }
        }
    }

    fn jobs(&mut self) -> Result<&Sender<Job>, LibraryError> {
        if self.jobs.is_none() {
            let (jobs, receiver) = mpsc::channel();
            let debug_dirs = self.debug_dirs.clone();
            thread::Builder::new()
                .name(THREAD.to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || serve(&receiver, &debug_dirs))?;
            self.jobs = Some(jobs);
        }
        Ok(self.jobs.as_ref().expect("set just now"))
    }
}

fn serve(jobs: &Receiver<Job>, debug_dirs: &[PathBuf]) {
    let new = || {
        symbolize::Symbolizer::builder()
            .set_debug_dirs(Some(debug_dirs))
            .enable_demangling(false)
            .build()
    };
    let mut library = new();
    let mut demangler = Demangler::default();
    let mut open = HashSet::new();
    for job in jobs {
        if open.len() >= MOST_OBJECTS && !open.contains(&job.path) {
            open.clear();
            library = new();
        }
        // The library is replaced after a panic, so that nothing half-changed is seen. The thread
        // would contain it as well, but not be there for the next object.
        let answer = contained(|| look_up(&library, &mut demangler, &job)).unwrap_or_else(|| {
            library = new();
            Err(LibraryError::Panicked)
        });
        open.insert(job.path);
        // Whoever asked may have given up.
        job.answer.send(answer).ok();
    }
}

fn look_up(
    library: &symbolize::Symbolizer,
    demangler: &mut Demangler,
    job: &Job,
) -> Result<Places, LibraryError> {
    let mut elf = Elf::new(&job.path);
    elf.debug_syms = job.read == Read::DebugInformation;
    let found = library
        .symbolize(&Source::Elf(elf), Input::VirtOffset(&job.addresses))
        .map_err(|error| LibraryError::Refused(format!("{error:#}")))?;
    Ok(found.into_iter().map(|found| place(found, demangler)).collect())
}

fn place(found: Symbolized<'_>, demangler: &mut Demangler) -> Option<Place> {
    let Symbolized::Sym(Sym { name, addr, offset, size, code_info, inlined, .. }) = found else {
        return None;
    };
    let address = addr.wrapping_add(u64::try_from(offset).ok()?);
    (!name.is_empty()).then(|| Place {
        function: demangler.name(&name),
        addresses: (addr, address),
        bounded: size.is_some(),
        line: code_info.as_deref().map(line),
        inlined: inlined
            .into_vec()
            .into_iter()
            .map(|inlined| (demangler.name(&inlined.name), inlined.code_info.as_ref().map(line)))
            .collect(),
    })
}

fn line(code: &CodeInfo<'_>) -> Line {
    Line {
        file: one_line(&code.to_path().to_string_lossy()),
        // DWARF's line 0 is code of no line.
        line: code.line.filter(|line| *line != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_given_up_and_the_next_is_served() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let own = std::env::current_exe().unwrap();
        let mut library = Library::new(Vec::new(), Duration::from_millis(50));
        // Opening a pipe waits for a writer, who never comes.
        let error = library.ask(&pipe, &[0x1000], Read::Symbols).unwrap_err();
        assert!(matches!(error, LibraryError::TooLong(_)), "{error}");
        library.limit = Duration::from_mins(10);
        assert!(library.ask(&own, &[0x1000], Read::Symbols).is_ok());
    }

    #[test]
    fn a_panic_of_the_library_stays_there() {
        assert_eq!(contained(|| 7), Some(7));
        assert_eq!(contained(|| -> u32 { panic!("what it read made no sense") }), None);
    }

    #[test]
    fn a_missing_object_is_refused_with_the_reason() {
        let mut library = Library::new(Vec::new(), Duration::from_mins(10));
        let error = library.ask(Path::new("/nowhere/x"), &[1], Read::Symbols).unwrap_err();
        assert!(matches!(error, LibraryError::Refused(_)), "{error}");
    }
}
