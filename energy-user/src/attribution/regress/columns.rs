//! Which programs get watts of their own, and the table of equations that follows from it.

use std::collections::BTreeMap;

use super::equations::Equation;
use super::programs::Programs;

/// In how many equations a process must have run to stand for itself.
const EQUATIONS_OF_PROCESS: usize = 50;

/// In how many equations a program must have run to stand for itself, in all its processes.
const EQUATIONS_OF_PROGRAM: usize = 20;

/// More have no watts of their own. Those that ran longest come first.
const MOST: usize = 64;

/// What a column stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// A program in one process.
    Unit(u32),
    /// A program, in all processes that do not stand for themselves.
    Program(u32),
    /// All others.
    Rest,
}

/// The columns, and which is whose.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub columns: Vec<Column>,
    /// Of each unit that ran.
    pub of_unit: BTreeMap<u32, usize>,
}

/// How long something ran, and in how many equations.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    seconds: f64,
    equations: usize,
}

impl Seen {
    fn add(&mut self, seconds: f64) {
        self.seconds += seconds;
        self.equations += 1;
    }
}

impl Columns {
    /// The columns that these equations can tell something of.
    pub(super) fn of(equations: &[Equation], programs: &Programs) -> Self {
        let units = seen(equations, Some);
        let alone = |unit: u32| units[&unit].equations >= EQUATIONS_OF_PROCESS;
        let together = seen(equations, |unit| (!alone(unit)).then(|| programs.program_of(unit)));
        let of_units = units
            .iter()
            .filter(|(unit, _)| alone(**unit))
            .map(|(unit, seen)| (seen.seconds, Column::Unit(*unit)));
        let of_programs = together
            .iter()
            .filter(|(_, seen)| seen.equations >= EQUATIONS_OF_PROGRAM)
            .map(|(program, seen)| (seen.seconds, Column::Program(*program)));
        let mut candidates: Vec<(f64, Column)> = of_units.chain(of_programs).collect();
        // Stable: of two that ran equally long, the one seen first comes first.
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        candidates.truncate(MOST);
        let mut columns: Vec<Column> = candidates.into_iter().map(|(_, column)| column).collect();
        let place = |wanted: Column| columns.iter().position(|column| *column == wanted);
        let mut of_unit = BTreeMap::new();
        for unit in units.keys() {
            let own = if alone(*unit) {
                place(Column::Unit(*unit))
            } else {
                place(Column::Program(programs.program_of(*unit)))
            };
            of_unit.insert(*unit, own.unwrap_or(columns.len()));
        }
        if of_unit.values().any(|column| *column == columns.len()) {
            columns.push(Column::Rest);
        }
        Self { columns, of_unit }
    }

    /// How long each column ran in an equation, in seconds.
    pub(super) fn times(&self, equation: &Equation) -> Vec<f64> {
        let mut times = vec![0.0; self.columns.len()];
        for (unit, seconds) in &equation.ran {
            times[self.of_unit[unit]] += seconds;
        }
        times
    }

    /// Which part of each column's time in an equation was beside a busy sibling.
    pub(super) fn beside(&self, equation: &Equation) -> Vec<f64> {
        let mut beside = vec![0.0; self.columns.len()];
        for (unit, seconds) in &equation.beside {
            beside[self.of_unit[unit]] += seconds;
        }
        let times = self.times(equation);
        let part = |(beside, time): (&f64, &f64)| if *time > 0.0 { beside / time } else { 0.0 };
        beside.iter().zip(&times).map(part).collect()
    }

    /// What a column is called.
    pub(super) fn name(&self, column: usize, programs: &Programs) -> String {
        match self.columns[column] {
            Column::Unit(unit) => {
                format!("{} (pid {})", programs.name(programs.program_of(unit)), programs.pid(unit))
            }
            Column::Program(program) => programs.name(program).to_owned(),
            Column::Rest => "all others".to_owned(),
        }
    }
}

/// How long and in how many equations each was seen that `key` makes of units.
fn seen(equations: &[Equation], key: impl Fn(u32) -> Option<u32>) -> BTreeMap<u32, Seen> {
    let mut seen: BTreeMap<u32, Seen> = BTreeMap::new();
    for equation in equations {
        let mut here: BTreeMap<u32, f64> = BTreeMap::new();
        for (unit, seconds) in &equation.ran {
            if let Some(key) = key(*unit) {
                *here.entry(key).or_default() += seconds;
            }
        }
        for (key, seconds) in here {
            seen.entry(key).or_default().add(seconds);
        }
    }
    seen
}
