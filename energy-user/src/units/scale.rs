//! Numbers for people: scaled to a readable unit and rounded. Nothing else rounds.

use std::time::{Duration, UNIX_EPOCH};

use super::{
    GramsCo2e, Joules, KilowattHours, Litres, Microjoules, Nanoseconds, Share, WallTime, Watts,
};

/// Prefixes with their powers of ten, the smallest first.
const PREFIXES: [(&str, f64); 6] =
    [("µ", 1e-6), ("m", 1e-3), ("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9)];

/// Energy to three digits: `12.3 mJ`, `4.56 kJ`.
pub fn energy(energy: Microjoules) -> String {
    scaled(energy.joules().get(), "J", 3)
}

/// A number of bytes to three digits: `12.3 kB`, `4.56 MB`.
#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
pub fn bytes(count: u64) -> String {
    scaled(count as f64, "B", 3)
}

/// Power to three digits: `5.00 W`.
pub fn power(power: Watts) -> String {
    scaled(power.get(), "W", 3)
}

/// How many, to two digits: `0.12`, `3.4`, `57`, `1200`.
pub fn count(number: f64) -> String {
    if number >= 100.0 {
        let digits = 10_f64.powf(number.log10().floor() - 1.0);
        return format!("{:.0}", (number / digits).round() * digits);
    }
    let decimals = if number < 1.0 { 2 } else { decimals(number, 2) };
    format!("{number:.decimals$}")
}

/// Electricity to three digits: `94.3 J`, and from 1 Wh on `12.3 Wh`, `4.56 kWh`.
pub fn electricity(used: KilowattHours) -> String {
    let watt_hours = used.get() * 1e3;
    if watt_hours < 0.9995 {
        scaled(watt_hours * 3600.0, "J", 3)
    } else {
        scaled(watt_hours, "Wh", 3)
    }
}

/// Greenhouse gases to three digits: `12.3 mgCO2e`, `4.56 kgCO2e`, `7.89 tCO2e`.
pub fn emissions(emitted: GramsCo2e) -> String {
    let tonnes = emitted.get() / 1e6;
    if tonnes < 0.9995 { scaled(emitted.get(), "gCO2e", 3) } else { scaled(tonnes, "tCO2e", 3) }
}

/// Water to three digits: `12.3 mL`, `4.56 L`, `7.89 m³`.
pub fn water(consumed: Litres) -> String {
    let cubic_metres = consumed.get() / 1e3;
    if cubic_metres < 0.9995 {
        scaled(consumed.get(), "L", 3)
    } else {
        format!("{cubic_metres:.*} m³", decimals(cubic_metres, 3))
    }
}

/// How far a figure may be off to either side, to at least two digits: `±1.2 J`, `±214 mJ`.
pub fn plus_minus(off_by: Joules) -> String {
    format!("±{}", scaled(off_by.get(), "J", 2))
}

/// Energy to the last microjoule, in joules without a unit, so that shown sums add up: `50.000000`.
pub fn exact_joules(energy: Microjoules) -> String {
    format!("{}.{:06}", energy.get() / 1_000_000, energy.get() % 1_000_000)
}

/// A share in percent without a sign, to a tenth: `60.0`, `<0.1`.
pub fn percent(share: Share) -> String {
    let percent = share.percent();
    if percent > 0.0 && percent < 0.05 { "<0.1".to_owned() } else { format!("{percent:.1}") }
}

/// CPU time in seconds without a unit, to a millisecond: `12.345`.
pub fn seconds(lasted: Nanoseconds) -> String {
    format!("{:.3}", lasted.seconds())
}

/// A duration: `100 ms`, `10.0 s`, `12 min 5 s`, `3 h 7 min`.
pub fn duration(lasted: Nanoseconds) -> String {
    let seconds = lasted.get() / 1_000_000_000;
    match seconds {
        0..100 => scaled(lasted.seconds(), "s", 3),
        100..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        7200.. => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// An instant to the second, for people: `2026-11-23 07:14:00 UTC`.
pub fn utc(at: WallTime) -> String {
    rfc3339(at)
        .map_or_else(|| "unknown".to_owned(), |text| text.replace('T', " ").replace('Z', " UTC"))
}

/// An instant to the second, for programs: `2026-11-23T07:14:00Z`. `None` before 1970.
/// Reference: RFC 3339, section 5.6.
pub fn rfc3339(at: WallTime) -> Option<String> {
    let since_epoch = u64::try_from(at.epoch_nanos()).ok()?;
    let at = UNIX_EPOCH + Duration::from_nanos(since_epoch);
    Some(humantime::format_rfc3339_seconds(at).to_string())
}

/// The year of an instant. `None` before 1970.
pub fn year(at: WallTime) -> Option<u16> {
    rfc3339(at)?.split('-').next()?.parse().ok()
}

/// An instant to the millisecond, for programs: `2026-11-23T07:14:00.100Z`. `None` before 1970.
/// Reference: RFC 3339, section 5.6.
pub fn rfc3339_millis(at: WallTime) -> Option<String> {
    let since_epoch = u64::try_from(at.epoch_nanos()).ok()?;
    let at = UNIX_EPOCH + Duration::from_nanos(since_epoch);
    Some(humantime::format_rfc3339_millis(at).to_string())
}

/// A figure to so many digits with the prefix that leaves one to three before the point.
fn scaled(value: f64, unit: &str, digits: usize) -> String {
    if value == 0.0 {
        return format!("0 {unit}");
    }
    let mut shown = String::new();
    for (prefix, power) in PREFIXES {
        let decimals = decimals(value / power, digits);
        let rounded = format!("{:.decimals$}", value / power);
        let magnitude = rounded.parse::<f64>().map_or(0.0, f64::abs);
        if magnitude == 0.0 {
            return format!("<1 {prefix}{unit}");
        }
        shown = format!("{rounded} {prefix}{unit}");
        if magnitude < 1000.0 {
            break;
        }
    }
    shown
}

/// How many decimals show so many digits of a value of one to three digits before the point.
fn decimals(value: f64, digits: usize) -> usize {
    // What rounds up to the next power of ten has one decimal less: 9.996 is 10.0.
    let before = (1..3)
        .find(|before| {
            let decimals = i32::try_from(digits.saturating_sub(*before)).unwrap_or(0);
            let step = 10_f64.powi(decimals);
            let limit = 10_f64.powi(i32::try_from(*before).unwrap_or(0));
            (value.abs() * step).round() / step < limit
        })
        .unwrap_or(3);
    digits.saturating_sub(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_takes_the_unit_that_reads_best() {
        let shown = |microjoules| energy(Microjoules::new(microjoules));
        assert_eq!(shown(0), "0 J");
        assert_eq!(shown(7), "7.00 µJ");
        assert_eq!(shown(12_300), "12.3 mJ");
        assert_eq!(shown(999_499), "999 mJ");
        assert_eq!(shown(999_600), "1.00 J");
        assert_eq!(shown(9_996_000), "10.0 J");
        assert_eq!(shown(50_000_000), "50.0 J");
        assert_eq!(shown(123_456_789), "123 J");
        assert_eq!(shown(4_560_000_000), "4.56 kJ");
        assert_eq!(shown(u64::MAX), "18447 GJ");
        assert_eq!(power(Watts::new(3e-7)), "0.30 µW");
        assert_eq!(power(Watts::new(3e-12)), "<1 µW");
        assert_eq!(plus_minus(Joules::new(0.214)), "±214 mJ");
        assert_eq!(plus_minus(Joules::new(1.234)), "±1.2 J");
    }

    #[test]
    fn emissions_and_water_take_the_unit_that_reads_best() {
        assert_eq!(emissions(GramsCo2e::new(0.001_234)), "1.23 mgCO2e");
        assert_eq!(emissions(GramsCo2e::new(56.78)), "56.8 gCO2e");
        assert_eq!(emissions(GramsCo2e::new(6_720.0)), "6.72 kgCO2e");
        assert_eq!(emissions(GramsCo2e::new(999_600.0)), "1.00 tCO2e");
        assert_eq!(water(Litres::new(0.002_7)), "2.70 mL");
        assert_eq!(water(Litres::new(2_700.0)), "2.70 m³");
        assert_eq!(water(Litres::new(0.0)), "0 L");
        assert_eq!([0.123, 3.44, 57.2, 1234.0].map(count), ["0.12", "3.4", "57", "1200"]);
    }

    #[test]
    fn ten_joules_over_two_seconds_are_shown_as_five_watts() {
        let joules = Microjoules::new(10_000_000).joules();
        assert_eq!(power(joules / Nanoseconds::from_millis(2000)), "5.00 W");
    }

    #[test]
    fn exact_joules_show_every_microjoule() {
        assert_eq!(exact_joules(Microjoules::new(1)), "0.000001");
        assert_eq!(exact_joules(Microjoules::new(50_000_000)), "50.000000");
    }

    #[test]
    fn durations_read_as_people_say_them() {
        assert_eq!(duration(Nanoseconds::from_millis(100)), "100 ms");
        assert_eq!(duration(Nanoseconds::from_millis(10_000)), "10.0 s");
        assert_eq!(duration(Nanoseconds::from_millis(725_000)), "12 min 5 s");
        assert_eq!(duration(Nanoseconds::from_millis(11_220_000)), "3 h 7 min");
        assert_eq!(seconds(Nanoseconds::from_millis(12_345)), "12.345");
    }

    #[test]
    fn a_share_too_small_to_show_is_not_nothing() {
        assert_eq!(Share::of(1, 10_000).map(percent).as_deref(), Some("<0.1"));
        assert_eq!(Share::of(0, 10).map(percent).as_deref(), Some("0.0"));
        assert_eq!(Share::of(3, 5).map(percent).as_deref(), Some("60.0"));
    }

    #[test]
    fn an_instant_is_shown_in_utc() {
        let at = WallTime::from_epoch_nanos(1_795_418_040_000_000_000);
        assert_eq!(utc(at), "2026-11-23 07:14:00 UTC");
        assert_eq!(year(at), Some(2026));
        assert_eq!(rfc3339_millis(at).as_deref(), Some("2026-11-23T07:14:00.000Z"));
    }
}
