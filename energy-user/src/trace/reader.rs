//! Opening a trace, finished or not, and reading its tables as rows.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::Directory;
use super::listing::{Finding, Listing, open};
use super::output::TableOutput;
use super::pieces::{Piece, parts_of, rows_of_pieces};
use super::place::{SESSION, is_being_recorded};
use super::read_ahead::ReadAhead;
use super::session::{Session, SessionState};
use super::tables::{
    Attributed, Counts, Energy, Gpu, ResidencyTable, Samples, Stacks, Table, Threads, Windows,
};
use super::window_set::WindowSet;
use super::{SCHEMA_VERSION, TraceError};
use crate::model::{
    AttributedSample, Counted, EnergySample, GpuSample, Residency, Stack, StackId, StackSample,
    ThreadId, ThreadInfo, Window,
};

/// Rows of `attributed` encoded at once.
const CHUNK_ROWS: usize = 1 << 16;

/// Some rows of a table, or why there are no more.
pub(super) type Rows<T> = Result<Vec<<T as Table>::Row>, TraceError>;

/// A trace, open for reading.
///
/// A row of a window that was not sealed is left out of an unfinished trace: without the window's
/// edges its numbers mean nothing.
#[derive(Debug)]
pub struct TraceReader {
    path: PathBuf,
    session: Session,
    ending: Ending,
    findings: Vec<Finding>,
    windows: Vec<PathBuf>,
    energy: Vec<PathBuf>,
    gpu: Vec<PathBuf>,
    residency: Vec<PathBuf>,
    counts: Vec<PathBuf>,
    threads: Vec<PathBuf>,
    samples: Vec<PathBuf>,
    stacks: Vec<PathBuf>,
    attributed: Option<PathBuf>,
    /// Those that an unfinished or damaged trace has; a whole one has all.
    sealed: Option<Arc<WindowSet>>,
}

/// How a recording ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should; in words, where known.
    Complete(Option<String>),
    /// By an error of the recorder's; in words, where known.
    Failed(Option<String>),
    /// It has not: a recorder is writing it now.
    StillRecording {
        /// How many windows were sealed when it was opened.
        windows: u64,
    },
    /// Without a word: the recorder was killed, or the machine stopped.
    CutOff {
        /// How many windows were sealed before.
        windows: u64,
    },
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete(None) => write!(f, "complete"),
            Self::Complete(Some(how)) => write!(f, "complete: {how}"),
            Self::Failed(None) => write!(f, "the recorder failed"),
            Self::Failed(Some(why)) => write!(f, "the recorder failed: {why}"),
            Self::StillRecording { windows } => {
                write!(f, "still being recorded, {windows} windows so far")
            }
            Self::CutOff { windows } => {
                write!(f, "recording was cut off after {windows} windows; what came later is lost")
            }
        }
    }
}

impl TraceReader {
    /// Opens the trace in `dir`. An unfinished one is checked whole, and what cannot be read of it
    /// is left out and told in [`Self::findings`].
    ///
    /// Fails where `dir` is no trace, is of a newer schema, or has a merged table that is missing,
    /// damaged, or not ours.
    pub fn open(dir: &Path) -> Result<Self, TraceError> {
        let metadata = fs::metadata(dir).map_err(|error| TraceError::read(dir, &error))?;
        if !metadata.is_dir() {
            return Err(not_a_directory(dir));
        }
        let listing = Listing::of(dir)?;
        let mut findings = Vec::new();
        let session = match load_session(dir)? {
            Ok(session) => session,
            Err(why) if listing.is_empty() => {
                let why = format!("{why}; give the directory that `energy-prof record` wrote");
                return Err(TraceError::NotATrace { path: dir.to_owned(), why });
            }
            Err(why) => {
                let what = format!("{why}; the machine and the target are unknown");
                findings.push(Finding { file: dir.join(SESSION), what });
                Session::unknown()
            }
        };
        let finished = session.state != SessionState::Recording;
        let windows = listing.files::<Windows>(finished, &mut findings)?;
        let energy = listing.files::<Energy>(finished, &mut findings)?;
        let gpu = listing.files::<Gpu>(finished, &mut findings)?;
        let residency = listing.files::<ResidencyTable>(finished, &mut findings)?;
        let counts = listing.files::<Counts>(finished, &mut findings)?;
        let threads = listing.files::<Threads>(finished, &mut findings)?;
        let samples = listing.files::<Samples>(finished, &mut findings)?;
        let stacks = listing.files::<Stacks>(finished, &mut findings)?;
        let attributed = listing.merged_file::<Attributed>();

        let mut sealed = None;
        if !finished || !findings.is_empty() {
            let mut set = WindowSet::default();
            for rows in rows_of::<Windows>(windows.clone(), None) {
                set.extend(rows?.iter().map(|row| row.index));
            }
            sealed = Some(Arc::new(set));
        }
        let ending = ending(dir, &session, sealed.as_ref().map_or(0, |sealed| sealed.len()));
        let path = dir.to_owned();
        Ok(Self {
            path,
            session,
            ending,
            findings,
            windows,
            energy,
            gpu,
            residency,
            counts,
            threads,
            samples,
            stacks,
            attributed,
            sealed,
        })
    }

