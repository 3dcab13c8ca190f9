//! `energy-prof emissions --what-if` and `--when`: the same recording at other places and other hours.

use energy_prof::analyze::analyze_in_parts;
use energy_prof::emissions::series::OtherStarts;
use energy_prof::emissions::{Place, Site, SiteOptions};
use energy_prof::model::Window;
use energy_prof::report::{Alternatives, Elsewhere, elsewhere_json, elsewhere_text};
use energy_prof::units::{Microjoules, Nanoseconds, WallTime, scale};

use super::emissions::Recorded;
use super::intensities::site_with;
use super::report::unwrap_trace_error;
use crate::exit::Status;
use crate::terminal;

const HOUR_NANOS: i64 = 3_600_000_000_000;
/// What is in no comparison.
const WITHOUT_EMBODIED: &str =
    "embodied emissions are the same everywhere and at all times, and are not in these figures";

/// The same energy at other places, by their tables' means.
pub(super) fn what_if(recorded: &Recorded<'_>) -> anyhow::Result<Status> {
    let (profile, parts) = recorded.by_steps()?;
    let over_time = recorded.over_time(&parts, |_| Vec::new());
    let here = site_with(&profile, &recorded.said.options, over_time.as_ref())?;
    let year = scale::year(profile.span.start_utc).unwrap_or(u16::MAX);
    let given = recorded.arguments.place.options();
    let mut sites = Vec::new();
    for name in &recorded.arguments.what_if {
        let there =
            if name.contains('/') { Place::Cloud(name.clone()) } else { Place::Zone(name.clone()) };
        let is_zone = matches!(there, Place::Zone(_));
        let mut site = Site::of(&SiteOptions { place: Some(there.into()), ..given.clone() }, year)?;
        if is_zone && site.pue.is_none() {
            // The same machines in the same kind of building.
            site.pue.clone_from(&here.pue);
        }
        sites.push(site);
    }
    let mut remarks = vec![
        "other places are reckoned with their yearly means; a zone with the PUE of here, a cloud's region \
         with its own, unless --pue gives one"
            .to_owned(),
    ];
    if recorded.series.is_some() {
        remarks.push("here it is the mean of the series, which is no yearly mean".to_owned());
    }
    if here.embodied.is_some() {
        remarks.push(WITHOUT_EMBODIED.to_owned());
    }
    let with = Alternatives::Places(&sites);
    print(recorded, &Elsewhere { profile: &profile, here: &here, with, remarks })
}

/// The same recording at other hours of the series.
pub(super) fn when(recorded: &Recorded<'_>) -> anyhow::Result<Status> {
    let (profile, parts) = recorded.by_steps()?;
    let series = recorded.series.as_ref();
    let series = series.expect("it was asked for, and the recording has windows");
    let is_covered = parts.iter().all(|(key, _)| key.step.is_some());
    let over_time = recorded.over_time(&parts, |_| Vec::new()).filter(|_| is_covered);
    let here = site_with(&profile, &recorded.said.options, over_time.as_ref())?;
    let step = series.usual_step().get().max(1);
    let start = profile.span.from;
    let first =
        recorded.trace.windows()?.iter().map(|window| window.start).min().unwrap_or_default();
    let bin = |window: &Window| window.start.since(first).saturating_sub(start).get() / step;
    let (_, bins) =
        analyze_in_parts(&recorded.trace, &recorded.choices, &bin).map_err(unwrap_trace_error)?;
    let energy: Vec<(Nanoseconds, Microjoules)> = bins
        .into_iter()
        .map(|(bin, part)| (Nanoseconds::new(bin * step), part.total().measured))
        .collect();
    let lasted = profile.span.to.saturating_sub(profile.span.from);
    let starts = OtherStarts::of(series, &energy, lasted, here.pue())?.starts;
    let mut remarks = series.remarks(&series.steps().iter().collect::<Vec<_>>());
    let (from, to) = series.covers();
    remarks.push(format!(
        "started at {} times from {} to {} ({})",
        starts.len(),
        scale::utc(from),
        scale::utc(to),
        series.origin.source
    ));
    if !is_covered {
        remarks.push("the recording itself is not within the series".to_owned());
    }
    if here.embodied.is_some() {
        remarks.push(WITHOUT_EMBODIED.to_owned());
    }
    let with = Alternatives::Starts(series, &starts);
    print(recorded, &Elsewhere { profile: &profile, here: &here, with, remarks })
}

/// A day before the recording as well: it could have begun then.
pub(super) fn a_day_more((first, last): (WallTime, WallTime)) -> (WallTime, WallTime) {
    let day_before = first.epoch_nanos().saturating_sub(24 * HOUR_NANOS);
    (WallTime::from_epoch_nanos(day_before), last)
}

fn print(recorded: &Recorded<'_>, compared: &Elsewhere<'_>) -> anyhow::Result<Status> {
    let render = if recorded.arguments.json { elsewhere_json } else { elsewhere_text };
    terminal::print(&render(compared, &recorded.options))?;
    Ok(Status::SUCCESS)
}
