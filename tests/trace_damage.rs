//! Traces that are cut off, damaged, foreign or too new: what is whole is read, the rest is told.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, StringArray};
use energy_prof::trace::{
    Ending, Existing, SCHEMA_VERSION, Session, TraceError, TraceReader, TraceWriter,
};

use crate::support::recorded_seconds::{
    all_residency, assert_has_seconds, copy_tree, cut_off, ended, file_names, finished,
    name_of_thread_2, place, read_parquet, second, write_parquet,
};

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