    /// What is known about the recording.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// How the recording ended.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// What is wrong with the trace and was passed over; to be shown with every report.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The windows, in order.
    pub fn windows(&self) -> Result<Vec<Window>, TraceError> {
        gather(rows_of::<Windows>(self.windows.clone(), None))
    }

    /// The energy of every window, domain and source, in the order of the windows.
    pub fn energy(&self) -> Result<Vec<EnergySample>, TraceError> {
        gather(rows_of::<Energy>(self.energy.clone(), self.sealed.clone()))
    }

    /// Who used graphics cards, in the order of the windows; nothing where no card tells.
    pub fn gpu(&self) -> Result<Vec<GpuSample>, TraceError> {
        gather(rows_of::<Gpu>(self.gpu.clone(), self.sealed.clone()))
    }

    /// Who each thread was, as last known.
    pub fn threads(&self) -> Result<BTreeMap<ThreadId, ThreadInfo>, TraceError> {
        let mut threads = BTreeMap::new();
        for rows in rows_of::<Threads>(self.threads.clone(), None) {
            threads.extend(rows?);
        }
        Ok(threads)
    }

    /// Who ran where, in batches, in the order of the windows as recorded. A window's rows may go on
    /// in the next batch. After an error there is nothing more.
    pub fn residency(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<Residency>, TraceError>> + use<>, TraceError> {
        self.ahead::<ResidencyTable>(&self.residency)
    }

    /// Who ran where, in parts that follow each other as [`Self::residency`] does: each can be read by a thread of
    /// its own, which opens its file and decodes in it. A window's rows may go on in the next part.
    pub fn residency_parts(
        &self,
    ) -> Result<
        Vec<impl Iterator<Item = Result<Vec<Residency>, TraceError>> + Send + use<>>,
        TraceError,
    > {
        self.parts::<ResidencyTable>(&self.residency)
    }

    /// What was counted while threads ran, in batches, in the order of the windows as recorded; nothing where
    /// nothing was counted. After an error there is nothing more.
    pub fn counts(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<Counted>, TraceError>> + use<>, TraceError> {
        self.ahead::<Counts>(&self.counts)
    }

    /// Where threads were sampled, in batches, in the order of the windows as recorded; nothing where
    /// the recording has no stacks. After an error there is nothing more.
    pub fn samples(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<StackSample>, TraceError>> + use<>, TraceError>
    {
        self.ahead::<Samples>(&self.samples)
    }

    /// The rows of a large table's files, decoded ahead of who reads them.
    fn ahead<T: Table<Row: Send> + 'static>(
        &self,
        files: &[PathBuf],
    ) -> Result<ReadAhead<Rows<T>>, TraceError> {
        check_first::<T>(files)?;
        let rows = rows_of::<T>(files.to_vec(), self.sealed.clone());
        ReadAhead::of(rows).map_err(|error| TraceError::read(&self.path, &error))
    }

    /// The rows of a large table's files in parts, each decoded by who reads it.
    fn parts<T: Table<Row: Send> + 'static>(
        &self,
        files: &[PathBuf],
    ) -> Result<Vec<impl Iterator<Item = Rows<T>> + Send + use<T>>, TraceError> {
        let parts = parts_of::<T>(files)?.into_iter();
        Ok(parts.map(|pieces| rows_of_pieces(pieces, self.sealed.clone())).collect())
    }

    /// The frames of each stack, as last known; none where the recording has no stacks.
    pub fn stacks(&self) -> Result<BTreeMap<StackId, Stack>, TraceError> {
        let mut stacks = BTreeMap::new();
        for rows in self.stack_batches()? {
            stacks.extend(rows?);
        }
        Ok(stacks)
    }

    /// [`Self::stacks`] in batches, so that they need not all be held; of a stack that comes twice the
    /// last holds. After an error there is nothing more.
    pub fn stack_batches(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<(StackId, Stack)>, TraceError>> + use<>, TraceError>
    {
        check_first::<Stacks>(&self.stacks)?;
        Ok(rows_of::<Stacks>(self.stacks.clone(), None))
    }

    /// The charges that [`Self::write_attributed`] stored, in batches; `None` where it has not.
    pub fn attributed(
        &self,
    ) -> Result<
        Option<impl Iterator<Item = Result<Vec<AttributedSample>, TraceError>> + use<>>,
        TraceError,
    > {
        let Some(path) = &self.attributed else { return Ok(None) };
        check_first::<Attributed>(std::slice::from_ref(path))?;
        Ok(Some(rows_of::<Attributed>(vec![path.clone()], None)))
    }

    /// Stores the table `attributed` in the trace, in place of an older one once all rows are
    /// written; returns how many there are. It belongs to whom the trace belongs.
    /// The first error among `rows` is given back, and an older table is left as it was.
    pub fn write_attributed<E: From<TraceError>>(
        &mut self,
        rows: impl IntoIterator<Item = Result<AttributedSample, E>>,
    ) -> Result<u64, E> {
        let path = &self.path;
        let directory = Directory::open_to_add(path)?;
        let mut output = TableOutput::<Attributed>::create(&directory, None)?;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Result<Vec<_>, E> = rows.by_ref().take(CHUNK_ROWS).collect();
            output.write(&chunk?)?;
        }
        let count = output.commit()?;
        self.attributed = Some(path.join(super::file::table_name(Attributed::NAME)));
        Ok(count)
    }
}

fn ending(dir: &Path, session: &Session, windows: u64) -> Ending {
    match session.state {
        SessionState::Complete => Ending::Complete(session.ended.clone()),
        SessionState::Failed => Ending::Failed(session.ended.clone()),
        SessionState::Recording if is_being_recorded(dir) => Ending::StillRecording { windows },
        SessionState::Recording => Ending::CutOff { windows },
    }
}

/// The rows of `files`, one file after the other, without those of windows outside `sealed`.
/// Ends after an error.
fn rows_of<T: Table>(
    files: Vec<PathBuf>,
    sealed: Option<Arc<WindowSet>>,
) -> impl Iterator<Item = Rows<T>> {
    rows_of_pieces(files.into_iter().map(Piece::<T>::File), sealed)
}

fn gather<R>(
    batches: impl Iterator<Item = Result<Vec<R>, TraceError>>,
) -> Result<Vec<R>, TraceError> {
    let mut all = Vec::new();
    for batch in batches {
        all.append(&mut batch?);
    }
    Ok(all)
}

/// Opens the first file, so that a trace taken away meanwhile is told before the rows begin.
fn check_first<T: Table>(files: &[PathBuf]) -> Result<(), TraceError> {
    files.first().map_or(Ok(()), |path| open::<T>(path).map(|_| ()))
}

/// The session, or in words why it cannot be used.
fn load_session(dir: &Path) -> Result<Result<Session, String>, TraceError> {
    let path = dir.join(SESSION);
    let json = match fs::read(&path) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Err(format!("it has no {SESSION}")));
        }
        Err(error) => return Err(TraceError::read(&path, &error)),
    };
    let value: serde_json::Value = match serde_json::from_slice(&json) {
        Ok(value) => value,
        Err(error) => return Ok(Err(format!("its {SESSION} is damaged ({error})"))),
    };
    // The version is looked at before the rest, which a newer one may have in another shape.
    let version = value.get("schema_version").and_then(serde_json::Value::as_u64).unwrap_or(1);
    if version > u64::from(SCHEMA_VERSION) {
        let writer = value.get("tool").and_then(serde_json::Value::as_str);
        return Err(TraceError::NewerSchema {
            path: dir.to_owned(),
            found: u32::try_from(version).unwrap_or(u32::MAX),
            writer: writer.unwrap_or("a newer energy-prof").to_owned(),
        });
    }
    Ok(serde_json::from_value(value)
        .map_err(|error| format!("its {SESSION} is not one of energy-prof's ({error})")))
}

fn not_a_directory(path: &Path) -> TraceError {
    let mut magic = [0; 4];
    let is_parquet = File::open(path)
        .and_then(|mut file| file.read_exact(&mut magic))
        .is_ok_and(|()| &magic == b"PAR1");
    let trace = path.parent().filter(|parent| parent.join(SESSION).exists());
    let why = match (is_parquet, trace) {
        (_, Some(trace)) => format!("it is a file in one; give the directory {}", trace.display()),
        (true, None) => "it is a single Parquet file; give the directory of a trace".to_owned(),
        (false, None) => "it is not a directory; give the directory of a trace".to_owned(),
    };
    TraceError::NotATrace { path: path.to_owned(), why }
}
