//! Who used graphics cards, in a trace that was finished, and in one that was cut off.

use energy_prof::model::GpuSample;
use energy_prof::trace::{Batch, Existing, Session, TraceReader, TraceWriter};

use crate::support::recorded_seconds::{finished, second};

fn card(window: u32) -> GpuSample {
    GpuSample {
        window,
        gpu: 1,
        sm_percent: Some(80),
        temperature_celsius: Some(45),
        sm_clock_mhz: Some(1410),
        ..GpuSample::default()
    }
}

fn process(window: u32) -> GpuSample {
    let pid = Some(4321);
    GpuSample { window, gpu: 1, pid, memory_bytes: Some(80 << 30), ..GpuSample::default() }
}

/// A second with who used the card in its windows.
fn second_with_cards(number: u32) -> Batch {
    let gpu = (number * 10..number * 10 + 10).flat_map(|w| [card(w), process(w)]).collect();
    Batch { gpu, ..second(number) }
}

#[test]
fn a_finished_trace_tells_who_used_cards_in_the_order_of_the_windows() {
    let root = tempfile::tempdir().unwrap();
    let trace = root.path().join("energy.trace");
    let size = finished(&trace, (0..3).map(second_with_cards).collect());
    assert_eq!(size.gpu, 60);
    let rows = TraceReader::open(&trace).unwrap().gpu().unwrap();
    let expected: Vec<GpuSample> = (0..30).flat_map(|w| [card(w), process(w)]).collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_trace_that_was_cut_off_tells_it_up_to_its_last_whole_window() {
    let root = tempfile::tempdir().unwrap();
    let trace = root.path().join("energy.trace");
    let session = Session::default();
    let mut writer = TraceWriter::create(&trace, Existing::KeepAsOld, None, &session).unwrap();
    for number in 0..2 {
        writer.append(second_with_cards(number));
        writer.seal().unwrap();
    }
    drop(writer);
    // The power went away between the renaming of two tables of one second.
    std::fs::remove_file(trace.join("parts/windows.000002.parquet")).unwrap();
    let reader = TraceReader::open(&trace).unwrap();
    assert_eq!(reader.gpu().unwrap().len(), 20);
}

#[test]
fn a_trace_without_cards_has_no_such_table() {
    let root = tempfile::tempdir().unwrap();
    let trace = root.path().join("energy.trace");
    let size = finished(&trace, vec![second(0)]);
    assert_eq!(size.gpu, 0);
    assert!(!trace.join("gpu.parquet").exists());
    assert_eq!(TraceReader::open(&trace).unwrap().gpu().unwrap(), []);
}
