//! The exact CPU time of a process, by the kernel's own event, against its own clocks.

use std::time::Duration;

use energy_prof::probes::count_cpu_time;
use nix::time::{ClockId, clock_gettime};

use crate::support::busy::Busy;
use crate::support::load::{Program, Worker, cpus, spin};

/// CPU time of this process, in nanoseconds. Exact, as all its other threads rest.
fn own_nanos() -> u64 {
    let now: Duration = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap().into();
    u64::try_from(now.as_nanos()).unwrap()
}

#[test]
fn threads_of_before_and_after_are_in_it_and_children_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::new(directory.path(), "child");
    let before = Worker::new("before", || spin(Duration::from_millis(60)));
    let mut read = count_cpu_time(std::process::id()).unwrap();
    let (first, started) = (read().unwrap(), own_nanos());

    before.begin();
    before.wait();
    let after = Worker::new("after", || {
        spin(Duration::from_millis(40));
        // A thread of a thread that the event follows, which ends.
        std::thread::spawn(|| spin(Duration::from_millis(50))).join().unwrap();
    });
    after.begin();
    after.wait();
    drop(after);
    assert!(program.spinning(Duration::from_millis(300)).status().unwrap().success());
    spin(Duration::from_millis(30));

    let used = own_nanos() - started;
    let counted = read().unwrap() - first;
    assert!(used >= 180_000_000);
    // The kernel takes the two clocks a little apart at each switch.
    assert!(counted.abs_diff(used) <= used / 50, "{counted} ns, truly {used} ns");
}

#[test]
fn it_is_exact_while_the_process_runs_on_another_cpu() {
    if cpus().len() < 2 {
        return crate::support::skip::skip("one CPU only");
    }
    let busy = Busy::start();
    let mut read = count_cpu_time(busy.pid()).unwrap();
    // The clock that stands still between timer ticks moves once in some thousand of these.
    let readings: Vec<u64> = (0..5_000).map(|_| read().unwrap()).collect();
    let moved = readings.windows(2).filter(|pair| pair[1] > pair[0]).count();
    assert!(moved >= 500, "{moved} of {} readings", readings.len());
}

#[test]
fn it_keeps_what_it_counted_when_the_process_ends() {
    let busy = Busy::start();
    let mut read = count_cpu_time(busy.pid()).unwrap();
    while read().unwrap() < 20_000_000 {}
    let before = read().unwrap();
    busy.end();
    let after = read().unwrap();
    assert!(after >= before);
    assert_eq!(read().unwrap(), after);
}

#[test]
fn a_process_that_is_not_there_cannot_be_followed() {
    // Above the greatest number that the kernel gives to a process.
    let error = count_cpu_time(1 << 22 | 1).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}
