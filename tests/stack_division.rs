//! A thread's energy goes to its stacks, to the last microjoule, wherever its samples are.

use std::collections::BTreeMap;

use energy_prof::attribution::{StackCharge, StackDivider, ThreadCharge};
use energy_prof::model::{StackId, StackSample, ThreadId, Window};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime};
use proptest::prelude::*;

/// A window of one thread: its charge in µJ, and its stacks with on-CPU time in ns.
type Recorded<'a> = (u64, &'a [(u32, u64)]);

fn window(index: u32, milliseconds: u64) -> Window {
    let start = MonotonicTime::from_nanos(u64::from(index) * milliseconds * 1_000_000);
    Window {
        index,
        start,
        end: start + Nanoseconds::from_millis(milliseconds),
        start_utc: WallTime::default(),
        lost_switches: 0,
        lost_events: 0,
    }
}

fn charge(thread: u32, microjoules: u64) -> ThreadCharge<u64> {
    ThreadCharge { thread: ThreadId(thread), energy: Microjoules::new(microjoules), error: 0 }
}

fn sample(window: u32, thread: u32, stack: u32, oncpu: u64) -> StackSample {
    StackSample {
        window,
        thread: ThreadId(thread),
        stack: StackId(stack),
        oncpu: Nanoseconds::new(oncpu),
        samples: 1,
    }
}

/// Code weighs alike wherever it is.
const fn by_time(_: ThreadId, _: StackId) -> u64 {
    1
}

/// What each stack of a thread gets, `None` for no stack; windows that follow each other.
fn divided(milliseconds: u64, windows: &[Recorded<'_>]) -> BTreeMap<Option<u32>, u64> {
    let mut given = BTreeMap::new();
    let mut take = |part: StackCharge<u64>| {
        *given.entry(part.stack.map(|stack| stack.0)).or_default() += part.energy.get();
    };
    let mut divider = StackDivider::default();
    for (index, (energy, stacks)) in (0..).zip(windows) {
        let samples: Vec<_> =
            stacks.iter().map(|(stack, oncpu)| sample(index, 2, *stack, *oncpu)).collect();
        divider.add(
            &window(index, milliseconds),
            &[charge(2, *energy)],
            &samples,
            &by_time,
            &mut take,
        );
    }
    divider.finish(&mut take);
    given
}

#[test]
fn a_charge_goes_to_the_stacks_of_its_window_by_their_time() {
    let given = divided(100, &[(100, &[(1, 30), (2, 10)])]);
    assert_eq!(given, [(Some(1), 75), (Some(2), 25)].into());
}

#[test]
fn the_odd_microjoule_is_not_lost() {
    let given = divided(100, &[(10, &[(1, 5), (2, 5), (3, 5)])]);
    assert_eq!(given, [(Some(1), 4), (Some(2), 3), (Some(3), 3)].into());
}

#[test]
fn samples_without_time_weigh_by_their_number() {
    let given = divided(100, &[(90, &[(1, 0), (2, 0), (2, 0)])]);
    assert_eq!(given, [(Some(1), 30), (Some(2), 60)].into());
}

#[test]
fn a_window_without_samples_takes_the_stacks_of_the_nearest() {
    let (one, two): (&[_], &[_]) = (&[(1, 10)], &[(2, 10)]);
    // Windows 1 and 2 are nearer to 0, 3 and 4 to 5.
    let given = divided(100, &[(0, one), (1, &[]), (10, &[]), (100, &[]), (1000, &[]), (0, two)]);
    assert_eq!(given, [(Some(1), 11), (Some(2), 1100)].into());
}

#[test]
fn of_two_equally_near_the_earlier_speaks() {
    let given = divided(100, &[(0, &[(1, 10)]), (7, &[]), (0, &[(2, 10)])]);
    assert_eq!(given, [(Some(1), 7), (Some(2), 0)].into());
    let (one, two): (&[_], &[_]) = (&[(1, 10)], &[(2, 10)]);
    let given = divided(100, &[(0, one), (0, &[]), (7, &[]), (0, &[]), (0, two)]);
    assert_eq!(given, [(Some(1), 7), (Some(2), 0)].into());
}

#[test]
fn what_was_charged_before_the_first_sample_goes_to_it() {
    let given = divided(100, &[(5, &[]), (7, &[]), (1, &[(2, 10)])]);
    assert_eq!(given, [(Some(2), 13)].into());
}

/// A charge of 5 so many windows before the first sample, and one of 7 so many after the last.
fn alone(milliseconds: u64, away: usize) -> BTreeMap<Option<u32>, u64> {
    let mut windows: Vec<Recorded<'_>> = vec![(0, &[]); 2 * away + 1];
    windows[0].0 = 5;
    windows[away].1 = &[(1, 10)];
    windows[2 * away].0 = 7;
    divided(milliseconds, &windows)
}

#[test]
fn samples_more_than_ten_windows_and_a_second_away_do_not_speak() {
    assert_eq!(alone(200, 10), [(Some(1), 12)].into());
    assert_eq!(alone(200, 11), [(None, 12), (Some(1), 0)].into());
    assert_eq!(alone(10, 100), [(Some(1), 12)].into(), "a second is longer than ten windows");
    assert_eq!(alone(10, 101), [(None, 12), (Some(1), 0)].into());
}

#[test]
fn a_thread_without_any_sample_is_unsampled() {
    assert_eq!(divided(100, &[(5, &[]), (7, &[])]), [(None, 12)].into());
}

#[test]
fn samples_count_where_they_are_and_not_where_they_speak() {
    let mut counted = Vec::new();
    let mut take = |part: StackCharge<u64>| counted.push((part.samples, part.oncpu.get()));
    let mut divider = StackDivider::default();
    divider.add(&window(0, 100), &[], &[sample(0, 2, 1, 30)], &by_time, &mut take);
    divider.add(&window(1, 100), &[charge(2, 7)], &[], &by_time, &mut take);
    divider.finish(&mut take);
    assert_eq!(counted, [(1, 30), (0, 0)]);
}

#[test]
fn a_charge_waits_no_longer_than_samples_may_be_away() {
    let mut given = 0;
    let mut divider = StackDivider::default();
    for index in 0..1000 {
        divider.add(
            &window(index, 100),
            &[charge(2, 1)],
            &[],
            &by_time,
            &mut |part: StackCharge<u64>| {
                given += part.energy.get();
            },
        );
    }
    assert_eq!(given, 1000 - 11, "the last window and the ten before it wait");
}

/// What a thread is charged with in a window, and its stacks there with their on-CPU time.
type ThreadWindow = (u64, Vec<(u32, u64)>);

/// Windows of up to three threads: what each is charged with, and where it was sampled.
fn recordings() -> impl Strategy<Value = Vec<Vec<ThreadWindow>>> {
    let energy = prop_oneof![Just(0), 1..100u64, 1..u64::from(u32::MAX)];
    let time = prop_oneof![Just(0), 1..1_000_000_000u64];
    let samples = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec((0..5u32, time), 1..6),
    ];
    let thread = (energy, samples);
    prop::collection::vec(prop::collection::vec(thread, 3), 0..60)
}

