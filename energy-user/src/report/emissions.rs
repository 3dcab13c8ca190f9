//! What a report on emissions is made of: the footprint of all that was recorded, and its division
//! among the rows of a view, in whole nanograms and nanolitres, so that the parts add up to the whole.

use super::over_time::{OverTime, TimeRow};
use crate::attribution::split;
use crate::emissions::series::Step;
use crate::emissions::{EmbodiedPart, Footprint, FunctionalUnits, Sci, Site};
use crate::profile::{
    CodeUnit, CodeView, CodeViewRow, GroupBy, Profile, Row, RowKind, StandardError, View,
};
use crate::units::{
    CarbonIntensity, GramsCo2e, KilowattHours, Litres, Microjoules, NanogramsCo2e, Nanolitres,
    WallTime,
};

/// Rows of a report, whatever they stand for.
#[derive(Clone, Copy, Debug)]
pub enum EmittingRows<'a> {
    /// Groups of threads, or domains.
    Threads(&'a View, GroupBy),
    /// Functions or lines.
    Code(&'a CodeView, CodeUnit),
    /// Stretches of time, in order.
    Time(&'a [TimeRow]),
}

impl EmittingRows<'_> {
    /// What a row stands for.
    pub(super) fn by(self) -> &'static str {
        match self {
            Self::Threads(_, by) => by.name(),
            Self::Code(_, unit) => unit.name(),
            Self::Time(_) => "time",
        }
    }

    /// What embodied emissions are shared out by: stretches of time take part by their length, as the
    /// machine stands there whatever it does; all else as it does of operational emissions.
    pub(super) const fn embodied_rule(self) -> &'static str {
        match self {
            Self::Threads(..) | Self::Code(..) => "energy",
            Self::Time(_) => "the length of time",
        }
    }
}

/// What a report on emissions is about.
#[derive(Clone, Copy, Debug)]
pub struct EmissionsSubject<'a> {
    /// The recording, or the part of it that is looked at.
    pub profile: &'a Profile,
    /// Who is told apart.
    pub rows: EmittingRows<'a>,
    /// Where it ran. Over time, its grid's intensity is the mean.
    pub site: &'a Site,
    /// What the grid emitted when, where that is known.
    pub over_time: Option<&'a OverTime<'a>>,
    /// What was done for somebody, where that was said.
    pub units: Option<&'a FunctionalUnits>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EmittingRow<'a> {
    pub(super) kind: RowKind,
    pub(super) name: &'a str,
    pub(super) pid: Option<u32>,
    pub(super) tid: Option<u32>,
    pub(super) depth: usize,
    /// `None` where it is not known.
    pub(super) energy: Option<Microjoules>,
    pub(super) error: Option<StandardError>,
    pub(super) emissions: Option<NanogramsCo2e>,
    /// What was emitted by contract, beside that.
    pub(super) market: Option<NanogramsCo2e>,
    /// What falls to it of what it took to make the machine.
    pub(super) embodied: Option<NanogramsCo2e>,
    pub(super) water: Divided,
    /// The mean over what it used; `None` where the place is not known.
    pub(super) intensity: Option<CarbonIntensity>,
    /// Of a stretch of time, from when to when it is.
    pub(super) time: Option<(WallTime, WallTime)>,
}

/// Water of the whole or of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Divided {
    pub(super) on_site: Option<Nanolitres>,
    pub(super) off_site: Option<Nanolitres>,
}

impl Divided {
    /// All that is known.
    pub(super) fn sum(self) -> Option<Nanolitres> {
        match (self.on_site, self.off_site) {
            (None, None) => None,
            (on, off) => Some(on.unwrap_or_default() + off.unwrap_or_default()),
        }
    }
}

/// The whole and its rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Emitted<'a> {
    pub(super) footprint: Footprint,
    /// Of all the energy.
    pub(super) error: StandardError,
    pub(super) rows: Vec<EmittingRow<'a>>,
}

impl<'a> Emitted<'a> {
    pub(super) fn of(subject: &EmissionsSubject<'a>) -> Self {
        let lasted = subject.profile.span.duration;
        let footprint = Footprint::of(subject.profile.total().measured, subject.site)
            .lasting(lasted, subject.site);
        let mut rows = rows(subject);
        let energies: Vec<u64> = rows
            .iter()
            .map(|row| row.energy.filter(|_| row.kind.counts()).unwrap_or_default().get())
            .collect();
        let parts = |whole: Option<u64>| split(whole?, &energies);
        let counts: Vec<bool> =
            rows.iter().map(|row| row.energy.is_some() && row.kind.counts()).collect();
        let over_time = |whole: Option<u64>, factor: fn(&Step) -> Option<f64>| {
            let told =
                subject.over_time.filter(|it| it.steps().into_iter().all(|s| factor(s).is_some()));
            let Some(told) = told else { return parts(whole) };
            Some(told.split(whole?, |step| factor(step).unwrap_or_default(), &counts))
        };
        let emissions = footprint.emissions.map(GramsCo2e::to_nanograms);
        let water = Divided {
            on_site: footprint.water.on_site.map(Litres::to_nanolitres),
            off_site: footprint.water.off_site.map(Litres::to_nanolitres),
        };
        let embodied = footprint.embodied.map(|it| it.emissions.to_nanograms().get());
        let divided = [
            split_embodied(subject.rows, embodied, &energies),
            over_time(emissions.map(NanogramsCo2e::get), |step| Some(step.intensity.get())),
            parts(footprint.market.map(|grams| grams.to_nanograms().get())),
            parts(water.on_site.map(Nanolitres::get)),
            over_time(water.off_site.map(Nanolitres::get), |step| Some(step.water?.get())),
        ];
        let of_the_site = subject.site.grid.as_ref().map(|grid| grid.intensity.value);
        for (index, row) in rows.iter_mut().enumerate() {
            let part = |parts: &Option<Vec<u64>>| parts.as_ref().map(|parts| parts[index]);
            let known = counts[index];
            let [embodied, emissions, market, on_site, off_site] = divided.each_ref().map(part);
            row.emissions = emissions.filter(|_| known).map(NanogramsCo2e::new);
            row.market = market.filter(|_| known).map(NanogramsCo2e::new);
            // A stretch of time took its part of the machine's life, whatever it used.
            let takes_part = known || row.time.is_some();
            row.embodied = embodied.filter(|_| takes_part).map(NanogramsCo2e::new);
            row.water = Divided {
                on_site: on_site.filter(|_| known).map(Nanolitres::new),
                off_site: off_site.filter(|_| known).map(Nanolitres::new),
            };
            let mean = subject.over_time.and_then(|over_time| over_time.mean_of_row(index));
            row.intensity = mean.map(|mean| mean.intensity).or(of_the_site);
        }
        let error = subject.profile.total_error();
        Self { footprint, error, rows }
    }

