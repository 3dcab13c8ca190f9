//! Machines that are not as `regress` takes them to be: halves of cores, frequencies by load, noisy counters.

use super::goals::{Goal, at_most, within};
use super::rows::{Case, REGRESS, TIME, WITH_SIBLINGS, rows};
use super::score::Score;
use super::simulated_cores::Placement;
use super::simulated_load::{Frequency, Loads, Scenario};

const EQUAL: Scenario = Scenario::new(Loads::Ordinary, 1.0, 60);
const ORDINARY: Scenario = Scenario::new(Loads::Ordinary, 5.0, 60);

const fn smt(name: &'static str, scenario: Scenario, placement: Placement) -> Case {
    Case { name, scenario: Scenario { smt: Some(placement), ..scenario }, calibrated: true }
}

const SMT: [Case; 6] = [
    smt("SMT, equal watts, pairs", EQUAL, Placement::Pairs),
    smt("SMT, equal watts, spread", EQUAL, Placement::Spread),
    smt("SMT, equal watts, random", EQUAL, Placement::Random),
    smt("SMT, 1-5x watts, pairs", ORDINARY, Placement::Pairs),
    smt("SMT, 1-5x watts, spread", ORDINARY, Placement::Spread),
    smt("SMT, 1-5x watts, random", ORDINARY, Placement::Random),
];

const fn turbo(name: &'static str, scenario: Scenario, calibrated: bool) -> Case {
    Case { name, scenario: Scenario { frequency: Frequency::ByLoad, ..scenario }, calibrated }
}

const FREQUENCY: [Case; 4] = [
    turbo("turbo, equal watts, idle given", EQUAL, true),
    turbo("turbo, equal watts", EQUAL, false),
    turbo("turbo, 1-5x watts, idle given", ORDINARY, true),
    turbo("turbo, 1-5x watts", ORDINARY, false),
];

const fn filtered(name: &'static str, scenario: Scenario, seconds: f64) -> Case {
    Case { name, scenario: Scenario { filter: Some(seconds), ..scenario }, calibrated: true }
}

const FILTER: [Case; 4] = [
    filtered("filter, equal watts, 1 ms", EQUAL, 0.001),
    filtered("filter, equal watts, 100 ms", EQUAL, 0.1),
    filtered("filter, 1-5x watts, 1 ms", ORDINARY, 0.001),
    filtered("filter, 1-5x watts, 100 ms", ORDINARY, 0.1),
];

/// Prints a row for each case and method.
pub(super) fn all(seeds: u64) -> anyhow::Result<Vec<Goal>> {
    println!(
        "{seeds} machines a row; errors are percent of a program's share, of shares from 5 %,"
    );
    println!("and of a thread's, from 1 %; --smt with the true factor F, wrong ones, a guess");
    println!("{}", Score::heading());
    let mut goals = Vec::new();
    for case in &SMT {
        let [time, .., regress, _, _, _] = rows(case, WITH_SIBLINGS, seeds)?;
        goals.extend(judged(&format!("{}, --smt", case.name), &time, &regress));
    }
    for case in FREQUENCY.iter().chain(&FILTER) {
        let [time, regress] = rows(case, [TIME, REGRESS], seeds)?;
        goals.extend(judged(case.name, &time, &regress));
    }
    Ok(goals)
}

/// What `regress` should reach here, and never be worse than time share.
fn judged(name: &str, time: &Score, regress: &Score) -> [Goal; 3] {
    [
        at_most(&format!("{name}: mean error"), regress.mean(), 5.0),
        at_most(&format!("{name}: above time share's"), regress.mean() - time.mean(), 0.2),
        within(&format!("{name}: 95 % interval holds"), regress.held(), 90.0, 99.0),
    ]
}
