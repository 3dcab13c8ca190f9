//! The best that could be said of a machine, by one who knows all its laws and is not told the joules.
//!
//! Told are by how much and for how long each program's watts vary, those of all together, and idle power, how large all that is
//! in watts, what a counter's edges may be off by, and between which bounds watts were drawn. Beside that there is what is
//! recorded: the energy of each window, and for how long each program ran in it. To the first order all but the bounds is
//! Gaussian then, and what is to be expected of each program's joules has the least variance that an estimate linear in the
//! energies can have.
//! Reference: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), section 2.2.

use super::simulated_load::{COMMON_WOBBLE, IDLE_WOBBLE, QUANTUM, Simulated, UPDATE};
use super::simulated_program::{Law, Wobble};

/// Joules of a program, and their standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) joules: f64,
    pub(super) error: f64,
}

/// What is believed of watts before a machine is seen: their mean and standard deviation.
#[derive(Clone, Copy, Debug)]
struct Belief {
    mean: f64,
    deviation: f64,
}

/// What is observed, and what it has in common with the joules of each program.
struct Seen {
    /// Windows, and where idle power is given, behind them what was idle in all.
    energy: Vec<f64>,
    expected: Vec<f64>,
    covariance: Vec<Vec<f64>>,
    with_joules: Vec<Vec<f64>>,
    /// The variance of the joules of each program before anything is observed, and what is expected of them.
    variances: Vec<f64>,
    joules: Vec<f64>,
}

/// What is to be expected of the joules of each program of a machine, background last. `spread` is the largest watts of a CPU
/// second there might be, as a multiple of the least.
pub(super) fn expected(simulated: &Simulated, spread: f64, is_idle_given: bool) -> Vec<Known> {
    let mut seen = Seen::new(simulated, is_idle_given);
    let belief = Belief::of_programs(simulated.least, spread);
    let times = times(simulated);
    for (program, (law, times)) in simulated.laws.iter().zip(&times).enumerate() {
        seen.add_program(program, law, times, belief);
    }
    seen.add_common(&simulated.laws, &times);
    let idle = simulated.idle.get();
    let lasted: Vec<f64> =
        simulated.recording.windows.iter().map(|window| window.length().seconds()).collect();
    let believed = if is_idle_given {
        // What was idle in all is observed.
        Belief { mean: idle, deviation: idle }
    } else {
        Belief::of_idle(&seen.energy, &lasted)
    };
    seen.add_idle(idle, &lasted, believed, is_idle_given);
    seen.add_edges(&simulated.at_edges);
    seen.known()
}

/// For how many seconds each program ran in each window.
fn times(simulated: &Simulated) -> Vec<Vec<f64>> {
    let recording = &simulated.recording;
    let mut times = vec![vec![0.0; recording.windows.len()]; simulated.truth.len()];
    let program = |pid: u32| simulated.truth.iter().position(|(known, _)| *known == pid);
    for row in &recording.residency {
        let program =
            program(recording.threads[&row.thread].tgid).expect("all threads are of programs");
        times[program][row.window as usize] += row.oncpu.seconds();
    }
    times
}

impl Belief {
    /// Watts are the least times `spread` to a power between 0 and 1.
    fn of_programs(least: f64, spread: f64) -> Self {
        if spread <= 1.0 {
            return Self { mean: least, deviation: 0.0 };
        }
        let logarithm = spread.ln();
        let mean = (spread - 1.0) / logarithm;
        let square = (spread * spread - 1.0) / (2.0 * logarithm);
        Self { mean: least * mean, deviation: least * (square - mean * mean).sqrt() }
    }

    /// Idle power is 10 to 70 % of all.
    fn of_idle(energy: &[f64], lasted: &[f64]) -> Self {
        let power = energy.iter().sum::<f64>() / lasted.iter().sum::<f64>();
        Self { mean: 0.4 * power, deviation: 0.6 / 12f64.sqrt() * power }
    }
}

impl Seen {
    fn new(simulated: &Simulated, is_idle_given: bool) -> Self {
        let mut energy: Vec<f64> = simulated
            .recording
            .energy
            .iter()
            .map(|sample| sample.energy.expect("all windows have energy").joules().get())
            .collect();
        if is_idle_given {
            let lasted = simulated.recording.windows.iter().map(|it| it.length().seconds());
            energy.push(simulated.idle.get() * lasted.sum::<f64>());
        }
        let size = energy.len();
        let programs = simulated.truth.len();
        Self {
            energy,
            expected: vec![0.0; size],
            covariance: vec![vec![0.0; size]; size],
            with_joules: vec![vec![0.0; size]; programs],
            variances: vec![0.0; programs],
            joules: vec![0.0; programs],
        }
    }

