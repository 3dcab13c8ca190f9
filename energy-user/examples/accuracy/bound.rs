//! How right any model could be on these machines: `regress` beside one who is told all laws and not the joules.

use energy_prof::analyze::analyze;

use super::goals::Goal;
use super::machines;
use super::oracle::{Known, expected};
use super::rows::{Case, REGRESS, options};
use super::score::{LEAST_SHARE, Score};
use super::simulated_load::{Loads, Scenario, Simulated, simulate};

const fn case(name: &'static str, loads: Loads, spread: f64, calibrated: bool) -> Case {
    Case { name, scenario: Scenario::new(loads, spread, 60), calibrated }
}

const CASES: [Case; 4] = [
    case("equal watts, idle given", Loads::Ordinary, 1.0, true),
    case("1-5x watts, idle given", Loads::Ordinary, 5.0, true),
    case("1-5x watts", Loads::Ordinary, 5.0, false),
    case("1-5x, one always on, idle given", Loads::FirstAlways, 5.0, true),
];

/// The worst error that is asked for, in percent of a share.
const WORST: f64 = 8.0;

/// Prints two rows for each case. Nothing is asked of them.
pub(super) fn all(seeds: u64) -> anyhow::Result<Vec<Goal>> {
    println!("{seeds} machines a row; \"bound\" is told what each program varies by");
    println!("{}", Score::heading());
    for case in CASES {
        let mut of_regress = Score::default();
        let mut bound = Score::default();
        let mut beyond = 0.0;
        let mut least_sure = 0.0f64;
        let of_machines = machines::each(seeds, |seed| {
            let simulated = simulate(seed, case.scenario);
            let mut scores = [(); 2].map(|()| Score::default());
            let profile = analyze(&simulated.recording, &options(&case, REGRESS, &simulated))?;
            scores[0].add(&profile, &simulated);
            let best = expected(&simulated, case.scenario.spread, case.calibrated);
            scores[1].add_known(&best, &simulated);
            Ok((scores, errors(&best, &simulated)))
        })?;
        for ([regress, best], errors) in of_machines {
            of_regress.extend(regress);
            bound.extend(best);
            for error in errors {
                beyond += probability_beyond(WORST / error);
                least_sure = least_sure.max(error);
            }
        }
        println!("{}", of_regress.line(case.name, REGRESS.name));
        println!("{}", bound.line(case.name, "bound"));
        println!(
            "    of which {beyond:.2} are to be expected to be off by more than {WORST} %; \
             standard errors up to {least_sure:.2} %"
        );
    }
    Ok(Vec::new())
}

/// The standard errors of shares that are judged, in percent of each.
fn errors(best: &[Known], simulated: &Simulated) -> Vec<f64> {
    let all: f64 = simulated.truth.iter().map(|(_, joules)| joules).sum();
    let judged = best.iter().zip(&simulated.truth).take(simulated.programs);
    let judged = judged.filter(|(_, (_, joules))| joules / all >= LEAST_SHARE);
    judged.map(|(best, (_, joules))| 100.0 * best.error / joules).collect()
}

/// How likely something normal is off by more than so many standard deviations, either way.
/// Reference: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 7.1.26; exact to 1.5e-7.
fn probability_beyond(deviations: f64) -> f64 {
    const TERMS: [f64; 5] =
        [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let x = deviations / 2f64.sqrt();
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    TERMS.iter().fold(0.0, |sum, term| (sum + term) * t) * (-x * x).exp()
}
