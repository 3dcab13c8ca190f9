//! The arguments of `estimate`.

use std::time::Duration;

use clap::Args;
use energy_prof::units::{Share, Watts};

use super::{PlaceArguments, UnitArguments, plain_watts};

/// A name with how many there are of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) count: u32,
    pub(crate) name: String,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("hardware").args(["gpu", "cpu", "watts"]).multiple(true).required(true))]
pub(crate) struct EstimateArguments {
    /// A graphics card or accelerator, or several: "A100 80GB PCIe", "8x H100 SXM5 80GB"
    #[arg(long, value_name = "[Nx ]NAME", value_parser = counted)]
    pub(crate) gpu: Vec<Counted>,
    /// A processor, or several: "2x AMD EPYC 7742"
    #[arg(long, value_name = "[Nx ]NAME", value_parser = counted)]
    pub(crate) cpu: Vec<Counted>,
    /// Anything else, by what it draws
    #[arg(long, value_name = "WATTS", value_parser = power, allow_negative_numbers = true)]
    pub(crate) watts: Option<Watts>,
    /// For how many hours
    #[arg(long, value_name = "HOURS", value_parser = hours, allow_negative_numbers = true)]
    pub(crate) hours: Duration,
    /// The part of its design power that it drew in the mean, in percent
    #[arg(long, value_name = "PERCENT", default_value = "100", value_parser = load, allow_negative_numbers = true)]
    pub(crate) load: Share,
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    #[command(flatten)]
    pub(crate) units: UnitArguments,
    /// Say what else emits as much
    #[arg(long)]
    pub(crate) equivalents: bool,
    /// Write JSON (fields in docs/emissions.md)
    #[arg(long)]
    pub(crate) json: bool,
}

fn counted(text: &str) -> Result<Counted, String> {
    let text = text.trim();
    let split = text.split_once(['x', 'X', '×', '*']);
    let number = split.and_then(|(count, name)| Some((count.trim().parse().ok()?, name.trim())));
    match number {
        Some((0, _)) => Err("there must be at least one".to_owned()),
        Some((count, name)) => Ok(Counted { count, name: name.to_owned() }),
        None => Ok(Counted { count: 1, name: text.to_owned() }),
    }
}

fn power(text: &str) -> Result<Watts, String> {
    plain_watts(text).map(Watts::new)
}

fn hours(text: &str) -> Result<Duration, String> {
    let hours: Option<f64> = text.trim().trim_end_matches('h').parse().ok();
    let seconds = hours.filter(|hours| (0.0..=1e6).contains(hours)).map(|hours| hours * 3600.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "it is no number of hours from 0 to 1000000".to_owned())
}

fn load(text: &str) -> Result<Share, String> {
    let percent: Option<f64> = text.trim().trim_end_matches('%').trim().parse().ok();
    let share = percent.and_then(|percent| Share::new(percent / 100.0));
    share.ok_or_else(|| "it is no load from 0 to 100 %".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_before_a_name_is_how_many() {
        let of = |text: &str| counted(text).map(|it| (it.count, it.name));
        assert_eq!(of("8x H100 PCIe"), Ok((8, "H100 PCIe".to_owned())));
        assert_eq!(of("2×T4"), Ok((2, "T4".to_owned())));
        assert_eq!(of("RTX 3090"), Ok((1, "RTX 3090".to_owned())), "its x is not a sign");
        assert!(of("0x T4").is_err());
    }
}
