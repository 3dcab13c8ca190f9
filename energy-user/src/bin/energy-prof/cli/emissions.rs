//! The arguments of `emissions`, and those that say where a machine stands.

use std::path::PathBuf;

use clap::Args;
use energy_prof::emissions::site_options::{intensity, pue, wue};
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
        SiteOptions {
            place: place.map(Into::into),
            pue: self.pue.map(Into::into),
            wue: self.wue.map(Into::into),
        }
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
