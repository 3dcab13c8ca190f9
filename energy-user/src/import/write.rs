//! From a log to the trace: its rows become windows, and its figures rows of `energy`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::format::{AboutLog, FormatChoice, recognise};
use super::log::{Log, LogRow, LogSource};
use super::text::LogText;
use super::{ImportError, ImportOptions, LogError};
use crate::model::{Domain, DomainId, EnergySample, Losses, Window};
use crate::trace::{
    Batch, Clock, ImportedLog, Session, SessionState, SourceInfo, TraceSize, TraceWriter,
};
use crate::units::{MonotonicTime, Nanoseconds, WallTime};

/// The most that all rows may come to in microjoules, so that no sum of them overflows anywhere.
const MOST_UJ: u128 = 1 << 62;

/// Rows of `energy` and `windows` handed to the trace at once.
const ROWS_AT_ONCE: usize = 1 << 16;

/// What became of a log.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The tool whose log it is.
    pub tool: &'static str,
    /// The session as the trace has it.
    pub session: Session,
    /// The trace's size.
    pub size: TraceSize,
}

/// Reads a log and writes it as a trace.
pub fn import(options: &ImportOptions) -> Result<Imported, ImportError> {
    let path = &options.log;
    let (bytes, written) = read(path)?;
    let text = LogText::decode(&bytes);
    if text.is_empty() {
        return Err(ImportError::Empty { path: path.clone() });
    }
    let format = match options.format.map(FormatChoice::format) {
        Some(format) => format,
        None => recognise(&text)
            .map_err(|tried| ImportError::Unrecognised { path: path.clone(), tried })?,
    };
    let about = AboutLog { missing: &options.missing, written };
    let unusable = |why| ImportError::Log { path: path.clone(), tool: format.tool(), why };
    let log = format.read(&text, &about).map_err(unusable)?;
    check_sum(&log).map_err(unusable)?;
    let origin = ImportedLog {
        format: format.name().to_owned(),
        tool: format.tool().to_owned(),
        file: path.display().to_string(),
    };
    let session = session_of(&log, origin);
    let mut writer =
        TraceWriter::create(&options.output, options.existing, options.owner, &session)?;
    for (rows, first) in log.rows.chunks(ROWS_AT_ONCE).zip((0..).step_by(ROWS_AT_ONCE)) {
        writer.append(batch(&log, rows, first));
        writer.seal()?;
    }
    let complete = Session { state: SessionState::Complete, ..session };
    let size = writer.finish(&complete)?;
    Ok(Imported { tool: format.tool(), session: complete, size })
}

/// The log's bytes, and when its file was last written.
fn read(path: &Path) -> Result<(Vec<u8>, Option<WallTime>), ImportError> {
    let refused = |error: io::Error| ImportError::Read {
        path: path.to_owned(),
        kind: error.kind(),
        why: match error.kind() {
            io::ErrorKind::NotFound => "no such file".to_owned(),
            kind @ (io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory) => {
                kind.to_string()
            }
            _ => error.to_string(),
        },
    };
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().read_to_end(&mut bytes).map_err(refused)?;
        return Ok((bytes, None));
    }
    let mut file = File::open(path).map_err(refused)?;
    file.read_to_end(&mut bytes).map_err(refused)?;
    let written = fs::metadata(path).and_then(|about| about.modified()).ok();
    let written = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let written = written.and_then(|at| i64::try_from(at.as_nanos()).ok());
    Ok((bytes, written.map(WallTime::from_epoch_nanos)))
}

/// Refuses what would overflow the sums of those who read the trace.
fn check_sum(log: &Log) -> Result<(), LogError> {
    let energy = log.rows.iter().flat_map(|row| &row.energy);
    let sum: u128 = energy.filter_map(|energy| energy.energy).map(|e| u128::from(e.get())).sum();
    let last = log.rows.last().map(|row| row.to).unwrap_or_default();
    // Instants are signed in the trace.
    if i64::try_from(last.get()).is_err() {
        return Err(LogError::TooLong);
    }
    if sum > MOST_UJ { Err(LogError::TooMuch) } else { Ok(()) }
}

fn session_of(log: &Log, origin: ImportedLog) -> Session {
    let all = || log.rows.iter().flat_map(|row| &row.energy);
    let mut domains: BTreeMap<&str, (LogSource, Vec<DomainId>)> = BTreeMap::new();
    for energy in all() {
        let (source, of) = domains.entry(energy.source.name).or_insert((energy.source, Vec::new()));
        source.provenance = source.provenance.and(energy.source.provenance);
        if !of.contains(&energy.domain) {
            of.push(energy.domain);
        }
    }
    let mut notes = (!log.notes.is_empty()).then(|| log.notes.join("; "));
    let sources = domains.into_values().map(|(source, domains)| SourceInfo {
        name: source.name.to_owned(),
        provenance: source.provenance,
        domains,
        idle: Vec::new(),
        note: notes.take(),
    });
    // The tools tell of cards of their own, which no package holds.
    let cards = all().map(|energy| energy.domain).filter(|id| id.domain == Domain::Gpu);
    let cards: BTreeSet<DomainId> = cards.collect();
    let gaps = all().filter(|energy| energy.energy.is_none()).count();
    Session {
        sources: sources.collect(),
        host: log.host.clone(),
        clock: Clock { monotonic_start_ns: 0, utc_start_ns: log.start.epoch_nanos() },
        window_ns: usual_length(&log.rows).get(),
        losses: Losses { energy_gaps: gaps as u64, ..Losses::default() },
        ended: Some(format!("imported from a log of {}", origin.tool)),
        discrete_cards: cards.into_iter().collect(),
        imported: Some(origin),
        ..Session::default()
    }
}

/// The median length of a row.
fn usual_length(rows: &[LogRow]) -> Nanoseconds {
    let mut lengths: Vec<Nanoseconds> = rows.iter().map(LogRow::length).collect();
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or_default()
}

fn batch(log: &Log, rows: &[LogRow], first: usize) -> Batch {
    let mut batch = Batch::default();
    for (row, index) in rows.iter().zip(first..) {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let since_start = i64::try_from(row.from.get()).unwrap_or(i64::MAX);
        batch.windows.push(Window {
            index,
            start: MonotonicTime::default() + row.from,
            end: MonotonicTime::default() + row.to,
            start_utc: WallTime::from_epoch_nanos(
                log.start.epoch_nanos().saturating_add(since_start),
            ),
            lost_switches: 0,
            lost_events: 0,
        });
        batch.energy.extend(row.energy.iter().map(|logged| EnergySample {
            window: index,
            domain: logged.domain,
            source: logged.source.name.into(),
            provenance: logged.source.provenance,
            energy: logged.energy,
            error: logged.error,
            flags: logged.flags,
            busy: None,
        }));
    }
    batch
}