/// The nearest window with samples, the earlier of two, at most ten away.
fn nearest(windows: &[bool], at: usize) -> Option<usize> {
    (0..=10).find_map(|away| {
        let earlier = at.checked_sub(away).filter(|window| windows[*window]);
        earlier.or_else(|| Some(at + away).filter(|window| windows.get(*window) == Some(&true)))
    })
}

proptest! {
    #[test]
    fn what_stacks_get_is_what_the_thread_is_charged_with(windows in recordings()) {
        let mut given: BTreeMap<(u32, Option<u32>), u64> = BTreeMap::new();
        let mut divider = StackDivider::default();
        let mut take = |part: StackCharge<u64>| {
            let key = (part.thread.0, part.stack.map(|stack| stack.0));
            *given.entry(key).or_default() += part.energy.get();
        };
        for (index, threads) in (0..).zip(&windows) {
            let charges: Vec<_> =
                (0..).zip(threads).map(|(thread, (energy, _))| charge(thread, *energy)).collect();
            let samples: Vec<_> = (0..)
                .zip(threads)
                .flat_map(|(thread, (_, stacks))| {
                    stacks.iter().map(move |(stack, time)| sample(index, thread, *stack, *time))
                })
                .collect();
            divider.add(&window(index, 100), &charges, &samples, &by_time, &mut take);
        }
        divider.finish(&mut take);
        for thread in 0..3_usize {
            let id = u32::try_from(thread).unwrap();
            let of_thread = |of: u32| given.iter().filter(move |((thread, _), _)| *thread == of);
            let charged: u64 = windows.iter().map(|threads| threads[thread].0).sum();
            prop_assert_eq!(of_thread(id).map(|(_, energy)| *energy).sum::<u64>(), charged);

            // And it is the stacks of the nearest window that get it.
            let sampled: Vec<bool> =
                windows.iter().map(|threads| !threads[thread].1.is_empty()).collect();
            let unsampled: u64 = (0..windows.len())
                .filter(|window| nearest(&sampled, *window).is_none())
                .map(|window| windows[window][thread].0)
                .sum();
            prop_assert_eq!(given.get(&(id, None)).copied().unwrap_or(0), unsampled);
            let mut expected: BTreeMap<u32, f64> = BTreeMap::new();
            for window in 0..windows.len() {
                let Some(nearest) = nearest(&sampled, window) else { continue };
                let stacks = &windows[nearest][thread].1;
                let all: u64 = stacks.iter().map(|(_, time)| time).sum();
                for (stack, time) in stacks {
                    #[expect(clippy::cast_precision_loss, reason = "compared to a few µJ")]
                    let share = match all {
                        0 => 1.0 / stacks.len() as f64,
                        all => *time as f64 / all as f64,
                    };
                    #[expect(clippy::cast_precision_loss, reason = "compared to a few µJ")]
                    let energy = windows[window][thread].0 as f64;
                    *expected.entry(*stack).or_default() += energy * share;
                }
            }
            for (stack, expected) in expected {
                #[expect(clippy::cast_precision_loss, reason = "compared to a few µJ")]
                let got = given.get(&(id, Some(stack))).copied().unwrap_or(0) as f64;
                prop_assert!((got - expected).abs() < 360.0 + expected * 1e-9, "{got} {expected}");
            }
        }
    }
}
