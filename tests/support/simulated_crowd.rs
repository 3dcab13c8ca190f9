//! A large machine that never was: hundreds of CPUs, and thousands of threads in hundreds of processes, few of them large.

use super::chance::Chance;
use super::simulated_load::Scenario;
use super::simulated_program::{Load, Program};

/// How many threads there are in all, at least and at most.
const THREADS: (f64, f64) = (1000.0, 10_000.0);

/// How many processes there are beside the programs.
const TAIL: (usize, usize) = (90, 400);

/// How many threads one of these has, at least and at most.
const THREADS_OF_SMALL: (f64, f64) = (1.0, 12.0);

/// How many CPUs one of these keeps busy in the mean, at least and at most.
const LOADS_OF_SMALL: (f64, f64) = (0.001, 0.3);

/// Which part of a process's threads run in a window, at least.
const LEAST_OF_THREADS: f64 = 0.1;

/// How many CPUs it has.
pub(crate) fn cpus(chance: &mut Chance) -> u16 {
    1 << chance.below(7, 9)
}

/// Gives programs many more threads than they keep CPUs busy, and adds a long tail of processes.
pub(crate) fn gather(
    programs: &mut Vec<Program>,
    least_watts: f64,
    scenario: Scenario,
    chance: &mut Chance,
) {
    let between =
        |(least, most): (f64, f64), chance: &mut Chance| least * (most / least).powf(chance.unit());
    let mut left = whole(between(THREADS, chance));
    let large = programs.len();
    for _ in 0..chance.below(TAIL.0, TAIL.1) {
        let watts = least_watts * scenario.spread.powf(chance.unit());
        let load = Load::Requests(between(LOADS_OF_SMALL, chance));
        let mut process = Program::of(1.0, watts, load, chance);
        process.threads = whole(between(THREADS_OF_SMALL, chance));
        left = left.saturating_sub(process.threads);
        programs.push(process);
    }
    let parts: Vec<f64> = (0..large).map(|_| chance.between(0.2, 1.0)).collect();
    let all: f64 = parts.iter().sum();
    for (program, part) in programs.iter_mut().zip(parts) {
        // Each CPU it keeps busy has a thread of its own.
        let most = whole(f64::from(u32::try_from(left).unwrap()) * part / all);
        program.threads = program.threads.max(most);
    }
}

/// Who of so many threads ran in a window of some seconds in which all ran for so long: some by chance, for unequal times.
pub(crate) fn ran(
    threads: usize,
    seconds: f64,
    window: f64,
    chance: &mut Chance,
) -> Vec<(usize, f64)> {
    let number = f64::from(u32::try_from(threads).unwrap());
    // Twice as many as have to, where there are, so that none runs for longer than there is.
    let least = (2.0 * seconds / window).ceil().clamp(1.0, number);
    let running = (number * chance.between(LEAST_OF_THREADS, 1.0)).clamp(least, number).floor();
    let unequal = if running >= 2.0 * seconds / window { 0.5 } else { 0.0 };
    let first = chance.below(0, threads - 1);
    let parts = (0..whole(running)).map(|_| chance.between(1.0 - unequal, 1.0 + unequal));
    let parts: Vec<f64> = parts.collect();
    let all: f64 = parts.iter().sum();
    let thread = |index: usize| (first + index) % threads;
    parts.iter().enumerate().map(|(index, part)| (thread(index), seconds * part / all)).collect()
}

fn whole(value: f64) -> usize {
    usize::try_from(super::simulated_load::f64_to_u64(value)).unwrap()
}
