//! The arguments that say what a grid emitted when.

use std::path::PathBuf;

use clap::Args;
use energy_prof::emissions::electricity_maps;

/// What the grid emitted when, instead of a yearly mean.
#[derive(Debug, Args)]
pub(crate) struct SeriesArguments {
    /// Intensities over time, as a table: start_utc,gco2e_per_kwh, an export of Electricity Maps, or one
    /// with point_time and a unit in its header (docs/emissions.md)
    #[arg(long, value_name = "FILE.csv", help_heading = "Place",
        conflicts_with_all = ["intensity", "mix", "electricity_maps"])]
    pub(crate) series: Option<PathBuf>,
    /// Ask Electricity Maps for the intensities of --zone or --cloud over the recording; the token is taken
    /// from ELECTRICITY_MAPS_TOKEN, and answers are kept for the next time
    #[arg(long, help_heading = "Place", conflicts_with_all = ["intensity", "mix"])]
    pub(crate) electricity_maps: bool,
    /// Ask this service instead, which speaks version 3 of Electricity Maps' API
    #[arg(long, value_name = "URL", help_heading = "Place", requires = "electricity_maps",
        default_value = electricity_maps::ADDRESS)]
    pub(crate) electricity_maps_url: String,
}

impl SeriesArguments {
    pub(crate) const fn is_given(&self) -> bool {
        self.series.is_some() || self.electricity_maps
    }
}
