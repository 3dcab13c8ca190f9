//! `energy-prof emissions`: what the energy of a trace emitted and consumed of water, and whose it was.

use std::io::stdout;

use energy_prof::analyze::{
    AnalyzeOptions, CallTreeOptions, analyze, analyze_in_parts, call_trees_in_parts,
    profile_and_call_tree,
};
use energy_prof::emissions::series::IntensitySeries;
use energy_prof::emissions::{Footprint, Site, SiteOptions};
use energy_prof::model::Window;
use energy_prof::profile::{CodeUnit, CodeViewOptions, GroupBy, Profile, ViewOptions};
use energy_prof::report::{
    EmissionsSubject, EmittingRows, OverTime, PartKey, ReportOptions, TimeGrid, emissions_json,
    emissions_text, time_rows,
};
use energy_prof::trace::TraceReader;
use energy_prof::units::{Microjoules, scale};

use super::elsewhere;
use super::intensities::{over_time, series_of, site_with, span};
use super::report::unwrap_trace_error;
use super::site::{Said, found};
use crate::cli::{Color, EmissionsArguments, EmissionsBy, ReportBy};
use crate::exit::{Status, UsageError};
use crate::terminal;

pub(crate) fn run(arguments: &EmissionsArguments, color: Color) -> anyhow::Result<Status> {
    let recorded = Recorded::open(arguments, color)?;
    if arguments.when {
        return elsewhere::when(&recorded);
    }
    recorded.check_series()?;
    if !arguments.what_if.is_empty() {
        return elsewhere::what_if(&recorded);
    }
    match arguments.by {
        EmissionsBy::Rows(ReportBy::Threads(by)) => by_threads(&recorded, by)?,
        EmissionsBy::Rows(ReportBy::Code(unit)) => by_code(&recorded, unit)?,
        EmissionsBy::Time => by_time(&recorded)?,
    }
    Ok(Status::SUCCESS)
}

/// A trace, and how its report is asked for.
pub(super) struct Recorded<'a> {
    pub(super) arguments: &'a EmissionsArguments,
    pub(super) trace: TraceReader,
    pub(super) choices: AnalyzeOptions,
    pub(super) options: ReportOptions,
    /// Of where it was made.
    pub(super) said: Said,
    /// What the grid emitted when, where that was asked for.
    pub(super) series: Option<IntensitySeries>,
}

impl<'a> Recorded<'a> {
    fn open(arguments: &'a EmissionsArguments, color: Color) -> anyhow::Result<Self> {
        let trace = TraceReader::open(&arguments.trace)?;
        let choices = arguments.rows.choices();
        let options = ReportOptions {
            by: GroupBy::default(),
            sort: arguments.rows.sort,
            top: arguments.rows.top(),
            all: arguments.rows.all,
            equivalents: arguments.equivalents,
            color: terminal::colours(color, &stdout()),
            width: terminal::width(),
        };
        let said =
            Said::of_recording(&arguments.place, &energy_prof::analyze::Recording::facts(&trace))?;
        let is_over_time = arguments.series.is_given() || said.series.is_some();
        if arguments.when && !is_over_time {
            let why = "--when needs what the grid emits at other hours: give --series FILE.csv or \
                       --electricity-maps";
            return Err(UsageError(why.to_owned()).into());
        }
        let span = span(&trace, &choices)?;
        let span = span.map(|span| if arguments.when { elsewhere::a_day_more(span) } else { span });
        let series = match span {
            Some(span) => series_of(&arguments.series, &said, span)?,
            None => None,
        };
        Ok(Self { arguments, trace, choices, options, said, series })
    }

    /// Refuses a recording outside the series.
    fn check_series(&self) -> anyhow::Result<()> {
        if let (Some(series), Some((first, last))) =
            (&self.series, span(&self.trace, &self.choices)?)
        {
            series.check_covers(first, last)?;
        }
        Ok(())
    }

    /// Which step of the series a window is in.
    fn key(&self, window: &Window) -> PartKey {
        let series = self.series.as_ref();
        PartKey { row: None, step: series.and_then(|series| series.place_of(window.start_utc)) }
    }

    /// The recording, and its parts by `key`.
    fn in_parts(
        &self,
        key: impl Fn(&Window) -> PartKey,
    ) -> anyhow::Result<(Profile, Vec<(PartKey, Profile)>)> {
        let (profile, parts) =
            analyze_in_parts(&self.trace, &self.choices, &key).map_err(unwrap_trace_error)?;
        Ok((profile, parts.into_iter().collect()))
    }

