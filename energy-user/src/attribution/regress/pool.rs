//! Columns that the equations do not tell apart are put together in one: among themselves they share by
//! time.

use super::estimate::{Estimate, FIRST, Problem};
use super::linear::Square;

/// What of the usual doubt about a column must be taken away for it to count as told apart.
pub(super) const TOLD_APART: f64 = 0.5;

/// The columns that are put together.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    /// Which they are.
    pub members: Vec<usize>,
    /// The others, in order. The pool stands behind them.
    others: Vec<usize>,
    /// How long each member ran in all, in seconds.
    ran: Vec<f64>,
}

impl Pool {
    /// Those of which too little is `told`.
    pub(super) fn of(problem: &Problem, told: &[f64]) -> Self {
        let (others, members): (Vec<usize>, Vec<usize>) =
            (0..told.len()).partition(|column| told[*column] >= TOLD_APART);
        let ran = |column: &usize| problem.times.iter().map(|times| times[*column]).sum();
        Self { ran: members.iter().map(ran).collect(), members, others }
    }

    /// The problem with one column for all members.
    pub(super) fn problem(&self, problem: &Problem) -> Problem {
        let pooled = |times: &Vec<f64>| {
            let mut row: Vec<f64> = self.others.iter().map(|column| times[*column]).collect();
            row.push(self.members.iter().map(|column| times[*column]).sum());
            row
        };
        Problem { times: problem.times.iter().map(pooled).collect(), ..problem.clone() }
    }

    /// The estimate of all columns from that of the pooled ones. Members differ from what they have in
    /// common by nobody knows what: by the spread there is, but so that what they drew together stays.
    pub(super) fn spread_out(&self, pooled: &Estimate, each: &Estimate) -> Estimate {
        let mut place: Vec<usize> = (0..FIRST + each.told.len()).collect();
        for (index, column) in self.others.iter().enumerate() {
            place[FIRST + column] = FIRST + index;
        }
        for column in &self.members {
            place[FIRST + column] = FIRST + self.others.len();
        }
        let size = place.len();
        let mut covariance = Square::zero(size);
        for row in 0..size {
            for column in 0..size {
                covariance.add(row, column, pooled.covariance.get(place[row], place[column]));
            }
        }
        let variance = each.spread * each.spread;
        let squares: f64 = self.ran.iter().map(|ran| ran * ran).sum();
        for (row, ran) in self.members.iter().zip(&self.ran) {
            covariance.add(FIRST + row, FIRST + row, variance);
            for (column, other) in self.members.iter().zip(&self.ran) {
                let shared = if squares > 0.0 { ran * other / squares } else { 0.0 };
                covariance.add(FIRST + row, FIRST + column, -variance * shared);
            }
        }
        let unknowns = place.iter().map(|place| pooled.unknowns[*place]).collect();
        Estimate { unknowns, covariance, told: each.told.clone(), spread: each.spread }
    }
}
