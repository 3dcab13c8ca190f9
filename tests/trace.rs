//! The trace through its public API: what is recorded is read back, whatever happened in between.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap as the tests do")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::{catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use energy_prof::model::{
    AttributedSample, Component, CounterFlags, Domain, DomainId, EnergySample, Provenance,
    Residency, ThreadId, ThreadInfo, Window,
};
use energy_prof::trace::{
    Batch, Ending, Existing, Owner, SCHEMA_VERSION, Session, SessionState, TraceError, TraceReader,
    TraceSize, TraceWriter,
};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::skip::skip;

const WINDOW_NS: u64 = 100_000_000;

fn window(index: u32) -> Window {
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

fn energy(index: u32) -> EnergySample {
    EnergySample {
        window: index,
        domain: DomainId::of_socket(Domain::Package, 0),
        source: "rapl-powercap".to_owned(),
        provenance: Provenance::Measured,
        energy: Some(Microjoules::new(1_000_000 + u64::from(index) * 61)),
        error: Some(Microjoules::new(61)),
        flags: CounterFlags::NONE,
    }
}

/// Thread 2 for 30 ms of the window, and idle for the rest.
fn residency(index: u32) -> Vec<Residency> {
    let row = |thread, oncpu, switches| Residency {
        window: index,
        thread,
        cpu: 0,
        oncpu: Nanoseconds::new(oncpu),
        switches,
    };
    vec![row(ThreadId::FIRST, 30_000_000, 3), row(ThreadId::IDLE, 70_000_000, 3)]
}

fn thread(comm: &str) -> ThreadInfo {
    ThreadInfo { tgid: 4321, tid: 4321, comm: comm.to_owned(), ..ThreadInfo::default() }
}

/// A second of ten windows, in which thread 2 changes its name.
fn second(number: u32) -> Batch {
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
fn cut_off(dir: &Path, seconds: u32) {
    let mut writer =
        TraceWriter::create(dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    for number in 0..seconds {
        writer.append(second(number));
        writer.seal().unwrap();
    }
}

fn finished(dir: &Path, batches: Vec<Batch>) -> TraceSize {
    let mut writer =
        TraceWriter::create(dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    for batch in batches {
        writer.append(batch);
        writer.seal().unwrap();
    }
    writer.finish(&ended("duration reached")).unwrap()
}

fn ended(how: &str) -> Session {
    Session {
        state: SessionState::Complete,
        ended: Some(how.to_owned()),
        window_ns: WINDOW_NS,
        ..Session::default()
    }
}

fn all_residency(reader: &TraceReader) -> Vec<Residency> {
    reader.residency().unwrap().flat_map(Result::unwrap).collect()
}

/// That the trace has exactly the first `seconds` seconds.
fn assert_has_seconds(reader: &TraceReader, seconds: u32) {
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

fn name_of_thread_2(reader: &TraceReader) -> String {
    reader.threads().unwrap()[&ThreadId::FIRST].comm.clone()
}

fn place() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("energy.trace");
    (root, dir)
}

fn copy_tree(from: &Path, to: &Path) {
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

fn file_names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn read_parquet(path: &Path) -> RecordBatch {
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    batches.next().unwrap().unwrap()
}

#[test]
fn a_finished_trace_is_read_back_as_recorded() {
    let (_root, dir) = place();
    let size = finished(&dir, (0..3).map(second).collect());
    assert_eq!((size.windows, size.energy, size.residency, size.threads), (30, 30, 60, 1));
    let names = ["energy", "residency", "threads", "windows"].map(|t| format!("{t}.parquet"));
    let mut expected = names.to_vec();
    expected.push("session.json".to_owned());
    expected.sort();
    assert_eq!(file_names(&dir), expected);
    let bytes: u64 = expected.iter().map(|name| fs::metadata(dir.join(name)).unwrap().len()).sum();
    assert_eq!(size.bytes, bytes);

    let reader = TraceReader::open(&dir).unwrap();
    assert_has_seconds(&reader, 3);
    assert_eq!(name_of_thread_2(&reader), "name-2");
    assert_eq!(*reader.ending(), Ending::Complete(Some("duration reached".to_owned())));
    assert_eq!(reader.session(), &ended("duration reached"));
    assert_eq!(reader.findings(), []);
}

#[test]
fn an_empty_recording_has_every_table_with_no_rows() {
    let (_root, dir) = place();
    let size = finished(&dir, vec![Batch::default()]);
    assert_eq!(size.windows, 0);
    let reader = TraceReader::open(&dir).unwrap();
    assert_has_seconds(&reader, 0);
    assert!(reader.threads().unwrap().is_empty());
}

#[test]
fn a_crash_loses_nothing_that_was_sealed() {
    let (_root, dir) = place();
    for seconds in 0..4 {
        let dir = dir.with_extension(seconds.to_string());
        let mut writer =
            TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
        for number in 0..seconds {
            writer.append(second(number));
            writer.seal().unwrap();
        }
        writer.append(second(seconds));
        // The recorder is gone before the next seal.
        drop(writer);
        let reader = TraceReader::open(&dir).unwrap();
        assert_has_seconds(&reader, seconds);
        let windows = u64::from(seconds) * 10;
        assert_eq!(*reader.ending(), Ending::CutOff { windows });
        let told = format!("recording was cut off after {windows} windows");
        assert!(reader.ending().to_string().contains(&told));
    }
}

#[test]
fn a_trace_can_be_read_while_it_is_recorded() {
    let (_root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    writer.append(second(0));
    writer.seal().unwrap();
    let reader = TraceReader::open(&dir).unwrap();
    assert_eq!(*reader.ending(), Ending::StillRecording { windows: 10 });
    assert_has_seconds(&reader, 1);
}

#[test]
fn a_trace_can_be_sealed_by_another_thread() {
    let (_root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    writer.append(second(0));
    std::thread::spawn(move || writer.seal().unwrap()).join().unwrap();
    assert_has_seconds(&TraceReader::open(&dir).unwrap(), 1);
}

#[test]
fn a_seal_with_no_rows_makes_no_file() {
    let (_root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    writer.seal().unwrap();
    writer.append(Batch { windows: vec![window(0)], ..Batch::default() });
    writer.seal().unwrap();
    assert_eq!(file_names(&dir.join("parts")), ["windows.000001.parquet"]);
}

#[test]
fn a_part_cut_anywhere_loses_only_itself() {
    let (root, dir) = place();
    cut_off(&dir, 3);
    for table in ["windows", "energy", "residency", "threads"] {
        let part = format!("parts/{table}.000003.parquet");
        let whole = fs::read(dir.join(&part)).unwrap();
        for length in (0..whole.len()).step_by(7).chain(whole.len() - 12..whole.len()) {
            let cut = root.path().join("cut");
            copy_tree(&dir, &cut);
            fs::write(cut.join(&part), &whole[..length]).unwrap();
            let reader = TraceReader::open(&cut).unwrap();
            assert_eq!(reader.findings().len(), 1, "{table} cut to {length} bytes");
            assert_eq!(reader.findings()[0].file, cut.join(&part));
            let expect = |lost: &str| if lost == table { 20 } else { 30 };
            assert_eq!(reader.windows().unwrap().len(), expect("windows"));
            // Rows of windows that are lost are meaningless, and left out.
            let energy = expect("windows").min(expect("energy"));
            assert_eq!(reader.energy().unwrap().len(), energy);
            let residency = expect("windows").min(expect("residency"));
            assert_eq!(all_residency(&reader).len(), residency * 2);
            let name = if table == "threads" { "name-1" } else { "name-2" };
            assert_eq!(name_of_thread_2(&reader), name);
            fs::remove_dir_all(&cut).unwrap();
        }
    }
}

#[test]
fn flipped_bits_never_panic() {
    let (_root, dir) = place();
    cut_off(&dir, 2);
    for table in ["windows", "energy", "threads"] {
        let part = dir.join(format!("parts/{table}.000002.parquet"));
        let whole = fs::read(&part).unwrap();
        for position in (0..whole.len()).step_by(5) {
            let mut damaged = whole.clone();
            damaged[position] ^= 1 << (position % 8);
            fs::write(&part, &damaged).unwrap();
            // It reads as something else, or is left out; which of them is not the point.
            if let Ok(reader) = TraceReader::open(&dir) {
                assert!(reader.windows().unwrap().len() >= 10);
                assert!(reader.energy().is_ok() && reader.threads().is_ok());
            }
        }
        fs::write(&part, &whole).unwrap();
    }
}

#[test]
fn a_crash_between_merging_and_removing_parts_doubles_nothing() {
    let (root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    for number in 0..2 {
        writer.append(second(number));
        writer.seal().unwrap();
    }
    let before = root.path().join("before");
    copy_tree(&dir, &before);
    writer.finish(&ended("target exited")).unwrap();
    // Every state the merge passes through: the first tables merged, their parts still there.
    for merged in 0..=4 {
        let state = root.path().join(format!("merged-{merged}"));
        copy_tree(&before, &state);
        for name in file_names(&dir).iter().filter(|n| n.ends_with(".parquet")).take(merged) {
            fs::copy(dir.join(name), state.join(name)).unwrap();
        }
        let reader = TraceReader::open(&state).unwrap();
        assert_has_seconds(&reader, 2);
        assert_eq!(reader.findings(), []);
        fs::copy(dir.join("session.json"), state.join("session.json")).unwrap();
        let reader = TraceReader::open(&state).unwrap();
        assert_has_seconds(&reader, 2);
        assert_eq!(*reader.ending(), Ending::Complete(Some("target exited".to_owned())));
    }
}

#[test]
fn parts_without_a_session_are_read_and_the_lack_is_told() {
    let (_root, dir) = place();
    cut_off(&dir, 1);
    fs::remove_file(dir.join("session.json")).unwrap();
    let reader = TraceReader::open(&dir).unwrap();
    assert_has_seconds(&reader, 1);
    assert!(reader.findings()[0].to_string().contains("has no session.json"));
    fs::write(dir.join("session.json"), "{\"state\":").unwrap();
    assert_has_seconds(&TraceReader::open(&dir).unwrap(), 1);
}

#[test]
fn what_is_not_a_trace_is_refused_with_what_to_give_instead() {
    let (root, dir) = place();
    let message = |path: &Path| TraceReader::open(path).unwrap_err().to_string();
    assert!(message(&dir).contains("no such file or directory; check the path"));
    assert!(message(root.path()).contains("is not an energy-prof trace: it has no session.json"));

    let text = root.path().join("notes.txt");
    fs::write(&text, "joules").unwrap();
    assert!(message(&text).contains("not a directory; give the directory of a trace"));

    let single = root.path().join("taxi.parquet");
    write_parquet(&single, vec![("fare", Arc::new(Int32Array::from(vec![1])))]);
    assert!(message(&single).contains("a single Parquet file"));

    finished(&dir, vec![second(0)]);
    let told = message(&dir.join("energy.parquet"));
    assert!(told.contains(&format!("give the directory {}", dir.display())), "{told}");
}

#[test]
fn a_foreign_table_is_refused_by_the_column_it_lacks() {
    let (_root, dir) = place();
    finished(&dir, vec![second(0)]);
    write_parquet(
        &dir.join("energy.parquet"),
        vec![
            ("window", Arc::new(Int32Array::from(vec![0]))),
            ("fare", Arc::new(Int32Array::from(vec![1]))),
        ],
    );
    let error = TraceReader::open(&dir).unwrap_err();
    assert!(matches!(error, TraceError::Foreign { .. }));
    assert!(error.to_string().contains("it has no column domain"), "{error}");
}

#[test]
fn impossible_values_are_errors_that_name_the_column() {
    let (_root, dir) = place();
    finished(&dir, vec![second(0)]);
    let columns = |window: i32, comm: ArrayRef| {
        let ints = |value| -> ArrayRef { Arc::new(Int32Array::from(vec![value])) };
        vec![
            ("thread", ints(window)),
            ("tgid", ints(1)),
            ("tid", ints(1)),
            ("start_ns", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
            ("exec", ints(0)),
            ("comm", comm),
            ("target", ints(1)),
        ]
    };
    let text = || Arc::new(StringArray::from(vec!["a"])) as ArrayRef;
    let number = Arc::new(Int32Array::from(vec![1])) as ArrayRef;
    for (columns, told) in [
        (columns(-1, text()), "its column thread has the impossible value -1"),
        (columns(1, number), "its column comm is of type Int32"),
        (columns(1, text()), "its column target is of type Int32"),
    ] {
        write_parquet(&dir.join("threads.parquet"), columns);
        let error = TraceReader::open(&dir).unwrap().threads().unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn further_columns_and_another_order_do_not_matter() {
    let (_root, dir) = place();
    finished(&dir, vec![second(0)]);
    for table in ["windows", "energy", "residency", "threads"] {
        let path = dir.join(format!("{table}.parquet"));
        let batch = read_parquet(&path);
        let schema = batch.schema();
        let mut columns: Vec<(&str, ArrayRef)> = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| (field.name().as_str(), Arc::clone(column)))
            .collect();
        columns.reverse();
        let rows = vec!["from the future"; batch.num_rows()];
        columns.insert(1, ("cycles", Arc::new(StringArray::from(rows))));
        write_parquet(&path, columns);
    }
    let reader = TraceReader::open(&dir).unwrap();
    assert_has_seconds(&reader, 1);
    assert_eq!(name_of_thread_2(&reader), "name-0");
}

#[test]
fn a_newer_schema_is_refused_with_the_version_to_get() {
    let (_root, dir) = place();
    finished(&dir, vec![second(0)]);
    let newer = format!(
        r#"{{"schema_version":{},"tool":"energy-prof 2.0.0","state":["new","shape"]}}"#,
        SCHEMA_VERSION + 1
    );
    fs::write(dir.join("session.json"), newer).unwrap();
    let error = TraceReader::open(&dir).unwrap_err();
    assert!(matches!(error, TraceError::NewerSchema { found: 2, .. }));
    assert!(error.to_string().contains("read it with energy-prof 2.0.0 or newer"), "{error}");
}

#[test]
fn a_finished_trace_that_lost_a_table_is_refused() {
    let (_root, dir) = place();
    finished(&dir, vec![second(0)]);
    fs::remove_file(dir.join("residency.parquet")).unwrap();
    let error = TraceReader::open(&dir).unwrap_err();
    assert!(matches!(error, TraceError::MissingTable { .. }), "{error}");
}

#[test]
fn a_damaged_table_is_an_error_and_no_panic() {
    let (_root, dir) = place();
    finished(&dir, vec![second(0)]);
    let path = dir.join("residency.parquet");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = TraceReader::open(&dir).unwrap_err();
    assert!(matches!(error, TraceError::Damaged { .. }), "{error}");
}

#[test]
fn a_directory_removed_while_recording_is_told_and_nothing_is_made_elsewhere() {
    let (root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    writer.append(second(0));
    writer.seal().unwrap();
    fs::remove_dir_all(&dir).unwrap();
    // Another directory of that name is not ours.
    fs::create_dir_all(dir.join("parts")).unwrap();
    writer.append(second(1));
    let error = writer.seal().unwrap_err().to_string();
    assert!(error.contains("its directory was removed"), "{error}");
    assert!(writer.finish(&ended("duration reached")).is_err());
    assert_eq!(file_names(&dir.join("parts")), Vec::<String>::new());
    assert_eq!(file_names(root.path()), ["energy.trace"]);
}

#[test]
fn a_failed_seal_keeps_its_rows_for_the_next() {
    let (_root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    writer.append(second(0));
    // The window part of the first seal cannot be put into place: a directory stands there.
    let obstacle = dir.join("parts/windows.000001.parquet");
    fs::create_dir(&obstacle).unwrap();
    assert!(writer.seal().is_err());
    fs::remove_dir(&obstacle).unwrap();
    writer.seal().unwrap();
    assert!(!file_names(&dir.join("parts")).iter().any(|name| name.contains("tmp")));
    writer.append(second(1));
    writer.finish(&ended("duration reached")).unwrap();
    assert_has_seconds(&TraceReader::open(&dir).unwrap(), 2);
}

#[test]
fn a_trace_moved_while_recording_is_recorded_to_its_end() {
    let (root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    writer.append(second(0));
    writer.seal().unwrap();
    let moved = root.path().join("moved");
    fs::rename(&dir, &moved).unwrap();
    writer.append(second(1));
    writer.finish(&ended("duration reached")).unwrap();
    assert_has_seconds(&TraceReader::open(&moved).unwrap(), 2);
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_with_a_way_out() {
    // Root writes everywhere, save into the kernel's own trees.
    let denied = Path::new("/proc/energy.trace");
    let error = TraceWriter::create(denied, Existing::KeepAsOld, None, &Session::default())
        .err()
        .unwrap()
        .to_string();
    assert!(error.starts_with("cannot create /proc/energy.trace: "), "{error}");
    assert!(error.contains("with -o"), "{error}");

    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let probe = fs::write(root.path().join("probe"), "");
    let dir = root.path().join("energy.trace");
    match TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()) {
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("permission denied; choose a directory"), "{error}");
        }
        Ok(_) => assert!(probe.is_ok(), "only root may write there"),
    }
}

#[test]
fn a_full_disk_leaves_what_was_sealed() {
    let disk = tempfile::tempdir().unwrap();
    let mount = |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).arg(disk.path()).output();
        status.is_ok_and(|output| output.status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=400k", "tmpfs"]) {
        skip("only root can mount a small disk");
        return;
    }
    let dir = disk.path().join("energy.trace");
    let recorded = catch_unwind(|| {
        let mut writer =
            TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
        let mut sealed = 0;
        let error = loop {
            writer.append(second(sealed));
            match writer.seal() {
                Ok(()) => sealed += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, TraceError::Write { kind: ErrorKind::StorageFull, .. }));
        assert!(error.to_string().contains("no space left on the disk; free some space"));
        assert!(writer.finish(&ended("duration reached")).is_err());
        assert!(sealed > 3);
        let reader = TraceReader::open(&dir).unwrap();
        assert_has_seconds(&reader, sealed);
        assert!(!matches!(reader.ending(), Ending::Complete(_)));
    });
    assert!(mount("umount", &[]));
    recorded.unwrap_or_else(|failure| resume_unwind(failure));
}

#[test]
fn an_older_trace_is_kept_or_overwritten_as_asked() {
    let (root, dir) = place();
    finished(&dir, vec![second(0)]);
    finished(&dir, vec![second(0), second(1)]);
    let old = root.path().join("energy.trace.old");
    assert_has_seconds(&TraceReader::open(&old).unwrap(), 1);
    assert_has_seconds(&TraceReader::open(&dir).unwrap(), 2);
    drop(TraceWriter::create(&dir, Existing::Overwrite, None, &Session::default()).unwrap());
    assert_has_seconds(&TraceReader::open(&dir).unwrap(), 0);
    assert_has_seconds(&TraceReader::open(&old).unwrap(), 1);
}

#[test]
fn another_recording_does_not_take_the_directory() {
    let (_root, dir) = place();
    let _first = TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    let error = TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).err();
    assert!(matches!(error, Some(TraceError::Busy { .. })));
}

#[test]
fn every_file_belongs_to_the_owner_and_to_no_one_else() {
    let (root, dir) = place();
    // Root can give files away; everyone else can give them to themselves.
    let me = fs::metadata(root.path()).unwrap();
    let owner = if me.uid() == 0 {
        Owner { uid: 12345, gid: 54321 }
    } else {
        Owner { uid: me.uid(), gid: me.gid() }
    };
    let check = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (owner.uid, owner.gid), "{}", path.display());
        assert_eq!(metadata.mode() & 0o077, 0, "{}", path.display());
    };
    let session = Session::default();
    let mut writer = TraceWriter::create(&dir, Existing::KeepAsOld, Some(owner), &session).unwrap();
    writer.append(second(0));
    writer.seal().unwrap();
    check(&dir);
    check(&dir.join("parts"));
    check(&dir.join("parts/energy.000001.parquet"));
    writer.finish(&ended("duration reached")).unwrap();
    TraceReader::open(&dir).unwrap().write_attributed::<TraceError>([]).unwrap();
    for name in file_names(&dir) {
        check(&dir.join(name));
    }
}

#[test]
fn attributed_energy_is_stored_and_replaced() {
    let (_root, dir) = place();
    finished(&dir, vec![second(0)]);
    let mut reader = TraceReader::open(&dir).unwrap();
    assert!(reader.attributed().unwrap().is_none());
    let charge = |number: u32| AttributedSample {
        window: number % 10,
        thread: ThreadId(number),
        domain: DomainId::of_socket(Domain::Package, 0),
        component: Component::Active,
        energy: Microjoules::new(u64::from(number)),
        error: Microjoules::ZERO,
    };
    let charges = |count: u32| (0..count).map(move |number| Ok::<_, TraceError>(charge(number)));
    assert_eq!(reader.write_attributed(charges(5)).unwrap(), 5);
    assert_eq!(reader.write_attributed(charges(100_000)).unwrap(), 100_000);
    let failing = [Ok(charge(1)), Err(TraceError::MissingTable { path: dir.join("gone") })];
    let error = reader.write_attributed(failing).unwrap_err();
    assert!(matches!(error, TraceError::MissingTable { .. }), "{error}");
    let reader = TraceReader::open(&dir).unwrap();
    let stored: Vec<_> = reader.attributed().unwrap().unwrap().flat_map(Result::unwrap).collect();
    assert_eq!(stored, (0..100_000).map(charge).collect::<Vec<_>>());
}

#[test]
fn a_number_beyond_the_format_is_refused_and_not_wrapped() {
    let (_root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    writer.append(Batch { windows: vec![window(u32::MAX)], ..Batch::default() });
    let error = writer.seal().unwrap_err();
    assert!(matches!(error, TraceError::Unstorable { table: "windows", .. }), "{error}");
}

fn any_window(index: u32) -> impl Strategy<Value = Window> {
    let micros = -1_000_000_000_000_000_i64..4_000_000_000_000_000;
    (0..1_u64 << 62, 0..1_u64 << 40, micros, 0..1_u64 << 62).prop_map(
        move |(start, length, micros, lost)| Window {
            index,
            start: MonotonicTime::from_nanos(start),
            end: MonotonicTime::from_nanos(start + length),
            start_utc: WallTime::from_epoch_nanos(micros * 1000),
            lost_switches: lost,
            lost_events: lost / 2,
        },
    )
}

fn any_energy() -> impl Strategy<Value = EnergySample> {
    let place = (0..5_usize, any::<Option<u16>>(), any::<Option<u16>>());
    let amount = || proptest::option::of(0..i64::MAX as u64);
    (0..8_u32, place, "[a-z-]{0,12}", amount(), amount(), any::<bool>()).prop_map(
        |(window, (domain, socket, die), source, energy, error, odd)| EnergySample {
            window,
            domain: DomainId { domain: Domain::ALL[domain], socket, die },
            source,
            provenance: if odd { Provenance::Estimated } else { Provenance::Measured },
            energy: energy.map(Microjoules::new),
            error: error.map(Microjoules::new),
            flags: if odd {
                CounterFlags::GAP.with(CounterFlags::WRAPPED)
            } else {
                CounterFlags::NONE
            },
        },
    )
}

fn any_residency() -> impl Strategy<Value = Residency> {
    (0..8_u32, 0..i32::MAX as u32, any::<u16>(), 0..i64::MAX as u64, 0..i32::MAX as u32).prop_map(
        |(window, thread, cpu, oncpu, switches)| Residency {
            window,
            thread: ThreadId(thread),
            cpu,
            oncpu: Nanoseconds::new(oncpu),
            switches,
        },
    )
}

fn any_thread() -> impl Strategy<Value = (ThreadId, ThreadInfo)> {
    let ids = (0..6_u32, 0..i32::MAX as u32, 0..i64::MAX as u64);
    let texts = (".{0,15}", any::<Option<String>>(), any::<Option<String>>());
    (ids, proptest::option::of(0..i64::MAX as u64), any::<Option<u32>>(), texts, any::<bool>())
        .prop_map(|((id, pid, start), exit, uid, (comm, exe, cgroup), target)| {
            let info = ThreadInfo {
                tgid: pid,
                tid: pid,
                start: MonotonicTime::from_nanos(start),
                exit: exit.map(MonotonicTime::from_nanos),
                exec: id,
                parent_tgid: target.then_some(pid),
                comm,
                cmdline: exe.clone(),
                exe,
                uid,
                cgroup,
                target,
            };
            (ThreadId(id), info)
        })
}

fn any_batches() -> impl Strategy<Value = Vec<Batch>> {
    let rows = || {
        (
            proptest::collection::vec(any_energy(), 0..9),
            proptest::collection::vec(any_residency(), 0..20),
            proptest::collection::vec(any_thread(), 0..6),
        )
    };
    let windows: Vec<_> = (0..8).map(any_window).collect();
    (windows, proptest::collection::vec(rows(), 1..5)).prop_map(|(windows, batches)| {
        let mut windows = Some(windows);
        batches
            .into_iter()
            .map(|(energy, residency, threads)| Batch {
                windows: windows.take().unwrap_or_default(),
                energy,
                residency,
                threads,
                ..Batch::default()
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is sealed is read back, from the parts and from the merged tables alike.
    #[test]
    fn any_rows_are_read_back(batches in any_batches()) {
        let (_root, dir) = place();
        let mut writer =
            TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
        for batch in &batches {
            writer.append(batch.clone());
            writer.seal().unwrap();
        }
        let threads: BTreeMap<_, _> = batches.iter().flat_map(|b| b.threads.clone()).collect();
        let energy: Vec<_> = batches.iter().flat_map(|b| b.energy.clone()).collect();
        let residency: Vec<_> = batches.iter().flat_map(|b| b.residency.clone()).collect();
        let check = || {
            let reader = TraceReader::open(&dir).unwrap();
            prop_assert_eq!(reader.findings(), []);
            prop_assert_eq!(&reader.windows().unwrap(), &batches[0].windows);
            prop_assert_eq!(&reader.energy().unwrap(), &energy);
            prop_assert_eq!(&all_residency(&reader), &residency);
            prop_assert_eq!(&reader.threads().unwrap(), &threads);
            Ok(())
        };
        check()?;
        let size = writer.finish(&ended("duration reached")).unwrap();
        prop_assert_eq!(size.threads, threads.len() as u64);
        check()?;
    }
}
