//! What is believed of watts before the equations: programs' are spread around a common mean, and those of
//! a program's functions around the program's. How far, the equations say (empirical Bayes).

use std::ops::Range;

use super::estimate::{COMMON, FIRST, IDLE, Problem};
use super::linear::Square;
use super::misfit::Kind;
use super::pool::TOLD_APART;
use super::rows::{Rows, Solution};

/// How far watts are spread around their mean, as part of it, before anything was seen: work differs
/// by factors of 2 to 4.
pub(super) const USUAL_SPREAD: f64 = 0.4;

/// What is usual of a spread.
#[derive(Clone, Copy, Debug)]
struct Usual {
    spread: f64,
    /// How sure that is: standard deviations of the logarithm, for the likeliest spread and for the one that is to be
    /// expected.
    doubts: [f64; 2],
}

/// Programs may as well be alike, if the equations say so. Of those that they say nothing of that is not to be hoped.
const SPREAD: Usual = Usual { spread: USUAL_SPREAD, doubts: [5.0, 1.0] };

const BEND: Usual = Usual { spread: USUAL_BEND, doubts: [1.5, 1.5] };

/// The spreads tried, from the least: each is the last one times [`SPREAD_STEP`].
const LEAST_SPREAD: f64 = 0.002;
const SPREAD_STEP: f64 = 1.25;
const SPREADS: usize = 30;

/// What is idle, as part of the mean power, before anything was seen, and how sure that is.
const USUAL_IDLE: f64 = 0.4;

/// The largest standard error of an idle power that the equations tell, as part of the mean power.
const SURE_OF_IDLE: f64 = 0.05;

/// Programs that ran for less than this part of the time of those that are not told apart, in all, are as those.
const SMALL: f64 = 0.1;

/// The precision of each unknown, and what it pulls to.
pub(super) type Belief = (Square, Vec<f64>);

/// How far watts are spread, as part of what they are spread around.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spreads {
    /// Those of programs.
    pub programs: f64,
    /// Those of a program's functions.
    pub functions: f64,
    /// What watts do not add up by.
    pub misfit: Bends,
}

/// How far watts do not add up, as part of them: how large bends of each kind are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bends {
    /// Steps of the curve of all.
    pub steps: f64,
    pub own: f64,
    pub beside: f64,
}

impl Bends {
    fn of(self, kind: Kind) -> f64 {
        match kind {
            Kind::Line => LINE_BY_STEP * self.steps,
            Kind::Step => self.steps,
            Kind::Own => self.own,
            Kind::Beside => self.beside,
            Kind::Siblings => SIBLINGS,
        }
    }
}

/// How much more the line of the curve of all rises than a step of it differs from that.
const LINE_BY_STEP: f64 = 4.0;

/// How far what time beside a busy sibling is worth differs from machine to machine.
const SIBLINGS: f64 = 0.12;

/// Watts add up, before anything was seen.
const USUAL_BEND: f64 = LEAST_SPREAD;

/// As far as work usually differs.
pub(super) const USUAL: Spreads = Spreads {
    programs: USUAL_SPREAD,
    functions: USUAL_SPREAD,
    misfit: Bends { steps: USUAL_BEND, own: USUAL_BEND, beside: USUAL_BEND },
};

/// What is usual for the domain.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    /// Mean power in watts.
    pub power: f64,
    /// Mean watts per CPU second.
    pub rate: f64,
    /// Mean watts per CPU second of each program with functions.
    pub families: Vec<f64>,
}

impl Spreads {
    /// The spreads by these equations: the likeliest, and those that are to be expected. That of functions was
    /// looked for `before`.
    pub(super) fn by(problem: &Problem, rows: &Rows, scale: &Scale, before: Self) -> [Self; 2] {
        let mut found = before;
        let mut expected = before;
        let mut look = |usual, of: fn(&mut Self) -> &mut f64| {
            let doubt = |spread| {
                let mut tried = found;
                *of(&mut tried) = spread;
                tried.doubt(problem, rows, scale)
            };
            [*of(&mut found), *of(&mut expected)] = by(usual, doubt);
        };
        if !problem.misfit.kinds.is_empty() {
            look(BEND, |it| &mut it.misfit.steps);
            look(BEND, |it| &mut it.misfit.own);
            look(BEND, |it| &mut it.misfit.beside);
        }
        look(SPREAD, |it| &mut it.programs);
        if !problem.families.is_empty() {
            look(SPREAD, |it| &mut it.functions);
        }
        [found, expected]
    }

