//! A cell that should hold a number: the number, or why there is none.

use crate::model::CounterFlags;

/// The most that one domain draws. More is a damaged log and no energy.
pub(super) const LARGEST_POWER_WATTS: f64 = 100_000.0;

/// Why a cell tells no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoNumber {
    /// The tool says that it does not know.
    Absent,
    /// It is no number, or one of another unit.
    Garbage,
    /// It is a number that no machine reaches, or a negative one.
    Implausible,
}

impl NoNumber {
    /// What the trace says of energy that is unknown for this reason.
    pub(super) const fn flags(self) -> CounterFlags {
        match self {
            Self::Absent | Self::Garbage => CounterFlags::UNREADABLE.with(CounterFlags::GAP),
            Self::Implausible => CounterFlags::IMPLAUSIBLE.with(CounterFlags::GAP),
        }
    }
}

/// A number from 0 to `largest`, with or without its `unit`, as in `250.12 W`.
/// `[N/A]`, `[Not Supported]`, `-` and nothing are [`NoNumber::Absent`].
pub(super) fn number(cell: &str, unit: &str, largest: f64) -> Result<f64, NoNumber> {
    let cell = cell.trim();
    let told_unknown = cell.starts_with('[') && cell.ends_with(']');
    if cell.is_empty() || cell == "-" || cell.eq_ignore_ascii_case("n/a") || told_unknown {
        return Err(NoNumber::Absent);
    }
    let digits = cell.strip_suffix(unit).map_or(cell, str::trim_end);
    let number: f64 = digits.parse().map_err(|_| NoNumber::Garbage)?;
    if number.is_nan() {
        return Err(NoNumber::Absent);
    }
    // A sensor's noise around nothing may be a little below it.
    if (-1.0..0.0).contains(&number) {
        return Ok(0.0);
    }
    if (0.0..=largest).contains(&number) { Ok(number) } else { Err(NoNumber::Implausible) }
}

/// The standard error of a number printed with these digits: that of rounding, in the number's unit.
pub(super) fn rounding_error(cell: &str) -> f64 {
    let digits = cell.trim().split(|c: char| !c.is_ascii_digit() && c != '.').next();
    let decimals = digits.and_then(|digits| digits.split_once('.')).map_or(0, |(_, d)| d.len());
    let decimals = i32::try_from(decimals).unwrap_or(i32::MAX);
    0.1_f64.powi(decimals) / 12.0_f64.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_with_and_without_its_unit() {
        assert_eq!(number(" 250.12 W", "W", 1000.0), Ok(250.12));
        assert_eq!(number("250.12", "W", 1000.0), Ok(250.12));
        assert_eq!(number("250.12 mW", "W", 1000.0), Err(NoNumber::Garbage));
    }

    #[test]
    fn what_the_tool_does_not_know_is_absent_and_never_nothing() {
        for cell in ["[N/A]", "[Not Supported]", "[Unknown Error]", "N/A", "", "-", "nan"] {
            assert_eq!(number(cell, "W", 1000.0), Err(NoNumber::Absent), "{cell}");
        }
    }

    #[test]
    fn no_number_is_above_what_machines_draw() {
        for cell in ["1e308", "inf", "1000.5", "-20"] {
            assert_eq!(number(cell, "W", 1000.0), Err(NoNumber::Implausible), "{cell}");
        }
        assert_eq!(number("-0.2", "W", 1000.0), Ok(0.0));
    }

    #[test]
    fn two_decimals_are_known_to_three_thousandths() {
        assert!((rounding_error("250.12 W") - 0.002_886_7).abs() < 1e-6);
        assert!((rounding_error("250") - 0.288_67).abs() < 1e-4);
    }
}
