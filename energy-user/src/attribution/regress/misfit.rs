//! What watts do not add up by.
//!
//! The more cores of a processor are busy, the lower its frequency, and siblings of a core share what it draws: a CPU
//! second draws less beside many others than alone. Were that left out, programs that run alone would come out dear and those
//! that run beside others cheap, and errors would know nothing of it. Nobody tells us the law. So what a CPU second is worth
//! is taken to be a curve over how busy all CPUs are, the same for all programs; a line of each program's own load; and for
//! each two programs a line of how busy the other one is. How far each of these goes is unknown as watts are, and pulled to
//! nothing, as strongly as the equations want it. Where watts add up nothing is found; where they do not, what the equations
//! leave open of the law is in the errors of watts.
//!
//! What all are worth alike in a window plays no part in dividing it: it only has to be known for the equations of different
//! windows to be of the same watts. What single programs are worth moves what they are charged with (`means.rs`).

use std::ops::Range;

use super::estimate::{COMMON, FIRST, Problem, dot};
use super::linear::Square;
use super::{Crowding, Siblings};

/// Into how many steps the curve of all is cut, from no CPU busy to the most that were.
const STEPS: u8 = 6;

/// So many programs, those that drew the most, have lines of their own.
const MOST: usize = 8;

/// A CPU second is worth no less than this part of the mean one.
const LEAST_WORTH: f64 = 0.1;

/// What kinds of bends there are. Those of one kind are as large as one another, before the equations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line over how busy all CPUs are.
    Line,
    /// A step of that curve, in which it rises more or less than the line does.
    Step,
    /// A line over how busy the program itself is.
    Own,
    /// For two programs: a line over how busy the other one is.
    Beside,
    /// For how much of its time a program was beside a busy sibling of a core.
    Siblings,
}

/// How much less a CPU second beside a busy sibling is worth, before the equations: the middle of what is published.
const USUAL_SIBLINGS: f64 = 0.3;

/// A core draws no less with both of its CPUs busy than with one.
const MOST_SIBLINGS: f64 = 0.5;

/// One way in which watts may not add up, of which there is so much in all equations.
#[derive(Clone, Debug)]
struct Bend {
    kind: Kind,
    parts: Vec<Bent>,
}

/// What a program's, or all programs', times are worth more with a bend.
#[derive(Clone, Debug)]
pub(super) struct Bent {
    pub columns: Range<usize>,
    /// Of each equation, as part of their worth. The mean over what they drew is nothing, so that watts are
    /// those of the mean CPU second.
    pub more: Vec<f64>,
}

/// All bends, and how much there is of each so far.
#[derive(Clone, Debug)]
pub(super) struct Misfit {
    bends: Vec<Bend>,
    sizes: Vec<f64>,
    /// How many CPUs were busy in each equation.
    busy: Vec<f64>,
}

/// The entries of equations for bends, beside those for watts.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    pub kinds: Vec<Kind>,
    /// How much of each there is before the equations, as the unknown has it.
    pub usual: Vec<f64>,
    /// Of each equation, by bend, in joules.
    pub each: Vec<Vec<f64>>,
}

/// How busy a program was.
struct Load {
    columns: Range<usize>,
    /// What it drew in each equation, in joules.
    drawn: Vec<f64>,
    /// How many CPUs it kept busy in each, and at most.
    busy: Vec<f64>,
    most: f64,
}

impl Misfit {
    /// Nothing so far, of columns that draw these watts.
    pub(super) fn none(problem: &Problem, watts: &[f64]) -> Self {
        let all = Load::of(problem, 0..problem.count(), watts);
        let mut bends = vec![Bend::of_all(Kind::Line, &all, |part| part)];
        for step in 0..STEPS {
            let [step, steps] = [step, STEPS].map(f64::from);
            bends
                .push(Bend::of_all(Kind::Step, &all, |part| (part * steps - step).clamp(0.0, 1.0)));
        }
        let programs = problem.programs().into_iter();
        let mut loads: Vec<Load> =
            programs.map(|columns| Load::of(problem, columns, watts)).collect();
        let drawn = |load: &Load| load.drawn.iter().sum::<f64>();
        // Stable: of two that drew alike, the first comes first.
        loads.sort_by(|a, b| drawn(b).total_cmp(&drawn(a)));
        loads.truncate(MOST);
        for (index, load) in loads.iter().enumerate() {
            bends.push(Bend { kind: Kind::Own, parts: vec![load.beside(load)] });
            let beside = |other: &Load| Bend {
                kind: Kind::Beside,
                parts: vec![load.beside(other), other.beside(load)],
            };
            bends.extend(loads[..index].iter().map(beside));
        }
        let mut sizes = vec![0.0; bends.len()];
        if !problem.beside.is_empty() {
            bends.push(Bend::of_siblings(problem));
            sizes.push(USUAL_SIBLINGS);
        }
        Self { bends, sizes, busy: all.busy }
    }

