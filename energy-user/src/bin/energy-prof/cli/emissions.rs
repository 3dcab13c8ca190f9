//! The arguments of `emissions`, and those that say where a machine stands.

use std::path::PathBuf;

use clap::Args;
use energy_prof::emissions::{GenerationMix, Place, SiteOptions};
use energy_prof::units::{CarbonIntensity, Pue, WaterIntensity};

use super::report::report_by;
use super::{ReportBy, RowsArguments, SeriesArguments, one_of};

/// Where a machine stands, and what is known of that place.
#[derive(Debug, Args)]
pub(crate) struct PlaceArguments {
    /// The zone of the grid: FR, FRA, France, US-CA, CA-QC, or one of Electricity Maps
    #[arg(long, help_heading = "Place", conflicts_with_all = ["cloud", "intensity", "mix"])]
    zone: Option<String>,
    /// The region of a cloud, with its PUE and WUE: aws/eu-west-3
    #[arg(long, value_name = "PROVIDER/REGION", help_heading = "Place", conflicts_with_all = ["intensity", "mix"])]
    cloud: Option<String>,
    /// What a kilowatt-hour emits there, in gCO2e
    #[arg(long, value_name = "G/KWH", help_heading = "Place", conflicts_with = "mix", value_parser = intensity,
        allow_negative_numbers = true)]
    intensity: Option<CarbonIntensity>,
    /// What electricity is generated from there, in percent: coal=10,gas=20,wind=70
    #[arg(long, value_name = "MIX", help_heading = "Place", value_parser = one_of::<GenerationMix>)]
    mix: Option<GenerationMix>,
    /// Power usage effectiveness: energy of the facility per energy of its IT equipment
    #[arg(long, value_name = "RATIO", help_heading = "Place", value_parser = pue, allow_negative_numbers = true)]
    pue: Option<Pue>,
    /// Water usage effectiveness: litres evaporated on site per kilowatt-hour of IT equipment
    #[arg(long, value_name = "L/KWH", help_heading = "Place", value_parser = wue, allow_negative_numbers = true)]
    wue: Option<WaterIntensity>,
}

impl PlaceArguments {
    pub(crate) fn options(&self) -> SiteOptions {
        let place = (self.zone.clone().map(Place::Zone))
            .or_else(|| self.cloud.clone().map(Place::Cloud))
            .or_else(|| self.intensity.map(Place::Intensity))
            .or_else(|| self.mix.map(Place::Mix));
        SiteOptions { place, pue: self.pue, wue: self.wue }
    }

    /// The options that were given, as text by the names of [`SiteOptions::NAMES`].
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, String)> {
        let texts = [
            self.zone.clone(),
            self.cloud.clone(),
            self.intensity.map(|it| it.get().to_string()),
            self.mix.map(|it| it.to_string()),
            self.pue.map(|it| it.get().to_string()),
            self.wue.map(|it| it.get().to_string()),
        ];
        SiteOptions::NAMES.into_iter().zip(texts).filter_map(|(name, text)| Some((name, text?)))
    }
}

#[derive(Debug, Args)]
pub(crate) struct EmissionsArguments {
    /// The trace
    #[arg(default_value = "energy.trace")]
    pub(crate) trace: PathBuf,
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    #[command(flatten)]
    pub(crate) series: SeriesArguments,
    /// What a row stands for, as in report: process, thread, container, function …; or time
    #[arg(long, default_value = "process", value_parser = emissions_by)]
    pub(crate) by: EmissionsBy,
    /// Show what the same energy would have emitted in other zones or regions of clouds, the least first
    #[arg(long, value_name = "PLACE,…", value_delimiter = ',', conflicts_with_all = ["by", "when"])]
    pub(crate) what_if: Vec<String>,
    /// Show what the same recording would have emitted at other hours of the series, the least first
    #[arg(long, conflicts_with = "by")]
    pub(crate) when: bool,
    #[command(flatten)]
    pub(crate) rows: RowsArguments,
    /// Say what else emits as much
    #[arg(long)]
    pub(crate) equivalents: bool,
    /// Write JSON (fields in docs/emissions.md)
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a row of a report on emissions stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EmissionsBy {
    Rows(ReportBy),
    Time,
}

fn emissions_by(text: &str) -> Result<EmissionsBy, String> {
    if text == "time" {
        return Ok(EmissionsBy::Time);
    }
    report_by(text).map(EmissionsBy::Rows).map_err(|why| format!("{why}, time"))
}

fn intensity(text: &str) -> Result<CarbonIntensity, String> {
    let grams = text.trim().parse().ok().and_then(CarbonIntensity::new);
    grams.ok_or_else(|| "it is no intensity from 0 to 5000 gCO2e/kWh".to_owned())
}

fn pue(text: &str) -> Result<Pue, String> {
    let ratio = text.trim().parse().ok().and_then(Pue::new);
    ratio.ok_or_else(|| {
        "a PUE is 1 or more, since a facility uses what its equipment does, and at most 10"
            .to_owned()
    })
}

fn wue(text: &str) -> Result<WaterIntensity, String> {
    let litres = text.trim().parse().ok().and_then(WaterIntensity::new);
    litres.ok_or_else(|| "it is no number of litres per kilowatt-hour from 0 to 1000".to_owned())
}
