//! A trace of seconds whose rows are known, and files beside it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow_array::{ArrayRef, RecordBatch};
use energy_prof::model::{
    CounterFlags, Domain, DomainId, EnergySample, Provenance, Residency, ThreadId, ThreadInfo,
    Window,
};
use energy_prof::trace::{
    Batch, Existing, Session, SessionState, TraceReader, TraceSize, TraceWriter,
};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

pub(crate) const WINDOW_NS: u64 = 100_000_000;

pub(crate) fn window(index: u32) -> Window {
    let start = MonotonicTime::from_nanos(5_000_000_000 + u64::from(index) * WINDOW_NS);
    Window {
        index,
        start,
        end: start + Nanoseconds::new(WINDOW_NS),
        start_utc: WallTime::from_epoch_nanos(
            1_763_881_200_000_000_000 + i64::from(index) * 100_000_000,
        ),
        lost_switches: 0,
        lost_events: 0,
    }
}

pub(crate) fn energy(index: u32) -> EnergySample {
    EnergySample {
        window: index,
        domain: DomainId::of_socket(Domain::Package, 0),
        source: "rapl-powercap".into(),
        provenance: Provenance::Measured,
        energy: Some(Microjoules::new(1_000_000 + u64::from(index) * 61)),
        error: Some(Microjoules::new(61)),
        flags: CounterFlags::NONE,
        busy: None,
    }
}

/// Thread 2 for 30 ms of the window, and idle for the rest.
pub(crate) fn residency(index: u32) -> Vec<Residency> {
    let row = |thread, oncpu, switches| Residency {
        window: index,
        thread,
        cpu: 0,
        oncpu: Nanoseconds::new(oncpu),
        switches,
    };
    vec![row(ThreadId::FIRST, 30_000_000, 3), row(ThreadId::IDLE, 70_000_000, 3)]
}

pub(crate) fn thread(comm: &str) -> ThreadInfo {
    ThreadInfo { tgid: 4321, tid: 4321, comm: comm.to_owned(), ..ThreadInfo::default() }
}

/// A second of ten windows, in which thread 2 changes its name.
pub(crate) fn second(number: u32) -> Batch {
    let windows = number * 10..number * 10 + 10;
    Batch {
        windows: windows.clone().map(window).collect(),
        energy: windows.clone().map(energy).collect(),
        residency: windows.flat_map(residency).collect(),
        threads: vec![(ThreadId::FIRST, thread(&format!("name-{number}")))],
        ..Batch::default()
    }
}

/// A recording of `seconds` sealed seconds that was cut off.
pub(crate) fn cut_off(dir: &Path, seconds: u32) {
    let mut writer =
        TraceWriter::create(dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    for number in 0..seconds {
        writer.append(second(number));
        writer.seal().unwrap();
    }
}

pub(crate) fn finished(dir: &Path, batches: Vec<Batch>) -> TraceSize {
    let mut writer =
        TraceWriter::create(dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    for batch in batches {
        writer.append(batch);
        writer.seal().unwrap();
    }
    writer.finish(&ended("duration reached")).unwrap()
}

pub(crate) fn ended(how: &str) -> Session {
    Session {
        state: SessionState::Complete,
        ended: Some(how.to_owned()),
        window_ns: WINDOW_NS,
        ..Session::default()
    }
}

pub(crate) fn all_residency(reader: &TraceReader) -> Vec<Residency> {
    reader.residency().unwrap().flat_map(Result::unwrap).collect()
}

/// That the trace has exactly the first `seconds` seconds.
pub(crate) fn assert_has_seconds(reader: &TraceReader, seconds: u32) {
    let expected: Vec<Batch> = (0..seconds).map(second).collect();
    assert_eq!(
        reader.windows().unwrap(),
        expected.iter().flat_map(|b| b.windows.clone()).collect::<Vec<_>>()
    );
    assert_eq!(
        reader.energy().unwrap(),
        expected.iter().flat_map(|b| b.energy.clone()).collect::<Vec<_>>()
    );
    assert_eq!(
        all_residency(reader),
        expected.iter().flat_map(|b| b.residency.clone()).collect::<Vec<_>>()
    );
}

pub(crate) fn name_of_thread_2(reader: &TraceReader) -> String {
    reader.threads().unwrap()[&ThreadId::FIRST].comm.clone()
}

pub(crate) fn place() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("energy.trace");
    (root, dir)
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn file_names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(crate) fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

pub(crate) fn read_parquet(path: &Path) -> RecordBatch {
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    batches.next().unwrap().unwrap()
}
