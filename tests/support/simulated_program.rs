//! Programs of a machine that never was: what each wants of its CPUs from moment to moment, and what a CPU second of it draws.

use energy_prof::model::ThreadId;

use super::chance::Chance;
use super::simulated_code::Phases;
use super::simulated_cores::Turn;
use super::simulated_load::{Loads, STEP, Scenario, f64_to_u64};

/// How far a program's watts wander around their mean.
const WOBBLE: f64 = 0.03;

/// How far something wanders around nothing, as a standard deviation, and after how many seconds it has forgotten
/// where it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wobble {
    pub(crate) deviation: f64,
    pub(crate) seconds: f64,
}

/// What the watts of a program follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Law {
    /// Watts per CPU second, in the mean.
    pub(crate) watts: f64,
    /// What they wander by, as part of that.
    pub(crate) wobble: Wobble,
}

/// A program: one process with some threads.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) pid: u32,
    /// How many CPUs it keeps busy at most.
    pub(crate) width: f64,
    pub(crate) threads: usize,
    pub(crate) first_thread: u32,
    /// Watts per CPU second, in the mean.
    pub(crate) watts: f64,
    pub(crate) load: Load,
    pub(crate) wobble: Wander,
    /// What it truly used, in all and in this window.
    pub(crate) joules: f64,
    pub(crate) in_window: f64,
    /// And each of its threads, where they are not alike.
    pub(crate) of_threads: Vec<f64>,
    /// CPU seconds in this window.
    pub(crate) ran: f64,
    /// Of each thread, where it is sampled.
    pub(crate) phases: Vec<Phases>,
    pub(crate) first_stack: u32,
}

impl Program {
    /// One of those that are judged, with a thread for each CPU it keeps busy at most.
    pub(crate) fn new(
        index: usize,
        width: f64,
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
        let mut program = Self::of(width, watts, load, chance);
        if let Some(code) = scenario.code {
            program.phases = (0..program.threads).map(|_| Phases::new(code, chance)).collect();
        }
        program
    }

    /// A small process beside the programs.
    pub(crate) fn background(least: f64, scenario: Scenario, chance: &mut Chance) -> Self {
        let watts = least * scenario.spread.powf(chance.between(0.0, 1.0));
        Self::of(1.0, watts, Load::Requests(chance.between(0.001, 0.004)), chance)
    }

    /// A process with a thread for each CPU it keeps busy at most.
    pub(crate) fn of(width: f64, watts: f64, load: Load, chance: &mut Chance) -> Self {
        let wobble = Wander::new(WOBBLE, chance.between(0.2, 2.0), chance);
        Self {
            pid: 0,
            width,
            threads: usize::try_from(f64_to_u64(width)).unwrap(),
            first_thread: 0,
            watts,
            load,
            wobble,
            joules: 0.0,
            in_window: 0.0,
            of_threads: Vec::new(),
            ran: 0.0,
            phases: Vec::new(),
            first_stack: 0,
        }
    }

    /// Runs on so many CPUs for a step, where a CPU second of its own draws these watts, with threads that are alike or
    /// take these turns: the watts of all of it.
    pub(crate) fn run(
        &mut self,
        time: f64,
        given: f64,
        turns: Option<&[Turn]>,
        watts: f64,
        chance: &mut Chance,
    ) -> f64 {
        let ran = turns.map_or(given, |turns| turns.iter().map(|turn| turn.part).sum());
        self.ran += ran * STEP;
        let mut drawn = 0.0;
        if turns.is_none() && self.phases.is_empty() {
            drawn = given * watts;
        } else {
            let alike = Turn { part: given / self.width, worth: 1.0 };
            self.of_threads.resize(self.threads, 0.0);
            for (thread, joules) in self.of_threads.iter_mut().enumerate() {
                let turn = turns.map_or(alike, |turns| turns[thread]);
                let mut watts = watts * turn.worth;
                if let Some(phases) = self.phases.get_mut(thread) {
                    watts *= phases.go_on(time, chance);
                    phases.run(time..time + STEP, turn.part, watts, self.first_stack, chance);
                }
                *joules += turn.part * watts * STEP;
                drawn += turn.part * watts;
            }
        }
        self.joules += drawn * STEP;
        self.in_window += drawn * STEP;
        drawn
    }

    /// What its watts follow.
    pub(crate) fn law(&self) -> Law {
        Law { watts: self.watts, wobble: self.wobble.wobble }
    }

    /// What each of its threads truly used, in joules.
    pub(crate) fn joules_of_threads(&self) -> Vec<(ThreadId, f64)> {
        let alike = self.joules / f64::from(u32::try_from(self.threads).unwrap());
        let of = |index: usize| self.of_threads.get(index).copied().unwrap_or(alike);
        let threads = (self.first_thread..).map(ThreadId).take(self.threads);
        threads.enumerate().map(|(index, thread)| (thread, of(index))).collect()
    }
}

/// How a program's load goes, from 0 to 1.
#[derive(Debug)]
pub(crate) enum Load {
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
    pub(crate) fn ordinary(seconds: u32, chance: &mut Chance) -> Self {
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

    pub(crate) fn now(&mut self, time: f64, together: f64, chance: &mut Chance) -> f64 {
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

/// Something that wanders around nothing: an Ornstein-Uhlenbeck process.
#[derive(Debug)]
pub(crate) struct Wander {
    wobble: Wobble,
    keep: f64,
    now: f64,
}

impl Wander {
    /// With so large a standard deviation, forgotten after so many seconds.
    pub(crate) fn new(deviation: f64, seconds: f64, chance: &mut Chance) -> Self {
        Self::of(Wobble { deviation, seconds }, chance)
    }

    pub(crate) fn of(wobble: Wobble, chance: &mut Chance) -> Self {
        let keep = (-STEP / wobble.seconds).exp();
        Self { wobble, keep, now: wobble.deviation * chance.normal() }
    }

    pub(crate) fn next(&mut self, chance: &mut Chance) -> f64 {
        let fresh = (1.0 - self.keep * self.keep).sqrt() * self.wobble.deviation;
        self.now = self.keep * self.now + fresh * chance.normal();
        self.now
    }
}
