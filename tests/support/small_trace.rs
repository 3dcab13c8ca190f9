//! A small trace on disk, with numbers a reader can check by hand.

use std::path::Path;

use energy_prof::model::{
    CounterFlags, CpuPlace, Domain, DomainId, EnergySample, Frame, FrameKind, Provenance,
    Residency, StackId, StackSample, ThreadId, ThreadInfo, Topology, Window,
};
use energy_prof::trace::{
    Batch, Clock, Existing, Host, Session, SessionState, SourceInfo, Target, TraceWriter,
};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime};

use super::sampled::{kernel, user};

pub(crate) const PACKAGE: DomainId = DomainId::of_socket(Domain::Package, 0);

const WINDOW_NS: u64 = 100_000_000;
const START_NS: u64 = 5_000_000_000;
const START_UTC_NS: i64 = 1_795_418_040_000_000_000;

/// Ten windows of 100 ms on one CPU. The package draws 10 W; `make` (pid 100, the target) runs for
/// 60 ms of each window and `cc` (pid 101, its child) for 20 ms.
pub(crate) fn ten_windows(directory: &Path) {
    let mut writer = begun(directory);
    writer.append(rows_of_ten_windows());
    writer.finish(&ended()).unwrap();
}

/// The same, with stacks of `make`: for 40 ms of each window in `main`, which calls `read` of the
/// kernel for 20 ms more.
pub(crate) fn ten_windows_with_code(directory: &Path) {
    let mut writer = begun(directory);
    writer.append(Batch {
        samples: (0..10).flat_map(samples).collect(),
        stacks: vec![
            (StackId(0), vec![user("main", "make", Some(("main.c", 12)))]),
            (StackId(1), vec![user("main", "make", Some(("main.c", 15))), kernel("read")]),
        ],
        ..rows_of_ten_windows()
    });
    writer.finish(&ended()).unwrap();
}

/// Ten windows of a machine of this name, recorded with these options.
pub(crate) fn ten_windows_recorded(directory: &Path, hostname: &str, options: &[(&str, &str)]) {
    let mut writer = begun(directory);
    writer.append(rows_of_ten_windows());
    let options = options.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let session = Session { options: options.collect(), ..ended() };
    let host = Host { hostname: hostname.to_owned(), ..session.host };
    writer.finish(&Session { host, ..session }).unwrap();
}

fn rows_of_ten_windows() -> Batch {
    Batch {
        windows: (0..10).map(window).collect(),
        energy: (0..10).map(energy).collect(),
        residency: (0..10).flat_map(residency).collect(),
        threads: threads(),
        ..Batch::default()
    }
}

fn samples(window: u32) -> [StackSample; 2] {
    [(0, 40), (1, 20)].map(|(stack, milliseconds)| StackSample {
        window,
        thread: ThreadId::FIRST,
        stack: StackId(stack),
        oncpu: Nanoseconds::from_millis(milliseconds),
        samples: 4,
    })
}

fn ended() -> Session {
    Session {
        state: SessionState::Complete,
        ended: Some("command exited".to_owned()),
        exit_code: Some(0),
        ..session()
    }
}

/// The same with stacks: `make` is in `parse`, called by `main`, whenever it runs; `cc` is in `main`.
pub(crate) fn ten_windows_with_stacks(directory: &Path) {
    let mut writer = begun(directory);
    let frame = |function: &str| Frame {
        function: Some(function.to_owned()),
        file: None,
        line: None,
        module: Some("/usr/bin/make".to_owned()),
        build_id: Some("c0ffee".to_owned()),
        file_offset: Some(0x1000),
        function_offset: None,
        kind: FrameKind::User,
    };
    let sample = |window: u32, thread: u32, stack: u32, milliseconds: u64| StackSample {
        window,
        thread: ThreadId(thread),
        stack: StackId(stack),
        oncpu: Nanoseconds::from_millis(milliseconds),
        samples: u32::try_from(milliseconds / 10).unwrap(),
    };
    writer.append(Batch {
        windows: (0..10).map(window).collect(),
        energy: (0..10).map(energy).collect(),
        residency: (0..10).flat_map(residency).collect(),
        threads: threads(),
        samples: (0..10).flat_map(|w| [sample(w, 2, 1, 60), sample(w, 3, 2, 20)]).collect(),
        stacks: vec![
            (StackId(1), vec![frame("main"), frame("parse")]),
            (StackId(2), vec![frame("main")]),
        ],
        ..Batch::default()
    });
    let session = Session { state: SessionState::Complete, ..session() };
    writer.finish(&session).unwrap();
}

