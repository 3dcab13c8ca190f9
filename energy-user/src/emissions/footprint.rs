//! What an amount of energy comes to at a site.

use super::site::Site;
use super::world::world;
use crate::units::{GramsCo2e, Joules, KilowattHours, Litres, Microjoules};

/// Greenhouse gases and water of an amount of energy, location-based.
#[derive(Clone, Debug, PartialEq)]
pub struct Footprint {
    /// Energy of the IT equipment, as recorded.
    pub it: KilowattHours,
    /// Energy of the facility for it: with PUE, once.
    pub facility: KilowattHours,
    /// What was emitted to generate that; `None` where the place is not known.
    pub emissions: Option<GramsCo2e>,
    /// The least and the most it may be: over what tables say of the place; where it is not known,
    /// over four fifths of the world's countries.
    pub range: (GramsCo2e, GramsCo2e),
    /// Water on site and off site.
    pub water: Water,
}

/// Water consumed: what is not known is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Water {
    /// Evaporated to cool the site: by WUE, which is per energy of IT equipment.
    pub on_site: Option<Litres>,
    /// Consumed to generate the facility's electricity.
    pub off_site: Option<Litres>,
    /// The same without what evaporates from reservoirs of hydropower.
    pub off_site_without_hydro: Option<Litres>,
}

impl Footprint {
    /// That of an amount of energy of IT equipment.
    pub fn of(energy: Microjoules, site: &Site) -> Self {
        Self::of_electricity(energy.into(), site)
    }

    /// The same of a computed amount.
    pub fn of_joules(energy: Joules, site: &Site) -> Self {
        Self::of_electricity(energy.into(), site)
    }

    fn of_electricity(it: KilowattHours, site: &Site) -> Self {
        let facility = it * site.pue();
        let grid = site.grid.as_ref();
        let (low, high) = grid.map_or_else(
            || {
                let world = world();
                (world.low, world.high)
            },
            super::Grid::range,
        );
        Self {
            it,
            facility,
            emissions: grid.map(|grid| facility * grid.intensity.value),
            range: (facility * low, facility * high),
            water: Water {
                on_site: site.wue.as_ref().map(|wue| it * wue.value),
                off_site: grid
                    .and_then(|grid| grid.water.as_ref())
                    .map(|water| facility * water.value),
                off_site_without_hydro: grid
                    .and_then(|grid| grid.water_without_hydro.as_ref())
                    .map(|water| facility * water.value),
            },
        }
    }
}