    /// The problem with times as they are worth so far, where the rest of each bend is unknown, and goes with what columns
    /// of these watts drew.
    pub(super) fn applied(&self, problem: &Problem, watts: &[f64]) -> Problem {
        let mut bent = problem.clone();
        bent.misfit.kinds = self.bends.iter().map(|bend| bend.kind).collect();
        let usual = |(bend, size): (&Bend, &f64)| {
            if bend.kind == Kind::Siblings { USUAL_SIBLINGS - size } else { 0.0 }
        };
        bent.misfit.usual = self.bends.iter().zip(&self.sizes).map(usual).collect();
        for (equation, times) in problem.times.iter().enumerate() {
            let mut worth = vec![1.0; times.len()];
            let mut of_lost = 1.0;
            let drawn: Vec<f64> =
                times.iter().zip(&watts[FIRST..]).map(|(time, watts)| time * watts).collect();
            let all = drawn.iter().sum::<f64>() + problem.lost[equation] * watts[COMMON];
            let mut entries = Vec::with_capacity(self.bends.len());
            for (bend, size) in self.bends.iter().zip(&self.sizes) {
                let mut entry = 0.0;
                for Bent { columns, more } in &bend.parts {
                    let more = more[equation];
                    if bend.is_of_all() {
                        of_lost += size * more;
                        entry += all * more;
                    } else {
                        entry += drawn[columns.clone()].iter().sum::<f64>() * more;
                    }
                    worth[columns.clone()].iter_mut().for_each(|worth| *worth += size * more);
                }
                entries.push(entry);
            }
            for worth in &mut worth {
                *worth = worth.max(LEAST_WORTH);
            }
            bent.lost[equation] *= of_lost.max(LEAST_WORTH);
            bent.times[equation].iter_mut().zip(&worth).for_each(|(time, worth)| *time *= worth);
            let unsure = bent.unsure.get_mut(equation).into_iter().flatten();
            for (unsure, family) in unsure.zip(&problem.families) {
                unsure.scale(worth[family.start]);
            }
            // What times are worth contains what there is so far. Unknown is all of it, but of siblings what more there is:
            // what is so far is in the weights of threads.
            let known = entries.iter().zip(&self.sizes).zip(&self.bends);
            let known = known.filter(|(_, bend)| bend.kind != Kind::Siblings);
            bent.energy[equation] += known.map(|((entry, size), _)| entry * size).sum::<f64>();
            bent.misfit.each.push(entries);
        }
        bent
    }

    /// Goes on with as much of each bend as these unknowns say.
    pub(super) fn go_on(&mut self, unknowns: &[f64]) {
        let found = &unknowns[unknowns.len() - self.bends.len()..];
        for ((size, bend), found) in self.sizes.iter_mut().zip(&self.bends).zip(found) {
            *size = match bend.kind {
                Kind::Siblings => (*size + found).clamp(0.0, MOST_SIBLINGS),
                _ => *found,
            };
        }
    }

    /// What a CPU second beside a busy sibling is worth, where siblings are looked at; `covariance` is that of the
    /// unknowns, of which bends are from `first` on.
    pub(super) fn siblings(&self, covariance: &Square, first: usize) -> Option<Siblings> {
        let place = self.bends.iter().position(|bend| bend.kind == Kind::Siblings)?;
        let error = covariance.get(first + place, first + place).max(0.0).sqrt();
        Some(Siblings { worth: 1.0 - self.sizes[place], error })
    }

