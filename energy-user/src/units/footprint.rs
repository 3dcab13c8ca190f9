//! Emissions and water: factors per kilowatt-hour, and what they come to. Kilograms and grams, or litres of
//! one thing and another, cannot be mixed up: there is one type for each, in one unit.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};

use serde::{Deserialize, Serialize};

use super::{Joules, Microjoules};

/// Microjoules in a kilowatt-hour.
const MICROJOULES_PER_KILOWATT_HOUR: f64 = 3.6e12;

/// Energy as electricity is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KilowattHours(f64);

impl KilowattHours {
    /// From a number of kilowatt-hours.
    pub const fn new(kilowatt_hours: f64) -> Self {
        Self(kilowatt_hours)
    }

    /// The number of kilowatt-hours.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl From<Microjoules> for KilowattHours {
    #[expect(clippy::cast_precision_loss, reason = "exact below 9 GJ, factors have three digits")]
    fn from(energy: Microjoules) -> Self {
        Self(energy.get() as f64 / MICROJOULES_PER_KILOWATT_HOUR)
    }
}

impl From<Joules> for KilowattHours {
    fn from(energy: Joules) -> Self {
        Self(energy.get() / 3.6e6)
    }
}

/// Power usage effectiveness: energy of the whole facility per energy of its IT equipment, a year's
/// mean (ISO/IEC 30134-2).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pue(f64);

impl Pue {
    /// A facility that uses nothing besides.
    pub const NONE: Self = Self(1.0);

    /// `None` below 1, where a facility would use less than its equipment, and above 10.
    pub fn new(ratio: f64) -> Option<Self> {
        (1.0..=10.0).contains(&ratio).then_some(Self(ratio))
    }

    /// The ratio.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Mul<Pue> for KilowattHours {
    type Output = Self;
    fn mul(self, pue: Pue) -> Self {
        Self(self.0 * pue.0)
    }
}

/// Greenhouse gases emitted for a kilowatt-hour, in gCO2e/kWh.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CarbonIntensity(f64);

impl CarbonIntensity {
    /// `None` for what no grid can be: below 0, or above 5,000 gCO2e/kWh, five times coal.
    pub fn new(grams_per_kilowatt_hour: f64) -> Option<Self> {
        (0.0..=5_000.0).contains(&grams_per_kilowatt_hour).then_some(Self(grams_per_kilowatt_hour))
    }

    /// In gCO2e/kWh.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Mul<Pue> for CarbonIntensity {
    type Output = Self;
    /// Per kilowatt-hour of IT equipment, from that per kilowatt-hour of the facility.
    fn mul(self, pue: Pue) -> Self {
        Self(self.0 * pue.0)
    }
}

impl Mul<CarbonIntensity> for KilowattHours {
    type Output = GramsCo2e;
    fn mul(self, intensity: CarbonIntensity) -> GramsCo2e {
        GramsCo2e(self.0 * intensity.0)
    }
}

/// Water consumed for a kilowatt-hour, in L/kWh.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WaterIntensity(f64);

impl WaterIntensity {
    /// `None` below 0, and above 1,000 L/kWh.
    pub fn new(litres_per_kilowatt_hour: f64) -> Option<Self> {
        (0.0..=1_000.0)
            .contains(&litres_per_kilowatt_hour)
            .then_some(Self(litres_per_kilowatt_hour))
    }

    /// In L/kWh.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Mul<WaterIntensity> for KilowattHours {
    type Output = Litres;
    fn mul(self, intensity: WaterIntensity) -> Litres {
        Litres(self.0 * intensity.0)
    }
}

/// Greenhouse gases in grams of CO2 equivalent, a computed figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GramsCo2e(f64);

impl GramsCo2e {
    /// From a number of grams.
    pub const fn new(grams: f64) -> Self {
        Self(grams)
    }

    /// The number of grams.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The number of kilograms.
    pub fn kilograms(self) -> f64 {
        self.0 / 1_000.0
    }

    /// To the nearest nanogram.
    pub fn to_nanograms(self) -> NanogramsCo2e {
        NanogramsCo2e(nearest(self.0 * 1e9))
    }
}

impl Mul<f64> for GramsCo2e {
    type Output = Self;
    fn mul(self, part: f64) -> Self {
        Self(self.0 * part)
    }
}

impl Add for GramsCo2e {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

/// Greenhouse gases in whole nanograms of CO2 equivalent: what is shared out, so that parts add up to
/// their whole exactly. `u64` holds 18,000 t.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanogramsCo2e(u64);

/// Water in litres, a computed figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Litres(f64);

impl Litres {
    /// From a number of litres.
    pub const fn new(litres: f64) -> Self {
        Self(litres)
    }

    /// The number of litres.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// To the nearest nanolitre.
    pub fn to_nanolitres(self) -> Nanolitres {
        Nanolitres(nearest(self.0 * 1e9))
    }
}

impl Add for Litres {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

/// Water in whole nanolitres: what is shared out. `u64` holds 18,000 m³.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanolitres(u64);

macro_rules! whole_number {
    ($unit:ident, $name:literal, $coarse:ident, $to:ident) => {
        impl $unit {
            #[doc = concat!("From a number of ", $name, ".")]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            #[doc = concat!("The number of ", $name, ".")]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// For showing.
            #[expect(clippy::cast_precision_loss, reason = "shown to a few digits")]
            pub fn $to(self) -> $coarse {
                $coarse(self.0 as f64 * 1e-9)
            }
        }

        impl Add for $unit {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl AddAssign for $unit {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }

        impl Sum for $unit {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self::default(), Add::add)
            }
        }
    };
}

whole_number!(NanogramsCo2e, "nanograms", GramsCo2e, grams);
whole_number!(Nanolitres, "nanolitres", Litres, litres);

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates, and the sign is checked"
)]
fn nearest(number: f64) -> u64 {
    number.round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found} is not {expected}");
    }

    #[test]
    fn three_million_six_hundred_thousand_joules_are_a_kilowatt_hour() {
        close(KilowattHours::from(Microjoules::new(3_600_000_000_000)).get(), 1.0);
    }

    #[test]
    fn the_published_example_of_the_calculator() {
        // 250 W for 48 h at 0.56 kg/kWh: 12 kWh, 6.72 kg.
        let energy = KilowattHours::new(250.0 * 48.0 / 1_000.0);
        close((energy * CarbonIntensity::new(560.0).unwrap()).kilograms(), 6.72);
    }

    #[test]
    fn water_on_and_off_site() {
        // 1 kWh of IT, PUE 1.2, 0.3 L/kWh on site, 2 L/kWh of the grid: 0.3 + 2.4.
        let energy = KilowattHours::new(1.0);
        let on_site = energy * WaterIntensity::new(0.3).unwrap();
        let off_site = energy * Pue::new(1.2).unwrap() * WaterIntensity::new(2.0).unwrap();
        close((on_site + off_site).get(), 2.7);
    }

    #[test]
    fn what_cannot_be_is_no_factor() {
        assert_eq!(Pue::new(0.9), None);
        assert_eq!(Pue::new(f64::NAN), None);
        assert_eq!(CarbonIntensity::new(-1.0), None);
        assert_eq!(WaterIntensity::new(f64::INFINITY), None);
    }

    #[test]
    fn parts_are_whole_nanograms() {
        assert_eq!(
            GramsCo2e::new(1.234_567_890_6).to_nanograms(),
            NanogramsCo2e::new(1_234_567_891)
        );
        close(NanogramsCo2e::new(1_500_000_000).grams().get(), 1.5);
    }
}
