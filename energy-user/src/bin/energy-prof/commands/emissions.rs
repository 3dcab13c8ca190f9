//! `energy-prof emissions`: what the energy of a trace emitted and consumed of water, and whose it was.

use std::io::stdout;

use energy_prof::analyze::{AnalyzeOptions, CallTreeOptions, profile_and_call_tree};
use energy_prof::emissions::{Footprint, Site, SiteOptions};
use energy_prof::profile::{CodeViewOptions, GroupBy, Profile, Scope, ThreadFilter, ViewOptions};
use energy_prof::report::{
    EmissionsSubject, EmittingRows, ReportOptions, emissions_json, emissions_text,
};
use energy_prof::trace::TraceReader;
use energy_prof::units::scale;

use super::report::{profile_of, unwrap_trace_error};
use crate::cli::{Color, EmissionsArguments, PlaceArguments, ReportBy};
use crate::exit::Status;
use crate::terminal;

pub(crate) fn run(arguments: &EmissionsArguments, color: Color) -> anyhow::Result<Status> {
    let choices = AnalyzeOptions {
        model: arguments.divide.model,
        idle: arguments.divide.idle,
        given: arguments.divide.given(),
        from: arguments.from,
        to: arguments.to,
    };
    let top = (arguments.top > 0).then_some(arguments.top);
    let mut options = ReportOptions {
        by: GroupBy::default(),
        sort: arguments.sort,
        top,
        all: arguments.all,
        equivalents: arguments.equivalents,
        color: terminal::colours(color, &stdout()),
        width: terminal::width(),
    };
    let print = |subject: &EmissionsSubject<'_>, options: &ReportOptions| {
        let render = if arguments.json { emissions_json } else { emissions_text };
        terminal::print(&render(subject, options))
    };
    match arguments.by {
        ReportBy::Threads(by) => {
            options.by = by;
            let profile = profile_of(&arguments.trace, &choices)?;
            let site = site_of(&profile, &arguments.place)?;
            let view = ViewOptions { by, sort: arguments.sort, top, all: arguments.all };
            let view = profile.view(&view, &terminal::user_name);
            let rows = EmittingRows::Threads(&view, by);
            print(&EmissionsSubject { profile: &profile, rows, site: &site }, &options)?;
        }
        ReportBy::Code(unit) => {
            let filter = ThreadFilter {
                pids: arguments.threads.pid.clone(),
                tids: arguments.threads.tid.clone(),
                comms: arguments.threads.comm.clone(),
                scope: if arguments.all { Scope::All } else { Scope::Targets },
            };
            let of = CallTreeOptions { filter, ..CallTreeOptions::default() };
            let trace = TraceReader::open(&arguments.trace)?;
            let (profile, tree) =
                profile_and_call_tree(&trace, &choices, &of).map_err(unwrap_trace_error)?;
            let site = site_of(&profile, &arguments.place)?;
            let view = CodeViewOptions { unit, sort: arguments.sort, top };
            let view = profile.code_view(&tree, &of.filter, view);
            let rows = EmittingRows::Code(&view, unit);
            print(&EmissionsSubject { profile: &profile, rows, site: &site }, &options)?;
        }
    }
    Ok(Status::SUCCESS)
}

/// What a recording emitted at its own site, for its summary.
pub(super) fn in_one_line(profile: &Profile) -> anyhow::Result<String> {
    let site = site_at(profile, &profile.facts.site)?;
    let footprint = Footprint::of(profile.total().measured, &site);
    let emissions = footprint.emissions.map(scale::emissions).unwrap_or_default();
    Ok(format!(
        "{:<12} {emissions} in {}: `energy-prof emissions` tells more",
        "emissions", site.name
    ))
}

/// The site, with the factors of the year of the recording, or where that is not known the newest.
pub(super) fn site_of(profile: &Profile, place: &PlaceArguments) -> anyhow::Result<Site> {
    site_at(profile, &place.options().or(&profile.facts.site))
}

fn site_at(profile: &Profile, options: &SiteOptions) -> anyhow::Result<Site> {
    let year = scale::year(profile.span.start_utc).unwrap_or(u16::MAX);
    Ok(Site::of(options, year)?)
}
