//! A machine that never was, on which programs of known watts run: residency, counters as RAPL's are, and
//! the joules that each thread truly used. Equal seeds give equal machines, which differ between scenarios only in what
//! these say.

use energy_prof::model::{CounterFlags, EnergySample, Provenance, Residency, ThreadId, Window};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime, Watts};

use super::chance::Chance;
use super::in_memory::{InMemory, PACKAGE, leader};
use super::simulated_code::{self, Code};
use super::simulated_cores::{Cores, Placement, Turn};
use super::simulated_crowd;
use super::simulated_filter::Filter;
use super::simulated_frequency::Turbo;
use super::simulated_program::{Law, Load, Program, Wander, Wobble};

/// Loads and watts are constant for this long.
pub(crate) const STEP: f64 = 0.005;
const STEPS_OF_WINDOW: u32 = 20;
const WINDOW: Nanoseconds = Nanoseconds::from_millis(100);

/// A counter shows what was up to this long ago: RAPL's moves about every millisecond.
pub(crate) const UPDATE: f64 = 0.001;
/// What it counts in, in joules: 2⁻¹⁴.
pub(crate) const QUANTUM: f64 = 1.0 / 16384.0;

/// How all programs' watts wander together, as with the processor's frequency.
pub(crate) const COMMON_WOBBLE: Wobble = Wobble { deviation: 0.01, seconds: 2.0 };
/// How idle power wanders, as with temperature.
pub(crate) const IDLE_WOBBLE: Wobble = Wobble { deviation: 0.005, seconds: 5.0 };

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

/// How large machines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// From 2 to 64 CPUs, a thread for each CPU that a program keeps busy.
    Ordinary,
    /// From 128 to 512 CPUs, thousands of threads, hundreds of processes.
    Large,
}

/// How fast processors run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frequency {
    /// Always the same.
    Fixed,
    /// The slower, the more cores are busy.
    ByLoad,
}

/// What kind of machines are simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) loads: Loads,
    /// The most expensive program's watts per CPU second, as a multiple of the cheapest's.
    pub(crate) spread: f64,
    /// Whether that is by chance from 1 to this, its logarithm evenly, and not the same on all machines.
    pub(crate) any_spread: bool,
    pub(crate) seconds: u32,
    /// How many programs there are, where that is not left to chance.
    pub(crate) programs: Option<usize>,
    /// The functions of programs, where those are sampled.
    pub(crate) code: Option<Code>,
    /// How threads get to their CPUs, where two of these share a core; otherwise each has a core of its own.
    pub(crate) smt: Option<Placement>,
    pub(crate) frequency: Frequency,
    pub(crate) size: Size,
    /// For how many seconds each draw of the noise lasts that the processor adds to its counter, where it does.
    pub(crate) filter: Option<f64>,
}

