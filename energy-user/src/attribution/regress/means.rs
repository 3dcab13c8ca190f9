//! Mean watts over the recording: not those of an endless one, which the unknowns are. What the equations leave
//! unexplained says how far each program's watts were off while it ran.
//!
//! What matters of that is what columns would be charged with too much: where programs run together, each takes
//! its share of what the others are off by, and is not charged for its own. The filter's state has, beside
//! how far each program is off now, the sum of that over the equations. So the sums come out with their own
//! covariance, and whatever of them no equation shows stays in doubt. Watts are then moved so that charges are right.

use super::drift::{Drift, Varying};
use super::estimate::{FIRST, dot};
use super::linear::Square;
use super::misfit::Bent;

/// How little of what a column drew must hang on its watts for them to be moved, as part of it.
const LEAST_SHARED: f64 = 1e-6;

/// What columns draw.
#[derive(Clone, Debug)]
pub(super) struct Drawn<'a> {
    /// The program of each column among those that are followed.
    pub states: Vec<Option<usize>>,
    /// Of each equation, by column, in joules.
    pub each: Vec<Vec<f64>>,
    /// What single programs' times are worth more with a bend, and its place among the unknowns.
    pub bends: Vec<(usize, &'a Bent)>,
}

/// How far mean watts over the recording are from those over an endless one, as part of those.
pub(super) struct Means {
    /// Of each column: by how much, for each unknown's entries of the equations and for their energy.
    of_rows: Vec<Vec<f64>>,
    /// What is left of doubt if the unknowns were known.
    left: Square,
}

/// What each column is charged with too much: the sums that a filter adds up.
struct Sums<'a> {
    varying: &'a Varying,
    drift: Drift,
    states: &'a [Option<usize>],
    /// Which states are programs: what varies besides is no column's own.
    is_program: Vec<bool>,
    /// Of what drifts, of what is fresh, of the sums, of what all columns draw too much where they run together, and
    /// at the end of how far the counter was off at the last edge.
    covariance: Square,
    /// The state for each column of the rows.
    known: Vec<Vec<f64>>,
}

impl Means {
    /// By these equations, which each have an entry for each unknown, and their energy last.
    pub(super) fn of(
        rows: &[Vec<f64>],
        varying: &Varying,
        drift: Drift,
        drawn: &Drawn<'_>,
    ) -> Self {
        let columns = rows.first().map_or(0, Vec::len);
        let mut sums = Sums::new(varying, drift, &drawn.states, columns);
        let count = drawn.states.len();
        let mut shared = Square::zero(count);
        for (equation, (row, drawn)) in rows.iter().zip(&drawn.each).enumerate() {
            sums.add(equation, drawn);
            sums.look(equation, row);
            let all: f64 = drawn.iter().sum();
            for (column, own) in drawn.iter().enumerate().filter(|(_, own)| **own > 0.0) {
                shared.add(column, column, own * (1.0 + LEAST_SHARED));
                for (other, of_other) in drawn.iter().enumerate() {
                    shared.add(column, other, -own * of_other / all);
                }
            }
        }
        // Charges do not tell of what all columns are off by alike: their mean does, where they run together.
        let together: Vec<f64> = (0..count).map(|column| shared.get(column, column)).collect();
        let all = together.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        shared.add_product(1.0 / all, &together, &together);
        for (column, own) in together.iter().enumerate().filter(|(_, own)| **own <= 0.0) {
            // What draws nothing is charged nothing, whatever its watts.
            shared.add(column, column, 1.0 - own);
        }
        let by_sums = shared.factor().inverse();
        let first = sums.first_sum();
        let size = sums.covariance.size();
        // What each column's watts are off by, of the filter's state.
        let mut off = Square::zero(size);
        for column in 0..count {
            for (sum, together) in together.iter().enumerate() {
                off.add(first + column, first + sum, -by_sums.get(column, sum));
                let of_mean = by_sums.get(column, sum) * together / all;
                off.add(first + column, first + count, of_mean);
            }
        }
        for (unknown, bent) in &drawn.bends {
            sums.take_away(*unknown, bent, &drawn.each);
        }
        let of_row = |column: usize, known: &Vec<f64>| dot(off.row(first + column), known);
        let of_rows = (0..count)
            .map(|column| sums.known.iter().map(|known| of_row(column, known)).collect())
            .collect();
        let left = off.times(&sums.covariance).times(&off.transposed());
        Self { of_rows, left: left.part(&(first..first + count).collect::<Vec<_>>()) }
    }

