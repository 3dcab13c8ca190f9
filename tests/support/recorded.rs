//! What a trace says of who ran, in the sums that tests compare with the truth.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Output};
use std::time::Duration;

use energy_prof::model::{Residency, ThreadId, ThreadInfo, Window};
use energy_prof::trace::{Ending, Session};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::energy_prof::Place;

/// Everything in a trace but the energy.
pub(crate) struct Recorded {
    pub(crate) session: Session,
    pub(crate) windows: Vec<Window>,
    pub(crate) threads: BTreeMap<ThreadId, ThreadInfo>,
    pub(crate) residency: Vec<Residency>,
}

/// Time on CPUs, and how often it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) oncpu: Duration,
    pub(crate) switches: u64,
}

/// Interrupts a recording and waits for it.
pub(crate) fn interrupt(recording: Child) -> Output {
    kill(Pid::from_raw(i32::try_from(recording.id()).unwrap()), Signal::SIGINT).unwrap();
    recording.wait_with_output().unwrap()
}

/// Interrupts a recording, which must end well.
pub(crate) fn stop(recording: Child) -> Output {
    let output = interrupt(recording);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Says why a test cannot run here, where `cargo xtask test` counts it.
pub(crate) fn skipped(why: &str) {
    // Past the harness, which keeps what tests print.
    std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}

impl Recorded {
    /// The finished trace in `place`.
    pub(crate) fn of(place: &Place) -> Self {
        let reader = place.reader();
        assert!(matches!(reader.ending(), Ending::Complete(_)), "{}", reader.ending());
        Self {
            session: reader.session().clone(),
            windows: reader.windows().unwrap(),
            threads: reader.threads().unwrap(),
            residency: reader.residency().unwrap().flat_map(Result::unwrap).collect(),
        }
    }

    /// What `thread` has spent altogether.
    pub(crate) fn spent(&self, thread: ThreadId) -> Spent {
        self.spent_by(|id, _| id == thread)
    }

    /// What all threads have spent for which `is_meant` holds.
    pub(crate) fn spent_by(&self, is_meant: impl Fn(ThreadId, &ThreadInfo) -> bool) -> Spent {
        let mut spent = Spent::default();
        for row in &self.residency {
            if is_meant(row.thread, &self.threads[&row.thread]) {
                spent.oncpu += Duration::from_nanos(row.oncpu.get());
                spent.switches += u64::from(row.switches);
            }
        }
        spent
    }

    /// The threads for which `is_meant` holds.
    pub(crate) fn threads_where(
        &self,
        is_meant: impl Fn(&ThreadInfo) -> bool,
    ) -> Vec<(ThreadId, &ThreadInfo)> {
        let meant = self.threads.iter().filter(|(_, info)| is_meant(info));
        meant.map(|(thread, info)| (*thread, info)).collect()
    }

    /// The only thread entry with this tid.
    pub(crate) fn thread(&self, tid: u32) -> (ThreadId, &ThreadInfo) {
        let found = self.threads_where(|info| info.tid == tid);
        assert_eq!(found.len(), 1, "thread {tid}: {found:#?}");
        found[0]
    }

    /// Windows follow each other without holes, and on every CPU the time of all threads, the idle
    /// one among them, is each window's length to the nanosecond.
    pub(crate) fn assert_time_closes(&self) {
        let first = self.windows.first().unwrap();
        assert_eq!(first.start.nanos(), self.session.clock.monotonic_start_ns);
        let step = self.session.window_ns;
        for (window, number) in self.windows.iter().zip(0..) {
            assert_eq!(window.index, number);
            assert!(window.length().get() > 0 && window.length().get() <= step, "{window:?}");
        }
        for (window, next) in self.windows.iter().zip(&self.windows[1..]) {
            assert_eq!(window.end, next.start);
            assert_eq!(window.end.nanos() % step, 0, "off the grid: {window:?}");
        }
        let mut sums: BTreeMap<u16, BTreeMap<u32, u64>> = BTreeMap::new();
        for row in &self.residency {
            *sums.entry(row.cpu).or_default().entry(row.window).or_default() += row.oncpu.get();
        }
        assert_eq!(sums.len(), self.session.host.cpus as usize, "a CPU is missing");
        let lengths: BTreeMap<u32, u64> =
            self.windows.iter().map(|window| (window.index, window.length().get())).collect();
        for (cpu, sums) in sums {
            let wrong: Vec<_> = lengths
                .iter()
                .map(|(window, length)| (window, *length, sums.get(window).copied()))
                .filter(|(_, length, sum)| *sum != Some(*length))
                .collect();
            assert!(wrong.is_empty(), "CPU {cpu}: (window, its length, charged): {wrong:?}");
            assert_eq!(sums.len(), lengths.len(), "CPU {cpu} has rows outside of the windows");
        }
    }
}
