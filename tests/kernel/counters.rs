//! Hardware counters at each switch. Events of the kernel stand in for a processor's, which virtual machines rarely
//! show: the clock of a CPU for cycles, and page faults, which the kernel itself counts for each thread.

use std::fs;
use std::process::Command;
use std::time::Duration;

use energy_prof::model::{Counted, HardwareCounter, ThreadId};
use memmap2::MmapMut;

use crate::support::energy_prof::Place;
use crate::support::load::{Worker, cpus, pin, ping_pong, spin};
use crate::support::outcome::Outcome;
use crate::support::recorded::{Recorded, stop};

/// Of `PERF_TYPE_SOFTWARE`: `PERF_COUNT_SW_CPU_CLOCK`, in nanoseconds.
const CLOCK: &str = "cycles=1:0";
/// `PERF_COUNT_SW_PAGE_FAULTS`.
const FAULTS: &str = "llc-misses=1:2";

const OPTIONS: [&str; 7] =
    ["-q", "--counters", "cycles,llc-misses", "--counter-event", CLOCK, "--counter-event", FAULTS];

fn counts(place: &Place) -> Vec<Counted> {
    place.reader().counts().unwrap().flat_map(Result::unwrap).collect()
}

/// What a thread counted altogether.
fn sum(counts: &[Counted], thread: ThreadId, counter: HardwareCounter) -> u64 {
    let of_thread = counts.iter().filter(|row| row.thread == thread);
    of_thread.map(|row| row.of(counter).expect("it was counted")).sum()
}

/// Page faults of a thread of this process so far.
fn faults(tid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let number = |field: usize| fields[field].parse::<u64>().unwrap();
    // Fields 10 and 12 of proc(5): minor and major; the state is field 3.
    number(7) + number(9)
}

/// Touches so many new pages: not memory that others have freed, which may have its pages still.
fn touch(pages: usize) {
    let mut memory = MmapMut::map_anon(pages * 4096).unwrap();
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    std::hint::black_box(memory);
}

#[test]
fn every_thread_has_what_was_counted_while_it_ran() {
    let place = Place::new();
    let all = cpus();
    let toucher = Worker::new("toucher", move || {
        pin(all[0]);
        for more in 0..20 {
            touch(50 + 10 * more);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    // Never switches: it goes before all others that want its CPU, as far as this machine has a way to say so.
    let last = *cpus().last().unwrap();
    let spinner = Worker::new("spinner", move || {
        pin(last);
        spin(Duration::from_millis(700));
    });
    let _said = Command::new("chrt").args(["-f", "-p", "10", &spinner.tid().to_string()]).status();
    let players = ping_pong(cpus()[0], Duration::from_millis(100), Duration::ZERO);
    let before = faults(toucher.tid());
    let recording = place.recording(&OPTIONS, &["-a"]);
    for worker in [&toucher, &spinner].into_iter().chain(&players) {
        worker.begin();
    }
    for worker in [&toucher, &spinner].into_iter().chain(&players) {
        worker.wait();
    }
    let touched = faults(toucher.tid()) - before;
    stop(recording);
    let (recorded, counts) = (Recorded::of(&place), counts(&place));
    recorded.assert_time_closes();

    let (thread, _) = recorded.thread(toucher.tid());
    let counted = sum(&counts, thread, HardwareCounter::LlcMisses);
    assert!(touched >= 1_000 && counted.abs_diff(touched) <= 2, "{counted} of {touched} faults");

    for worker in [&toucher, &spinner].into_iter().chain(&players) {
        let (thread, info) = recorded.thread(worker.tid());
        let oncpu = u64::try_from(recorded.spent(thread).oncpu.as_nanos()).unwrap();
        let clock = sum(&counts, thread, HardwareCounter::Cycles);
        let apart = clock.abs_diff(oncpu);
        // A switch reads its time and its counters one after the other, and a hypervisor may come between.
        let each = recorded.spent(thread).switches * 2_000;
        assert!(apart <= oncpu / 20 + each, "{}: {clock} in {oncpu} ns", info.comm);
    }

    // What a thread that does not switch has counted is in its windows, not in that of its next switch.
    let (thread, _) = recorded.thread(spinner.tid());
    for row in recorded.residency.iter().filter(|row| row.thread == thread) {
        let same = |other: &&Counted| {
            (other.window, other.thread, other.cpu) == (row.window, row.thread, row.cpu)
        };
        let clock = counts.iter().find(same).and_then(|row| row.of(HardwareCounter::Cycles));
        let apart = clock.unwrap().abs_diff(row.oncpu.get());
        assert!(apart <= 10_000_000 + row.oncpu.get() / 20, "window {}: {apart} ns", row.window);
    }
    assert!(counts.iter().all(|row| row.of(HardwareCounter::Instructions).is_none()));
}

#[test]
fn a_counter_that_this_machine_does_not_have_is_told() {
    let place = Place::new();
    // No PMU has this number.
    let options = ["--counters", "cycles", "--counter-event", "cycles=4000000000:0"];
    let refusal = Outcome::of(&mut place.record(&options, &["--", "true"]));
    refusal.refused(4, &["cannot count cycles on CPU 0", "without --counters"]);
    assert!(!place.trace().exists());
}

#[test]
fn a_trace_without_counters_has_no_table_of_them_and_no_model_of_it() {
    let place = Place::new();
    place.recorded(&["-q"], &["--", "true"]);
    assert!(!place.trace().join("counts.parquet").exists());
    let mut report = crate::support::energy_prof::energy_prof();
    let outcome = Outcome::of(report.args(["report", "--model", "cycles"]).arg(place.trace()));
    outcome.refused(7, &["has counted none", "--counters cycles"]);
}
