//! What the model `regress` found, as JSON: watts of programs and of their functions, and how far they add up.

use serde::Serialize;

use crate::attribution::{FunctionWatts, ProgramWatts, RegressionFacts};

/// What the model `regress` found of a domain.
#[derive(Serialize)]
pub(super) struct Regression<'a> {
    equations: usize,
    programs: Vec<Program<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crowding: Option<Crowding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    siblings: Option<Siblings>,
}

/// What a CPU second beside a busy sibling of its core draws, of what one draws alone.
#[derive(Serialize)]
struct Siblings {
    worth: f64,
    standard_error: f64,
}

/// What a CPU second draws beside many busy CPUs, of what it draws beside few.
#[derive(Serialize)]
struct Crowding {
    least_busy_cpus: f64,
    most_busy_cpus: f64,
    worth: f64,
    standard_error: f64,
}

/// What a CPU second of a program draws.
#[derive(Serialize)]
struct Program<'a> {
    name: &'a str,
    watts_per_cpu_second: f64,
    standard_error_watts: f64,
    told_apart: bool,
    /// Those of its functions, where it was sampled enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    functions: Vec<Function<'a>>,
}

/// What a CPU second of a program's function draws.
#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    watts_per_cpu_second: f64,
    standard_error_watts: f64,
    told_apart: bool,
}

impl<'a> Regression<'a> {
    /// As a report's JSON has it.
    pub(super) fn of(found: &'a RegressionFacts) -> Self {
        let function = |function: &'a FunctionWatts| Function {
            name: &function.name,
            watts_per_cpu_second: function.power.get(),
            standard_error_watts: function.error.get(),
            told_apart: function.told_apart,
        };
        let program = |program: &'a ProgramWatts| Program {
            name: &program.name,
            watts_per_cpu_second: program.power.get(),
            standard_error_watts: program.error.get(),
            told_apart: program.told_apart,
            functions: program.functions.iter().map(function).collect(),
        };
        let crowding = found.crowding.map(|found| Crowding {
            least_busy_cpus: found.least_busy,
            most_busy_cpus: found.most_busy,
            worth: found.worth,
            standard_error: found.error,
        });
        let siblings = found
            .siblings
            .map(|found| Siblings { worth: found.worth, standard_error: found.error });
        let programs = found.programs.iter().map(program).collect();
        Self { equations: found.equations, programs, crowding, siblings }
    }
}
