//! Large machines: how right models are there, and what that costs.

use std::fs;
use std::time::{Duration, Instant};

use energy_prof::analyze::analyze;

use super::goals::{Goal, at_most, within};
use super::rows::{Case, Method, REGRESS, TIME, options};
use super::score::Score;
use super::simulated_load::{Loads, Scenario, Size, simulate};

const fn case(name: &'static str, spread: f64, calibrated: bool) -> Case {
    let scenario = Scenario { size: Size::Large, ..Scenario::new(Loads::Ordinary, spread, 60) };
    Case { name, scenario, calibrated }
}

const EQUAL: Case = case("large, equal watts, idle given", 1.0, true);
const ORDINARY: Case = case("large, 1-5x watts, idle given", 5.0, true);
const ORDINARY_ALONE: Case = case("large, 1-5x watts", 5.0, false);

/// What it cost to divide machines in one way.
#[derive(Default)]
struct Cost {
    took: Vec<Duration>,
    /// By how many bytes memory grew at most.
    grew: Option<u64>,
}

/// Prints a row for each case and model, and then what they cost.
pub(super) fn all(seeds: u64) -> anyhow::Result<Vec<Goal>> {
    println!(
        "{seeds} large machines a row; errors are percent of a program's share, of shares from 5 %,"
    );
    println!("and of a thread's, from 1 %");
    println!("{}", Score::heading());
    let [time, equal] = rows(&EQUAL, seeds)?;
    let [_, ordinary] = rows(&ORDINARY, seeds)?;
    let [_, alone] = rows(&ORDINARY_ALONE, seeds)?;
    Ok(vec![
        at_most("large, equal watts: above time share's", equal.mean() - time.mean(), 0.2),
        at_most("large, 1-5x watts: mean error", ordinary.mean(), 3.0),
        at_most("large, 1-5x watts, idle unknown: mean error", alone.mean(), 3.0),
        within("large, 1-5x watts: 95 % interval holds", ordinary.held(), 93.0, 97.0),
    ])
}

fn rows(case: &Case, seeds: u64) -> anyhow::Result<[Score; 2]> {
    let methods = [TIME, REGRESS];
    let mut scores = [(); 2].map(|()| Score::default());
    let mut costs = [(); 2].map(|()| Cost::default());
    let mut sizes = Vec::new();
    for seed in 0..seeds {
        let simulated = simulate(seed, case.scenario);
        let recording = &simulated.recording;
        sizes.push((recording.threads.len(), simulated.truth.len(), recording.residency.len()));
        let mut first = None;
        for ((score, cost), method) in scores.iter_mut().zip(&mut costs).zip(methods) {
            let options = options(case, method, &simulated);
            let before = forget_peak();
            let began = Instant::now();
            let profile = analyze(recording, &options)?;
            cost.took.push(began.elapsed());
            let grew = before.zip(peak()).map(|(before, peak)| peak.saturating_sub(before));
            cost.grew = cost.grew.max(grew);
            let error = score.add(&profile, &simulated);
            score.compare(error, *first.get_or_insert(error));
        }
    }
    for (score, method) in scores.iter().zip(methods) {
        println!("{}", score.line(case.name, method.name));
    }
    let most = |of: &dyn Fn(&(usize, usize, usize)) -> usize| sizes.iter().map(of).max();
    println!(
        "    up to {} threads, {} processes, {} rows of residency",
        most(&|it| it.0).unwrap_or_default(),
        most(&|it| it.1).unwrap_or_default(),
        most(&|it| it.2).unwrap_or_default(),
    );
    for (cost, method) in costs.iter().zip(methods) {
        println!("    {}", cost.line(method));
    }
    Ok(scores)
}

impl Cost {
    fn line(&self, method: Method) -> String {
        let mut took = self.took.clone();
        took.sort();
        let seconds = |took: Option<&Duration>| took.map_or(0.0, Duration::as_secs_f64);
        let memory = self.grew.map_or_else(
            || "memory unknown".to_owned(),
            |grew| format!("at most {} MiB of memory", grew.div_ceil(1 << 20)),
        );
        format!(
            "{}: median {:.2} s, at most {:.2} s, {memory} beside the recording's",
            method.name,
            seconds(took.get(took.len() / 2)),
            seconds(took.last()),
        )
    }
}

/// Forgets how much memory this process had at most: what it has now, in bytes.
fn forget_peak() -> Option<u64> {
    // See proc_pid_clear_refs(5): 5 makes the peak what is resident now.
    fs::write("/proc/self/clear_refs", "5").ok()?;
    peak()
}

/// How much memory this process had at most since it was last forgotten, in bytes.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}
