//! What a CPU second is worth where many CPUs are busy.
//!
//! The more cores of a processor are busy, the lower its frequency, and siblings of a core share what it draws: a CPU
//! second draws less beside many others than alone. Were that left out, programs that run alone would come out dear and those
//! that run beside others cheap. In one window it is the same for all that ran, so it plays no part in dividing: it only
//! has to be known for the equations of different windows to be of the same watts.
//!
//! The law is a line, `1 - c × busy CPUs / most busy CPUs`; *c* is the likeliest of some, and 0 unless the equations say
//! loudly that it is not.

use super::estimate::{Problem, dot};

/// What is tried: how much less a CPU second draws when the most CPUs are busy.
const STEPS: [f64; 8] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];

/// By how much the likelihood, as minus twice its logarithm, must be better than without: by chance it is so once in some
/// thousand recordings.
const LOUD: f64 = 12.0;

/// So many equations are enough to find it.
const ENOUGH: usize = 600;

impl Problem {
    /// With times as they are worth, so that a CPU second of the mean is one.
    pub(super) fn with_crowding(self) -> Self {
        let some = self.thinned();
        let Some(without) = some.doubt() else { return self };
        let doubt = |step: usize| some.crowded(STEPS[step]).doubt().unwrap_or(f64::INFINITY);
        let mut best = (without, 0);
        // It is taken to have one top: from nothing, in steps of two, and then beside the best.
        for step in (2..STEPS.len()).step_by(2) {
            let found = doubt(step);
            if found >= best.0 {
                break;
            }
            best = (found, step);
        }
        let beside = [best.1.wrapping_sub(1), best.1 + 1];
        for step in beside.into_iter().filter(|step| (1..STEPS.len()).contains(step)) {
            let found = doubt(step);
            if found < best.0 {
                best = (found, step);
            }
        }
        if best.0 + LOUD <= without { self.crowded(STEPS[best.1]) } else { self }
    }

    /// With times as they are worth if they are worth so much less where the most CPUs are busy.
    fn crowded(&self, less: f64) -> Self {
        let ran = |equation: usize| self.times[equation].iter().sum::<f64>() + self.lost[equation];
        let ran: Vec<f64> = (0..self.times.len()).map(ran).collect();
        let busy: Vec<f64> = ran.iter().zip(&self.lasted).map(|(ran, it)| ran / it).collect();
        let most = busy.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let worth: Vec<f64> = busy.iter().map(|busy| 1.0 - less * busy / most).collect();
        let mean = dot(&worth, &ran) / ran.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut crowded = self.clone();
        for (equation, worth) in worth.iter().map(|worth| worth / mean).enumerate() {
            crowded.times[equation].iter_mut().for_each(|time| *time *= worth);
            crowded.lost[equation] *= worth;
            let unsure = crowded.unsure.get_mut(equation).into_iter().flatten();
            unsure.for_each(|unsure| *unsure *= worth * worth);
        }
        crowded
    }

    /// Some of the equations, evenly taken from all, so few that trying costs little.
    fn thinned(&self) -> Self {
        let count = self.times.len();
        if count <= ENOUGH {
            return self.clone();
        }
        let kept =
            |equation: usize| (equation * ENOUGH / count) != ((equation + 1) * ENOUGH / count);
        let of = |values: &[f64]| -> Vec<f64> {
            (0..count).filter(|equation| kept(*equation)).map(|equation| values[equation]).collect()
        };
        let rows = |values: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let kept = values.iter().enumerate().filter(|(equation, _)| kept(*equation));
            kept.map(|(_, row)| row.clone()).collect()
        };
        Self {
            lasted: of(&self.lasted),
            energy: of(&self.energy),
            shown: of(&self.shown),
            variance: of(&self.variance),
            times: rows(&self.times),
            lost: of(&self.lost),
            unsure: rows(&self.unsure),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::estimate::FIRST;
    use super::*;

    /// Two programs that run alone and together for 400 equations of 100 ms, at 10 and 30 W and so much less
    /// beside each other.
    fn problem(less: f64) -> Problem {
        let mut problem = Problem::default();
        for equation in 0..400_u32 {
            // Both vary in ways of their own, and now and then nothing runs.
            let part = |turns: u32| f64::from((equation * turns) % 11) / 10.0;
            let times = vec![0.1 * part(3), 0.1 * part(7)];
            let busy: f64 = times.iter().sum::<f64>() / 0.1;
            let worth = 1.0 - less * busy / 2.0;
            let noise = 0.002 * (f64::from((equation * 5) % 13) - 6.0);
            let energy = worth * (10.0 * times[0] + 30.0 * times[1]) + noise;
            problem.lasted.push(0.1);
            problem.energy.push(energy);
            problem.shown.push(energy + 1.0);
            problem.variance.push(1e-4);
            problem.times.push(times);
            problem.lost.push(0.0);
        }
        problem
    }

    fn ratio(problem: &Problem) -> f64 {
        let estimate = problem.solve().unwrap();
        estimate.unknowns[FIRST + 1] / estimate.unknowns[FIRST]
    }

    #[test]
    fn what_a_cpu_second_is_worth_beside_others_is_found() {
        let problem = problem(0.4).with_crowding();
        let ratio = ratio(&problem);
        assert!((ratio - 3.0).abs() < 0.1, "{ratio}");
        // The last step that runs alone, and one where both do.
        let worth =
            |equation: usize, plain: f64| problem.times[equation].iter().sum::<f64>() / plain;
        let of = |busy: f64| 1.0 - 0.4 * busy / 2.0;
        let (one, other) = (worth(1, 0.1), worth(10, 0.1 * (0.8 + 0.4)));
        assert!((one / other - of(1.0) / of(1.2)).abs() < 0.02, "{one} {other}");
    }

    #[test]
    fn where_watts_add_up_times_stay_as_they_are() {
        let plain = problem(0.0);
        let crowded = plain.clone().with_crowding();
        assert_eq!(crowded.times, plain.times);
    }

    #[test]
    fn a_cpu_second_of_the_mean_is_worth_one() {
        let plain = problem(0.4);
        let sum = |problem: &Problem| problem.times.iter().flatten().sum::<f64>();
        assert!((sum(&plain.crowded(0.6)) - sum(&plain)).abs() < 1e-9);
    }

    #[test]
    fn enough_equations_are_kept_and_come_from_everywhere() {
        let mut long = problem(0.0);
        for _ in 0..3 {
            let more = long.clone();
            long.lasted.extend(more.lasted);
            long.energy.extend(more.energy);
            long.shown.extend(more.shown);
            long.variance.extend(more.variance);
            long.times.extend(more.times);
            long.lost.extend(more.lost);
        }
        let thinned = long.thinned();
        assert_eq!((thinned.times.len(), thinned.energy.len()), (ENOUGH, ENOUGH));
        assert_eq!(problem(0.0).thinned().times, problem(0.0).times);
    }
}
