//! Two recordings compared: what changed, and whether it changed by more than the errors explain.

use std::collections::BTreeMap;

use super::account::Profile;
use super::call_tree::CallTree;
use super::functions::CodeUnit;
use super::group::GroupBy;
use super::uncertainty::StandardError;
use super::view::{UserNames, ViewOptions};
use crate::units::{Joules, Microjoules};

/// An energy with its error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amount {
    /// The energy.
    pub energy: Microjoules,
    /// Its standard error.
    pub error: StandardError,
}

impl Amount {
    /// Adds another part of the same recording.
    pub fn add(&mut self, other: Self) {
        self.energy += other.energy;
        self.error = self.error.and(other.error);
    }
}

/// What two recordings were measured with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Yardstick {
    /// The same model on the same machine: where it errs, it errs by the same factor in both.
    Same,
    /// Different ones, or it is not known.
    #[default]
    Different,
}

impl Yardstick {
    /// That of two recordings.
    pub fn of(before: &Profile, after: &Profile) -> Self {
        let stick = |profile: &Profile| {
            let facts = &profile.facts;
            (facts.hostname.clone(), facts.cpu_model.clone(), facts.sources.clone())
        };
        if stick(before) == stick(after) { Self::Same } else { Self::Different }
    }
}

/// What became of something from one recording to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// What it is called.
    pub name: String,
    /// What it took in the first recording; nothing where it is not in it.
    pub before: Amount,
    /// What it took in the second.
    pub after: Amount,
    /// What both were measured with.
    pub yardstick: Yardstick,
}

impl Change {
    /// How much more it takes; negative where it takes less.
    pub fn joules(&self) -> Joules {
        let (before, after) = (self.before.energy.joules(), self.after.energy.joules());
        Joules::new(after.get() - before.get())
    }

    /// The error of the change. What counters do not know differs from one recording to the next;
    /// an estimate is wrong alike in both if both were made with the same yardstick.
    pub fn error(&self) -> StandardError {
        match self.yardstick {
            Yardstick::Same => self.after.error.of_difference_alike(self.before.error),
            Yardstick::Different => self.after.error.and(self.before.error),
        }
    }

    /// The change as a part of what it took before; `None` where that was nothing.
    pub fn relative(&self) -> Option<f64> {
        (self.before.energy > Microjoules::ZERO)
            .then(|| self.joules().get() / self.before.energy.joules().get())
    }

    /// Whether the change is larger than its 95 % interval: otherwise it may be noise.
    pub fn is_beyond_noise(&self) -> bool {
        self.joules().get().abs() > self.error().half_width_95().get()
    }
}

/// Two recordings compared, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// All that is compared.
    pub total: Change,
    /// The largest change first; nothing that took any energy is left out.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Functions or lines by what they take themselves, without what they call.
    pub fn of_code(
        before: &CallTree,
        after: &CallTree,
        unit: CodeUnit,
        yardstick: Yardstick,
    ) -> Self {
        Self::of(own_energies(before, unit), own_energies(after, unit), yardstick)
    }

    /// Groups of threads. Those with the same name are one: pids are never the same twice.
    pub fn of_groups(
        before: &Profile,
        after: &Profile,
        by: GroupBy,
        users: &UserNames<'_>,
    ) -> Self {
        let yardstick = Yardstick::of(before, after);
        let options = ViewOptions { by, all: true, ..ViewOptions::default() };
        let [before, after] = [before, after].map(|profile| {
            let rows = profile.view(&options, users).rows.into_iter();
            let counted = rows.filter(|row| row.kind.counts());
            counted
                .map(|row| {
                    let error = row.error.unwrap_or_default();
                    (row.name, Amount { energy: row.energy, error })
                })
                .collect::<Vec<_>>()
        });
        Self::of(before, after, yardstick)
    }

    fn of(
        before: impl IntoIterator<Item = (String, Amount)>,
        after: impl IntoIterator<Item = (String, Amount)>,
        yardstick: Yardstick,
    ) -> Self {
        let mut total = Change { name: "[total]".to_owned(), yardstick, ..Change::default() };
        let mut changes: BTreeMap<String, Change> = BTreeMap::new();
        let named = |name: String| Change { name, yardstick, ..Change::default() };
        for (name, amount) in before {
            total.before.add(amount);
            changes.entry(name.clone()).or_insert_with(|| named(name)).before.add(amount);
        }
        for (name, amount) in after {
            total.after.add(amount);
            changes.entry(name.clone()).or_insert_with(|| named(name)).after.add(amount);
        }
        let mut changes: Vec<Change> = changes
            .into_values()
            .filter(|change| change.before.energy.max(change.after.energy) > Microjoules::ZERO)
            .collect();
        changes.sort_by(|a, b| b.joules().get().abs().total_cmp(&a.joules().get().abs()));
        Self { total, changes }
    }
}

fn own_energies(tree: &CallTree, unit: CodeUnit) -> impl Iterator<Item = (String, Amount)> {
    tree.rows(unit).into_iter().map(move |row| {
        let name = match (unit, row.frame.file, row.frame.line) {
            (CodeUnit::Line, Some(file), Some(line)) => format!("{} {file}:{line}", row.frame.name),
            _ => row.frame.name,
        };
        (name, Amount { energy: row.own.energy, error: row.own.error })
    })
}

#[cfg(test)]
mod tests {
    use super::super::uncertainty::ErrorSum;
    use super::*;
    use crate::model::Provenance;

    fn amount(joules: u64) -> Amount {
        Amount { energy: Microjoules::new(joules * 1_000_000), error: StandardError::default() }
    }

    #[test]
    fn a_function_that_came_and_one_that_went_are_both_shown() {
        let before = [("stays".to_owned(), amount(4)), ("went".to_owned(), amount(3))];
        let after = [("stays".to_owned(), amount(5)), ("came".to_owned(), amount(2))];
        let diff = Diff::of(before, after, Yardstick::Same);
        let shown: Vec<(&str, f64)> =
            diff.changes.iter().map(|change| (&*change.name, change.joules().get())).collect();
        assert_eq!(shown, [("went", -3.0), ("came", 2.0), ("stays", 1.0)]);
        assert!((diff.total.joules().get() - 0.0).abs() < 1e-12);
        assert_eq!(diff.changes[1].relative(), None);
        assert_eq!(diff.changes[2].relative(), Some(0.25));
    }

    #[test]
    fn an_estimate_wrong_by_half_still_tells_a_change_on_the_same_machine() {
        let estimated = |joules: u64| {
            let mut error = ErrorSum::default();
            let half = Microjoules::new(joules * 500_000);
            error.add(half, half, Provenance::Estimated);
            Amount { error: error.standard(), ..amount(joules) }
        };
        let change = |yardstick| Change {
            before: estimated(10),
            after: estimated(12),
            yardstick,
            ..Change::default()
        };
        // 2 J more, wrong by half of that at most by one standard error.
        assert!(change(Yardstick::Same).is_beyond_noise());
        assert!(!change(Yardstick::Different).is_beyond_noise());
    }
}
