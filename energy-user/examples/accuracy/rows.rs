//! Rows of the table of programs: the same machines divided in several ways.

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::attribution::{ModelKind, SmtFactor};

use super::in_memory::PACKAGE;
use super::machines;
use super::score::Score;
use super::simulated_load::{Scenario, Simulated, simulate};

/// What is simulated, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) scenario: Scenario,
    /// Whether the true idle power is given.
    pub(super) calibrated: bool,
}

/// How energy is divided.
#[derive(Clone, Copy)]
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) model: ModelKind,
    pub(super) smt: Smt,
}

/// Which factor is given for siblings.
#[derive(Clone, Copy)]
pub(super) enum Smt {
    No,
    /// One that is off by so much.
    Off(f64),
    /// The same on every machine.
    Guess(f64),
}

const fn method(name: &'static str, model: ModelKind, smt: Smt) -> Method {
    Method { name, model, smt }
}

pub(super) const TIME: Method = method("time", ModelKind::Time, Smt::No);
pub(super) const REGRESS: Method = method("regress", ModelKind::Regress, Smt::No);

/// What is guessed where nobody has calibrated: the middle of what is published and drawn.
const GUESS: f64 = 0.7;

/// Both models without a factor for siblings, with the true one, with wrong ones, and with a guess.
pub(super) const WITH_SIBLINGS: [Method; 10] = [
    TIME,
    method("time --smt", ModelKind::Time, Smt::Off(0.0)),
    method("time F-0.1", ModelKind::Time, Smt::Off(-0.1)),
    method("time F+0.1", ModelKind::Time, Smt::Off(0.1)),
    method("time 0.7", ModelKind::Time, Smt::Guess(GUESS)),
    REGRESS,
    method("regress --smt", ModelKind::Regress, Smt::Off(0.0)),
    method("regress F-0.1", ModelKind::Regress, Smt::Off(-0.1)),
    method("regress F+0.1", ModelKind::Regress, Smt::Off(0.1)),
    method("regress 0.7", ModelKind::Regress, Smt::Guess(GUESS)),
];

/// How methods do, each on the same machines; printed, too. The first is what others are compared with.
pub(super) fn rows<const N: usize>(
    case: &Case,
    methods: [Method; N],
    seeds: u64,
) -> anyhow::Result<[Score; N]> {
    let mut scores = [(); N].map(|()| Score::default());
    let of_machines = machines::each(seeds, |seed| {
        let simulated = simulate(seed, case.scenario);
        let mut scores = [(); N].map(|()| Score::default());
        let mut first = None;
        for (score, method) in scores.iter_mut().zip(methods) {
            let profile = analyze(&simulated.recording, &options(case, method, &simulated))?;
            let error = score.add(&profile, &simulated);
            score.compare(error, *first.get_or_insert(error));
        }
        Ok(scores)
    })?;
    for of_machine in of_machines {
        scores.iter_mut().zip(of_machine).for_each(|(score, it)| score.extend(it));
    }
    for (score, method) in scores.iter().zip(methods) {
        println!("{}", score.line(case.name, method.name));
    }
    Ok(scores)
}

/// What a reader would ask for.
pub(super) fn options(case: &Case, method: Method, simulated: &Simulated) -> AnalyzeOptions {
    let given = case.calibrated.then_some((PACKAGE, simulated.idle)).into_iter().collect();
    let factor = match method.smt {
        Smt::No => None,
        Smt::Off(off) => simulated.smt_factor.map(|factor| factor + off),
        Smt::Guess(factor) => Some(factor),
    };
    let smt = factor.and_then(|factor| SmtFactor::new(factor.clamp(0.5, 1.0)));
    AnalyzeOptions { model: method.model, given, smt, ..AnalyzeOptions::default() }
}