    /// Makes unknowns of an endless recording those of this one, and their covariance.
    pub(super) fn apply(&self, unknowns: &mut [f64], covariance: &mut Square) {
        let before = unknowns.to_vec();
        let mut moved = Square::zero(before.len());
        (0..before.len()).for_each(|unknown| moved.add(unknown, unknown, 1.0));
        for (column, of_rows) in self.of_rows.iter().enumerate() {
            let watts = before[FIRST + column];
            let (energy, of_unknowns) =
                of_rows.split_last().expect("a row has its energy at the end");
            let off = energy - dot(of_unknowns, &before);
            unknowns[FIRST + column] = watts * times(off);
            for (unknown, of_unknown) in of_unknowns.iter().enumerate() {
                moved.add(FIRST + column, unknown, -watts * of_unknown);
            }
        }
        *covariance = moved.times(covariance).times(&moved.transposed());
        for row in 0..self.left.size() {
            for column in 0..self.left.size() {
                let watts = before[FIRST + row] * before[FIRST + column];
                covariance.add(FIRST + row, FIRST + column, watts * self.left.get(row, column));
            }
        }
    }
}

/// How many times as much that is: watts that are half are as far off as those that are twice as much, and never
/// negative.
fn times(off: f64) -> f64 {
    if off < 0.0 { 1.0 / (1.0 - off) } else { 1.0 + off }
}

impl<'a> Sums<'a> {
    fn new(
        varying: &'a Varying,
        drift: Drift,
        states: &'a [Option<usize>],
        columns: usize,
    ) -> Self {
        let size = 2 * varying.variances.len() + states.len() + 2;
        let mut covariance = Square::zero(size);
        for (program, variance) in varying.variances.iter().enumerate() {
            covariance.add(program, program, drift.part() * variance);
        }
        covariance.add(size - 1, size - 1, varying.before(drift));
        let known = vec![vec![0.0; size]; columns];
        let is_program =
            (0..varying.variances.len()).map(|state| states.contains(&Some(state))).collect();
        let mut sums = Self { varying, drift, states, is_program, covariance, known };
        sums.renew(0.0);
        sums
    }

    fn first_sum(&self) -> usize {
        2 * self.varying.variances.len()
    }

