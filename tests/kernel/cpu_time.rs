//! The exact CPU time of a process, by the kernel's own event, against its own clocks.

use std::time::{Duration, Instant};

use energy_prof::probes::count_cpu_time;

use crate::support::busy::Busy;
use crate::support::load::{Program, Worker, cpus, spin};
use crate::support::skip::skip;

#[test]
fn threads_of_before_and_after_are_in_it_and_children_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::new(directory.path(), "child");
    let before = Worker::new("before", || spin(Duration::from_millis(60)));
    let mut read = count_cpu_time(std::process::id()).unwrap();
    let mut counted_by = |work: &mut dyn FnMut()| {
        let (from, started) = (read().unwrap(), Instant::now());
        work();
        let lasted = started.elapsed();
        (Duration::from_nanos(read().unwrap() - from), lasted)
    };

    let of_before = counted_by(&mut || {
        before.begin();
        before.wait();
    });
    let of_after = counted_by(&mut || {
        let after = Worker::new("after", || {
            spin(Duration::from_millis(40));
            // A thread of a thread that the event follows, which ends.
            std::thread::spawn(|| spin(Duration::from_millis(50))).join().unwrap();
        });
        after.begin();
        after.wait();
    });
    let of_this = counted_by(&mut || spin(Duration::from_millis(30)));
    // It counts interrupts and what a hypervisor takes away as well, which a thread's own clock may not.
    for ((counted, lasted), least) in [(of_before, 60), (of_after, 90), (of_this, 30)] {
        let least = Duration::from_millis(least) * 98 / 100;
        assert!(counted >= least, "{counted:?} of at least {least:?}");
        // The threads ran one after the other, but for a moment.
        let most = lasted + Duration::from_millis(10);
        assert!(counted <= most, "{counted:?} in {most:?}");
    }
    let (of_child, _) = counted_by(&mut || {
        assert!(program.spinning(Duration::from_millis(300)).status().unwrap().success());
    });
    assert!(of_child < Duration::from_millis(150), "{of_child:?}");
}

#[test]
fn it_is_exact_while_the_process_runs_on_another_cpu() {
    if cpus().len() < 2 {
        return skip("one CPU only");
    }
    let busy = Busy::start();
    let mut read = count_cpu_time(busy.pid()).unwrap();
    // It moves while the clock that follows timer ticks stands still.
    let mut finer = 0;
    let started = Instant::now();
    while finer < 50 {
        let ticked = busy.cpu_time();
        let (first, second) = (read().unwrap(), read().unwrap());
        finer += usize::from(second > first && busy.cpu_time() == ticked);
        assert!(started.elapsed() < Duration::from_mins(1), "{finer} times in a minute");
    }
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
