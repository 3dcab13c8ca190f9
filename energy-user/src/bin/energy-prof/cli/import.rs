//! The arguments of `import`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use energy_prof::import::FormatChoice;
use energy_prof::units::Nanoseconds;

use super::positive_time;

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The log: of Intel Power Gadget, turbostat, nvidia-smi --format=csv or CodeCarbon
    /// (emissions.csv); - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// Where the trace goes: a directory; an older trace there is kept as DIR.old
    #[arg(short, long, value_name = "TRACE")]
    pub(crate) output: PathBuf,
    /// Replace an older trace instead of keeping it
    #[arg(long)]
    pub(crate) force: bool,
    /// What kind of log it is; otherwise told by its content
    #[arg(long, value_name = "FORMAT", value_parser = format_by_name())]
    pub(crate) format: Option<FormatChoice>,
    /// How long a row of the log is, where it has no times (turbostat)
    #[arg(long, value_name = "TIME", value_parser = positive_time)]
    pub(crate) interval: Option<Nanoseconds>,
    /// How far the log's clock is ahead of UTC, e.g. +02:00; otherwise it is taken for UTC
    #[arg(long, value_name = "±HH:MM", allow_hyphen_values = true, value_parser = utc_offset)]
    pub(crate) utc_offset: Option<i32>,
    /// Only this run, by its id or how that begins (CodeCarbon)
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<String>,
}

fn format_by_name() -> impl TypedValueParser<Value = FormatChoice> {
    PossibleValuesParser::new(FormatChoice::names()).try_map(|name| name.parse::<FormatChoice>())
}

/// Seconds ahead of UTC, from `+02:00`, `-0530` or `Z`.
fn utc_offset(text: &str) -> Result<i32, String> {
    let complaint = || "write it as +02:00 or -05:30".to_owned();
    if text == "Z" {
        return Ok(0);
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(complaint()),
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let is_time = digits.len() == 4 && digits.chars().all(|c| c.is_ascii_digit());
    let number: i32 = digits.parse().ok().filter(|_| is_time).ok_or_else(complaint)?;
    let (hours, minutes) = (number / 100, number % 100);
    // From UTC-12 to UTC+14 there are people.
    if hours > 14 || minutes > 59 {
        Err(complaint())
    } else {
        Ok(sign * (hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_from_utc_are_read_as_they_are_written() {
        assert_eq!(utc_offset("+02:00"), Ok(7200));
        assert_eq!(utc_offset("-0530"), Ok(-19_800));
        assert_eq!(utc_offset("Z"), Ok(0));
        for wrong in ["2", "+2", "+25:00", "+0a:00", ""] {
            assert!(utc_offset(wrong).is_err(), "{wrong}");
        }
    }
}
