//! The model `regress`: a thread's share of the active energy is its on-CPU time times the watts of its
//! program, or where it was sampled, of its functions; they are found from the recording itself.
//!
//! A first pass makes an equation of every stretch of a tenth of a second: what the domain drew is its
//! idle power and, for each program, the watts of a CPU second times the seconds it ran; by its samples, for
//! each of its functions. Programs, and functions of a program,
//! that run at different times are told apart by it. Where they are not, all are pulled to a common
//! mean, and their shares are those of the model `time`. docs/attribution.md has the method and what
//! it is worth.

mod code_doubts;
mod columns;
mod directions;
mod drift;
mod equations;
mod estimate;
mod families;
mod fit;
mod functions;
mod in_window;
mod linear;
#[cfg(test)]
mod lottery;
mod means;
mod misfit;
mod mixes;
mod noise;
mod phases;
mod pool;
mod prior;
mod programs;
mod rows;
mod stated;

use std::collections::BTreeMap;

use super::{Baselines, SharedCores};
use crate::model::{DomainId, StackId, ThreadId};
use crate::units::Watts;
use fit::Fit;

pub use code_doubts::{CodeDirections, CodeDoubts};
pub use equations::EquationGathering;
pub use functions::{FunctionCensus, Functions};
pub use in_window::InWindow;
pub use programs::Programs;

/// The watts of programs and their functions, by domain.
#[derive(Clone, Debug, Default)]
pub struct Regression {
    by_domain: BTreeMap<DomainId, Fit>,
    programs: Programs,
    functions: Functions,
    cores: SharedCores,
}

/// What a regression says of one domain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegressionFacts {
    /// How many equations there were.
    pub equations: usize,
    /// What was found of programs, those first that ran longest.
    pub programs: Vec<ProgramWatts>,
    /// The idle power found, with its standard error, where it was unknown and became clear.
    pub idle: Option<(Watts, Watts)>,
    /// How far watts add up.
    pub crowding: Option<Crowding>,
    /// What time beside a busy sibling is worth, where CPUs share cores and nobody said.
    pub siblings: Option<Siblings>,
}

/// What a CPU second beside a busy sibling of the same core draws, of what one draws that has its core alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Siblings {
    /// From 0.5 to 1.
    pub worth: f64,
    /// The standard error of that.
    pub error: f64,
}

/// What a CPU second draws beside many busy CPUs, of what it draws beside few.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crowding {
    /// The fewest CPUs that were busy in a stretch of a tenth of a second.
    pub least_busy: f64,
    /// The most.
    pub most_busy: f64,
    /// What a CPU second draws there, as part of what it draws where the fewest are.
    pub worth: f64,
    /// The standard error of that.
    pub error: f64,
}

/// What a regression says of one program.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramWatts {
    /// What it is called.
    pub name: String,
    /// What it draws while it runs on one CPU.
    pub power: Watts,
    /// The standard error of that.
    pub error: Watts,
    /// Whether the equations tell it apart from the others. Otherwise it shares in what they have in
    /// common, by its time.
    pub told_apart: bool,
    /// What was found of its functions, those first that ran longest; none where it was not sampled
    /// enough.
    pub functions: Vec<FunctionWatts>,
}

/// What a regression says of one function of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionWatts {
    /// What it is called, with the function it was called from where it is not the program's own.
    pub name: String,
    /// What it draws while it runs on one CPU.
    pub power: Watts,
    /// The standard error of that.
    pub error: Watts,
    /// Whether the equations tell it apart from the program's others. Otherwise it shares in what they have in
    /// common, by its time.
    pub told_apart: bool,
}

impl EquationGathering<'_> {
    /// What the equations say, once baselines are known.
    pub fn solve(self, baselines: &Baselines) -> Regression {
        let topology = self.topology();
        let (programs, functions, by_domain) = self.finish();
        let mut fits = BTreeMap::new();
        for (domain, series) in by_domain {
            let idle = (baselines.of(domain), topology.feeders(domain).known());
            if let Some(fit) = Fit::of(&series, programs, functions, idle) {
                fits.insert(domain, fit);
            }
        }
        let (programs, functions) = (programs.clone(), functions.clone());
        Regression { by_domain: fits, programs, functions, cores: SharedCores::of(topology) }
    }
}

impl Regression {
    /// What was found of each domain. One of which too little was recorded is not there: the model
    /// divides it as `time` does.
    pub fn facts(&self) -> BTreeMap<DomainId, RegressionFacts> {
        self.by_domain.iter().map(|(domain, fit)| (*domain, fit.facts.clone())).collect()
    }

    /// What was found of a domain or, of a single core, of its package.
    fn fit(&self, domain: DomainId) -> Option<&Fit> {
        let of_package = || self.by_domain.iter().find(|(package, _)| package.contains(domain));
        let fit = self.by_domain.get(&domain);
        fit.or_else(|| of_package().filter(|_| domain.is_one_core()).map(|(_, fit)| fit))
    }

    /// What a sample of a thread at a stack weighs for each nanosecond, beside its others: the watts there, of
    /// all of these domains, in milliwatts.
    pub fn weight(&self, thread: ThreadId, stack: StackId, domains: &[DomainId]) -> u64 {
        let fits = self.by_domain.iter().filter(|(domain, _)| domains.contains(domain));
        let weights = fits.map(|(_, fit)| fit.milliwatts(self.place(fit, thread, Some(stack))));
        weights.sum::<u64>().max(1)
    }

    /// The place of a thread's stack among the coefficients of a fit.
    fn place(&self, fit: &Fit, thread: ThreadId, stack: Option<StackId>) -> usize {
        let Some(unit) = self.programs.unit_of(thread) else { return fit.common() };
        let program = self.programs.program_of(unit);
        let function = stack.and_then(|stack| self.functions.at(program, stack));
        fit.place(unit, function)
    }
}
