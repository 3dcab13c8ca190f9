//! How far models are from the truth, on simulated machines: `accuracy [SEEDS]`.
//!
//! Prints one table: for each scenario and model the error of programs' shares of the active energy, in
//! the mean and at worst, and how often the 95 % interval holds the true joules; then the goals.
//! `cargo xtask bench accuracy` runs it.

#![allow(clippy::unwrap_used, reason = "a simulation that cannot go on has failed, as a test has")]

mod score;

#[path = "../../../tests/support/in_memory.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod in_memory;
#[path = "../../../tests/support/simulated_load.rs"]
mod simulated_load;

use anyhow::Context;
use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::attribution::ModelKind;
use in_memory::PACKAGE;
use score::Score;
use simulated_load::{Loads, Scenario, simulate};

/// What is simulated, and what is known of it.
struct Case {
    name: &'static str,
    scenario: Scenario,
    /// Whether the true idle power is given.
    calibrated: bool,
}

const fn case(name: &'static str, loads: Loads, spread: f64, calibrated: bool) -> Case {
    Case { name, scenario: Scenario { loads, spread, seconds: 60 }, calibrated }
}

const EQUAL: Case = case("equal watts, idle given", Loads::Ordinary, 1.0, true);
const EQUAL_ALONE: Case = case("equal watts", Loads::Ordinary, 1.0, false);
const ORDINARY: Case = case("1-5x watts, idle given", Loads::Ordinary, 5.0, true);
const ORDINARY_ALONE: Case = case("1-5x watts", Loads::Ordinary, 5.0, false);
const ALWAYS: Case = case("1-5x, one always on, idle given", Loads::FirstAlways, 5.0, true);
const ALWAYS_ALONE: Case = case("1-5x, one always on", Loads::FirstAlways, 5.0, false);
const TOGETHER: Case = case("1-5x, always together, idle given", Loads::Together, 5.0, true);

fn main() -> anyhow::Result<()> {
    let seeds = std::env::args().nth(1).unwrap_or_else(|| "1000".to_owned());
    let seeds: u64 = seeds.parse().context("SEEDS is a number")?;
    println!("{seeds} machines a row; errors are percent of a program's share, of shares from 5 %");
    println!("{}", Score::heading());
    let run = |case: &Case| -> anyhow::Result<[Score; 2]> {
        let scores = scores(case, seeds)?;
        for (score, model) in scores.iter().zip([ModelKind::Time, ModelKind::Regress]) {
            println!("{}", score.line(case.name, model.name()));
        }
        Ok(scores)
    };
    let [time, equal] = run(&EQUAL)?;
    run(&EQUAL_ALONE)?;
    let [_, ordinary] = run(&ORDINARY)?;
    let [_, alone] = run(&ORDINARY_ALONE)?;
    let [_, always] = run(&ALWAYS)?;
    run(&ALWAYS_ALONE)?;
    let [_, together] = run(&TOGETHER)?;
    println!();
    at_most("equal watts: mean error, above time share's", equal.mean() - time.mean(), 0.2);
    at_most("1-5x watts: mean error", ordinary.mean(), 3.0);
    at_most("1-5x watts: worst error", ordinary.worst(), 8.0);
    at_most("1-5x watts, idle unknown: mean error", alone.mean(), 3.0);
    at_most("1-5x watts, idle unknown: worst error", alone.worst(), 8.0);
    at_most("one always on, idle given: mean error", always.mean(), 3.0);
    at_most("always together: machines worse than by time share, %", together.worse(), 0.0);
    for (name, score) in
        [("equal watts", &equal), ("1-5x watts", &ordinary), ("always on", &always)]
    {
        within(&format!("{name}: 95 % interval holds"), score.held(), 93.0, 97.0);
    }
    Ok(())
}

/// How both models do, each on the same machines.
fn scores(case: &Case, seeds: u64) -> anyhow::Result<[Score; 2]> {
    let mut scores = [ModelKind::Time, ModelKind::Regress].map(|_| Score::default());
    for seed in 0..seeds {
        let simulated = simulate(seed, case.scenario);
        let mut errors = [0.0; 2];
        for (index, model) in [ModelKind::Time, ModelKind::Regress].into_iter().enumerate() {
            let given = case.calibrated.then_some((PACKAGE, simulated.idle)).into_iter().collect();
            let options = AnalyzeOptions { model, given, ..AnalyzeOptions::default() };
            let profile = analyze(&simulated.recording, &options)?;
            errors[index] = scores[index].add(&profile, &simulated);
        }
        scores[1].compare(errors[1], errors[0]);
    }
    Ok(scores)
}

fn at_most(what: &str, value: f64, goal: f64) {
    let verdict = if value <= goal { "met" } else { "MISSED" };
    println!("{what:<56}{value:>8.2}   at most {goal}: {verdict}");
}

fn within(what: &str, value: f64, least: f64, most: f64) {
    let verdict = if (least..=most).contains(&value) { "met" } else { "MISSED" };
    println!("{what:<56}{value:>8.2}   {least} to {most}: {verdict}");
}
