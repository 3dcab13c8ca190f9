//! Columns that the equations do not tell apart are put together in one: among themselves they share by
//! time. Functions are put together within their program.

use std::ops::Range;

use super::directions::{Unsure, Varied};
use super::estimate::{COMMON, Estimate, FIRST, Problem};
use super::linear::Square;
use super::prior::Told;

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

impl Group {
    /// Which part of the group's time a member has.
    fn share(&self, column: usize) -> f64 {
        let all: f64 = self.ran.iter().sum();
        let own = self.members.iter().zip(&self.ran).find(|(member, _)| **member == column);
        own.map_or(0.0, |(_, ran)| if all > 0.0 { ran / all } else { 0.0 })
    }
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
        // All functions of a program are beside siblings for the same part of their time.
        let alike = |beside: &Vec<f64>| {
            let mut row = vec![0.0; self.count];
            beside.iter().zip(&self.place).for_each(|(part, place)| row[*place] = *part);
            row
        };
        let families: Vec<Range<usize>> =
            problem.families.iter().map(|members| self.members(members)).collect();
        let kept = |unsure: &Vec<Unsure>| {
            let unsure = unsure.iter().zip(&families);
            unsure
                .filter(|(_, members)| members.len() > 1)
                .map(|(unsure, _)| unsure.clone())
                .collect()
        };
        let of_groups = |(columns, varied): (&Range<usize>, &Varied)| {
            let members = self.members(columns);
            let pooled = |of_columns: &Vec<f64>| {
                let mut pooled = vec![0.0; members.len()];
                for (column, value) in columns.clone().zip(of_columns) {
                    pooled[self.place[column] - members.start] += value;
                }
                pooled
            };
            let Varied { shares, directions } = varied;
            let directions = directions.iter().map(pooled).collect();
            (members.len() > 1).then(|| Varied { shares: pooled(shares), directions })
        };
        Problem {
            times: problem.times.iter().map(pooled).collect(),
            beside: problem.beside.iter().map(alike).collect(),
            varied: problem.families.iter().zip(&problem.varied).filter_map(of_groups).collect(),
            unsure: problem.unsure.iter().map(kept).collect(),
            called: Vec::new(),
            families: families.iter().filter(|members| members.len() > 1).cloned().collect(),
            ..problem.clone()
        }
    }

    /// The estimate with one column for each group, which draws what its members do in the mean. What others draw
    /// is as it was: were the equations solved anew with one column, they would be taken to say that all
    /// members draw the same, and those that can be seen to move would speak for those that cannot.
    pub(super) fn mean(&self, each: &Estimate) -> Estimate {
        let size = each.unknowns.len() + self.count - self.place.len();
        let mut mean: Vec<Vec<(usize, f64)>> = vec![Vec::new(); size];
        for (unknown, row) in mean[..FIRST].iter_mut().enumerate() {
            row.push((unknown, 1.0));
        }
        for (column, place) in self.place.iter().enumerate() {
            let group = self.groups.iter().find(|group| group.members.contains(&column));
            let share = group.map_or(1.0, |group| group.share(column));
            mean[FIRST + place].push((FIRST + column, share));
        }
        for (family, row) in mean[FIRST + self.count..].iter_mut().enumerate() {
            row.push((FIRST + self.place.len() + family, 1.0));
        }
        if self.count == 1 {
            // All are alike then, and so is what nobody knows the name of.
            let all = mean[FIRST].clone();
            mean[COMMON] = all;
        }
        let sum = |row: &[(usize, f64)], value: &dyn Fn(usize) -> f64| -> f64 {
            row.iter().map(|(unknown, times)| times * value(*unknown)).sum()
        };
        let mut covariance = Square::zero(size);
        for (row, one) in mean.iter().enumerate() {
            for (column, other) in mean.iter().enumerate() {
                let cell = sum(one, &|a| sum(other, &|b| each.covariance.get(a, b)));
                covariance.add(row, column, cell);
            }
        }
        let mut told = vec![0.0; self.count];
        for (column, place) in self.place.iter().enumerate() {
            told[*place] = each.told.columns[column];
        }
        Estimate {
            unknowns: mean.iter().map(|row| sum(row, &|unknown| each.unknowns[unknown])).collect(),
            covariance,
            told: Told { columns: told, ..each.told.clone() },
            ..each.clone()
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
                told_families.push(pooled.told.families[left]);
                left += 1;
            } else {
                place.push(FIRST + members.start);
                told_families.push(pooled.told.columns[members.start]);
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
            let all: f64 = ran.iter().sum();
            let shares: Vec<f64> =
                ran.iter().map(|ran| if all > 0.0 { ran / all } else { 0.0 }).collect();
            let squares: f64 = shares.iter().map(|share| share * share).sum();
            for (row, of_row) in members.iter().zip(&shares) {
                covariance.add(FIRST + row, FIRST + row, variance);
                for (column, of_column) in members.iter().zip(&shares) {
                    let shared = of_row + of_column - squares;
                    covariance.add(FIRST + row, FIRST + column, -variance * shared);
                }
            }
        }
        let told = self.place.iter().enumerate().map(|(column, place)| {
            let is_kept = !self.groups.iter().any(|group| group.members.contains(&column));
            if is_kept { pooled.told.columns[*place] } else { each.told.columns[column] }
        });
        Estimate {
            told: Told { columns: told.collect(), families: told_families, idle: pooled.told.idle },
            unknowns: place.iter().map(|place| pooled.unknowns[*place]).collect(),
            covariance,
            spread: each.spread,
            family_spreads,
            crowding: each.crowding,
            siblings: each.siblings,
        }
    }
}

/// Those of which too little is told.
fn untold(columns: impl Iterator<Item = usize>, each: &Estimate) -> Vec<usize> {
    columns.filter(|column| each.told.columns[*column] < TOLD_APART).collect()
}
