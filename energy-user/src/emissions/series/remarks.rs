//! What there is to know of a series besides its values, in sentences.

use super::{IntensitySeries, Step, StepKind};
use crate::units::{Nanoseconds, scale};

impl IntensitySeries {
    /// What there is to know of the values used, in sentences: which are filled, which estimated.
    pub fn remarks(&self, used: &[&Step]) -> Vec<String> {
        let of = |kind: StepKind| used.iter().filter(move |step| step.kind == kind);
        let mut remarks = self.origin.notes.clone();
        let lasted = |kind: StepKind| in_hours(of(kind).map(|step| step.length()).sum());
        if of(StepKind::Filled).next().is_some() {
            remarks.push(format!(
                "{} without a value are filled with the mean of the values before and after: {}",
                lasted(StepKind::Filled),
                spans(of(StepKind::Filled))
            ));
        }
        if of(StepKind::Estimated).next().is_some() {
            remarks.push(format!(
                "{} without a measurement are estimated by the source",
                lasted(StepKind::Estimated)
            ));
        }
        remarks
    }
}

/// A stretch of time, in hours where they are whole: `3 h`.
pub fn in_hours(lasted: Nanoseconds) -> String {
    const HOUR: u64 = 3_600_000_000_000;
    match lasted.get() {
        whole if whole > 0 && whole % HOUR == 0 => format!("{} h", whole / HOUR),
        _ => scale::duration(lasted),
    }
}

/// From when to when steps are, of many the first ones.
fn spans<'a>(steps: impl Iterator<Item = &'a &'a Step>) -> String {
    const SHOWN: usize = 6;
    let span = |step: &&Step| format!("{} to {}", scale::utc(step.from), scale::utc(step.to));
    let mut spans: Vec<String> = steps.map(span).collect();
    if spans.len() > SHOWN {
        let more = spans.len() - SHOWN;
        spans.truncate(SHOWN);
        spans.push(format!("and {more} more"));
    }
    spans.join(", ")
}
