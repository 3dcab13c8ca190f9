//! Columns that the equations do not tell apart are put together in one: among themselves they share by
//! time. Functions are put together within their program.

use std::ops::Range;

use super::estimate::{Estimate, FIRST, Problem};
use super::linear::Square;

/// What of the usual doubt about a column must be taken away for it to count as told apart.
pub(super) const TOLD_APART: f64 = 0.5;

/// The columns that are put together.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    groups: Vec<Group>,
    /// What each column becomes.
    place: Vec<usize>,
    /// How many columns are left.
    count: usize,
}

/// Columns that become one.
#[derive(Clone, Debug)]
struct Group {
    members: Vec<usize>,
    /// How long each member ran in all, in seconds.
    ran: Vec<f64>,
    /// How far their watts are spread around what they have in common, in watts.
    spread: f64,
}

impl Pool {
    /// Programs of which too little is told; `None` where there are not two.
    pub(super) fn of_programs(problem: &Problem, each: &Estimate) -> Option<Self> {
        let columns = 0..problem.count();
        let alone = columns.filter(|column| problem.family_of(*column).is_none());
        Self::of(problem, [(untold(alone, each), each.spread)])
    }

    /// Functions of which too little is told, for each program that has two of them; `None` where there is no
    /// such program.
    pub(super) fn of_functions(problem: &Problem, each: &Estimate) -> Option<Self> {
        let families = problem.families.iter().map(|members| untold(members.clone(), each));
        Self::of(problem, families.zip(each.family_spreads.iter().copied()))
    }

    /// What a function of a program calls and of which too little is told, with that function: it is taken to draw
    /// the same, as a part of what the function does.
    pub(super) fn of_called(problem: &Problem, each: &Estimate) -> Option<Self> {
        let called = problem.called.iter().map(|called| {
            let mut members = untold(called.each.iter().copied(), each);
            if !members.is_empty() {
                members.extend(called.by);
            }
            (members, 0.0)
        });
        Self::of(problem, called)
    }

    /// Puts together each of these, with how far their watts are spread; `None` where each is alone.
    fn of(
        problem: &Problem,
        together: impl IntoIterator<Item = (Vec<usize>, f64)>,
    ) -> Option<Self> {
        let mut groups = Vec::new();
        for (mut members, spread) in together {
            members.sort_unstable();
            if members.len() > 1 {
                let ran = |column: &usize| problem.times.iter().map(|times| times[*column]).sum();
                groups.push(Group { ran: members.iter().map(ran).collect(), members, spread });
            }
        }
        if groups.is_empty() {
            return None;
        }
        let mut place: Vec<usize> = Vec::new();
        let mut count = 0;
        for column in 0..problem.count() {
            let group = groups.iter().find(|group| group.members.contains(&column));
            let first = group.map_or(column, |group| group.members[0]);
            if first == column {
                place.push(count);
                count += 1;
            } else {
                place.push(place[first]);
            }
        }
        Some(Self { groups, place, count })
    }

    /// The problem with one column for each group.
    pub(super) fn problem(&self, problem: &Problem) -> Problem {
        let pooled = |times: &Vec<f64>| {
            let mut row = vec![0.0; self.count];
            times.iter().zip(&self.place).for_each(|(time, place)| row[*place] += time);
            row
        };
        let families: Vec<Range<usize>> =
            problem.families.iter().map(|members| self.members(members)).collect();
        let kept = |unsure: &Vec<f64>| {
            let unsure = unsure.iter().zip(&families);
            unsure.filter(|(_, members)| members.len() > 1).map(|(unsure, _)| *unsure).collect()
        };
        Problem {
            times: problem.times.iter().map(pooled).collect(),
            unsure: problem.unsure.iter().map(kept).collect(),
            called: Vec::new(),
            families: families.iter().filter(|members| members.len() > 1).cloned().collect(),
            ..problem.clone()
        }
    }

    /// What a family's columns become. Those of one family stand side by side, and still do.
    fn members(&self, members: &Range<usize>) -> Range<usize> {
        let places = || members.clone().map(|column| self.place[column]);
        places().min().unwrap_or(0)..places().max().map_or(0, |last| last + 1)
    }

    /// The estimate of all columns from that of the pooled ones. Members differ from what they have in
    /// common by nobody knows what: by the spread there is, but so that what they drew together stays.
    pub(super) fn spread_out(
        &self,
        problem: &Problem,
        pooled: &Estimate,
        each: &Estimate,
    ) -> Estimate {
        let mut place: Vec<usize> = (0..FIRST).collect();
        place.extend(self.place.iter().map(|column| FIRST + column));
        let mut told_families = Vec::new();
        let mut family_spreads = Vec::new();
        let mut left = 0;
        for (members, spread) in problem.families.iter().zip(&each.family_spreads) {
            let members = self.members(members);
            family_spreads.push(*spread);
            if members.len() > 1 {
                place.push(FIRST + self.count + left);
                told_families.push(pooled.told_families[left]);
                left += 1;
            } else {
                place.push(FIRST + members.start);
                told_families.push(pooled.told[members.start]);
            }
        }
        let size = place.len();
        let mut covariance = Square::zero(size);
        for row in 0..size {
            for column in 0..size {
                covariance.add(row, column, pooled.covariance.get(place[row], place[column]));
            }
        }
        for Group { members, ran, spread } in &self.groups {
            let variance = spread * spread;
            let squares: f64 = ran.iter().map(|ran| ran * ran).sum();
            for (row, ran_of_row) in members.iter().zip(ran) {
                covariance.add(FIRST + row, FIRST + row, variance);
                for (column, other) in members.iter().zip(ran) {
                    let shared = if squares > 0.0 { ran_of_row * other / squares } else { 0.0 };
                    covariance.add(FIRST + row, FIRST + column, -variance * shared);
                }
            }
        }
        let told = self.place.iter().enumerate().map(|(column, place)| {
            let is_kept = !self.groups.iter().any(|group| group.members.contains(&column));
            if is_kept { pooled.told[*place] } else { each.told[column] }
        });
        Estimate {
            told: told.collect(),
            unknowns: place.iter().map(|place| pooled.unknowns[*place]).collect(),
            covariance,
            told_families,
            spread: each.spread,
            family_spreads,
        }
    }
}

/// Those of which too little is told.
fn untold(columns: impl Iterator<Item = usize>, each: &Estimate) -> Vec<usize> {
    columns.filter(|column| each.told[*column] < TOLD_APART).collect()
}