impl Scenario {
    /// Of programs in any number, of whose functions nothing is known.
    pub(crate) const fn new(loads: Loads, spread: f64, seconds: u32) -> Self {
        Self {
            loads,
            spread,
            any_spread: false,
            seconds,
            programs: None,
            code: None,
            smt: None,
            frequency: Frequency::Fixed,
            size: Size::Ordinary,
            filter: None,
        }
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
    /// The joules that each thread truly used.
    pub(crate) threads: Vec<(ThreadId, f64)>,
    /// What a CPU second beside a busy sibling truly draws, where CPUs share cores.
    pub(crate) smt_factor: Option<f64>,
    /// The programs' functions with the joules they truly used, with what they called.
    pub(crate) functions: Vec<(String, f64)>,
    /// The true mean power when nothing runs.
    pub(crate) idle: Watts,
    /// The least watts per CPU second that a program could have had.
    pub(crate) least: f64,
    /// What each program's watts follow, background last.
    pub(crate) laws: Vec<Law>,
    /// What all drew at the end of each window, in watts.
    pub(crate) at_edges: Vec<f64>,
}

/// Simulates a machine.
pub(crate) fn simulate(seed: u64, scenario: Scenario) -> Simulated {
    let mut chance = Chance::new(seed);
    // What only some machines have is drawn from chances of its own, so that the others stay as they are.
    let chance_of = |which| Chance::other(seed, which);
    let spread = if scenario.any_spread {
        scenario.spread.powf(chance_of(5).unit())
    } else {
        scenario.spread
    };
    let scenario = Scenario { spread, ..scenario };
    let mut crowd = (scenario.size == Size::Large).then(|| chance_of(1));
    let mut cpus = 1 << chance.below(1, 6);
    if let Some(chance) = &mut crowd {
        cpus = simulated_crowd::cpus(chance);
    }
    let count = scenario.programs.unwrap_or_else(|| chance.below(3, 8));
    let least = chance.between(2.0, 6.0);
    let most_threads = (f64::from(cpus) / f64::from(u32::try_from(count).unwrap())).max(1.0);
    let mut programs: Vec<Program> = Vec::new();
    for index in 0..count {
        let width = chance.between(1.0, most_threads + 1.0).floor().min(f64::from(cpus));
        programs.push(Program::new(index, width, least, scenario, &mut chance));
    }
    match &mut crowd {
        Some(chance) => simulated_crowd::gather(&mut programs, least, scenario, chance),
        None => programs
            .extend((0..BACKGROUND).map(|_| Program::background(least, scenario, &mut chance))),
    }
    let mut machine = Machine::new(cpus, programs, &mut chance);
    machine.crowd = crowd;
    if let Some(placement) = scenario.smt {
        machine.share_cores(placement, chance_of(2));
    }
    if scenario.frequency == Frequency::ByLoad {
        let of_core = if scenario.smt.is_some() { 2 } else { 1 };
        machine.turbo = Some(Turbo::new(cpus / of_core, chance_of(3)));
    }
    machine.filter = scenario.filter.map(|lasts| Filter::new(lasts, chance_of(4)));
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
        threads: machine.programs.iter().flat_map(Program::joules_of_threads).collect(),
        smt_factor: machine.cores.as_ref().map(|cores| cores.factor),
        truth: machine.programs.iter().map(|it| (it.pid, it.joules)).collect(),
        programs: count,
        least,
        laws: machine.programs.iter().map(Program::law).collect(),
        at_edges: machine.at_edges,
        idle: Watts::new(machine.idle_joules / (f64::from(steps) * STEP)),
        recording: machine.recording,
    }
}

/// A thread, its CPU, and for how many seconds it ran there in a window.
pub(crate) type Ran = (ThreadId, u16, f64);

#[derive(Debug)]
struct Machine {
    recording: InMemory,
    cpus: u16,
    /// Where CPUs share them.
    cores: Option<Cores>,
    /// Where its frequency goes by load.
    turbo: Option<Turbo>,
    /// Where its counter is made noisy.
    filter: Option<Filter>,
    /// What decides who runs, where there are many more threads than run.
    crowd: Option<Chance>,
    programs: Vec<Program>,
    common: Wander,
    together: Wander,
    idle_wobble: Wander,
    idle: f64,
    idle_joules: f64,
    /// All energy so far, and what the counter showed at the last edge.
    joules: f64,
    shown: f64,
    at_edges: Vec<f64>,
}

impl Machine {
    fn new(cpus: u16, mut programs: Vec<Program>, chance: &mut Chance) -> Self {
        let mut recording = InMemory::new(cpus);
        recording.facts.window = WINDOW;
        recording.batch = 4096;
        let mut thread = ThreadId::FIRST.0;
        let apart = if programs.iter().any(|it| it.threads > 1000) { 10_000 } else { 1000 };
        for (pid, program) in (100..).step_by(apart).zip(&mut programs) {
            program.pid = pid;
            program.first_thread = thread;
            let leader = leader(pid, 1, &format!("program-{pid}"));
            for tid in (pid..).take(program.threads) {
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
            cpus,
            cores: None,
            turbo: None,
            filter: None,
            crowd: None,
            programs,
            common: Wander::of(COMMON_WOBBLE, chance),
            together: Wander::new(0.5, 1.0, chance),
            idle_wobble: Wander::of(IDLE_WOBBLE, chance),
            idle: 0.0,
            idle_joules: 0.0,
            joules: 0.0,
            shown: 0.0,
            at_edges: Vec::new(),
        }
    }

    /// Makes two CPUs of each core.
    fn share_cores(&mut self, placement: Placement, chance: Chance) {
        let threads = self.programs.iter().map(|program| program.threads).sum();
        let cores = Cores::new(placement, self.cpus, threads, chance);
        self.recording.topology = cores.topology();
        self.cores = Some(cores);
    }

    /// Chooses an idle power that will be 10 to 70 % of all where CPUs do not matter to each other.
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
                watts += load * program.width * program.watts / f64::from(tries);
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
            wanted.push(program.width * program.load.now(time, together, chance));
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
        let left = (f64::from(self.cpus) - always).max(0.0);
        let scale = if all - always > left { left / (all - always) } else { 1.0 };
        let given = |(program, wanted): (&Program, f64)| {
            if matches!(program.load, Load::Always) { wanted } else { wanted * scale }
        };
        let given: Vec<f64> = self.programs.iter().zip(wanted).map(given).collect();
        let worth = self.turbo.map_or(1.0, |turbo| turbo.worth(given.iter().sum()));
        let turns = self.turns(time, &given);
        let mut turns = turns.as_deref();
        let mut power = self.idle * (1.0 + self.idle_wobble.next(chance));
        self.idle_joules += power * STEP;
        for (program, given) in self.programs.iter_mut().zip(given) {
            let watts = program.watts * common * (1.0 + program.wobble.next(chance)) * worth;
            let own = turns.as_mut().and_then(|turns| turns.split_off(..program.threads));
            power += program.run(time, given, own, watts, chance);
        }
        power *= self.filter.as_mut().map_or(1.0, Filter::next);
        self.joules += power * STEP;
        if (step + 1).is_multiple_of(STEPS_OF_WINDOW) {
            self.end_window(step / STEPS_OF_WINDOW, power, chance);
        }
    }