    /// The recording, and its parts by the steps of the series; no parts without one.
    pub(super) fn by_steps(&self) -> anyhow::Result<(Profile, Vec<(PartKey, Profile)>)> {
        if self.series.is_some() {
            return self.in_parts(|window| self.key(window));
        }
        let profile = analyze(&self.trace, &self.choices).map_err(unwrap_trace_error)?;
        Ok((profile, Vec::new()))
    }

    /// The parts over the series, where there is one.
    pub(super) fn over_time(
        &self,
        parts: &[(PartKey, Profile)],
        rows: impl Fn(usize) -> Vec<Microjoules>,
    ) -> Option<OverTime<'_>> {
        self.series.as_ref().map(|series| over_time(series, parts, rows))
    }

    fn print(
        &self,
        profile: &Profile,
        rows: EmittingRows<'_>,
        over_time: Option<&OverTime<'_>>,
        options: &ReportOptions,
    ) -> anyhow::Result<()> {
        let site = site_with(profile, &self.said.options, over_time)?;
        let render = if self.arguments.json { emissions_json } else { emissions_text };
        let units = self.arguments.units.functional_units();
        let units = units.as_ref();
        let subject = EmissionsSubject { profile, rows, site: &site, over_time, units };
        terminal::print(&render(&subject, options))
    }
}

fn by_threads(recorded: &Recorded<'_>, by: GroupBy) -> anyhow::Result<()> {
    let (profile, parts) = recorded.by_steps()?;
    let options = ReportOptions { by, ..recorded.options };
    let ReportOptions { sort, top, all, .. } = options;
    let view = profile.view(&ViewOptions { by, sort, top, all }, &terminal::user_name);
    let over_time = recorded.over_time(&parts, |part| view.energies_of(&parts[part].1));
    recorded.print(&profile, EmittingRows::Threads(&view, by), over_time.as_ref(), &options)
}

fn by_code(recorded: &Recorded<'_>, unit: CodeUnit) -> anyhow::Result<()> {
    let filter = recorded.arguments.rows.filter();
    let of = CallTreeOptions { filter, ..CallTreeOptions::default() };
    let Recorded { trace, choices, options, .. } = recorded;
    let ((profile, tree), parts) = if recorded.series.is_some() {
        call_trees_in_parts(trace, choices, &of, &|window| recorded.key(window))
            .map_err(unwrap_trace_error)?
    } else {
        let whole = profile_and_call_tree(trace, choices, &of).map_err(unwrap_trace_error)?;
        (whole, std::collections::BTreeMap::new())
    };
    let all = CodeViewOptions { unit, sort: options.sort, top: None };
    let view = profile.code_view(&tree, &of.filter, CodeViewOptions { top: options.top, ..all });
    let (views, parts): (Vec<_>, Vec<_>) = parts
        .into_iter()
        .map(|(key, (part, tree))| (part.code_view(&tree, &of.filter, all), (key, part)))
        .unzip();
    let over_time = recorded.over_time(&parts, |part| view.energies_of(&views[part]));
    recorded.print(&profile, EmittingRows::Code(&view, unit), over_time.as_ref(), options)
}

fn by_time(recorded: &Recorded<'_>) -> anyhow::Result<()> {
    let (first, last) = span(&recorded.trace, &recorded.choices)?.unwrap_or_default();
    let lengths = recorded.trace.windows()?.into_iter().map(|window| window.length());
    let grid = TimeGrid::of(first, last, lengths.max().unwrap_or_default());
    let key = |window: &Window| PartKey {
        row: Some(grid.row_of(window.start_utc)),
        ..recorded.key(window)
    };
    let (profile, parts) = recorded.in_parts(key)?;
    let (rows, places) = time_rows(&profile, &parts, grid);
    let over_time = recorded.over_time(&parts, |part| {
        let mut energies = vec![Microjoules::ZERO; rows.len()];
        energies[places[part]] = parts[part].1.total().measured;
        energies
    });
    recorded.print(&profile, EmittingRows::Time(&rows), over_time.as_ref(), &recorded.options)
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
pub(super) fn site_at(profile: &Profile, options: &SiteOptions) -> anyhow::Result<Site> {
    let year = scale::year(profile.span.start_utc).unwrap_or(u16::MAX);
    found(Site::of(options, year), options)
}
