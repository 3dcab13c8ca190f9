//! What a recording would have emitted, had it been started at other times of a series.
//!
//! The energy is taken in bins of the series' usual step from the recording's start, and moved as a whole
//! to the start of each step at which it fits in. A bin has the intensity at its beginning.

use super::{IntensitySeries, SeriesError, between, in_hours, later};
use crate::units::{GramsCo2e, KilowattHours, Microjoules, Nanoseconds, Pue, WallTime};

/// The recording started at each step of a series, the least emissions first.
#[derive(Clone, Debug, PartialEq)]
pub struct OtherStarts {
    /// The best first; of equally good ones the earliest. At least one.
    pub starts: Vec<OtherStart>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OtherStart {
    /// When it would have been started.
    pub at: WallTime,
    /// What it would have emitted.
    pub emissions: GramsCo2e,
}

impl OtherStarts {
    /// Of a recording that lasted so long, with its energy at times since its start, at a site with
    /// this PUE.
    pub fn of(
        series: &IntensitySeries,
        energy: &[(Nanoseconds, Microjoules)],
        lasted: Nanoseconds,
        pue: Pue,
    ) -> Result<Self, SeriesError> {
        let bins = bins(energy, series.usual_step());
        let (from, to) = series.covers();
        let fits = |at: WallTime| later(at, lasted) <= to && series.place_of(at).is_some();
        let starts = series.steps().iter().map(|step| step.from).filter(|at| fits(*at));
        let mut starts: Vec<OtherStart> = starts
            .map(|at| {
                let grams = bins.iter().map(|(since, energy)| {
                    // The last bin begins before the recording ends.
                    let place =
                        series.place_of(later(at, *since)).unwrap_or(series.steps().len() - 1);
                    let intensity = series.steps()[place].intensity;
                    (KilowattHours::from(*energy) * pue * intensity).get()
                });
                OtherStart { at, emissions: GramsCo2e::new(grams.sum()) }
            })
            .collect();
        starts
            .sort_by(|a, b| a.emissions.get().total_cmp(&b.emissions.get()).then(a.at.cmp(&b.at)));
        if starts.is_empty() {
            return Err(SeriesError::TooShort {
                name: series.origin.name.clone(),
                recorded: in_hours(lasted),
                covered: in_hours(between(from, to)),
            });
        }
        Ok(Self { starts })
    }
}

/// Energy by the beginning of its bin, in order.
fn bins(
    energy: &[(Nanoseconds, Microjoules)],
    length: Nanoseconds,
) -> Vec<(Nanoseconds, Microjoules)> {
    let length = length.get().max(1);
    let mut bins = std::collections::BTreeMap::<u64, Microjoules>::new();
    for (since, energy) in energy {
        *bins.entry(since.get() / length * length).or_default() += *energy;
    }
    bins.into_iter().map(|(since, energy)| (Nanoseconds::new(since), energy)).collect()
}