    /// Operational and embodied emissions of all that is looked at.
    pub(super) fn sci(&self) -> Sci {
        Sci {
            operational: self.footprint.emissions,
            embodied: self.footprint.embodied.map(|part: EmbodiedPart| part.emissions),
        }
    }

    /// The same of the targets; `None` where rows do not tell them from others.
    pub(super) fn sci_of_targets(&self, subject: &EmissionsSubject<'_>, all: bool) -> Option<Sci> {
        let is_by_threads = match subject.rows {
            EmittingRows::Threads(_, by) => by != GroupBy::Domain,
            EmittingRows::Code(..) | EmittingRows::Time(_) => false,
        };
        if !is_by_threads || all || !subject.profile.facts.targets.chosen() {
            return None;
        }
        let targets = || self.rows.iter().filter(|row| row.kind.is_of_targets());
        let sum = |of: fn(&EmittingRow<'_>) -> Option<NanogramsCo2e>| {
            targets().map(of).sum::<Option<NanogramsCo2e>>().map(NanogramsCo2e::grams)
        };
        Some(Sci { operational: sum(|row| row.emissions), embodied: sum(|row| row.embodied) })
    }
}

/// Shares embodied emissions out by [`EmittingRows::embodied_rule`].
fn split_embodied(
    rows: EmittingRows<'_>,
    whole: Option<u64>,
    energies: &[u64],
) -> Option<Vec<u64>> {
    match rows {
        EmittingRows::Time(rows) => {
            let lengths: Vec<u64> = rows.iter().map(|row| row.recorded.get()).collect();
            split(whole?, &lengths)
        }
        EmittingRows::Threads(..) | EmittingRows::Code(..) => split(whole?, energies),
    }
}

/// Half the width of the 95 % interval of what is emitted at a site and an intensity, as far as the
/// energy's error goes. How far the factors are off is beside it: it is the same for every row.
pub(super) fn error_95(
    error: StandardError,
    site: &Site,
    intensity: Option<CarbonIntensity>,
) -> Option<GramsCo2e> {
    Some(KilowattHours::from(error.half_width_95()) * site.pue() * intensity?)
}

impl Emitted<'_> {
    /// The same of the whole.
    pub(super) fn error_95(&self, site: &Site) -> Option<GramsCo2e> {
        let intensity = site.grid.as_ref().map(|grid| grid.intensity.value);
        error_95(self.error, site, intensity)
    }
}

fn rows<'a>(subject: &EmissionsSubject<'a>) -> Vec<EmittingRow<'a>> {
    match subject.rows {
        EmittingRows::Threads(view, _) => {
            view.rows.iter().map(|row| of_threads(row, subject.profile)).collect()
        }
        EmittingRows::Code(view, _) => {
            view.rows.iter().map(|row| of_code(row, subject.profile)).collect()
        }
        EmittingRows::Time(rows) => rows.iter().map(of_time).collect(),
    }
}

fn of_threads<'a>(row: &'a Row, profile: &Profile) -> EmittingRow<'a> {
    EmittingRow {
        kind: row.kind,
        name: &row.name,
        pid: row.pid,
        tid: row.tid,
        depth: row.depth,
        energy: profile.known_energy(row),
        error: row.error,
        emissions: None,
        market: None,
        embodied: None,
        water: Divided::default(),
        intensity: None,
        time: None,
    }
}

fn of_code<'a>(row: &'a CodeViewRow, profile: &Profile) -> EmittingRow<'a> {
    EmittingRow {
        kind: row.kind,
        name: &row.name,
        pid: None,
        tid: None,
        depth: 0,
        energy: profile.knows(row.kind).then_some(row.own),
        error: row.own_error,
        emissions: None,
        market: None,
        embodied: None,
        water: Divided::default(),
        intensity: None,
        time: None,
    }
}

fn of_time(row: &TimeRow) -> EmittingRow<'_> {
    EmittingRow {
        kind: RowKind::Time,
        name: &row.name,
        pid: None,
        tid: None,
        depth: 0,
        energy: row.energy,
        error: Some(row.error),
        emissions: None,
        market: None,
        embodied: None,
        water: Divided::default(),
        intensity: None,
        time: Some((row.from, row.to)),
    }
}
