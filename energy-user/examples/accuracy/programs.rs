//! Programs of constant watts on machines where these add up.

use super::goals::{Goal, at_most, within};
use super::rows::{Case, REGRESS, TIME, rows};
use super::score::Score;
use super::simulated_load::{Loads, Scenario};

const fn case(name: &'static str, loads: Loads, spread: f64, calibrated: bool) -> Case {
    Case { name, scenario: Scenario::new(loads, spread, 60), calibrated }
}

const EQUAL: Case = case("equal watts, idle given", Loads::Ordinary, 1.0, true);
const EQUAL_ALONE: Case = case("equal watts", Loads::Ordinary, 1.0, false);
const ORDINARY: Case = case("1-5x watts, idle given", Loads::Ordinary, 5.0, true);
const ANY: Case = Case {
    name: "1-5x watts or less, idle given",
    scenario: Scenario { any_spread: true, ..Scenario::new(Loads::Ordinary, 5.0, 60) },
    calibrated: true,
};
const ORDINARY_ALONE: Case = case("1-5x watts", Loads::Ordinary, 5.0, false);
const ALWAYS: Case = case("1-5x, one always on, idle given", Loads::FirstAlways, 5.0, true);
const ALWAYS_ALONE: Case = case("1-5x, one always on", Loads::FirstAlways, 5.0, false);
const TOGETHER: Case = case("1-5x, always together, idle given", Loads::Together, 5.0, true);

/// Prints a row for each case and model.
pub(super) fn all(seeds: u64) -> anyhow::Result<Vec<Goal>> {
    println!(
        "{seeds} machines a row; errors are percent of a program's share, of shares from 5 %,"
    );
    println!("and of a thread's, from 1 %");
    println!("{}", Score::heading());
    let run = |case: &Case| rows(case, [TIME, REGRESS], seeds);
    let [time, equal] = run(&EQUAL)?;
    run(&EQUAL_ALONE)?;
    let [_, any] = run(&ANY)?;
    let [_, ordinary] = run(&ORDINARY)?;
    let [_, alone] = run(&ORDINARY_ALONE)?;
    let [_, always] = run(&ALWAYS)?;
    run(&ALWAYS_ALONE)?;
    let [_, together] = run(&TOGETHER)?;
    let mut goals = vec![
        at_most("equal watts: mean error, above time share's", equal.mean() - time.mean(), 0.2),
        at_most("1-5x watts: mean error", ordinary.mean(), 3.0),
        at_most("1-5x watts: worst error", ordinary.worst(), 8.0),
        at_most("1-5x watts, idle unknown: mean error", alone.mean(), 3.0),
        at_most("1-5x watts, idle unknown: worst error", alone.worst(), 8.0),
        at_most("one always on, idle given: mean error", always.mean(), 3.0),
        at_most("always together: machines worse than by time share, %", together.worse(), 0.0),
    ];
    let judged = [
        ("any watts", &any),
        ("equal watts", &equal),
        ("1-5x watts", &ordinary),
        ("always on", &always),
        ("always together", &together),
    ];
    for (name, score) in judged {
        goals.push(within(&format!("{name}: 95 % interval holds"), score.held(), 93.0, 97.0));
    }
    Ok(goals)
}
