//! The trace through its public API: what is recorded is read back, from parts and from merged tables.

use std::collections::BTreeMap;
use std::fs;

use energy_prof::model::{
    AttributedSample, Component, CounterFlags, Domain, DomainId, EnergySample, Provenance,
    Residency, ThreadId, ThreadInfo, Window,
};
use energy_prof::trace::{Batch, Ending, Existing, Session, TraceError, TraceReader, TraceWriter};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime};
use proptest::prelude::*;

use crate::support::recorded_seconds::{
    all_residency, assert_has_seconds, ended, file_names, finished, name_of_thread_2, place,
    second, window,
};

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
    let place = (0..5_usize, any::<Option<u16>>(), any::<Option<u16>>(), any::<Option<u16>>());
    let amount = || proptest::option::of(0..i64::MAX as u64);
    (0..8_u32, place, "[a-z-]{0,12}", amount(), amount(), amount(), any::<bool>()).prop_map(
        |(window, (domain, socket, die, core), source, energy, error, busy, odd)| EnergySample {
            window,
            domain: DomainId { domain: Domain::ALL[domain], socket, die, core },
            source: source.into(),
            provenance: if odd { Provenance::Estimated } else { Provenance::Measured },
            energy: energy.map(Microjoules::new),
            error: error.map(Microjoules::new),
            flags: if odd {
                CounterFlags::GAP.with(CounterFlags::WRAPPED)
            } else {
                CounterFlags::NONE
            },
            busy: busy.map(Nanoseconds::new),
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