    /// What each thread did, where CPUs share cores.
    fn turns(&mut self, time: f64, given: &[f64]) -> Option<Vec<Turn>> {
        let cores = self.cores.as_mut()?;
        let programs = self.programs.iter().zip(given);
        let wanted = programs.flat_map(|(program, given)| {
            std::iter::repeat_n(given / program.width, program.threads)
        });
        Some(cores.run(time, STEP, &wanted.collect::<Vec<f64>>()))
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
        self.at_edges.push(power);
        let shown = self.joules - power * chance.between(0.0, UPDATE);
        let shown = (shown / QUANTUM).floor() * QUANTUM;
        let energy = (shown - self.shown).max(0.0);
        self.shown = shown;
        let error = energy / WINDOW.seconds() * UPDATE / 6f64.sqrt() + QUANTUM;
        self.recording.energy.push(EnergySample {
            window: index,
            domain: PACKAGE,
            source: self.recording.facts.sources[0].name.as_str().into(),
            provenance: Provenance::Measured,
            energy: Some(microjoules(energy)),
            error: Some(microjoules(error)),
            flags: CounterFlags::NONE,
            busy: None,
        });
        for program in &mut self.programs {
            let threads = program.first_thread..;
            for (thread, phases) in threads.zip(&mut program.phases) {
                self.recording.samples.extend(phases.end_window(index, thread));
            }
        }
        let ran = match (&mut self.cores, &mut self.crowd) {
            (Some(cores), _) => cores.end_window(),
            (None, Some(chance)) => crowded(&mut self.programs, self.cpus, chance),
            (None, None) => alike(&self.programs, self.cpus),
        };
        for program in &mut self.programs {
            program.ran = 0.0;
            program.in_window = 0.0;
        }
        self.recording.residency.extend(ran.into_iter().map(|(thread, cpu, seconds)| Residency {
            window: index,
            thread,
            cpu,
            oncpu: Nanoseconds::new(f64_to_u64(seconds * 1e9)),
            switches: 1,
        }));
    }
}

/// Who ran where for how many seconds, where all threads of a program are alike.
fn alike(programs: &[Program], cpus: u16) -> Vec<Ran> {
    let rows = programs.iter().flat_map(|program| {
        let of_each = program.ran / f64::from(u32::try_from(program.threads).unwrap());
        let threads = (program.first_thread..).map(ThreadId).take(program.threads);
        threads.map(move |thread| (thread, somewhere(thread, cpus), of_each))
    });
    rows.collect()
}

/// And where some of its many threads run, by chance.
fn crowded(programs: &mut [Program], cpus: u16, chance: &mut Chance) -> Vec<Ran> {
    let mut rows = Vec::new();
    for program in programs.iter_mut().filter(|program| program.ran > 0.0) {
        let joules = program.in_window / program.ran;
        program.of_threads.resize(program.threads, 0.0);
        let ran = simulated_crowd::ran(program.threads, program.ran, WINDOW.seconds(), chance);
        for (index, seconds) in ran {
            program.of_threads[index] += seconds * joules;
            let thread = ThreadId(program.first_thread + u32::try_from(index).unwrap());
            rows.push((thread, somewhere(thread, cpus), seconds));
        }
    }
    rows
}

/// A CPU for a thread, where CPUs do not matter.
fn somewhere(thread: ThreadId, cpus: u16) -> u16 {
    u16::try_from(thread.0 % u32::from(cpus)).unwrap()
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
