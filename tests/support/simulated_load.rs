//! A machine that never was, on which programs of known watts run: residency, counters as RAPL's are, and
//! the joules that each thread truly used. Equal seeds give equal machines.

use energy_prof::model::{CounterFlags, EnergySample, Provenance, Residency, ThreadId, Window};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime, Watts};

use super::chance::Chance;
use super::in_memory::{InMemory, PACKAGE, leader};
use super::simulated_code::{self, Code, Phases};

/// Loads and watts are constant for this long.
const STEP: f64 = 0.005;
const STEPS_OF_WINDOW: u32 = 20;
const WINDOW: Nanoseconds = Nanoseconds::from_millis(100);

/// A counter shows what was up to this long ago: RAPL's moves about every millisecond.
const UPDATE: f64 = 0.001;
/// What it counts in, in joules: 2⁻¹⁴.
const QUANTUM: f64 = 1.0 / 16384.0;

/// How far a program's watts wander around their mean.
const WOBBLE: f64 = 0.03;
/// How far all programs' watts wander together, as with the processor's frequency.
const COMMON_WOBBLE: f64 = 0.01;
/// How far idle power wanders, as with temperature.
const IDLE_WOBBLE: f64 = 0.005;

/// Small processes beside the programs, as every machine has them.
const BACKGROUND: usize = 6;

/// What programs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loads {
    /// Each varies in its own way.
    Ordinary,
    /// The first computes all the time on CPUs of its own, the others vary.
    FirstAlways,
    /// All rise and fall together, in proportion.
    Together,
}

/// What kind of machines are simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) loads: Loads,
    /// The most expensive program's watts per CPU second, as a multiple of the cheapest's.
    pub(crate) spread: f64,
    pub(crate) seconds: u32,
    /// How many programs there are, where that is not left to chance.
    pub(crate) programs: Option<usize>,
    /// The functions of programs, where those are sampled.
    pub(crate) code: Option<Code>,
}

