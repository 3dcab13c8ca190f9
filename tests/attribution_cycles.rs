//! The model `cycles`, and the table that it reads.

use energy_prof::analyze::{AnalyzeError, AnalyzeOptions, analyze};
use energy_prof::attribution::ModelKind;
use energy_prof::model::{Counted, DomainId, ThreadId};
use energy_prof::profile::{GroupBy, Profile};
use energy_prof::report::{ReportOptions, text};
use energy_prof::trace::{Batch, TraceReader};

use crate::support::in_memory::{DRAM, InMemory, PACKAGE, leader};
use crate::support::recorded_seconds::{finished, second};

/// Two programs that run alike, of which one gets three times the cycles and the other all of the misses; in the
/// last window nothing was counted.
fn counted_recording() -> InMemory {
    let mut recording = InMemory::new(2);
    recording.thread(2, leader(50, 1, "pointers")).thread(3, leader(60, 1, "vectors"));
    let energies = |package| [(PACKAGE, Some((package, 10))), (DRAM, Some((1_000, 10)))];
    recording.window(1000, &energies(4_000), &[(0, 0, 1000), (0, 1, 1000)]);
    for _ in 0..3 {
        recording.window(1000, &energies(16_000), &[(2, 0, 1000), (3, 1, 1000)]);
        recording.counted(&[(2, 0, Some(1_000), Some(70)), (3, 1, Some(3_000), Some(0))]);
    }
    recording.window(1000, &energies(16_000), &[(2, 0, 1000), (3, 1, 1000)]);
    recording
}

fn by(recording: &InMemory, model: ModelKind) -> Result<Profile, AnalyzeError> {
    let idle = [(PACKAGE, 4.0), (DRAM, 0.4)];
    let given = idle.map(|(domain, watts)| (domain, energy_prof::units::Watts::new(watts))).into();
    analyze(recording, &AnalyzeOptions { model, given, ..AnalyzeOptions::default() })
}

#[test]
fn a_program_pays_for_its_cycles_and_of_memory_for_its_misses() {
    let profile = by(&counted_recording(), ModelKind::Cycles).unwrap();
    let charged = |thread: u32, domain: DomainId| {
        profile.threads[&ThreadId(thread)].charges[&domain].energy.get()
    };
    // 12 J a window: a quarter in three of them, and half in the last, by time.
    assert_eq!(charged(2, PACKAGE), 3 * 3_000_000 + 6_000_000);
    assert_eq!(charged(3, PACKAGE), 3 * 9_000_000 + 6_000_000);
    assert!(profile.total().closes());
    // 0.6 J a window; what ran is charged something, however little it missed.
    assert!(charged(2, DRAM) > 3 * 591_000 + 300_000, "{}", charged(2, DRAM));
    assert!((300_000..330_000).contains(&charged(3, DRAM)), "{}", charged(3, DRAM));
}

#[test]
fn a_report_by_cycles_says_so() {
    let options = ReportOptions { by: GroupBy::Process, ..ReportOptions::default() };
    let profile = by(&counted_recording(), ModelKind::Cycles).unwrap();
    insta::assert_snapshot!(text(&profile, &options, &|_| None));
}

#[test]
fn a_recording_without_counts_is_not_divided_by_them() {
    let mut recording = counted_recording();
    recording.counts.clear();
    let error = by(&recording, ModelKind::Cycles).unwrap_err();
    assert!(matches!(error, AnalyzeError::NothingCounted));
    assert!(error.to_string().contains("--counters cycles"), "{error}");
    assert!(by(&recording, ModelKind::Time).is_ok());
}

#[test]
fn counts_are_read_back_in_the_order_of_the_windows() {
    let counted = |window| Counted {
        window,
        thread: ThreadId(2),
        cpu: 1,
        counts: [Some(1_000 * u64::from(window)), None, Some(3)],
    };
    let batch = |number: u32| Batch {
        counts: (number * 10..number * 10 + 10).map(counted).collect(),
        ..second(number)
    };
    let root = tempfile::tempdir().unwrap();
    let trace = root.path().join("energy.trace");
    let size = finished(&trace, (0..3).map(batch).collect());
    let of_files: u64 = std::fs::read_dir(&trace)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!((size.counts, size.bytes), (30, of_files));
    let rows: Vec<Counted> =
        TraceReader::open(&trace).unwrap().counts().unwrap().flat_map(Result::unwrap).collect();
    assert_eq!(rows, (0..30).map(counted).collect::<Vec<_>>());
}