    /// What a CPU second is worth in the busiest equation, of what it is in the quietest; `covariance` is that of the
    /// unknowns, of which bends are from `first` on. `None` where all are alike.
    pub(super) fn crowding(&self, covariance: &Square, first: usize) -> Option<Crowding> {
        let by_load = || self.busy.iter().enumerate().filter(|(_, busy)| **busy > 0.0);
        let (quietest, least_busy) = by_load().min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let (busiest, most_busy) = by_load().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let of_all = || self.bends.iter().enumerate().filter(|(_, bend)| bend.is_of_all());
        let more = |place: usize, equation: usize| self.bends[place].parts[0].more[equation];
        let worth = |equation: usize| {
            let more = of_all().map(|(place, _)| self.sizes[place] * more(place, equation));
            (1.0 + more.sum::<f64>()).max(LEAST_WORTH)
        };
        let ratio = worth(busiest) / worth(quietest);
        // How far its logarithm moves with each bend.
        let moves =
            |place| more(place, busiest) / worth(busiest) - more(place, quietest) / worth(quietest);
        let cells = of_all().flat_map(|(a, _)| of_all().map(move |(b, _)| (a, b)));
        let variance =
            cells.map(|(a, b)| moves(a) * moves(b) * covariance.get(first + a, first + b));
        let error = ratio * variance.sum::<f64>().max(0.0).sqrt();
        let (least_busy, most_busy) = (*least_busy, *most_busy);
        (most_busy > least_busy).then_some(Crowding { least_busy, most_busy, worth: ratio, error })
    }

    /// What is worth more by bends that are not alike for all: for each the bend's place.
    pub(super) fn of_programs(&self) -> impl Iterator<Item = (usize, &Bent)> {
        let bends = self.bends.iter().enumerate().filter(|(_, bend)| !bend.is_of_all());
        bends.flat_map(|(place, bend)| bend.parts.iter().map(move |part| (place, part)))
    }
}

impl Bend {
    fn of_all(kind: Kind, all: &Load, curve: impl Fn(f64) -> f64) -> Self {
        let more = all.busy.iter().map(|busy| curve(busy / all.most)).collect();
        Self { kind, parts: vec![all.bent(more)] }
    }

    /// Watts are those of a CPU second that has its core alone.
    fn of_siblings(problem: &Problem) -> Self {
        let of_program = |columns: Range<usize>| Bent {
            more: problem.beside.iter().map(|beside| -beside[columns.start]).collect(),
            columns,
        };
        let parts = problem.programs().into_iter().map(of_program).collect();
        Self { kind: Kind::Siblings, parts }
    }

    fn is_of_all(&self) -> bool {
        matches!(self.kind, Kind::Line | Kind::Step)
    }
}

impl Load {
    fn of(problem: &Problem, columns: Range<usize>, watts: &[f64]) -> Self {
        let watts = &watts[FIRST..][columns.clone()];
        let times = || problem.times.iter().map(|times| &times[columns.clone()]);
        let drawn = times().map(|times| dot(times, watts)).collect();
        let lost = |equation: usize| {
            if columns.len() == problem.count() { problem.lost[equation] } else { 0.0 }
        };
        let busy = times().zip(&problem.lasted).enumerate().map(|(equation, (times, lasted))| {
            (times.iter().sum::<f64>() + lost(equation)) / lasted.max(f64::MIN_POSITIVE)
        });
        let busy: Vec<f64> = busy.collect();
        let most = busy.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        Self { columns, drawn, busy, most }
    }

    /// A line over how busy another is, or the program itself. Of two programs, the one with more threads meets
    /// the other with few of them.
    fn beside(&self, other: &Self) -> Bent {
        let most = self.most.max(other.most);
        self.bent(other.busy.iter().map(|busy| busy / most).collect())
    }

