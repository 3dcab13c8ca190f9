//! What an amount of energy comes to at a site.

use super::embodied::EmbodiedPart;
use super::site::Site;
use super::world::world;
use crate::units::{GramsCo2e, Joules, KilowattHours, Litres, Microjoules, Nanoseconds};

/// Greenhouse gases and water of an amount of energy, location-based; embodied emissions apart.
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
    /// What was emitted by contract, beside that; `None` where no market-based factor is known.
    pub market: Option<GramsCo2e>,
    /// What falls to it of what it took to make the machine, besides; `None` where that is not known.
    pub embodied: Option<EmbodiedPart>,
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

    /// With the embodied emissions of so long a use of the machine.
    #[must_use]
    pub fn lasting(self, lasted: Nanoseconds, site: &Site) -> Self {
        Self { embodied: site.embodied.as_ref().map(|embodied| embodied.over(lasted)), ..self }
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
            market: site.market.intensity.as_ref().map(|it| facility * it.value),
            embodied: None,
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
