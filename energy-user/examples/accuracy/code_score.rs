//! What a model did with functions, beside the truth.

use energy_prof::profile::{CallTree, CodeUnit, Profile};

use super::in_memory::PACKAGE;
use super::score::{Score, add, mean, percent};
use super::simulated_load::Simulated;

/// Functions with less of the active energy are not looked at.
const LEAST_SHARE: f64 = 0.05;

/// How one model did on all machines of a scenario.
#[derive(Debug, Default)]
pub(super) struct CodeScore {
    /// By how many percent the joules of each are wrong.
    errors: Vec<f64>,
    /// The same of their programs.
    programs: Score,
    /// How many true joules were in their interval, of how many.
    held: [usize; 2],
    /// How many functions were told apart, of how many.
    told: [usize; 2],
}

impl CodeScore {
    /// Adds a machine of which only programs are known.
    pub(super) fn add_programs(&mut self, profile: &Profile, simulated: &Simulated) {
        self.programs.add(profile, simulated);
    }

    /// Adds a machine.
    pub(super) fn add(&mut self, profile: &Profile, tree: &CallTree, simulated: &Simulated) {
        self.add_programs(profile, simulated);
        let rows = tree.rows(CodeUnit::Function);
        let all: f64 = simulated.truth.iter().map(|(_, joules)| joules).sum();
        let programs = profile.domains[&PACKAGE].regression.iter().flat_map(|it| &it.programs);
        let functions: Vec<_> = programs.flat_map(|program| &program.functions).collect();
        for (name, joules) in &simulated.functions {
            if joules / all < LEAST_SHARE {
                continue;
            }
            let row = rows.iter().find(|row| row.frame.name == *name);
            let found = row.map_or(0.0, |row| row.total.energy.joules().get());
            self.errors.push(100.0 * (found / joules - 1.0).abs());
            let error = row.map_or(0.0, |row| row.total.error.half_width_95().get());
            self.held[0] += usize::from((found - joules).abs() <= error);
            self.held[1] += 1;
            let told = functions.iter().find(|function| function.name == *name);
            self.told[0] += usize::from(told.is_some_and(|function| function.told_apart));
            self.told[1] += 1;
        }
    }

    /// Adds other machines.
    pub(super) fn extend(&mut self, next: Self) {
        self.errors.extend(next.errors);
        self.programs.extend(next.programs);
        add(&mut self.held, next.held);
        add(&mut self.told, next.told);
    }

    /// The mean error.
    pub(super) fn mean(&self) -> f64 {
        mean(&self.errors)
    }

    /// How often the interval held the truth, in percent.
    pub(super) fn held(&self) -> f64 {
        percent(self.held)
    }

    pub(super) fn heading() -> String {
        format!(
            "{:<35}{:<9}{:>7}{:>8}{:>7}{:>8}{:>8}{:>7}{:>10}{:>8}",
            "scenario",
            "model",
            "mean",
            "median",
            "99th",
            "worst",
            "95 %",
            "apart",
            "programs",
            "95 %"
        )
    }

    pub(super) fn line(&self, scenario: &str, model: &str) -> String {
        let mut errors = self.errors.clone();
        errors.sort_by(f64::total_cmp);
        let figures = [
            Some(self.mean()),
            errors.get(errors.len() / 2).copied(),
            errors.get(errors.len() * 99 / 100).copied(),
            errors.last().copied(),
            Some(self.held()),
            Some(percent(self.told)),
        ];
        // Of functions nothing is known where none was sampled.
        let shown = figures.map(|figure| {
            let known = figure.filter(|_| !errors.is_empty());
            known.map_or_else(String::new, |figure| format!("{figure:.2}"))
        });
        let [mean, median, most, worst, held, told] = shown;
        format!(
            "{scenario:<35}{model:<9}{mean:>7}{median:>8}{most:>7}{worst:>8}{held:>8}{told:>7}{:>10.2}{:>8.2}",
            self.programs.mean(),
            self.programs.held(),
        )
    }
}
