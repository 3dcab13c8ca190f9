//! What a model did, beside the truth.

use energy_prof::profile::{Profile, ViewOptions};

use super::in_memory::PACKAGE;
use super::oracle::Known;
use super::simulated_load::Simulated;

/// Programs with less of the active energy are not looked at.
pub(super) const LEAST_SHARE: f64 = 0.05;

/// Neither are threads with less.
const LEAST_OF_THREAD: f64 = 0.01;

/// A difference of mean errors that is none, in percent of a share.
const ALIKE: f64 = 0.2;

/// How one model did on all machines of a scenario.
#[derive(Debug, Default)]
pub(super) struct Score {
    /// By how many percent of the true one each share is wrong.
    errors: Vec<f64>,
    /// The same of threads.
    of_threads: Vec<f64>,
    /// How many true joules were in their interval, of how many.
    held: [usize; 2],
    /// How many programs were told apart, of how many.
    told: [usize; 2],
    /// On how many machines idle power was known.
    idle_known: usize,
    /// On how many machines time share was better.
    worse: usize,
    machines: usize,
}

impl Score {
    /// Adds a machine, and says its programs' mean error.
    pub(super) fn add(&mut self, profile: &Profile, simulated: &Simulated) -> f64 {
        let view = profile.view(&ViewOptions::default(), &|_| None);
        let row = |pid: u32| view.rows.iter().find(|row| row.pid == Some(pid));
        let found: Vec<f64> = simulated
            .truth
            .iter()
            .map(|(pid, _)| row(*pid).map_or(0.0, |row| row.energy.joules().get()))
            .collect();
        let all: f64 = simulated.truth.iter().map(|(_, joules)| joules).sum();
        let found_all: f64 = found.iter().sum();
        let package = &profile.domains[&PACKAGE];
        let idle_known = package.baseline.power().is_some();
        self.machines += 1;
        self.idle_known += usize::from(idle_known);
        let before = self.errors.len();
        for ((pid, joules), found) in simulated.truth.iter().zip(&found).take(simulated.programs) {
            let share = joules / all;
            if share < LEAST_SHARE {
                continue;
            }
            self.errors.push(100.0 * (found / found_all / share - 1.0).abs());
            let error = row(*pid).and_then(|row| row.error);
            // Where idle power is unknown, what is charged is no joules above idle.
            if let Some(error) = error.filter(|_| idle_known) {
                let holds = (found - joules).abs() <= error.half_width_95().get();
                self.held[0] += usize::from(holds);
                self.held[1] += 1;
            }
            let name = format!("(pid {pid})");
            let programs = package.regression.iter().flat_map(|facts| &facts.programs);
            if let Some(program) = programs.into_iter().find(|it| it.name.ends_with(&name)) {
                self.told[0] += usize::from(program.told_apart);
                self.told[1] += 1;
            }
        }
        for (thread, joules) in simulated.threads.iter().filter(|it| it.1 / all >= LEAST_OF_THREAD)
        {
            let charge = profile.threads.get(thread).and_then(|it| it.charges.get(&PACKAGE));
            let found = charge.map_or(0.0, |charge| charge.energy.joules().get());
            self.of_threads.push(100.0 * (found / found_all / (joules / all) - 1.0).abs());
        }
        mean(&self.errors[before..])
    }

    /// Adds a machine as one sees it who is told its laws.
    pub(super) fn add_known(&mut self, known: &[Known], simulated: &Simulated) {
        let all: f64 = simulated.truth.iter().map(|(_, joules)| joules).sum();
        let known_all: f64 = known.iter().map(|it| it.joules).sum();
        let programs = simulated.truth.iter().zip(known).take(simulated.programs);
        for ((_, joules), known) in programs.filter(|((_, joules), _)| joules / all >= LEAST_SHARE)
        {
            self.errors.push(100.0 * (known.joules / known_all / (joules / all) - 1.0).abs());
            self.held[0] += usize::from((known.joules - joules).abs() <= 1.96 * known.error);
            self.held[1] += 1;
        }
    }

    /// Adds other machines.
    pub(super) fn extend(&mut self, next: Self) {
        self.errors.extend(next.errors);
        self.of_threads.extend(next.of_threads);
        add(&mut self.held, next.held);
        add(&mut self.told, next.told);
        self.idle_known += next.idle_known;
        self.worse += next.worse;
        self.machines += next.machines;
    }

    /// Compares a machine's mean error with time share's.
    pub(super) fn compare(&mut self, error: f64, of_time: f64) {
        self.worse += usize::from(error > of_time + ALIKE);
    }

    /// The mean error.
    pub(super) fn mean(&self) -> f64 {
        mean(&self.errors)
    }

    /// The worst error.
    pub(super) fn worst(&self) -> f64 {
        self.errors.iter().copied().fold(0.0, f64::max)
    }

    /// How often the interval held the truth, in percent.
    pub(super) fn held(&self) -> f64 {
        percent(self.held)
    }

    /// On how many machines time share was better, in percent.
    pub(super) fn worse(&self) -> f64 {
        percent([self.worse, self.machines])
    }

    pub(super) fn heading() -> String {
        format!(
            "{:<35}{:<14}{:>7}{:>8}{:>7}{:>8}{:>9}{:>8}{:>7}{:>7}{:>7}",
            "scenario",
            "model",
            "mean",
            "median",
            "99th",
            "worst",
            "threads",
            "95 %",
            "apart",
            "idle",
            "worse"
        )
    }

    pub(super) fn line(&self, scenario: &str, model: &str) -> String {
        let mut errors = self.errors.clone();
        errors.sort_by(f64::total_cmp);
        let at = |permille: usize| {
            errors
                .get(errors.len() * permille / 1000)
                .map_or_else(String::new, |it| format!("{it:.2}"))
        };
        let shown = |counts: [usize; 2]| {
            if counts[1] == 0 { String::new() } else { format!("{:.1}", percent(counts)) }
        };
        let threads = match self.of_threads.as_slice() {
            [] => String::new(),
            errors => format!("{:.2}", mean(errors)),
        };
        format!(
            "{scenario:<35}{model:<14}{:>7.2}{:>8}{:>7}{:>8.2}{:>9}{:>8}{:>7}{:>7}{:>7}",
            self.mean(),
            at(500),
            at(990),
            self.worst(),
            threads,
            shown(self.held),
            shown(self.told),
            shown([self.idle_known, self.machines]),
            shown([self.worse, self.machines]),
        )
    }
}

/// Adds counts.
pub(super) fn add(counts: &mut [usize; 2], next: [usize; 2]) {
    counts.iter_mut().zip(next).for_each(|(count, next)| *count += next);
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
pub(super) fn percent([part, whole]: [usize; 2]) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
