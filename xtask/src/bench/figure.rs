//! A measured figure beside its goal, and a table of them.

use std::fmt::Write as _;

use super::spread::Spread;

/// One line of a benchmark's table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    what: String,
    unit: &'static str,
    spread: Spread,
    /// The most it should be.
    goal: Option<f64>,
}

impl Figure {
    /// What all rounds gave.
    pub(super) fn of_rounds(what: impl Into<String>, unit: &'static str, rounds: Vec<f64>) -> Self {
        Self { what: what.into(), unit, spread: Spread::of(rounds), goal: None }
    }

    /// What was measured once.
    pub(super) fn once(what: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self::of_rounds(what, unit, vec![value])
    }

    /// How many of something.
    #[expect(clippy::cast_precision_loss, reason = "nothing counted here comes near 2^53")]
    pub(super) fn count(what: impl Into<String>, number: u64) -> Self {
        Self::once(what, "", number as f64)
    }

    /// A figure of which there should be no more than `goal`.
    pub(super) fn at_most(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }

    fn measured(&self) -> String {
        let Spread { median, least, most } = self.spread;
        let median = with_unit(median, self.unit);
        if number(least) == number(most) {
            return median;
        }
        format!("{median}  ({} … {})", number(least), number(most))
    }

    fn goal(&self) -> String {
        let Some(goal) = self.goal else { return String::new() };
        let verdict = if self.spread.median <= goal { "met" } else { "MISSED" };
        format!("≤ {}  {verdict}", with_unit(goal, self.unit))
    }
}

/// The figures as columns: what, the median with the extremes, the goal.
pub(super) fn table(figures: &[Figure]) -> String {
    let rows: Vec<[String; 3]> =
        figures.iter().map(|it| [it.what.clone(), it.measured(), it.goal()]).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let (first, second) = (width(0), width(1));
    let mut text = String::new();
    for [what, measured, goal] in &rows {
        let line = format!("  {what:first$}   {measured:second$}   {goal}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn with_unit(value: f64, unit: &str) -> String {
    format!("{} {unit}", number(value)).trim_end().to_owned()
}

/// Three digits or so: nothing here is known better.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || size.fract() < 1e-9 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_stands_beside_its_figure() {
        let figures = [
            Figure::of_rounds("hook", "ns", vec![150.0, 149.6, 201.2]).at_most(200.0),
            Figure::count("lost switches", 3).at_most(0.0),
            Figure::once("CPU", "%", 0.1234),
        ];
        assert_eq!(
            table(&figures),
            "  hook            150 ns  (150 … 201)   ≤ 200 ns  met\n  \
               lost switches   3                     ≤ 0  MISSED\n  \
               CPU             0.123 %\n"
        );
    }
}