    /// Adds to the sums what each column is charged with too much in an equation in which columns drew so much.
    fn add(&mut self, equation: usize, drawn: &[f64]) {
        let programs = self.varying.variances.len();
        let all: f64 = drawn.iter().sum();
        if all <= 0.0 {
            return;
        }
        let of_states = &self.varying.drawn[equation];
        let is_program = &self.is_program;
        let off = |state: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let of = |program: usize| state(program) + state(programs + program);
            let together: f64 = (0..programs)
                .filter(|program| is_program[*program])
                .map(|program| of_states[program] * of(program))
                .sum();
            let each = || drawn.iter().zip(self.states).map(|(own, it)| (own, it.map_or(0.0, of)));
            let of_all: f64 = each().map(|(own, off)| own * (1.0 - own / all) * off).sum();
            each().map(|(own, off)| own * (together / all - off)).chain([of_all]).collect()
        };
        let first = self.first_sum();
        let size = self.covariance.size();
        for column in 0..size {
            let added = off(&|state| self.covariance.get(state, column));
            for (sum, added) in (first..).zip(added) {
                self.covariance.add(sum, column, added);
            }
        }
        for row in 0..size {
            let added = off(&|state| self.covariance.get(row, state));
            for (sum, added) in (first..).zip(added) {
                self.covariance.add(row, sum, added);
            }
        }
        for known in &mut self.known {
            let added = off(&|state| known[state]);
            known[first..].iter_mut().zip(added).for_each(|(sum, added)| *sum += added);
        }
    }

    /// Takes from what an unknown's entries say what its columns are charged with too much by it: it is known by the unknown
    /// itself, and not by what that leaves of the equations.
    fn take_away(&mut self, unknown: usize, bent: &Bent, drawn: &[Vec<f64>]) {
        let first = self.first_sum();
        let of_all = self.states.len();
        let sums = &mut self.known[unknown][first..=first + of_all];
        for (drawn, more) in drawn.iter().zip(&bent.more) {
            let all: f64 = drawn.iter().sum();
            if all <= 0.0 {
                continue;
            }
            let together = more * drawn[bent.columns.clone()].iter().sum::<f64>();
            for (column, own) in drawn.iter().enumerate() {
                let off = if bent.columns.contains(&column) { *more } else { 0.0 };
                sums[column] -= own * (together / all - off);
                sums[of_all] -= own * (1.0 - own / all) * off;
            }
        }
    }

    /// Learns from an equation, and goes on to the next.
    fn look(&mut self, equation: usize, row: &[f64]) {
        let programs = self.varying.variances.len();
        let drawn = &self.varying.drawn[equation];
        let size = self.covariance.size();
        let edge = size - 1;
        let seen = |state: &[f64]| {
            dot(&state[..programs], drawn) + dot(&state[programs..], drawn) - state[edge]
        };
        let with_all: Vec<f64> = (0..size).map(|at| seen(self.covariance.row(at))).collect();
        let (apart, of_edge) = self.varying.fresh(self.drift, equation);
        let all = apart + of_edge + seen(&with_all);
        let gain: Vec<f64> = with_all.iter().map(|it| it / all).collect();
        self.covariance.add_product(-1.0, &with_all, &gain);
        let kept = self.drift.kept();
        for (value, state) in row.iter().zip(&mut self.known) {
            let new = value - seen(state);
            state.iter_mut().zip(&gain).for_each(|(state, gain)| *state += gain * new);
            state[..programs].iter_mut().for_each(|state| *state *= kept);
            state[programs..2 * programs].fill(0.0);
            state[edge] = of_edge / all * new;
        }
        // The next equation begins at this one's end.
        self.covariance.scale_line(edge, 0.0);
        self.covariance.add(edge, edge, of_edge - of_edge * of_edge / all);
        for (other, gain) in gain.iter().enumerate().take(edge) {
            self.covariance.add(other, edge, -of_edge * gain);
            self.covariance.add(edge, other, -of_edge * gain);
        }
        for program in 0..programs {
            self.covariance.scale_line(program, kept);
            self.covariance.scale_line(programs + program, 0.0);
        }
        self.renew(1.0 - kept * kept);
    }

    /// Adds what is new: of what drifts so much, of what is fresh all.
    fn renew(&mut self, of_drift: f64) {
        let part = self.drift.part();
        for (program, variance) in self.varying.variances.iter().enumerate() {
            self.covariance.add(program, program, part * variance * of_drift);
            let fresh = self.varying.variances.len() + program;
            self.covariance.add(fresh, fresh, (1.0 - part) * variance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two programs of 10 W each in 100 equations of 100 ms: the first in all, the second in every other. The
    /// first draws 12 W in the one half and 10 in the other.
    fn equations(dear_when_alone: bool) -> (Vec<Vec<f64>>, Varying, Drawn<'static>) {
        let mut rows = Vec::new();
        let mut each = Vec::new();
        for equation in 0..100 {
            let is_alone = equation % 2 == 0;
            let beside = if is_alone { 0.0 } else { 0.1 };
            let watts = if is_alone == dear_when_alone { 12.0 } else { 10.0 };
            rows.push(vec![0.0, 0.0, 0.1, beside, 0.1 * watts + 10.0 * beside]);
            each.push(vec![1.0, 10.0 * beside]);
        }
        let varying = Varying {
            apart: vec![1e-6; rows.len()],
            counter: vec![0.0; rows.len()],
            drawn: each.clone(),
            variances: vec![0.04, 1e-9],
        };
        (rows, varying, Drawn { states: vec![Some(0), Some(1)], each, bends: Vec::new() })
    }

    fn moved(dear_when_alone: bool) -> Vec<f64> {
        let (rows, varying, drawn) = equations(dear_when_alone);
        let means = Means::of(&rows, &varying, Drift::default(), &drawn);
        let mut unknowns = vec![0.0, 10.0, 10.0, 10.0];
        means.apply(&mut unknowns, &mut Square::zero(4));
        unknowns
    }

    #[test]
    fn what_a_program_draws_alone_does_not_move_what_it_is_charged_with_beside_another() {
        let unknowns = moved(true);
        assert!((unknowns[FIRST] / unknowns[FIRST + 1] - 1.0).abs() < 0.01, "{unknowns:?}");
    }

    #[test]
    fn what_a_program_draws_beside_another_is_its_own_if_it_is_the_one_that_varies() {
        let unknowns = moved(false);
        assert!((unknowns[FIRST] / unknowns[FIRST + 1] - 1.2).abs() < 0.02, "{unknowns:?}");
    }

    #[test]
    fn sums_are_what_is_to_be_expected_by_the_covariance_of_all_equations() {
        let (rows, varying, drawn) = equations(false);
        let varying = Varying {
            apart: vec![0.01; rows.len()],
            counter: rows.iter().map(|row| 0.05 * row[3] + 0.001).collect(),
            variances: vec![0.04, 0.01],
            ..varying
        };
        let drift = Drift::default();
        let mut sums = Sums::new(&varying, drift, &drawn.states, rows[0].len());
        for (equation, (row, drawn)) in rows.iter().zip(&drawn.each).enumerate() {
            sums.add(equation, drawn);
            sums.look(equation, row);
        }
        let energy: Vec<f64> = rows.iter().map(|row| row[4]).collect();
        let solved = varying.covariance(drift).factor().solve(&energy);
        // The first is charged with its share of what both are off by, and not for its own.
        let charged = |equation: usize, state: usize| {
            let [a, b] = [drawn.each[equation][0], drawn.each[equation][1]];
            if state == 0 { a * a / (a + b) - a } else { a * b / (a + b) }
        };
        let mut expected = 0.0;
        for (a, state) in (0..rows.len()).flat_map(|a| [(a, 0), (a, 1)]) {
            for (b, solved) in solved.iter().enumerate() {
                let own = varying.drawn[b][state] * varying.variances[state];
                expected += charged(a, state) * own * drift.in_common(a.abs_diff(b)) * solved;
            }
        }
        let found = sums.known[4][sums.first_sum()];
        assert!((found - expected).abs() < 1e-6 * expected.abs(), "{found}, not {expected}");
    }

    #[test]
    fn doubt_that_is_left_is_of_no_direction_and_never_negative() {
        let (rows, varying, drawn) = equations(false);
        let means = Means::of(&rows, &varying, Drift::default(), &drawn);
        let mut covariance = Square::zero(4);
        means.apply(&mut [0.0, 10.0, 10.0, 10.0], &mut covariance);
        for row in 0..4 {
            assert!(covariance.get(row, row) >= 0.0);
            for column in 0..4 {
                let apart = covariance.get(row, column) - covariance.get(column, row);
                assert!(apart.abs() < 1e-9);
            }
        }
    }
}
