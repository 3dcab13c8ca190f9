//! The tables `samples` and `stacks` of a trace: there where stacks were recorded, and not needed.

use std::fs;
use std::path::Path;

use energy_prof::model::{Frame, FrameKind, StackId, StackSample, ThreadId};
use energy_prof::trace::{
    Batch, Existing, Session, SessionState, TraceError, TraceReader, TraceSize, TraceWriter,
};
use energy_prof::units::Nanoseconds;

use crate::support::sampled::user;
use crate::support::small_trace;

fn sample(window: u32, stack: u32) -> StackSample {
    StackSample {
        window,
        thread: ThreadId::FIRST,
        stack: StackId(stack),
        oncpu: Nanoseconds::from_millis(10),
        samples: 1,
    }
}

fn stack(name: &str) -> Vec<Frame> {
    vec![
        user("main", "job", None),
        Frame { kind: FrameKind::Inlined, ..user(name, "job", Some(("job.c", 7))) },
    ]
}

fn begin(dir: &Path) -> TraceWriter {
    TraceWriter::create(dir, Existing::KeepAsOld, None, &Session::default()).unwrap()
}

fn finish(writer: TraceWriter) -> TraceSize {
    let session = Session { state: SessionState::Complete, ..Session::default() };
    writer.finish(&session).unwrap()
}

/// Two seconds, each with a window, a sample of it, and stack 1 in ever better words.
fn two_seconds(dir: &Path) -> TraceWriter {
    let mut writer = begin(dir);
    for second in 0..2 {
        writer.append(Batch {
            windows: vec![small_trace::window(second)],
            samples: vec![sample(second, 1), sample(second, second + 2)],
            stacks: vec![
                (StackId(1), stack(&format!("name-{second}"))),
                (StackId(second + 2), stack("other")),
            ],
            ..Batch::default()
        });
        writer.seal().unwrap();
    }
    writer
}

fn samples(reader: &TraceReader) -> Vec<StackSample> {
    reader.samples().unwrap().flat_map(Result::unwrap).collect()
}

#[test]
fn samples_and_stacks_are_read_back_and_the_last_words_hold() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("energy.trace");
    let unfinished = two_seconds(&dir);
    let check = |reader: &TraceReader| {
        assert_eq!(samples(reader), [sample(0, 1), sample(0, 2), sample(1, 1), sample(1, 3)]);
        let stacks = reader.stacks().unwrap();
        assert_eq!(stacks.keys().copied().collect::<Vec<_>>(), [1, 2, 3].map(StackId));
        assert_eq!(stacks[&StackId(1)], stack("name-1"));
    };
    check(&TraceReader::open(&dir).unwrap());
    let size = finish(unfinished);
    assert_eq!((size.samples, size.stacks), (4, 3), "a stack has one row once all is merged");
    let files: u64 =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(size.bytes, files);
    check(&TraceReader::open(&dir).unwrap());
}

#[test]
fn a_trace_without_stacks_has_none_and_no_tables_of_them() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("energy.trace");
    let mut writer = begin(&dir);
    writer.append(Batch { windows: vec![small_trace::window(0)], ..Batch::default() });
    let size = finish(writer);
    assert_eq!((size.samples, size.stacks), (0, 0));
    assert!(!dir.join("samples.parquet").exists() && !dir.join("stacks.parquet").exists());
    let reader = TraceReader::open(&dir).unwrap();
    assert!(samples(&reader).is_empty() && reader.stacks().unwrap().is_empty());
    assert!(reader.findings().is_empty());
}

#[test]
fn samples_of_a_window_that_was_not_sealed_are_left_out() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("energy.trace");
    drop(two_seconds(&dir));
    fs::remove_file(dir.join("parts/windows.000002.parquet")).unwrap();
    let reader = TraceReader::open(&dir).unwrap();
    assert_eq!(samples(&reader), [sample(0, 1), sample(0, 2)]);
}

#[test]
fn a_damaged_table_of_stacks_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("energy.trace");
    finish(two_seconds(&dir));
    let path = dir.join("stacks.parquet");
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let error = TraceReader::open(&dir).map(|_| ()).unwrap_err();
        assert!(matches!(error, TraceError::Damaged { .. }), "{cut}: {error}");
    }
    // A changed byte is an error or goes unseen, but nothing panics.
    for place in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[place] ^= 0x55;
        fs::write(&path, &changed).unwrap();
        let _ = TraceReader::open(&dir).and_then(|reader| reader.stacks());
    }
}
