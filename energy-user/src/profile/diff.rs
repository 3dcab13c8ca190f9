//! Two recordings compared: what changed, and whether it changed by more than the errors explain.

use std::collections::BTreeMap;

use super::account::Profile;
use super::call_tree::CallTree;
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

/// What became of something from one recording to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// What it is called.
    pub name: String,
    /// What it took in the first recording; nothing where it is not in it.
    pub before: Amount,
    /// What it took in the second.
    pub after: Amount,
}

impl Change {
    /// How much more it takes; negative where it takes less.
    pub fn joules(&self) -> Joules {
        let (before, after) = (self.before.energy.joules(), self.after.energy.joules());
        Joules::new(after.get() - before.get())
    }

    /// The error of the change. Recordings err independently; estimates err alike, which is not
    /// known of two machines and so counts in full.
    pub fn error(&self) -> StandardError {
        self.before.error.and(self.after.error)
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
    /// The largest change first; nothing is left out.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Functions by what they take themselves, without what they call.
    pub fn of_functions(before: &CallTree, after: &CallTree) -> Self {
        Self::of(own_energies(before), own_energies(after))
    }

    /// Groups of threads. Those with the same name are one: pids are never the same twice.
    pub fn of_groups(
        before: &Profile,
        after: &Profile,
        by: GroupBy,
        users: &UserNames<'_>,
    ) -> Self {
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
        Self::of(before, after)
    }

    fn of(
        before: impl IntoIterator<Item = (String, Amount)>,
        after: impl IntoIterator<Item = (String, Amount)>,
    ) -> Self {
        let mut total = Change { name: "[total]".to_owned(), ..Change::default() };
        let mut changes: BTreeMap<String, Change> = BTreeMap::new();
        let named = |name: String| Change { name, ..Change::default() };
        for (name, amount) in before {
            total.before.add(amount);
            changes.entry(name.clone()).or_insert_with(|| named(name)).before.add(amount);
        }
        for (name, amount) in after {
            total.after.add(amount);
            changes.entry(name.clone()).or_insert_with(|| named(name)).after.add(amount);
        }
        let mut changes: Vec<Change> = changes.into_values().collect();
        changes.sort_by(|a, b| b.joules().get().abs().total_cmp(&a.joules().get().abs()));
        Self { total, changes }
    }
}

fn own_energies(tree: &CallTree) -> impl Iterator<Item = (String, Amount)> {
    tree.nodes.iter().map(|node| {
        let frame = &tree.frames[node.frame.0];
        (frame.name.clone(), Amount { energy: node.self_energy, error: node.self_error })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(joules: u64) -> Amount {
        Amount { energy: Microjoules::new(joules * 1_000_000), error: StandardError::default() }
    }

    #[test]
    fn a_function_that_came_and_one_that_went_are_both_shown() {
        let before = [("stays".to_owned(), amount(4)), ("went".to_owned(), amount(3))];
        let after = [("stays".to_owned(), amount(5)), ("came".to_owned(), amount(2))];
        let diff = Diff::of(before, after);
        let shown: Vec<(&str, f64)> =
            diff.changes.iter().map(|change| (&*change.name, change.joules().get())).collect();
        assert_eq!(shown, [("went", -3.0), ("came", 2.0), ("stays", 1.0)]);
        assert!((diff.total.joules().get() - 0.0).abs() < 1e-12);
        assert_eq!(diff.changes[1].relative(), None);
        assert_eq!(diff.changes[2].relative(), Some(0.25));
    }
}
