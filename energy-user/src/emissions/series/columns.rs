//! Which columns of a table are its times and its intensities, by their headers.
//!
//! - Ours: `start_utc,gco2e_per_kwh[,ewif_l_per_kwh]`.
//! - Exports of Electricity Maps' data portal, old and new: `Datetime (UTC)` and `Carbon intensity
//!   gCO₂eq/kWh (direct)` beside `… (Life cycle)`, once `… (LCA)`.
//! - Others, as WattTime's: `point_time` or `timestamp`, and one column whose header has a unit.

use super::Origin;

/// Grams in a pound. Reference: NIST Special Publication 811 (2008), appendix B.8.
const GRAMS_PER_POUND: f64 = 453.592_37;

/// What stands in which column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Columns {
    pub(super) time: usize,
    pub(super) intensity: usize,
    /// What a number in that column is to be multiplied with to be in gCO2e/kWh.
    pub(super) to_grams_per_kilowatt_hour: f64,
    pub(super) water: Option<usize>,
    pub(super) zone: Option<usize>,
    pub(super) estimated: Option<usize>,
    /// What the headers tell of the figures.
    pub(super) origin: Origin,
}

impl Columns {
    /// Of these headers, or why not in words.
    pub(super) fn of(headers: &[&str]) -> Result<Self, String> {
        let names: Vec<String> = headers.iter().map(|name| usual(name)).collect();
        let named = |wanted: &str| names.iter().position(|name| name == wanted);
        let mut times = ["start_utc", "datetime (utc)", "point_time", "timestamp"].into_iter();
        let time = times.find_map(named).ok_or_else(|| {
            "none of its columns is called start_utc, Datetime (UTC), point_time or timestamp; \
             docs/emissions.md has the formats"
                .to_owned()
        })?;
        let (intensity, to_grams_per_kilowatt_hour, origin) = if names[time] == "datetime (utc)" {
            electricity_maps(&names)?
        } else {
            by_unit(headers, &names, time)?
        };
        Ok(Self {
            time,
            intensity,
            to_grams_per_kilowatt_hour,
            water: named("ewif_l_per_kwh"),
            zone: named("zone id"),
            estimated: named("data estimated"),
            origin,
        })
    }
}

/// Lower case, and without a subscript.
fn usual(name: &str) -> String {
    name.trim().to_lowercase().replace('₂', "2")
}

type Found = (usize, f64, Origin);

fn electricity_maps(names: &[String]) -> Result<Found, String> {
    let of = |scopes: &[&str]| {
        let has = |name: &String| scopes.iter().any(|scope| name.contains(scope));
        names.iter().position(|name| name.starts_with("carbon intensity") && has(name))
    };
    let (life_cycle, direct) = (of(&["life cycle", "lifecycle", "(lca)"]), of(&["direct"]));
    let (intensity, covers, note) = match (life_cycle, direct) {
        (Some(column), Some(_)) => {
            (column, "life cycle", Some("the column of direct emissions is not used"))
        }
        (Some(column), None) => (column, "life cycle", None),
        (None, Some(column)) => {
            (column, "combustion only", Some("the table has no emissions over the life cycle"))
        }
        (None, None) => {
            return Err(
                "none of its columns is called Carbon intensity gCO2eq/kWh (Life cycle)".to_owned()
            );
        }
    };
    let factor = factor(&names[intensity]).ok_or_else(|| no_unit(&names[intensity]))?;
    let origin = Origin {
        source: "Electricity Maps, data portal".to_owned(),
        covers: Some(format!("electricity consumed there, {covers}")),
        notes: note.map(str::to_owned).into_iter().collect(),
        ..Origin::default()
    };
    Ok((intensity, factor, origin))
}

/// The one column that has a unit of intensity in its header.
fn by_unit(headers: &[&str], names: &[String], time: usize) -> Result<Found, String> {
    let mut found =
        names.iter().enumerate().filter_map(|(place, name)| Some((place, factor(name)?)));
    let Some((intensity, factor)) = found.next() else {
        let others: Vec<&str> = headers
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != time)
            .map(|(_, name)| *name)
            .collect();
        return Err(no_unit(&others.join(", ")));
    };
    if let Some((other, _)) = found.next() {
        return Err(format!(
            "both {:?} and {:?} are intensities; leave one of the columns",
            headers[intensity], headers[other]
        ));
    }
    let is_marginal = ["moer", "marginal"].iter().any(|word| names[intensity].contains(word));
    let note = "they are marginal: what one more kilowatt-hour emits, not the mean of the grid";
    let origin = Origin {
        covers: is_marginal.then(|| "marginal".to_owned()),
        notes: is_marginal.then(|| note.to_owned()).into_iter().collect(),
        ..Origin::default()
    };
    Ok((intensity, factor, origin))
}

fn no_unit(columns: &str) -> String {
    format!(
        "no header tells the unit of its intensities ({columns}); write it there, as gco2e_per_kwh or \
         lb CO2/MWh"
    )
}

/// What turns the unit in a header into gCO2e/kWh; `None` where none is there. A `ton` is several
/// masses, and none of them here.
fn factor(name: &str) -> Option<f64> {
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let grams = words.iter().find_map(|word| {
        let gas = ["co2eq", "co2e", "co2"].into_iter().find_map(|gas| word.strip_suffix(gas));
        match gas.unwrap_or(word) {
            "g" | "gram" | "grams" => Some(1.0),
            "kg" | "kilogram" | "kilograms" => Some(1e3),
            "t" | "tonne" | "tonnes" => Some(1e6),
            "lb" | "lbs" | "pound" | "pounds" => Some(GRAMS_PER_POUND),
            _ => None,
        }
    })?;
    let kilowatt_hours = words.iter().find_map(|word| match *word {
        "kwh" => Some(1.0),
        "mwh" => Some(1e3),
        _ => None,
    })?;
    Some(grams / kilowatt_hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_in_headers() {
        let close = |name: &str, expected: f64| {
            let found = factor(&usual(name)).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-12, "{name}: {found}");
        };
        close("gco2e_per_kwh", 1.0);
        close("Carbon intensity gCO₂eq/kWh (LCA)", 1.0);
        close("MOER (lbs CO2/MWh)", 0.453_592_37);
        close("co2_moer_lb_per_mwh", 0.453_592_37);
        close("kgCO2/MWh", 1.0);
        close("kg/kWh", 1000.0);
        close("tCO2e / MWh", 1000.0);
        for name in ["value", "MOER", "tons/MWh", "MW", "g", "price per kWh", "gas_kwh"] {
            assert_eq!(factor(&usual(name)), None, "{name}");
        }
    }
}