    fn bent(&self, more: Vec<f64>) -> Bent {
        let all = self.drawn.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mean = dot(&more, &self.drawn) / all;
        let more = more.into_iter().map(|more| more - mean).collect();
        Bent { columns: self.columns.clone(), more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a CPU second of each of two programs is worth, by how busy they are, from 0 to 1.
    type Law = fn([f64; 2]) -> [f64; 2];

    /// Two programs of 10 and 30 W, alone and together for 400 equations of 100 ms.
    fn problem(law: Law) -> Problem {
        let mut problem = Problem::default();
        for equation in 0..400_u32 {
            // Both vary in ways of their own, and now and then nothing runs.
            let busy = [(3, 11), (7, 13)]
                .map(|(turns, of)| f64::from((equation * turns) % of) / f64::from(of - 1));
            let worth = law(busy);
            let noise = 0.002 * (f64::from((equation * 5) % 17) - 8.0);
            let energy = busy[0] * worth[0] + 3.0 * busy[1] * worth[1] + noise;
            problem.lasted.push(0.1);
            problem.energy.push(energy);
            problem.shown.push(energy + 1.0);
            problem.variance.push(1e-4);
            problem.times.push(busy.map(|busy| 0.1 * busy).to_vec());
            problem.lost.push(0.0);
        }
        problem
    }

    /// What is found of how many times as much the second draws as the first, and the standard error of that.
    fn ratio(law: Law) -> (f64, f64) {
        let estimate = problem(law).solve().unwrap();
        let [first, second] = [FIRST, FIRST + 1].map(|column| estimate.unknowns[column]);
        let of = |row: usize, column: usize| estimate.covariance.get(FIRST + row, FIRST + column);
        let relative = of(0, 0) / (first * first) + of(1, 1) / (second * second)
            - 2.0 * of(0, 1) / (first * second);
        (second / first, second / first * relative.sqrt())
    }

    /// What of all energy the second is charged with, if it draws so many times as much as the first, and what it truly
    /// drew of it.
    fn charged(ratio: f64, law: Law) -> [f64; 2] {
        let problem = problem(law);
        let mut sums = [0.0; 2];
        for (times, energy) in problem.times.iter().zip(&problem.energy) {
            let busy = [10.0 * times[0], 10.0 * times[1]];
            let both = busy[0] + ratio * busy[1];
            if both > 0.0 {
                sums[0] += energy * ratio * busy[1] / both;
            }
            sums[1] += 3.0 * busy[1] * law(busy)[1];
        }
        let all: f64 = problem.energy.iter().sum();
        sums.map(|sum| sum / all)
    }

    fn crowded([a, b]: [f64; 2]) -> [f64; 2] {
        [1.0 - 0.2 * (a + b); 2]
    }

    fn sharing_a_core([a, b]: [f64; 2]) -> [f64; 2] {
        [1.0 - 0.4 * b, 1.0 - 0.4 * a]
    }

    fn siblings_of_its_own([_, b]: [f64; 2]) -> [f64; 2] {
        [1.0, 1.0 - 0.4 * b]
    }

    #[test]
    fn what_a_cpu_second_is_worth_beside_others_is_found() {
        for law in [crowded, sharing_a_core, siblings_of_its_own] as [Law; 3] {
            let [found, truth] = charged(ratio(law).0, law);
            assert!((found / truth - 1.0).abs() < 0.01, "{found}, not {truth}");
        }
    }

    #[test]
    fn what_a_cpu_second_is_worth_at_most_load_is_told_with_its_error() {
        // With both alone a CPU second is worth up to 1, and with both at once 0.6.
        let crowding = problem(crowded).solve().unwrap().crowding.unwrap();
        assert!((crowding.worth - 0.6).abs() < 0.03 + 2.0 * crowding.error, "{crowding:?}");
        assert!(crowding.error < 0.1, "{crowding:?}");
        assert!(crowding.least_busy < 0.3 && crowding.most_busy > 1.9, "{crowding:?}");
        let crowding = problem(|_| [1.0; 2]).solve().unwrap().crowding.unwrap();
        assert!((crowding.worth - 1.0).abs() < 1.96 * crowding.error + 0.01, "{crowding:?}");
    }

    #[test]
    fn watts_that_do_not_add_up_are_less_sure_than_those_that_do() {
        let (found, sure) = ratio(|_| [1.0; 2]);
        assert!((found - 3.0).abs() < 0.03, "{found}");
        for law in [crowded, sharing_a_core] as [Law; 2] {
            let (_, unsure) = ratio(law);
            assert!(unsure > sure, "{unsure} and {sure}");
        }
    }

    #[test]
    fn where_watts_add_up_hardly_anything_is_found() {
        let problem = problem(|_| [1.0; 2]);
        let settled = problem.settle().unwrap();
        assert!(
            settled.misfit.sizes.iter().all(|size| size.abs() < 0.01),
            "{:?}",
            settled.misfit.sizes
        );
    }

    #[test]
    fn a_cpu_second_of_the_mean_is_worth_one() {
        let problem = problem(crowded);
        let watts = [0.0, 0.0, 10.0, 30.0];
        let mut misfit = Misfit::none(&problem, &watts);
        misfit.sizes.fill(0.1);
        let bent = misfit.applied(&problem, &watts);
        let drawn = |problem: &Problem| {
            problem.times.iter().map(|it| dot(it, &watts[FIRST..])).sum::<f64>()
        };
        assert!((drawn(&bent) / drawn(&problem) - 1.0).abs() < 1e-9);
        assert_ne!(bent.times, problem.times);
    }
}
