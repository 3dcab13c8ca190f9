//! The calculator: what hardware comes to that was never measured, from its design power, how many there
//! are and for how long.
//!
//! **You give** hardware, a number, hours, a load and a site. **You get** energy, greenhouse gases and
//! water, all *assumed*, and the same elsewhere. **It is not** a measurement: design power × load is
//! what most calculators take, and may be wrong by a factor of two.

mod hardware;
mod json;
mod text;

use std::time::Duration;

pub use hardware::{Hardware, HardwareKind, UnknownHardware, hardware};
pub use json::json;
pub use text::text;

use crate::emissions::{
    Footprint, FunctionalUnits, Grid, Place, Sci, Site, SiteOptions, UnknownPlace, countries,
    sites_of_provider,
};
use crate::units::{GramsCo2e, Joules, Share, Watts};

/// So many of one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Devices {
    /// Of what.
    pub hardware: Hardware,
    /// How many.
    pub count: u32,
}

impl Devices {
    /// What all of them draw by design.
    pub fn power(&self) -> Watts {
        Watts::new(f64::from(self.count) * self.hardware.power.get())
    }
}

/// What is to be estimated.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What ran.
    pub devices: Vec<Devices>,
    /// For how long.
    pub lasted: Duration,
    /// At what part of its design power, in the mean.
    pub load: Share,
}

impl Job {
    /// Energy of the hardware.
    pub fn energy(&self) -> Joules {
        let power: f64 = self.devices.iter().map(|devices| devices.power().get()).sum();
        Joules::new(power * self.load.get() * self.lasted.as_secs_f64())
    }

    /// What it comes to at a site.
    pub fn footprint(&self, site: &Site) -> Footprint {
        Footprint::of_joules(self.energy(), site).lasting(self.lasted.into(), site)
    }
}

/// A job at a site, and how it compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// What is estimated.
    pub job: Job,
    /// Where.
    pub site: Site,
    /// What it comes to.
    pub footprint: Footprint,
    /// What it does for somebody, where that was said.
    pub units: Option<FunctionalUnits>,
    /// The same elsewhere; `None` where there is nowhere to compare with.
    pub elsewhere: Option<Comparison>,
}

impl Estimate {
    /// Of a job at a place, with the factors of a year.
    pub fn of(job: Job, options: &SiteOptions, year: u16) -> Result<Self, UnknownPlace> {
        let site = Site::of(options, year)?;
        let footprint = job.footprint(&site);
        let place = options.place.as_ref().map(|place| &place.value);
        let elsewhere = elsewhere(&job, &site, place, year);
        Ok(Self { job, site, footprint, units: None, elsewhere })
    }

    /// Operational and embodied emissions of all of it.
    fn sci(&self) -> Sci {
        Sci {
            operational: self.footprint.emissions,
            embodied: self.footprint.embodied.map(|part| part.emissions),
        }
    }
}

/// The same job somewhere else.
#[derive(Clone, Debug, PartialEq)]
pub struct Elsewhere {
    /// Where.
    pub place: String,
    /// What it would have emitted there.
    pub emissions: GramsCo2e,
}

/// Other places a job might run at, and how they compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Among which places, in words: `33 regions of aws`.
    pub among: String,
    /// The one that emits least.
    pub least: Elsewhere,
    /// The one that emits most.
    pub most: Elsewhere,
}

/// The best and the worst place for a job: of a cloud's region among those of its provider, with the PUE
/// of each; else among all countries, with the site's own PUE.
fn elsewhere(job: &Job, site: &Site, place: Option<&Place>, year: u16) -> Option<Comparison> {
    let provider = match place {
        Some(Place::Cloud(region)) => region.split_once('/').map(|(provider, _)| provider),
        _ => None,
    };
    let there = |grid: Grid| Site { name: grid.name.clone(), grid: Some(grid), ..site.clone() };
    let (sites, among): (Vec<Site>, _) = provider.map_or_else(
        || (countries(year).into_iter().map(there).collect(), "countries".to_owned()),
        |provider| (sites_of_provider(provider, year), format!("regions of {provider}")),
    );
    let all: Vec<Elsewhere> = sites
        .iter()
        .filter_map(|site| {
            let emissions = job.footprint(site).emissions?;
            Some(Elsewhere { place: site.name.clone(), emissions })
        })
        .collect();
    let by_emissions =
        |a: &&Elsewhere, b: &&Elsewhere| a.emissions.get().total_cmp(&b.emissions.get());
    Some(Comparison {
        among: format!("{} {among}", all.len()),
        least: all.iter().min_by(by_emissions)?.clone(),
        most: all.iter().max_by(by_emissions)?.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::CarbonIntensity;

    fn job(watts: f64, hours: u64) -> Job {
        let hardware = Hardware {
            name: "card".to_owned(),
            power: Watts::new(watts),
            released: None,
            source: "given".to_owned(),
        };
        Job {
            devices: vec![Devices { hardware, count: 1 }],
            lasted: Duration::from_hours(hours),
            load: Share::of(1, 1).unwrap(),
        }
    }

    fn at(intensity: f64) -> Site {
        let place = Some(Place::Intensity(CarbonIntensity::new(intensity).unwrap()).into());
        Site::of(&SiteOptions { place, ..SiteOptions::default() }, 2026).unwrap()
    }

    #[test]
    fn the_published_examples_of_the_calculator() {
        // 250 W for 48 h at 0.56 kg/kWh; 250 W for 100 h at 475 g/kWh.
        for (hours, intensity, grams) in [(48, 560.0, 6_720.0), (100, 475.0, 11_875.0)] {
            let found = job(250.0, hours).footprint(&at(intensity)).emissions.unwrap().get();
            assert!((found / grams - 1.0).abs() < 1e-12, "{found}");
        }
    }

    #[test]
    fn the_best_and_the_worst_region_are_of_the_same_provider() {
        let place = Place::Cloud("aws/eu-west-3".to_owned());
        let options = SiteOptions { place: Some(place.clone().into()), ..SiteOptions::default() };
        let site = Site::of(&options, 2026).unwrap();
        let found = elsewhere(&job(250.0, 48), &site, Some(&place), 2026).unwrap();
        assert_eq!(found.among, "33 regions of aws");
        assert!(found.least.place.starts_with("aws/") && found.most.place.starts_with("aws/"));
        assert!(found.least.emissions < found.most.emissions);
        let found = elsewhere(&job(250.0, 48), &site, None, 2026).unwrap();
        assert!(found.among.ends_with(" countries"), "{found:?}");
    }
}