    /// The less, the likelier.
    fn doubt(self, problem: &Problem, rows: &Rows, scale: &Scale) -> f64 {
        let of_functions: usize = problem.families.iter().map(Range::len).sum();
        let of_programs = problem.count() - of_functions + problem.families.len();
        #[expect(clippy::cast_precision_loss, reason = "some dozens of columns")]
        let [of_programs, of_functions] = [of_programs, of_functions].map(|count| count as f64);
        let of_bends = problem.misfit.kinds.iter().map(|kind| self.misfit.of(*kind).ln());
        2.0 * (of_programs * self.programs.ln()
            + of_functions * self.functions.ln()
            + of_bends.sum::<f64>())
            + rows.doubt(&problem.prior(scale, self))
    }
}

/// The spread of least doubt, where the usual one is a little likelier than others, and the one that is to be
/// expected, as a mean of squares over all.
fn by(Usual { spread: usual, doubts }: Usual, doubt: impl Fn(f64) -> f64) -> [f64; 2] {
    let mut tried = Vec::with_capacity(SPREADS);
    let mut spread = LEAST_SPREAD;
    for _ in 0..SPREADS {
        let unusual = (spread / usual).ln();
        let doubt = doubt(spread);
        tried.push((spread, doubts.map(|sure| (unusual / sure).powi(2) + doubt)));
        spread *= SPREAD_STEP;
    }
    let mut likeliest = (f64::INFINITY, usual);
    for (spread, [doubt, _]) in &tried {
        if *doubt < likeliest.0 {
            likeliest = (*doubt, *spread);
        }
    }
    let least = tried.iter().map(|(_, [_, doubt])| *doubt).fold(f64::INFINITY, f64::min);
    let (mut all, mut squares) = (0.0, 0.0);
    for (spread, [_, doubt]) in &tried {
        let likely = ((least - doubt) / 2.0).exp();
        all += likely;
        squares += likely * spread * spread;
    }
    [likeliest.1, if all > 0.0 { (squares / all).sqrt() } else { likeliest.1 }]
}

/// What the equations tell apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// What is known of each column's distance from the mean: 0 where the equations say nothing of it,
    /// 1 where all. The mean is that of its program where it is a function, and otherwise of all.
    pub columns: Vec<f64>,
    /// The same of each family, and the mean of all.
    pub families: Vec<f64>,
    /// Whether they tell idle power.
    pub idle: bool,
}

impl Problem {
    /// What is believed with these spreads.
    pub(super) fn prior(&self, scale: &Scale, spreads: Spreads) -> Belief {
        let size = self.unknowns();
        let mut precision = Square::zero(size);
        let mut right = vec![0.0; size];
        let mut pull = |unknown: usize, to: usize, spread: f64| {
            let strength = 1.0 / (spread * spread);
            precision.add(unknown, unknown, strength);
            precision.add(to, to, strength);
            precision.add(unknown, to, -strength);
            precision.add(to, unknown, -strength);
        };
        let of_programs = spreads.programs * scale.rate;
        for column in (0..self.count()).filter(|column| self.family_of(*column).is_none()) {
            pull(FIRST + column, COMMON, of_programs);
        }
        for (family, members) in self.families.iter().enumerate() {
            let mean = self.mean_of(family);
            for column in members.clone() {
                pull(FIRST + column, mean, spreads.functions * scale.families[family]);
            }
            pull(mean, COMMON, of_programs);
        }
        let bends = self.misfit.kinds.iter().zip(&self.misfit.usual);
        for (unknown, (kind, usual)) in (self.first_bend()..).zip(bends) {
            let strength = spreads.misfit.of(*kind).powi(-2);
            precision.add(unknown, unknown, strength);
            right[unknown] = strength * usual;
        }
        // The mean itself may be anything.
        precision.add(COMMON, COMMON, 1e-6 / scale.rate.powi(2));
        let usual = USUAL_IDLE * scale.power;
        let of_idle = 1.0 / (usual * usual);
        precision.add(IDLE, IDLE, of_idle);
        right[IDLE] = if self.with_idle { of_idle * usual } else { 0.0 };
        (precision, right)
    }

