//! What the grid emitted over the time of a recording: from a table, or from Electricity Maps.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use energy_prof::analyze::{AnalyzeOptions, analyze_in_parts};
use energy_prof::emissions::electricity_maps::{
    ElectricityMaps, ElectricityMapsOptions, TOKEN_VARIABLE,
};
use energy_prof::emissions::series::IntensitySeries;
use energy_prof::emissions::{
    Place, Site, SiteOptions, electricity_maps_zone, electricity_maps_zone_of_cloud, grid_of,
};
use energy_prof::model::Window;
use energy_prof::profile::Profile;
use energy_prof::report::{OverTime, Part, PartKey};
use energy_prof::trace::TraceReader;
use energy_prof::units::{WallTime, scale};

use super::emissions::site_at;
use super::report::unwrap_trace_error;
use super::site::Said;
use super::symbolize::cache;
use crate::cli::{PlaceArguments, SeriesArguments};
use crate::exit::UsageError;

/// How long a service may take for each step of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// From when to when windows of the chosen part of a recording begin; `None` where none does.
pub(super) fn span(
    trace: &TraceReader,
    choices: &AnalyzeOptions,
) -> anyhow::Result<Option<(WallTime, WallTime)>> {
    let windows = trace.windows()?;
    let start = windows.iter().map(|window| window.start).min().unwrap_or_default();
    let is_chosen = |window: &&Window| {
        let at = window.start.since(start);
        choices.from.is_none_or(|from| at >= from) && choices.to.is_none_or(|to| at < to)
    };
    let begins = || windows.iter().filter(is_chosen).map(|window| window.start_utc);
    Ok(begins().min().zip(begins().max()))
}

/// The series that was asked for. It need not cover the span, which is that of a recording.
pub(super) fn series_of(
    arguments: &SeriesArguments,
    said: &Said,
    (first, last): (WallTime, WallTime),
) -> anyhow::Result<Option<IntensitySeries>> {
    let of_file = said.series.as_ref().filter(|_| !arguments.electricity_maps);
    if let Some(path) = arguments.series.as_ref().or(of_file) {
        return Ok(Some(IntensitySeries::read(path)?));
    }
    if !arguments.electricity_maps {
        return Ok(None);
    }
    let zone = zone(&said.options)?;
    let service = ElectricityMaps::new(ElectricityMapsOptions {
        address: arguments.electricity_maps_url.clone(),
        token: env::var(TOKEN_VARIABLE).ok(),
        cache: cache_folder()?,
        patience: PATIENCE,
    })?;
    Ok(Some(service.series(&zone, first, last)?))
}

fn cache_folder() -> anyhow::Result<PathBuf> {
    cache().context(
        "cannot keep what Electricity Maps answers: neither XDG_CACHE_HOME nor HOME is set; set one",
    )
}

/// What Electricity Maps calls the zone of a place.
fn zone(place: &SiteOptions) -> anyhow::Result<String> {
    let known = match place.place.as_ref().map(|place| &place.value) {
        Some(Place::Zone(zone)) => Some(electricity_maps_zone(zone)),
        Some(Place::Cloud(region)) => electricity_maps_zone_of_cloud(region)?,
        _ => None,
    };
    let why = "--electricity-maps needs the zone of a grid: give it with --zone FR";
    Ok(known.ok_or_else(|| UsageError(why.to_owned()))?)
}

/// Where a recording ran, with the series' own zone where nobody says another.
pub(super) fn site_with(
    profile: &Profile,
    said: &SiteOptions,
    over_time: Option<&OverTime<'_>>,
) -> anyhow::Result<Site> {
    let mut options = said.clone();
    let year = scale::year(profile.span.start_utc).unwrap_or(u16::MAX);
    if options.place.is_none() {
        let zone = over_time.and_then(|over_time| over_time.series.origin.zone.clone());
        let known = zone.filter(|zone| grid_of(zone, year).is_ok());
        options.place = known.map(|zone| Place::Zone(zone).into());
    }
    let site = site_at(profile, &options)?;
    Ok(match over_time.and_then(|over_time| Some((over_time.mean()?, over_time.series))) {
        Some((mean, series)) => site.with_mean(&mean, series),
        None => site,
    })
}

/// The parts of a recording, over a series.
pub(super) fn over_time<'a>(
    series: &'a IntensitySeries,
    parts: &[(PartKey, Profile)],
    rows: impl Fn(usize) -> Vec<energy_prof::units::Microjoules>,
) -> OverTime<'a> {
    let part = |(place, (key, part)): (usize, &(PartKey, Profile))| Part {
        step: key.step.map(|step| series.steps()[step]),
        energy: part.total().measured,
        rows: rows(place),
    };
    OverTime { series, parts: parts.iter().enumerate().map(part).collect() }
}

/// Where a recording ran, with the mean of a series where one was asked for: for outputs that have one
/// intensity.
pub(super) fn site_by_mean(
    trace: &std::path::Path,
    choices: &AnalyzeOptions,
    profile: &Profile,
    place: &PlaceArguments,
    series: &SeriesArguments,
) -> anyhow::Result<Site> {
    let trace = TraceReader::open(trace)?;
    let said = Said::of_recording(place, &profile.facts)?;
    let here = &said.options;
    let Some(span) = span(&trace, choices)? else { return site_with(profile, here, None) };
    let Some(series) = series_of(series, &said, span)? else {
        return site_with(profile, here, None);
    };
    series.check_covers(span.0, span.1)?;
    let key = |window: &Window| PartKey { row: None, step: series.place_of(window.start_utc) };
    let (_, parts) = analyze_in_parts(&trace, choices, &key).map_err(unwrap_trace_error)?;
    let parts: Vec<_> = parts.into_iter().collect();
    let over_time = over_time(&series, &parts, |_| Vec::new());
    site_with(profile, here, Some(&over_time))
}