    /// What a program draws, around what is believed of its watts.
    fn add_program(&mut self, program: usize, law: &Law, times: &[f64], belief: Belief) {
        for (a, of_a) in times.iter().enumerate() {
            self.expected[a] += belief.mean * of_a;
            self.joules[program] += belief.mean * of_a;
            for (b, of_b) in times.iter().enumerate() {
                let varies = law.watts.powi(2) * in_common(law.wobble, a.abs_diff(b));
                let value = of_a * of_b * (belief.deviation.powi(2) + varies);
                self.covariance[a][b] += value;
                self.with_joules[program][b] += value;
                self.variances[program] += value;
            }
        }
    }

    /// What all programs draw more or less together.
    fn add_common(&mut self, laws: &[Law], times: &[Vec<f64>]) {
        let windows = times.first().map_or(0, Vec::len);
        let drawn: Vec<Vec<f64>> = laws
            .iter()
            .zip(times)
            .map(|(law, times)| times.iter().map(|time| law.watts * time).collect())
            .collect();
        let all: Vec<f64> =
            (0..windows).map(|window| drawn.iter().map(|drawn| drawn[window]).sum()).collect();
        for a in 0..windows {
            for b in 0..windows {
                let in_common = in_common(COMMON_WOBBLE, a.abs_diff(b));
                self.covariance[a][b] += all[a] * all[b] * in_common;
                for (program, drawn) in drawn.iter().enumerate() {
                    self.with_joules[program][b] += drawn[a] * all[b] * in_common;
                    self.variances[program] += drawn[a] * drawn[b] * in_common;
                }
            }
        }
    }

    /// What is idle, around what is believed of it.
    fn add_idle(&mut self, idle: f64, lasted: &[f64], belief: Belief, is_given: bool) {
        let all = lasted.len();
        for a in 0..all {
            self.expected[a] += belief.mean * lasted[a];
            if is_given {
                self.expected[all] += belief.mean * lasted[a];
            }
            for b in 0..all {
                let varies = idle.powi(2) * in_common(IDLE_WOBBLE, a.abs_diff(b));
                let value = lasted[a] * lasted[b] * (belief.deviation.powi(2) + varies);
                self.covariance[a][b] += value;
                if is_given {
                    self.covariance[a][all] += value;
                    self.covariance[all][b] += value;
                    self.covariance[all][all] += value;
                }
            }
        }
    }

    /// What is shown at an edge was up to an update ago, at the power there, in whole steps. The first edge is exact.
    fn add_edges(&mut self, powers: &[f64]) {
        for (window, power) in powers.iter().enumerate() {
            let late = power * UPDATE / 2.0 + QUANTUM / 2.0;
            let variance = ((power * UPDATE).powi(2) + QUANTUM.powi(2)) / 12.0;
            self.expected[window] -= late;
            self.covariance[window][window] += variance;
            if window + 1 < powers.len() {
                self.expected[window + 1] += late;
                self.covariance[window + 1][window + 1] += variance;
                self.covariance[window][window + 1] -= variance;
                self.covariance[window + 1][window] -= variance;
            }
        }
    }

    /// What is to be expected once all is seen.
    fn known(self) -> Vec<Known> {
        let lower = factor(self.covariance);
        let solved = |right: &[f64]| {
            let mut solved = right.to_vec();
            for row in 0..solved.len() {
                let known: f64 = lower[row][..row].iter().zip(&solved).map(|(a, b)| a * b).sum();
                solved[row] = (solved[row] - known) / lower[row][row];
            }
            solved
        };
        let news: Vec<f64> = self.energy.iter().zip(&self.expected).map(|(a, b)| a - b).collect();
        let news = solved(&news);
        let programs = self.joules.iter().zip(&self.variances).zip(&self.with_joules);
        let known = programs.map(|((joules, variance), with)| {
            let with = solved(with);
            let told: f64 = with.iter().zip(&news).map(|(a, b)| a * b).sum();
            let sure: f64 = with.iter().map(|with| with * with).sum();
            Known { joules: joules + told, error: (variance - sure).max(0.0).sqrt() }
        });
        known.collect()
    }
}

/// What means over two windows so many apart have in common.
fn in_common(wobble: Wobble, apart: usize) -> f64 {
    /// How long windows are, in seconds.
    const WINDOW: f64 = 0.1;
    let part = WINDOW / wobble.seconds;
    let gone = -(-part).exp_m1();
    let of_one = match i32::try_from(apart).unwrap() {
        0 => 2.0 * (part - gone) / (part * part),
        apart => (gone / part).powi(2) * (-part).exp().powi(apart - 1),
    };
    wobble.deviation.powi(2) * of_one
}

/// Cholesky's factor: the lower triangle `L` with `L Lᵀ` this matrix.
fn factor(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for row in 0..matrix.len() {
        for column in 0..=row {
            let (above, from_row) = matrix.split_at(row);
            let of_row = &from_row[0];
            let of_column = above.get(column).unwrap_or(of_row);
            let pairs = of_row[..column].iter().zip(&of_column[..column]);
            let left = of_row[column] - pairs.map(|(a, b)| a * b).sum::<f64>();
            let pivot = of_column[column];
            matrix[row][column] = if row == column { left.sqrt() } else { left / pivot };
        }
    }
    matrix
}
