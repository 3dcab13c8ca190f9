//! Functions of programs, which were sampled.

use energy_prof::analyze::{CallTreeOptions, analyze, profile_and_call_tree};

use super::code_score::CodeScore;
use super::goals::{Goal, at_most, within};
use super::machines;
use super::rows::{Case, REGRESS, TIME, options};
use super::simulated_code::Code;
use super::simulated_load::{Loads, Scenario, simulate};

/// How long threads stay at a function, in the mean, in seconds: at least and at most.
const PHASES: (f64, f64) = (0.03, 3.0);
const FAST_PHASES: (f64, f64) = (0.005, 0.02);
const SLOW_PHASES: (f64, f64) = (5.0, 20.0);

const fn code(
    name: &'static str,
    programs: Option<usize>,
    ratio: f64,
    hertz: f64,
    phases: (f64, f64),
) -> Case {
    let code = Some(Code { hertz, ratio, phases });
    let scenario = Scenario { programs, code, ..Scenario::new(Loads::Ordinary, 2.0, 60) };
    Case { name, scenario, calibrated: true }
}

const ALONE: Case = code("one program, 997 Hz", Some(1), 3.0, 997.0, PHASES);
const BESIDE: Case = code("3-8 programs, 997 Hz", None, 3.0, 997.0, PHASES);
const CODE: [Case; 9] = [
    code("3-8 programs, not sampled", None, 3.0, 0.0, PHASES),
    code("phases of 5-20 s, not sampled", None, 3.0, 0.0, SLOW_PHASES),
    code("phases of 5-20 s, 99 Hz", None, 3.0, 99.0, SLOW_PHASES),
    code("one program, 99 Hz", Some(1), 3.0, 99.0, PHASES),
    code("3-8 programs, 99 Hz", None, 3.0, 99.0, PHASES),
    code("phases of 5-20 ms, 997 Hz", None, 3.0, 997.0, FAST_PHASES),
    code("phases of 5-20 ms, 99 Hz", None, 3.0, 99.0, FAST_PHASES),
    code("alike, 997 Hz", None, 1.0, 997.0, PHASES),
    code("alike, 99 Hz", None, 1.0, 99.0, PHASES),
];

/// Prints a row for each case and model.
pub(super) fn all(seeds: u64) -> anyhow::Result<Vec<Goal>> {
    println!(
        "{seeds} machines a row; functions of programs, cheap and dear, 1 and 3x watts unless"
    );
    println!(
        "alike, idle given; errors are percent of a function's joules, and of programs' shares"
    );
    println!("{}", CodeScore::heading());
    let [_, alone] = rows(&ALONE, seeds)?;
    let [_, beside] = rows(&BESIDE, seeds)?;
    for case in &CODE {
        rows(case, seeds)?;
    }
    Ok(vec![
        at_most("functions of one program, 997 Hz: mean error", alone.mean(), 5.0),
        at_most("functions of 3-8 programs, 997 Hz: mean error", beside.mean(), 5.0),
        within("functions of one program: 95 % interval holds", alone.held(), 93.0, 97.0),
        within("functions of 3-8 programs: 95 % interval holds", beside.held(), 93.0, 97.0),
    ])
}

/// How both models do with functions, each on the same machines; printed, too.
fn rows(case: &Case, seeds: u64) -> anyhow::Result<[CodeScore; 2]> {
    let methods = [TIME, REGRESS];
    let mut scores = methods.map(|_| CodeScore::default());
    let of_machines = machines::each(seeds, |seed| {
        let simulated = simulate(seed, case.scenario);
        let mut scores = methods.map(|_| CodeScore::default());
        for (score, method) in scores.iter_mut().zip(methods) {
            let options = options(case, method, &simulated);
            let of = CallTreeOptions::default();
            if simulated.recording.samples.is_empty() {
                score.add_programs(&analyze(&simulated.recording, &options)?, &simulated);
                continue;
            }
            let (profile, tree) = profile_and_call_tree(&simulated.recording, &options, &of)?;
            score.add(&profile, &tree, &simulated);
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
