//! What else emits as much, for who has no feeling for grams.

use super::citation::cite;
use super::tables::{EQUIVALENTS, EquivalentRow};
use crate::units::{CarbonIntensity, GramsCo2e, KilowattHours};

/// How many are chosen.
const CHOSEN: usize = 4;
/// A count that says something: neither a sliver of one nor beyond imagination.
const TELLING: std::ops::RangeInclusive<f64> = 0.095..=20_000.0;
/// The counts that are pictured most easily lie around this.
const EASIEST: f64 = 10.0;

/// So much of something else.
#[derive(Clone, Debug, PartialEq)]
pub struct Equivalent {
    /// Its key in the table.
    pub id: &'static str,
    /// How many of its units.
    pub count: f64,
    /// Of what, e.g. `km`.
    pub unit: &'static str,
    /// What it is.
    pub label: &'static str,
    /// What one of them emits.
    pub each: GramsCo2e,
    /// Of which year the figure is, where that is known.
    pub year: Option<u16>,
    /// Where it comes from.
    pub source: String,
}

/// Those that fit the size of what was emitted, the ones most easily pictured first. What is known by
/// its energy emits as the grid does that is given.
pub fn fitting(emitted: GramsCo2e, grid: CarbonIntensity) -> Vec<Equivalent> {
    let shown = EQUIVALENTS.iter().filter(|row| row.shown == 1);
    let mut fit: Vec<Equivalent> = shown
        .filter_map(|row| equivalent(row, emitted, grid))
        .filter(|equivalent| TELLING.contains(&equivalent.count))
        .collect();
    let effort = |it: &Equivalent| (it.count / EASIEST).ln().abs();
    fit.sort_by(|a, b| effort(a).total_cmp(&effort(b)));
    fit.truncate(CHOSEN);
    fit
}

fn equivalent(
    row: &'static EquivalentRow,
    emitted: GramsCo2e,
    grid: CarbonIntensity,
) -> Option<Equivalent> {
    let stated = row.kgco2e_per_unit.map(|kilograms| GramsCo2e::new(1e3 * kilograms));
    let by_energy = row.kwh_per_unit.map(|energy| KilowattHours::new(energy) * grid);
    let each = stated.or(by_energy).filter(|each| each.get() > 0.0)?;
    Some(Equivalent {
        id: &row.id,
        count: emitted.get() / each.get(),
        unit: &row.unit,
        label: &row.label,
        each,
        year: row.year,
        source: cite(&row.source).title,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> CarbonIntensity {
        CarbonIntensity::new(400.0).unwrap()
    }

    /// Every row of the table, whatever its size.
    fn all(emitted: GramsCo2e, grid: CarbonIntensity) -> Vec<Equivalent> {
        EQUIVALENTS.iter().filter_map(|row| equivalent(row, emitted, grid)).collect()
    }

    #[test]
    fn the_rows_of_strubell_are_their_own_measure() {
        let flight = GramsCo2e::new(899_930.0);
        let found = all(flight, grid());
        let strubell = found.iter().find(|it| it.id == "flight_ny_sf_strubell").unwrap();
        assert!((strubell.count - 1.0).abs() < 1e-12, "{strubell:?}");
    }

    #[test]
    fn what_is_shown_fits_the_size() {
        let ids = |grams: f64| -> Vec<&str> {
            fitting(GramsCo2e::new(grams), grid()).iter().map(|it| it.id).collect()
        };
        assert_eq!(ids(0.001), Vec::<&str>::new(), "nothing is as small");
        assert!(ids(100.0).contains(&"smartphone_charge_2024"), "{:?}", ids(100.0));
        assert!(ids(1_000_000.0).contains(&"flight_ny_sf"), "{:?}", ids(1_000_000.0));
        assert!(ids(1e9).contains(&"car_lifetime"), "{:?}", ids(1e9));
    }

    #[test]
    fn a_lamp_emits_as_the_grid_does() {
        let found = all(GramsCo2e::new(7.2), grid());
        // 9 Wh at 400 g/kWh are 3.6 g.
        let lamp = found.iter().find(|it| it.id == "led_bulb_hour_9w").unwrap();
        assert!((lamp.count - 2.0).abs() < 1e-12, "{lamp:?}");
    }
}
