//! Readings of counters and what they come to.

use super::*;
use crate::model::DomainId;
use crate::units::WallTime;

/// Wraps after 100 J, in quanta of 100 µJ, and draws at most 500 W.
fn meter() -> Meter {
    let spec = CounterSpec {
        domain: DomainId::of_socket(Domain::Package, 0),
        range: Some(Microjoules::new(100_000_000)),
        quantum: Microjoules::new(100),
        update_period: Nanoseconds::from_millis(1),
        ceiling: Watts::new(500.0),
        shows: Shown::Energy,
    };
    Meter::new(spec, "test", Provenance::Measured)
}

fn at_ms(milliseconds: u64) -> MonotonicTime {
    MonotonicTime::from_nanos(milliseconds * 1_000_000)
}

fn push(meter: &mut Meter, milliseconds: u64, value_uj: u64) {
    meter.push(CounterReading {
        counter: 0,
        at: at_ms(milliseconds),
        spread: Nanoseconds::ZERO,
        value: Ok(Microjoules::new(value_uj)),
    });
}

fn push_error(meter: &mut Meter, milliseconds: u64) {
    let path = std::path::Path::new("energy_uj");
    meter.push(CounterReading {
        counter: 0,
        at: at_ms(milliseconds),
        spread: Nanoseconds::ZERO,
        value: Err(SourceError::not_a_number(path, b"x", "microjoules")),
    });
}

fn window(start_ms: u64, end_ms: u64) -> Window {
    Window {
        index: 7,
        start: at_ms(start_ms),
        end: at_ms(end_ms),
        start_utc: WallTime::default(),
        lost_switches: 0,
        lost_events: 0,
    }
}

fn energy(meter: &mut Meter, start_ms: u64, end_ms: u64) -> (Option<u64>, String) {
    let sample = meter.energy_of(&window(start_ms, end_ms)).expect("decidable");
    (sample.energy.map(Microjoules::get), sample.flags.to_string())
}

#[test]
fn the_first_reading_is_never_a_delta() {
    let mut meter = meter();
    push(&mut meter, 100, 50_000_000);
    assert_eq!(energy(&mut meter, 0, 100), (None, "gap".to_owned()));
}

#[test]
fn ten_watts_for_a_tenth_of_a_second_are_one_joule() {
    let mut meter = meter();
    push(&mut meter, 100, 5_000_000);
    assert_eq!(meter.energy_of(&window(100, 200)), None, "no reading at its end yet");
    push(&mut meter, 200, 6_000_000);
    assert_eq!(energy(&mut meter, 100, 200), (Some(1_000_000), String::new()));
}

#[test]
fn edges_between_readings_are_interpolated() {
    let mut meter = meter();
    push(&mut meter, 90, 0);
    push(&mut meter, 190, 1_000_000);
    push(&mut meter, 290, 3_000_000);
    // 0.9 J of the first interval and a tenth of the second's 2 J.
    assert_eq!(energy(&mut meter, 100, 200), (Some(1_100_000), String::new()));
}

#[test]
fn a_wrap_is_counted_once_and_flagged() {
    let mut meter = meter();
    push(&mut meter, 100, 99_500_000);
    push(&mut meter, 200, 500_000);
    assert_eq!(energy(&mut meter, 100, 200), (Some(1_000_000), "wrapped".to_owned()));
}

#[test]
fn a_reset_makes_its_window_unknown_and_the_next_one_right() {
    let mut meter = meter();
    push(&mut meter, 100, 40_000_000);
    push(&mut meter, 200, 10);
    push(&mut meter, 300, 1_000_010);
    assert_eq!(energy(&mut meter, 100, 200), (None, "backwards".to_owned()));
    assert_eq!(energy(&mut meter, 200, 300), (Some(1_000_000), String::new()));
}

#[test]
fn six_hundred_watts_from_a_package_of_at_most_five_hundred_are_not_believed() {
    let mut meter = meter();
    push(&mut meter, 100, 0);
    push(&mut meter, 200, 60_000_000);
    push(&mut meter, 300, 61_000_000);
    assert_eq!(energy(&mut meter, 100, 200), (None, "implausible".to_owned()));
    assert_eq!(energy(&mut meter, 200, 300), (Some(1_000_000), String::new()));
}

