//! Recording a trace: rows are buffered, sealed every second, and merged at the end.

use std::path::Path;

use super::compact::compact;
use super::directory::{Directory, Owner};
use super::file::{PARTS, table_name};
use super::place::{Existing, SESSION, claim};
use super::seal::{Seal, Unsealed};
use super::session::{Session, SessionState};
use super::tables::{
    Counts, Energy, Gpu, ResidencyTable, Samples, Stacks, Table, Threads, Windows,
};
use super::{SCHEMA_VERSION, TraceError};
use crate::model::{
    Counted, EnergySample, GpuSample, Residency, Stack, StackId, StackSample, ThreadId, ThreadInfo,
    Window,
};

/// Rows of all tables. A window and its rows belong into one batch, so that they are sealed together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Rows of `windows`.
    pub windows: Vec<Window>,
    /// Rows of `energy`.
    pub energy: Vec<EnergySample>,
    /// Rows of `gpu`.
    pub gpu: Vec<GpuSample>,
    /// Rows of `residency`.
    pub residency: Vec<Residency>,
    /// Rows of `counts`.
    pub counts: Vec<Counted>,
    /// Rows of `threads`; a later row of the same thread replaces an earlier one.
    pub threads: Vec<(ThreadId, ThreadInfo)>,
    /// Rows of `samples`.
    pub samples: Vec<StackSample>,
    /// Rows of `stacks`; a later row of the same stack replaces an earlier one. They belong to no
    /// window and may come in any batch.
    pub stacks: Vec<(StackId, Stack)>,
}

/// How large a finished trace is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceSize {
    /// All its files together.
    pub bytes: u64,
    /// Rows of `windows`.
    pub windows: u64,
    /// Rows of `energy`.
    pub energy: u64,
    /// Rows of `gpu`; none where no card tells who uses it.
    pub gpu: u64,
    /// Rows of `residency`.
    pub residency: u64,
    /// Rows of `counts`; none where nothing was counted.
    pub counts: u64,
    /// Rows of `threads`, one for each thread.
    pub threads: u64,
    /// Rows of `samples`; none where no stacks were recorded.
    pub samples: u64,
    /// Rows of `stacks`, one for each stack.
    pub stacks: u64,
}

/// A trace being recorded, by whichever thread holds it. Dropped unfinished, it stays readable up to the last seal.
pub struct TraceWriter {
    directory: Directory,
    parts: Directory,
    next_part: u32,
    threads: Unsealed<Threads>,
    stacks: Unsealed<Stacks>,
    samples: Unsealed<Samples>,
    residency: Unsealed<ResidencyTable>,
    counts: Unsealed<Counts>,
    energy: Unsealed<Energy>,
    gpu: Unsealed<Gpu>,
    windows: Unsealed<Windows>,
}

impl TraceWriter {
    /// Begins a trace in `dir`, which is made unless it is an empty directory, and writes `session`.
    /// Its files are given to `owner`, which only root can do. Fails where `dir` is something else
    /// than a trace or is being recorded now.
    pub fn create(
        dir: &Path,
        existing: Existing,
        owner: Option<Owner>,
        session: &Session,
    ) -> Result<Self, TraceError> {
        let directory = claim(dir, existing, owner)?;
        write_session(&directory, session)?;
        let parts = directory.create_directory(PARTS)?;
        directory.sync()?;
        Ok(Self {
            directory,
            parts,
            next_part: 1,
            threads: Unsealed::new(),
            stacks: Unsealed::new(),
            samples: Unsealed::new(),
            residency: Unsealed::new(),
            counts: Unsealed::new(),
            energy: Unsealed::new(),
            gpu: Unsealed::new(),
            windows: Unsealed::new(),
        })
    }

    /// Takes rows into memory.
    pub fn append(&mut self, batch: Batch) {
        self.threads.append(batch.threads);
        self.stacks.append(batch.stacks);
        self.samples.append(batch.samples);
        self.residency.append(batch.residency);
        self.counts.append(batch.counts);
        self.energy.append(batch.energy);
        self.gpu.append(batch.gpu);
        self.windows.append(batch.windows);
    }

