//! The arguments of `emissions`, and those that say where a machine stands.

use std::path::PathBuf;

use clap::Args;
use energy_prof::emissions::site_options::{
    intensity, lifespan, market_source, pue, resource_share, wue,
};
use energy_prof::emissions::{
    EmbodiedTotal, FunctionalUnits, GenerationMix, PerUnit, Place, SiteOptions,
};
use energy_prof::units::{CarbonIntensity, Lifespan, Pue, Share, WaterIntensity};

use super::report::report_by;
use super::{ReportBy, RowsArguments, SeriesArguments, one_of};

/// Where a machine stands, and what is known of that place.
#[derive(Debug, Args)]
pub(crate) struct PlaceArguments {
    /// Take what is not said here, nor in the trace, from this file; else from energy-prof.toml in the working
    /// directory, the user's configuration or /etc/energy-prof (docs/emissions.md)
    #[arg(long, value_name = "FILE", help_heading = "Place")]
    pub(crate) config: Option<PathBuf>,
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
    /// What a kilowatt-hour emits by contract, in gCO2e: a figure beside the grid's, for Scope 2
    #[arg(long, value_name = "G/KWH", help_heading = "Place", value_parser = intensity, allow_negative_numbers = true)]
    market_intensity: Option<CarbonIntensity>,
    /// What that is by: a contract, the supplier's factor, the residual mix, and of which year
    #[arg(long, value_name = "TEXT", help_heading = "Place", value_parser = market_source)]
    market_source: Option<String>,
    /// What was emitted to make the machine: 1200kg, 1200kg±300kg, or its parts, server,cpu=2,gpu=8
    #[arg(long, value_name = "MASS|PARTS", help_heading = "Hardware", value_parser = one_of::<EmbodiedTotal>,
        allow_hyphen_values = true)]
    embodied: Option<EmbodiedTotal>,
    /// How long the machine is expected to serve: 4y, 1460d or 35040h [if not given: 4y]
    #[arg(long, value_name = "TIME", help_heading = "Hardware", value_parser = lifespan, allow_hyphen_values = true)]
    lifespan: Option<Lifespan>,
    /// The part of the machine that is reserved: 0.125, 12.5% or 8/64 (of its CPUs) [if not given: all]
    #[arg(long, value_name = "SHARE", help_heading = "Hardware", value_parser = resource_share, allow_hyphen_values = true)]
    resource_share: Option<Share>,
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
            market_intensity: self.market_intensity.map(Into::into),
            market_source: self.market_source.clone().map(Into::into),
            embodied: self.embodied.clone().map(Into::into),
            lifespan: self.lifespan.map(Into::into),
            resource_share: self.resource_share.map(Into::into),
        }
    }
}

/// What was done for somebody, for a score per unit of that.
#[derive(Debug, Args)]
pub(crate) struct UnitArguments {
    /// How many units of work were done in the time that is looked at, for the software carbon intensity
    #[arg(long, value_name = "N", help_heading = "Functional unit", value_parser = units, allow_negative_numbers = true)]
    units: Option<f64>,
    /// What the software carbon intensity is per: request, "1000 requests"
    #[arg(long, value_name = "UNIT", help_heading = "Functional unit", requires = "units", default_value = "unit",
        value_parser = one_of::<PerUnit>)]
    per: PerUnit,
}

impl UnitArguments {
    pub(crate) const fn is_given(&self) -> bool {
        self.units.is_some()
    }

    pub(crate) fn functional_units(&self) -> Option<FunctionalUnits> {
        self.units.map(|done| FunctionalUnits { done, per: self.per.clone() })
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
    pub(crate) units: UnitArguments,
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

fn units(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|number| (1e-9..=1e18).contains(number));
    number.ok_or_else(|| "it is no number of units above 0".to_owned())
}