#[test]
fn an_unreadable_counter_leaves_unknown_windows_and_goes_on() {
    let mut meter = meter();
    push(&mut meter, 100, 0);
    push_error(&mut meter, 200);
    assert_eq!(energy(&mut meter, 100, 200), (None, "unreadable|gap".to_owned()));
    push(&mut meter, 300, 2_000_000);
    push(&mut meter, 400, 3_000_000);
    assert_eq!(energy(&mut meter, 200, 300), (None, "unreadable|gap".to_owned()));
    assert_eq!(energy(&mut meter, 300, 400), (Some(1_000_000), String::new()));
    assert!(meter.last_error().is_some());
}

#[test]
fn a_counter_that_never_could_be_read_is_unknown_not_nothing() {
    let mut meter = meter();
    push_error(&mut meter, 100);
    push_error(&mut meter, 200);
    assert_eq!(energy(&mut meter, 100, 200), (None, "unreadable|gap".to_owned()));
}

#[test]
fn a_counter_that_stands_still_is_stale_until_it_has_caught_up() {
    let mut meter = meter();
    push(&mut meter, 100, 1_000_000);
    push(&mut meter, 200, 2_000_000);
    push(&mut meter, 300, 2_000_000);
    push(&mut meter, 400, 4_000_000);
    push(&mut meter, 500, 5_000_000);
    assert_eq!(energy(&mut meter, 100, 200), (Some(1_000_000), String::new()));
    assert_eq!(energy(&mut meter, 200, 300), (Some(0), "stale".to_owned()));
    assert_eq!(energy(&mut meter, 300, 400), (Some(2_000_000), "stale".to_owned()));
    assert_eq!(energy(&mut meter, 400, 500), (Some(1_000_000), String::new()));
}

#[test]
fn a_counter_may_stand_still_between_two_updates() {
    let mut meter = meter();
    push(&mut meter, 1, 1_000_000);
    push(&mut meter, 2, 1_000_000);
    push(&mut meter, 3, 1_010_000);
    assert_eq!(energy(&mut meter, 1, 2), (Some(0), String::new()));
}

#[test]
fn a_reading_so_late_that_a_turn_may_be_missing_is_a_gap() {
    let mut meter = meter();
    push(&mut meter, 100, 0);
    push(&mut meter, 400, 1_000_000);
    assert_eq!(energy(&mut meter, 100, 400), (None, "gap".to_owned()));
}

/// Moves once in 100 ms, in quanta of 1 mJ, as NVIDIA's cards do.
fn slow_meter() -> Meter {
    let spec = CounterSpec {
        domain: DomainId::of_socket(Domain::Gpu, 0),
        range: None,
        quantum: Microjoules::new(1000),
        update_period: Nanoseconds::from_millis(100),
        ceiling: Watts::new(3000.0),
        shows: Shown::Energy,
    };
    Meter::new(spec, "test", Provenance::Measured)
}

#[test]
fn a_slow_counter_that_repeats_itself_is_flagged_and_keeps_its_error() {
    let mut meter = slow_meter();
    for (at, value) in [(100, 0), (200, 30_000_000), (300, 30_000_000), (400, 90_000_000)] {
        push(&mut meter, at, value);
    }
    assert_eq!(energy(&mut meter, 100, 200), (Some(30_000_000), String::new()));
    let repeated = meter.energy_of(&window(200, 300)).unwrap();
    assert_eq!(
        (repeated.energy, repeated.flags),
        (Some(Microjoules::ZERO), CounterFlags::REPEATED)
    );
    // 300 W × 100 ms of update jitter at each edge, as before: 30 J / √12 × √2 = 12.2 J.
    let error = repeated.error.unwrap().get();
    assert!((12_240_000..12_260_000).contains(&error), "{error}");
    assert_eq!(energy(&mut meter, 300, 400), (Some(60_000_000), String::new()));
}

#[test]
fn a_window_shorter_than_the_counters_update_is_flagged_and_loses_nothing() {
    let mut meter = slow_meter();
    for (at, value) in [(100, 0), (150, 0), (200, 30_000_000)] {
        push(&mut meter, at, value);
    }
    assert_eq!(energy(&mut meter, 100, 150), (Some(0), "coarse|repeated".to_owned()));
    assert_eq!(energy(&mut meter, 150, 200), (Some(30_000_000), "coarse".to_owned()));
}

#[test]
fn the_error_is_that_of_two_edges() {
    let mut meter = meter();
    push(&mut meter, 100, 0);
    push(&mut meter, 200, 10_000_000);
    let sample = meter.energy_of(&window(100, 200)).unwrap();
    // 100 W × 1 ms = 0.1 J of update jitter at each edge: 0.1 / √12 × √2 = 40.8 mJ.
    assert_eq!(sample.error, Some(Microjoules::new(40_825)));
}