    /// Puts the rows taken so far on the disk, one part file for each table that has any.
    ///
    /// When this returns `Ok`, they survive `kill -9` and a power cut; so with a seal a second at
    /// most the last second is lost. It waits for the disk (milliseconds, or longer on a busy one), so
    /// whoever has to read counters on time calls it from another thread. After an error the rows wait for the next call, what was sealed
    /// before stays readable, and nothing is stored twice.
    pub fn seal(&mut self) -> Result<(), TraceError> {
        // Windows come last: whoever finds a window finds its rows.
        let mut tables: [&mut dyn Seal; 8] = [
            &mut self.threads,
            &mut self.stacks,
            &mut self.samples,
            &mut self.residency,
            &mut self.counts,
            &mut self.energy,
            &mut self.gpu,
            &mut self.windows,
        ];
        if tables.iter().all(|table| table.is_empty()) {
            return Ok(());
        }
        // A number is used once, even where only some tables got as far as their part.
        let sequence = self.next_part;
        self.next_part += 1;
        let sealed = seal_all(&mut tables, &self.parts, sequence);
        if sealed.is_err() {
            for table in tables {
                table.discard(&self.parts, sequence);
            }
        }
        sealed
    }

    /// Removes the trace, of which nothing was sealed: there is nothing to read in it, and the next
    /// recording would keep it as `.old` in place of one that is worth keeping.
    pub fn abandon(self) {
        // The reason for giving up matters more than an empty trace that could not be removed.
        let removed = self
            .directory
            .remove_directory(PARTS)
            .and_then(|()| self.directory.remove_file(SESSION));
        if removed.is_ok() {
            let _ = std::fs::remove_dir(self.directory.path());
        }
    }

    /// Seals the last rows, writes the final `session`, and merges the parts into one file per table.
    ///
    /// If the last rows cannot be sealed, the trace is marked as failed with that reason. If only the
    /// merging fails, the trace is whole, and readable from its parts.
    pub fn finish(mut self, session: &Session) -> Result<TraceSize, TraceError> {
        if let Err(error) = self.seal() {
            let failed = Session {
                state: SessionState::Failed,
                ended: Some(error.to_string()),
                ..session.clone()
            };
            // Where even this cannot be written, the trace reads as cut off, which is as true.
            let _ = write_session(&self.directory, &failed);
            return Err(error);
        }
        write_session(&self.directory, session)?;
        let (directory, parts) = (&self.directory, &self.parts);
        let mut size = TraceSize {
            bytes: 0,
            windows: compact::<Windows>(directory, parts, self.windows.parts())?,
            energy: compact::<Energy>(directory, parts, self.energy.parts())?,
            gpu: compact::<Gpu>(directory, parts, self.gpu.parts())?,
            residency: compact::<ResidencyTable>(directory, parts, self.residency.parts())?,
            counts: compact::<Counts>(directory, parts, self.counts.parts())?,
            threads: compact::<Threads>(directory, parts, self.threads.parts())?,
            samples: compact::<Samples>(directory, parts, self.samples.parts())?,
            stacks: compact::<Stacks>(directory, parts, self.stacks.parts())?,
        };
        directory.remove_directory(PARTS)?;
        directory.sync()?;
        let always = [Windows::NAME, Energy::NAME, ResidencyTable::NAME, Threads::NAME];
        let optional = [
            (self.gpu.parts().is_empty(), Gpu::NAME),
            (self.counts.parts().is_empty(), Counts::NAME),
            (self.samples.parts().is_empty(), Samples::NAME),
            (self.stacks.parts().is_empty(), Stacks::NAME),
        ];
        let there = optional.into_iter().filter(|(empty, _)| !empty).map(|(_, name)| name);
        for table in always.into_iter().chain(there) {
            size.bytes += directory.file_size(&table_name(table))?;
        }
        size.bytes += directory.file_size(SESSION)?;
        Ok(size)
    }
}

/// As few waits for the disk as are safe. Once the files' contents are synced, each rename shows a
/// whole part or none; one sync of the directory then makes all renames last. All files are written
/// before the first is synced, so that a journalling file system commits them together and the
/// later syncs find little left to do.
fn seal_all(
    tables: &mut [&mut dyn Seal],
    parts: &Directory,
    sequence: u32,
) -> Result<(), TraceError> {
    for table in &mut *tables {
        table.stage(parts, sequence)?;
    }
    for table in &*tables {
        table.sync(parts, sequence)?;
    }
    for table in &mut *tables {
        table.publish(parts, sequence)?;
    }
    parts.sync()
}

fn write_session(directory: &Directory, session: &Session) -> Result<(), TraceError> {
    let session = Session { schema_version: SCHEMA_VERSION, ..session.clone() };
    let mut json = serde_json::to_vec_pretty(&session).expect("a session has only JSON's types");
    json.push(b'\n');
    directory.replace_file(SESSION, &json)
}
