//! Functions of the programs of a machine that never was: each thread is at one of two at a time, which differ
//! in watts, and is sampled as a profiler does.

use std::collections::BTreeMap;

use energy_prof::model::{Stack, StackId, StackSample, ThreadId};
use energy_prof::units::Nanoseconds;

use super::chance::Chance;
use super::sampled::user;

/// How the programs' functions are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code {
    /// How often threads are sampled while they run, each second; 0 where they are not.
    pub(crate) hertz: f64,
    /// The watts of a program's dear function, as a multiple of those of its cheap one.
    pub(crate) ratio: f64,
    /// How long a thread stays at one in the mean, at least and at most, in seconds.
    pub(crate) phases: (f64, f64),
}

/// What of its time each function is in a library that all call.
const IN_LIBRARY: f64 = 0.2;

/// One thread's two functions, cheap and dear.
#[derive(Debug)]
pub(crate) struct Phases {
    code: Code,
    mean_seconds: [f64; 2],
    is_dear: bool,
    until: f64,
    /// CPU seconds so far, and at the last sample.
    ran: f64,
    sampled: f64,
    /// Of this window, by stack.
    found: BTreeMap<u32, (f64, u32)>,
    /// What each function truly used, in joules.
    pub(crate) joules: [f64; 2],
}

impl Phases {
    pub(crate) fn new(code: Code, chance: &mut Chance) -> Self {
        let (least, most) = code.phases;
        let mut mean = || least * (most / least).powf(chance.between(0.0, 1.0));
        let mean_seconds = [mean(), mean()];
        Self {
            code,
            mean_seconds,
            is_dear: false,
            until: 0.0,
            ran: 0.0,
            sampled: 0.0,
            found: BTreeMap::new(),
            joules: [0.0; 2],
        }
    }

    /// Goes on to a step at that time: how many times as dear as the cheap function it is there.
    pub(crate) fn go_on(&mut self, time: f64, chance: &mut Chance) -> f64 {
        if time >= self.until {
            self.is_dear = !self.is_dear;
            let mean = self.mean_seconds[usize::from(self.is_dear)];
            self.until = time - mean * (1.0 - chance.unit()).ln();
        }
        if self.is_dear { self.code.ratio } else { 1.0 }
    }

    /// Runs for a step, on its CPU for this part of it, where the machine samples at those times.
    pub(crate) fn run(
        &mut self,
        step: std::ops::Range<f64>,
        part: f64,
        watts: f64,
        first_stack: u32,
        chance: &mut Chance,
    ) {
        let period = 1.0 / self.code.hertz;
        let mut tick = (step.start / period).ceil();
        // Where nothing is sampled the first sample is never, and a comparison with that is false.
        while tick * period < step.end {
            if chance.unit() < part {
                let ran = self.ran + (tick * period - step.start) * part;
                let in_library = chance.unit() < IN_LIBRARY;
                let stack = first_stack + 2 * u32::from(self.is_dear) + u32::from(in_library);
                let found = self.found.entry(stack).or_default();
                found.0 += ran - self.sampled;
                found.1 += 1;
                self.sampled = ran;
            }
            tick += 1.0;
        }
        let ran = (step.end - step.start) * part;
        self.ran += ran;
        self.joules[usize::from(self.is_dear)] += ran * watts;
    }

    /// What was sampled in a window that ends.
    pub(crate) fn end_window(&mut self, window: u32, thread: u32) -> Vec<StackSample> {
        let found = std::mem::take(&mut self.found).into_iter();
        let sample = |(stack, (seconds, samples)): (u32, (f64, u32))| StackSample {
            window,
            thread: ThreadId(thread),
            stack: StackId(stack),
            oncpu: Nanoseconds::new(super::simulated_load::f64_to_u64(seconds * 1e9)),
            samples,
        };
        found.map(sample).collect()
    }
}

/// What a program's functions are called: the cheap one and the dear one.
pub(crate) fn functions(pid: u32) -> [String; 2] {
    [format!("cheap_{pid}"), format!("dear_{pid}")]
}

/// A program's four stacks, each function's own and in the library.
pub(crate) fn stacks(pid: u32, first_stack: u32) -> Vec<(StackId, Stack)> {
    let module = format!("program-{pid}");
    let mut stacks = Vec::new();
    for (id, function) in (first_stack..).step_by(2).zip(functions(pid)) {
        let own = vec![user("main", &module, None), user(&function, &module, None)];
        let mut called = own.clone();
        called.push(user("memmove", "libc.so.6", None));
        stacks.push((StackId(id), own));
        stacks.push((StackId(id + 1), called));
    }
    stacks
}