    /// What the equations tell, and not what is believed of watts: here these differ as usual.
    #[expect(clippy::cast_precision_loss, reason = "a hundred programs at most")]
    pub(super) fn told(&self, rows: &Rows, scale: &Scale, found: Spreads) -> Told {
        let usual = Spreads { misfit: found.misfit, ..USUAL };
        let solution = Solution::of(rows, &self.prior(scale, usual), self.first_bend());
        let of_programs = (USUAL_SPREAD * scale.rate).powi(2);
        let told = |left: f64, usual: f64| (1.0 - left / usual).clamp(0.0, 1.0);
        // Of few programs even the common mean is not sure: were all else known, so much would be left.
        let unsure = of_programs / self.programs().len().max(2) as f64;
        let mut columns: Vec<f64> = (FIRST..FIRST + self.count())
            .map(|unknown| {
                let left = solution.variance(&[(unknown, 1.0), (COMMON, -1.0)]);
                told(left - unsure, of_programs - unsure)
            })
            .collect();
        let mut families = Vec::new();
        for (family, members) in self.families.iter().enumerate() {
            let shares = self.shares(members);
            let mut mean: Vec<(usize, f64)> =
                members.clone().map(|column| FIRST + column).zip(shares).collect();
            let of_functions = (USUAL_SPREAD * scale.families[family]).powi(2);
            for column in members.clone() {
                let from_mean: Vec<(usize, f64)> = mean
                    .iter()
                    .map(|(unknown, share)| {
                        (*unknown, f64::from(u8::from(*unknown == FIRST + column)) - share)
                    })
                    .collect();
                let squares: f64 = from_mean.iter().map(|(_, times)| times * times).sum();
                columns[column] = told(solution.variance(&from_mean), of_functions * squares);
            }
            mean.push((COMMON, -1.0));
            families.push(told(solution.variance(&mean), of_programs));
        }
        let alone = (0..self.count()).filter(|column| self.family_of(*column).is_none());
        let ran = |column: usize| self.times.iter().map(|times| times[column]).sum();
        let alone: Vec<(usize, f64)> = alone.map(|column| (column, ran(column))).collect();
        tell_together(&solution, of_programs, &alone, &mut columns);
        tell_small_with_large(alone, &mut columns);
        let of_idle = solution.variance(&[(IDLE, 1.0)]).max(0.0).sqrt();
        Told { columns, families, idle: of_idle <= SURE_OF_IDLE * scale.power }
    }
}

/// Takes back of programs that they are told apart where those that are not would be, were it known what that
/// one draws: then the equations say what both draw together, and not which of them.
fn tell_together(solution: &Solution, usual: f64, alone: &[(usize, f64)], told: &mut [f64]) {
    loop {
        let is_apart = |(column, _): &&(usize, f64)| told[*column] >= TOLD_APART;
        let rest = || alone.iter().filter(|it| !is_apart(it));
        let all: f64 = rest().map(|(_, ran)| ran).sum();
        if all <= 0.0 {
            return;
        }
        let shares: Vec<(usize, f64)> =
            rest().map(|(column, ran)| (FIRST + column, ran / all)).collect();
        let squares: f64 = shares.iter().map(|(_, share)| share * share).sum();
        let from_mean: Vec<(usize, f64)> = shares.into_iter().chain([(COMMON, -1.0)]).collect();
        let of_rest = |variance: f64| (1.0 - variance / (usual * squares)).clamp(0.0, 1.0);
        let variance = solution.variance(&from_mean);
        let before = of_rest(variance);
        if before >= TOLD_APART {
            return;
        }
        let known = |column: usize| {
            let one = [(FIRST + column, 1.0)];
            let common = solution.covariance(&from_mean, &one);
            of_rest(variance - common * common / solution.variance(&one))
        };
        let most = alone.iter().filter(is_apart).map(|(column, _)| (*column, known(*column)));
        let most = most.max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((column, _)) = most.filter(|(_, after)| *after >= TOLD_APART) else { return };
        told[column] = before;
    }
}

/// Takes back of small programs that they are told apart beside large ones that are not, by columns and how long each ran.
/// What they are found to draw would be taken from the large ones or given to them, of which nobody knows who has too
/// much: by chance from the one that has too little already. In all so little is at stake that time share is the safer.
fn tell_small_with_large(mut alone: Vec<(usize, f64)>, told: &mut [f64]) {
    let rest: f64 =
        alone.iter().filter(|(column, _)| told[*column] < TOLD_APART).map(|(_, ran)| ran).sum();
    alone.retain(|(column, _)| told[*column] >= TOLD_APART);
    // Stable: of two that ran equally long, the first comes first.
    alone.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut small = 0.0;
    for (column, ran) in alone {
        small += ran;
        if small > SMALL * rest {
            return;
        }
        told[column] = 0.0;
    }
}