/// The same, cut off after five windows.
pub(crate) fn cut_off_after_five(directory: &Path) {
    let mut writer = begun(directory);
    writer.append(Batch {
        windows: (0..5).map(window).collect(),
        energy: (0..5).map(energy).collect(),
        residency: (0..5).flat_map(residency).collect(),
        threads: threads(),
        ..Batch::default()
    });
    writer.seal().unwrap();
}

/// The same, cut off before anything was sealed.
pub(crate) fn cut_off_at_once(directory: &Path) {
    drop(begun(directory));
}

fn begun(directory: &Path) -> TraceWriter {
    TraceWriter::create(directory, Existing::KeepAsOld, None, &session()).unwrap()
}

fn session() -> Session {
    Session {
        host: Host {
            hostname: "bench".to_owned(),
            kernel: "6.12.0".to_owned(),
            cpu_model: "Example CPU @ 3.00GHz".to_owned(),
            cpus: 1,
            ..Host::default()
        },
        topology: Topology { cpus: [(0, CpuPlace::default())].into() },
        clock: Clock { monotonic_start_ns: START_NS, utc_start_ns: START_UTC_NS },
        window_ns: WINDOW_NS,
        sources: vec![SourceInfo {
            name: "rapl-powercap".to_owned(),
            provenance: Provenance::Measured,
            domains: vec![PACKAGE],
            idle: Vec::new(),
            note: None,
        }],
        target: Target::Command { argv: vec!["make".to_owned()], pid: 100 },
        inherit: true,
        recorder_tgid: 99,
        ..Session::default()
    }
}

pub(crate) fn window(index: u32) -> Window {
    let start = MonotonicTime::from_nanos(START_NS + u64::from(index) * WINDOW_NS);
    Window {
        index,
        start,
        end: start + Nanoseconds::new(WINDOW_NS),
        start_utc: WallTime::from_epoch_nanos(START_UTC_NS + i64::from(index) * 100_000_000),
        lost_switches: 0,
        lost_events: 0,
    }
}

/// A joule.
fn energy(window: u32) -> EnergySample {
    EnergySample {
        window,
        domain: PACKAGE,
        source: "rapl-powercap".into(),
        provenance: Provenance::Measured,
        energy: Some(Microjoules::new(1_000_000)),
        error: Some(Microjoules::new(61)),
        flags: CounterFlags::NONE,
        busy: None,
    }
}

fn residency(window: u32) -> [Residency; 3] {
    [(ThreadId::IDLE, 20), (ThreadId(2), 60), (ThreadId(3), 20)].map(|(thread, milliseconds)| {
        Residency {
            window,
            thread,
            cpu: 0,
            oncpu: Nanoseconds::from_millis(milliseconds),
            switches: 1,
        }
    })
}

fn threads() -> Vec<(ThreadId, ThreadInfo)> {
    let thread = |tgid: u32, parent: u32, comm: &str| ThreadInfo {
        tgid,
        tid: tgid,
        parent_tgid: Some(parent),
        comm: comm.to_owned(),
        exe: Some(format!("/usr/bin/{comm}")),
        cmdline: Some(comm.to_owned()),
        uid: Some(0),
        target: true,
        ..ThreadInfo::default()
    };
    vec![(ThreadId(2), thread(100, 1, "make")), (ThreadId(3), thread(101, 100, "cc"))]
}
