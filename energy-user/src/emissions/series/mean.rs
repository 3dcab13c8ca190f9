//! The mean of a series over a recording, weighted by the energy used at each time: with it, energy ×
//! intensity is the sum over all times.

use super::{IntensitySeries, Step};
use crate::emissions::{Figure, Grid, Site};
use crate::units::{CarbonIntensity, Microjoules, WaterIntensity};

/// The mean over what a recording used.
#[derive(Clone, Debug, PartialEq)]
pub struct Mean {
    /// Of the intensities.
    pub intensity: CarbonIntensity,
    /// Of the water, where every step used tells of it.
    pub water: Option<WaterIntensity>,
}

impl Mean {
    /// Over steps with the energy used in each. Where no energy was used, each counts the same.
    /// `None` of no steps.
    pub fn of(used: &[(Step, Microjoules)]) -> Option<Self> {
        let grams = |step: &Step| Some(step.intensity.get());
        Some(Self {
            intensity: CarbonIntensity::new(weighted(used, grams)?)?,
            water: weighted(used, |step| step.water.map(WaterIntensity::get))
                .and_then(WaterIntensity::new),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact below 9 GJ, intensities have three digits")]
fn weighted(used: &[(Step, Microjoules)], value: impl Fn(&Step) -> Option<f64>) -> Option<f64> {
    let nothing_used = used.iter().all(|(_, energy)| energy.get() == 0);
    let mut sum = 0.0;
    let mut weights = 0.0;
    for (step, energy) in used {
        let weight = if nothing_used { 1.0 } else { energy.get() as f64 };
        sum += value(step)? * weight;
        weights += weight;
    }
    (weights > 0.0).then(|| sum / weights)
}

impl Site {
    /// The same site with the mean of a series for its grid's intensity, and for its water where the
    /// series tells. What tables say of the place stays beside it.
    #[must_use]
    pub fn with_mean(self, mean: &Mean, series: &IntensitySeries) -> Self {
        let origin = &series.origin;
        let covers = origin.covers.iter().map(String::as_str);
        let covers = covers.chain(["mean over the recording, weighted by its energy"]);
        let covers = Some(covers.collect::<Vec<_>>().join(", "));
        let source = || origin.source.clone();
        let intensity =
            Figure { value: mean.intensity, year: None, source: source(), covers: covers.clone() };
        let water = mean.water.map(|value| Figure { value, year: None, source: source(), covers });
        let grid = match self.grid {
            Some(grid) => Grid {
                others: std::iter::once(grid.intensity).chain(grid.others).collect(),
                water_without_hydro: grid.water_without_hydro.filter(|_| water.is_none()),
                water: water.or(grid.water),
                intensity,
                ..grid
            },
            None => Grid {
                name: origin.zone.clone().unwrap_or_else(|| origin.name.clone()),
                code: origin.zone.clone().unwrap_or_default(),
                country: None,
                intensity,
                others: Vec::new(),
                water,
                water_without_hydro: None,
            },
        };
        let is_unknown = self.name == "unknown";
        let name = if is_unknown { grid.name.clone() } else { self.name };
        Self { name, grid: Some(grid), ..self }
    }
}