impl Scenario {
    /// Of programs in any number, of whose functions nothing is known.
    pub(crate) const fn new(loads: Loads, spread: f64, seconds: u32) -> Self {
        Self { loads, spread, seconds, programs: None, code: None }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Simulated {
    pub(crate) recording: InMemory,
    /// The process id of each program with the joules it truly used, background last.
    pub(crate) truth: Vec<(u32, f64)>,
    /// How many of them are programs and not background.
    pub(crate) programs: usize,
    /// The programs' functions with the joules they truly used, with what they called.
    pub(crate) functions: Vec<(String, f64)>,
    /// The true mean power when nothing runs.
    pub(crate) idle: Watts,
}

/// Simulates a machine.
pub(crate) fn simulate(seed: u64, scenario: Scenario) -> Simulated {
    let mut chance = Chance::new(seed);
    let cpus = 1 << chance.below(1, 6);
    let count = scenario.programs.unwrap_or_else(|| chance.below(3, 8));
    let least = chance.between(2.0, 6.0);
    let most_threads = (f64::from(cpus) / f64::from(u32::try_from(count).unwrap())).max(1.0);
    let mut programs: Vec<Program> = Vec::new();
    for index in 0..count {
        let threads = chance.between(1.0, most_threads + 1.0).floor().min(f64::from(cpus));
        programs.push(Program::new(index, threads, least, scenario, &mut chance));
    }
    for _ in 0..BACKGROUND {
        programs.push(Program::background(least, scenario, &mut chance));
    }
    let mut machine = Machine::new(cpus, programs, &mut chance);
    let steps = scenario.seconds * 1000 / 5;
    machine.find_idle(steps, &mut chance);
    for step in 0..steps {
        machine.step(step, &mut chance);
    }
    let functions = machine.programs.iter().flat_map(|program| {
        let names = simulated_code::functions(program.pid);
        let used = |index: usize| program.phases.iter().map(|it| it.joules[index]).sum();
        let functions = names.into_iter().enumerate().map(|(index, name)| (name, used(index)));
        functions.filter(|_| !program.phases.is_empty()).collect::<Vec<(String, f64)>>()
    });
    Simulated {
        functions: functions.collect(),
        truth: machine.programs.iter().map(|it| (it.pid, it.joules)).collect(),
        programs: count,
        idle: Watts::new(machine.idle_joules / (f64::from(steps) * STEP)),
        recording: machine.recording,
    }
}

/// A program: one process with some threads.
#[derive(Debug)]
struct Program {
    pid: u32,
    threads: f64,
    first_thread: u32,
    /// Watts per CPU second, in the mean.
    watts: f64,
    load: Load,
    wobble: Wander,
    joules: f64,
    /// CPU seconds in this window.
    ran: f64,
    /// Of each thread, where it is sampled.
    phases: Vec<Phases>,
    first_stack: u32,
}

impl Program {
    fn new(
        index: usize,
        threads: f64,
        least: f64,
        scenario: Scenario,
        chance: &mut Chance,
    ) -> Self {
        let load = match scenario.loads {
            Loads::FirstAlways if index == 0 => Load::Always,
            Loads::Together => Load::Together(chance.between(0.1, 1.0)),
            _ => Load::ordinary(scenario.seconds, chance),
        };
        let watts = least * scenario.spread.powf(chance.between(0.0, 1.0));
        let mut program = Self::of(threads, watts, load, chance);
        if let Some(code) = scenario.code {
            program.phases = (0..count(threads)).map(|_| Phases::new(code, chance)).collect();
        }
        program
    }

    fn background(least: f64, scenario: Scenario, chance: &mut Chance) -> Self {
        let watts = least * scenario.spread.powf(chance.between(0.0, 1.0));
        Self::of(1.0, watts, Load::Requests(chance.between(0.001, 0.004)), chance)
    }

    fn of(threads: f64, watts: f64, load: Load, chance: &mut Chance) -> Self {
        let wobble = Wander::new(WOBBLE, chance.between(0.2, 2.0), chance);
        Self {
            pid: 0,
            threads,
            first_thread: 0,
            watts,
            load,
            wobble,
            joules: 0.0,
            ran: 0.0,
            phases: Vec::new(),
            first_stack: 0,
        }
    }
}

/// How a program's load goes, from 0 to 1.
#[derive(Debug)]
enum Load {
    Always,
    /// Rises and falls with all others, up to this.
    Together(f64),
    /// Small requests; on average so much.
    Requests(f64),
    /// On and off for random times: mean seconds on and off, whether on, until when.
    Turns {
        on: f64,
        off: f64,
        is_on: bool,
        until: f64,
    },
    /// On for a part of a period.
    Periodic {
        period: f64,
        duty: f64,
        phase: f64,
    },
    /// Wanders around a mean.
    Wandering {
        mean: f64,
        wander: Wander,
    },
    /// Runs once.
    Once {
        from: f64,
        to: f64,
    },
}

impl Load {
    fn ordinary(seconds: u32, chance: &mut Chance) -> Self {
        let seconds = f64::from(seconds);
        match chance.below(0, 4) {
            0 => {
                let (on, off) = (chance.between(0.2, 5.0), chance.between(0.2, 5.0));
                Self::Turns { on, off, is_on: false, until: 0.0 }
            }
            1 => Self::Periodic {
                period: chance.between(0.25, 6.0),
                duty: chance.between(0.1, 0.9),
                phase: chance.between(0.0, 6.0),
            },
            2 => {
                let wander = Wander::new(0.3, chance.between(0.3, 3.0), chance);
                Self::Wandering { mean: chance.between(0.2, 0.8), wander }
            }
            3 => {
                let from = chance.between(0.0, 0.6) * seconds;
                Self::Once { from, to: from + chance.between(0.2, 0.6) * seconds }
            }
            _ => Self::Requests(chance.between(0.1, 0.7)),
        }
    }

    fn now(&mut self, time: f64, together: f64, chance: &mut Chance) -> f64 {
        match self {
            Self::Always => 1.0,
            Self::Together(most) => *most * together,
            Self::Requests(mean) => *mean * chance.between(0.0, 2.0),
            Self::Turns { on, off, is_on, until } => {
                if time >= *until {
                    *is_on = !*is_on;
                    let mean = if *is_on { *on } else { *off };
                    *until = time - mean * (1.0 - chance.unit()).ln();
                }
                if *is_on { chance.between(0.9, 1.0) } else { 0.0 }
            }
            Self::Periodic { period, duty, phase } => {
                let at = (time + *phase) / *period;
                if at.fract() < *duty { 1.0 } else { 0.0 }
            }
            Self::Wandering { mean, wander } => *mean + wander.next(chance),
            Self::Once { from, to } => {
                if (*from..*to).contains(&time) {
                    chance.between(0.8, 1.0)
                } else {
                    0.0
                }
            }
        }
        .clamp(0.0, 1.0)
    }
}

#[derive(Debug)]
struct Machine {
    recording: InMemory,
    cpus: f64,
    programs: Vec<Program>,
    common: Wander,
    together: Wander,
    idle_wobble: Wander,
    idle: f64,
    idle_joules: f64,
    /// All energy so far, and what the counter showed at the last edge.
    joules: f64,
    shown: f64,
    residency: Vec<Residency>,
}

impl Machine {
    fn new(cpus: u16, mut programs: Vec<Program>, chance: &mut Chance) -> Self {
        let mut recording = InMemory::new(cpus);
        recording.facts.window = WINDOW;
        recording.batch = 4096;
        let mut thread = ThreadId::FIRST.0;
        for (pid, program) in (100..).step_by(1000).zip(&mut programs) {
            program.pid = pid;
            program.first_thread = thread;
            let leader = leader(pid, 1, &format!("program-{pid}"));
            for tid in (pid..).take(count(program.threads)) {
                let info = energy_prof::model::ThreadInfo { tid, ..leader.clone() };
                recording.thread(thread, info);
                thread += 1;
            }
            if !program.phases.is_empty() {
                program.first_stack = pid;
                recording.stacks.extend(simulated_code::stacks(pid, pid));
            }
        }
        Self {
            recording,
            cpus: f64::from(cpus),
            programs,
            common: Wander::new(COMMON_WOBBLE, 2.0, chance),
            together: Wander::new(0.5, 1.0, chance),
            idle_wobble: Wander::new(IDLE_WOBBLE, 5.0, chance),
            idle: 0.0,
            idle_joules: 0.0,
            joules: 0.0,
            shown: 0.0,
            residency: Vec::new(),
        }
    }

    /// Chooses an idle power that will be 10 to 70 % of all.
    fn find_idle(&mut self, steps: u32, chance: &mut Chance) {
        let mut watts = 0.0;
        let tries = 400;
        for index in 0..tries {
            let time = f64::from(steps) * STEP * f64::from(index) / f64::from(tries);
            for program in &mut self.programs {
                let load = match &program.load {
                    Load::Turns { on, off, .. } => on / (on + off),
                    Load::Wandering { mean, .. } | Load::Requests(mean) => *mean,
                    Load::Together(most) => most * 0.5,
                    _ => program.load.now(time, 0.5, chance),
                };
                watts += load * program.threads * program.watts / f64::from(tries);
            }
        }
        let share = chance.between(0.1, 0.7);
        self.idle = watts * share / (1.0 - share);
    }

    fn step(&mut self, step: u32, chance: &mut Chance) {
        let time = f64::from(step) * STEP;
        let together = (0.5 + self.together.next(chance)).clamp(0.0, 1.0);
        let common = 1.0 + self.common.next(chance);
        let mut wanted: Vec<f64> = Vec::with_capacity(self.programs.len());
        for program in &mut self.programs {
            wanted.push(program.threads * program.load.now(time, together, chance));
        }
        // What computes all the time does not give way: it has CPUs of its own.
        let all: f64 = wanted.iter().sum();
        let always: f64 = self
            .programs
            .iter()
            .zip(&wanted)
            .filter(|(it, _)| matches!(it.load, Load::Always))
            .map(|(_, wanted)| wanted)
            .sum();
        let left = (self.cpus - always).max(0.0);
        let scale = if all - always > left { left / (all - always) } else { 1.0 };
        let mut power = self.idle * (1.0 + self.idle_wobble.next(chance));
        self.idle_joules += power * STEP;
        for (program, wanted) in self.programs.iter_mut().zip(wanted) {
            let given = if matches!(program.load, Load::Always) { wanted } else { wanted * scale };
            let watts = program.watts * common * (1.0 + program.wobble.next(chance));
            program.ran += given * STEP;
            let mut drawn = 0.0;
            let of_each = given / program.threads;
            for phases in &mut program.phases {
                let watts = watts * phases.go_on(time, chance);
                let first = program.first_stack;
                phases.run(time..time + STEP, of_each, watts, first, chance);
                drawn += of_each * watts;
            }
            if program.phases.is_empty() {
                drawn = given * watts;
            }
            program.joules += drawn * STEP;
            power += drawn;
        }
        self.joules += power * STEP;
        if (step + 1).is_multiple_of(STEPS_OF_WINDOW) {
            self.end_window(step / STEPS_OF_WINDOW, power, chance);
        }
    }

    fn end_window(&mut self, index: u32, power: f64, chance: &mut Chance) {
        let start = MonotonicTime::from_nanos(7_000_000_000 + u64::from(index) * WINDOW.get());
        self.recording.windows.push(Window {
            index,
            start,
            end: start + WINDOW,
            start_utc: WallTime::default(),
            lost_switches: 0,
            lost_events: 0,
        });
        let shown = self.joules - power * chance.between(0.0, UPDATE);
        let shown = (shown / QUANTUM).floor() * QUANTUM;
        let energy = (shown - self.shown).max(0.0);
        self.shown = shown;
        let error = energy / WINDOW.seconds() * UPDATE / 6f64.sqrt() + QUANTUM;
        self.recording.energy.push(EnergySample {
            window: index,
            domain: PACKAGE,
            source: self.recording.facts.sources[0].name.clone(),
            provenance: Provenance::Measured,
            energy: Some(microjoules(energy)),
            error: Some(microjoules(error)),
            flags: CounterFlags::NONE,
            busy: None,
        });
        for program in &mut self.programs {
            let of_each = program.ran / program.threads;
            program.ran = 0.0;
            let threads = program.first_thread..;
            for (thread, phases) in threads.clone().zip(&mut program.phases) {
                self.recording.samples.extend(phases.end_window(index, thread));
            }
            for thread in threads.take(count(program.threads)) {
                self.residency.push(Residency {
                    window: index,
                    thread: ThreadId(thread),
                    cpu: u16::try_from(f64_to_u64(f64::from(thread) % self.cpus)).unwrap(),
                    oncpu: Nanoseconds::new(f64_to_u64(of_each * 1e9)),
                    switches: 1,
                });
            }
        }
        self.recording.residency.append(&mut self.residency);
    }
}

fn microjoules(joules: f64) -> Microjoules {
    Microjoules::new(f64_to_u64(joules * 1e6))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "simulated amounts fit"
)]
pub(crate) fn f64_to_u64(value: f64) -> u64 {
    value.round() as u64
}

fn count(threads: f64) -> usize {
    usize::try_from(f64_to_u64(threads)).unwrap()
}

/// Something that wanders around nothing: an Ornstein-Uhlenbeck process.
#[derive(Debug)]
struct Wander {
    deviation: f64,
    keep: f64,
    now: f64,
}

impl Wander {
    /// With so large a standard deviation, forgotten after so many seconds.
    fn new(deviation: f64, seconds: f64, chance: &mut Chance) -> Self {
        Self { deviation, keep: (-STEP / seconds).exp(), now: deviation * chance.normal() }
    }

    fn next(&mut self, chance: &mut Chance) -> f64 {
        let fresh = (1.0 - self.keep * self.keep).sqrt() * self.deviation;
        self.now = self.keep * self.now + fresh * chance.normal();
        self.now
    }
}
