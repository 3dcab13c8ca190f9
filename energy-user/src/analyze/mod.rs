//! From a recording to a profile: baselines first, then each window divided, then added up.
//!
//! **You give** a [`Recording`] and the choices: model, idle policy, baselines, which part.
//! **You get** a [`Profile`], a call tree, or the charges of each window to be stored.
//! **It is not** a new measurement: the same recording and choices give the same joules again.
//!
//! Residency is read twice, or once where samples of energy tell who was busy, and never held for more than a batch and
//! some dozens of windows for each thread that divides, and two windows for each part that threads read. So are samples,
//! where code is looked at, and once more where its watts are looked for.

mod ahead;
mod calls;
mod cards;
mod counts;
mod error;
mod in_order;
mod parts;
mod read_apart;
mod recording;
mod repeats;
mod shared_out;
mod smt;
mod store;
mod symbolize;
mod trace;
mod windows;

use std::collections::{BTreeMap, BTreeSet};

pub use calls::{CallTreeOptions, call_tree, profile_and_call_tree};
pub use error::AnalyzeError;
pub use parts::{PartOf, ProfiledCode, analyze_in_parts, call_trees_in_parts};
pub use recording::{Batch, NumberedStacks, Recording};
pub use repeats::share_out_repeats;
pub use store::store_attributed;
pub use symbolize::{ModuleNames, Symbolized, WhyUnnamed, symbolize};

use crate::attribution::{
    AttributedDomain, AttributedWindow, Baseline, BaselineSearch, Baselines, Cycles,
    EquationGathering, FunctionCensus, Functions, IdlePolicy, IdleRule, InWindow, Model, ModelKind,
    ProcessNumbers, Programs, Regression, Rules, SmtFactor, TimeShare, attribute_window_with_cards,
};
use crate::model::{
    AttributedSample, DomainId, Provenance, ThreadId, ThreadInfo, Topology, disjoint_cover_with,
};
use crate::profile::{CalibrationFacts, Facts, Method, Profile, ProfileBuilder};
use crate::units::{MonotonicTime, Nanoseconds, Watts};
use ahead::divided_ahead;
use cards::Cards;
use read_apart::read_apart;
use shared_out::shared_out;
use smt::{Weighing, check_smt, weighed};
use windows::{Reading, RecordedWindow, Tables, of_recording};

/// The choices an analysis is made with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnalyzeOptions {
    /// How active energy is divided.
    pub model: ModelKind,
    /// What becomes of idle energy.
    pub idle: IdlePolicy,
    /// What time beside a busy sibling of the same core is worth; `None` where siblings do not matter.
    pub smt: Option<SmtFactor>,
    /// What domains draw when nothing runs, where the user knows; the rest is looked for.
    pub given: BTreeMap<DomainId, Watts>,
    /// The first instant looked at, since the recording's start. A window is looked at, whole, if
    /// it begins at or after this and before [`Self::to`].
    pub from: Option<Nanoseconds>,
    /// The instant before which the last window looked at begins.
    pub to: Option<Nanoseconds>,
}

/// Divides a recording's energy among its threads and adds it up.
/// Baselines are looked for in the whole recording, whatever part is chosen.
pub fn analyze<R: Recording>(
    recording: &R,
    options: &AnalyzeOptions,
) -> Result<Profile, AnalyzeError> {
    let plan = Plan::new(recording, options)?;
    let begin = || plan.profile(recording, options);
    let profile = if plan.regression.is_some() {
        // What the model knows in a window comes from those before.
        let mut profile = begin();
        divided_ahead(
            || plan.divide(recording, options),
            |(divided, recorded)| recorded.add_to(&mut profile, &divided),
        )?;
        profile
    } else {
        let (reading, topology) = (plan.reading(options), recording.topology());
        let add = |profile: &mut ProfileBuilder, recorded: RecordedWindow<'_>| {
            if plan.chooses(recorded.window.start, options) {
                recorded.add_to(profile, &plan.divided(&recorded, topology, options, None));
            }
        };
        let sums = if reading == Reading::default() {
            let parts = recording.residency_parts().map_err(of_recording)?;
            read_apart(parts, (&plan.tables, topology), begin, add)?
        } else {
            shared_out(plan.tables.stream(recording, reading)?, begin, add)?
        };
        sums.into_iter().fold(begin(), ProfileBuilder::with)
    };
    let threads = recording.threads().map_err(of_recording)?;
    Ok(plan.finish(profile, threads))
}

/// Divides a recording's energy among its threads and gives the charges to `store`, in the order of
/// windows, domains and threads. They add up to [`analyze`]'s profile.
///
/// After an error there are no more charges; `store` must then keep none.
pub fn attribute<R, T, E>(
    recording: &R,
    options: &AnalyzeOptions,
    store: impl FnOnce(&mut dyn Iterator<Item = Result<AttributedSample, AnalyzeError>>) -> Result<T, E>,
) -> Result<T, E>
where
    R: Recording,
    E: From<AnalyzeError>,
{
    let plan = Plan::new(recording, options)?;
    let mut rows = plan.divide(recording, options)?.flat_map(|divided| match divided {
        Ok((divided, _)) => {
            divided.domains.into_iter().flat_map(AttributedDomain::into_charges).map(Ok).collect()
        }
        Err(error) => vec![Err(error)],
    });
    store(&mut rows)
}

/// What must be known of the whole recording before its windows can be divided.
struct Plan {
    tables: Tables,
    start: MonotonicTime,
    cards: Cards,
    baselines: Baselines,
    processes: ProcessNumbers,
    /// What the model `regress` found, where it is the one chosen.
    regression: Option<Regression>,
    /// What time beside siblings is worth, where that was given.
    weighing: Option<Weighing>,
}

impl Plan {
    /// Reads the small tables and looks for baselines in a first pass over the residency.
    fn new<R: Recording>(recording: &R, options: &AnalyzeOptions) -> Result<Self, AnalyzeError> {
        let tables = Tables::read(recording, &recording.facts().sources)?;
        if let Some(domain) = options.given.keys().find(|id| !tables.sources.contains_key(id)) {
            let present = tables.sources.keys().copied().collect();
            return Err(AnalyzeError::UnknownDomain { domain: *domain, present });
        }
        check_smt(recording, options)?;
        let start = tables.windows.first().map(|window| window.start).unwrap_or_default();
        let known = Baselines::known(&options.given, told_idle(&tables, &recording.facts()));
        let cards = cards_of(recording, &tables)?;
        let code = match options.model {
            ModelKind::Regress => Some(code_of(recording)?),
            ModelKind::Time | ModelKind::Cycles => None,
        };
        let weighing = options.smt.map(|factor| Weighing::new(factor, recording.topology()));
        let (baselines, regression) =
            first_pass(&tables, recording, &cards, known, code.as_ref(), weighing.as_ref())?;
        let processes = match options.idle {
            IdlePolicy::Equal => ProcessNumbers::new(&recording.threads().map_err(of_recording)?),
            _ => ProcessNumbers::default(),
        };
        let plan = Self { tables, start, cards, baselines, processes, regression, weighing };
        plan.check_range(options)?;
        Ok(plan)
    }

    /// A profile without any window yet.
    fn profile<R: Recording>(&self, recording: &R, options: &AnalyzeOptions) -> ProfileBuilder {
        let method = Method { model: options.model, idle: options.idle, smt: options.smt };
        let recorded_windows = self.tables.windows.len() as u64;
        ProfileBuilder::new(recording.facts(), method, self.start, recorded_windows)
    }

    /// The profile, once all windows are added.
    fn finish(&self, profile: ProfileBuilder, threads: BTreeMap<ThreadId, ThreadInfo>) -> Profile {
        let found = self.regression.as_ref().map(Regression::facts).unwrap_or_default();
        let mut profile = profile.finish(threads, &self.tables.sources, &self.baselines);
        for (domain, facts) in found {
            profile.domains.entry(domain).or_default().regression = Some(facts);
        }
        profile
    }

    /// The chosen windows, divided, each with what was recorded of it.
    fn divide<'a, R: Recording>(
        &'a self,
        recording: &'a R,
        options: &'a AnalyzeOptions,
    ) -> Result<
        impl Iterator<Item = Result<(AttributedWindow, RecordedWindow<'a>), AnalyzeError>> + use<'a, R>,
        AnalyzeError,
    > {
        self.divide_reading(recording, options, self.reading(options))
    }

    /// What the model needs of a recording.
    fn reading(&self, options: &AnalyzeOptions) -> Reading {
        Reading {
            // What programs drew is what their functions drew, whether those are shown or not.
            samples: self.regression.is_some(),
            counts: options.model == ModelKind::Cycles,
        }
    }

    /// The same, with as much of what was recorded as `reading` says: at least what the model needs.
    fn divide_reading<'a, R: Recording>(
        &'a self,
        recording: &'a R,
        options: &'a AnalyzeOptions,
        reading: Reading,
    ) -> Result<
        impl Iterator<Item = Result<(AttributedWindow, RecordedWindow<'a>), AnalyzeError>> + use<'a, R>,
        AnalyzeError,
    > {
        let mut regress = self.regression.as_ref().map(InWindow::new);
        let topology = recording.topology();
        Ok(self.tables.stream(recording, reading)?.filter_map(move |recorded| {
            let recorded = match recorded {
                Ok(recorded) => recorded,
                Err(error) => return Some(Err(error)),
            };
            // Windows that are not chosen tell where threads were before those that are.
            if let Some(model) = &mut regress {
                model.go_on(&recorded.window, &recorded.samples);
            }
            let is_chosen = self.chooses(recorded.window.start, options);
            is_chosen.then(|| {
                let divided = self.divided(&recorded, topology, options, regress.as_ref());
                Ok((divided, recorded))
            })
        }))
    }

    /// A window, divided; `regress` has gone on to it where that is the model.
    fn divided(
        &self,
        recorded: &RecordedWindow<'_>,
        topology: &Topology,
        options: &AnalyzeOptions,
        regress: Option<&InWindow<'_>>,
    ) -> AttributedWindow {
        let RecordedWindow { window, energy, residency, counts, .. } = recorded;
        let cycles = counts.as_deref().map(Cycles::new);
        let model: &dyn Model = match (regress, &cycles) {
            (Some(model), _) => model,
            (None, Some(model)) => model,
            (None, None) => &TimeShare,
        };
        let idle = IdleRule::new(options.idle, &self.processes);
        let rules = Rules { topology, baselines: &self.baselines, model, idle };
        let cards = self.cards.of_window(window);
        let ran = weighed(self.weighing.as_ref(), window, residency);
        attribute_window_with_cards(window, energy, &ran, &cards, &rules)
    }

    /// Whether a window that begins there is looked at.
    fn chooses(&self, window_start: MonotonicTime, options: &AnalyzeOptions) -> bool {
        let at = window_start.since(self.start);
        options.from.is_none_or(|from| at >= from) && options.to.is_none_or(|to| at < to)
    }

    /// The domains that make up the total of the chosen windows: they overlap nowhere.
    fn cover<R: Recording>(&self, recording: &R, options: &AnalyzeOptions) -> Vec<DomainId> {
        let windows = self.tables.windows.iter();
        let chosen: BTreeSet<u32> = windows
            .filter(|window| self.chooses(window.start, options))
            .map(|window| window.index)
            .collect();
        let known = self.tables.energy.iter().filter(|sample| sample.energy.is_some());
        let measured: BTreeSet<DomainId> = known
            .filter(|sample| chosen.contains(&sample.window))
            .map(|sample| sample.domain)
            .collect();
        let measured: Vec<DomainId> = measured.into_iter().collect();
        disjoint_cover_with(&measured, &recording.facts().discrete_cards)
    }

    /// Refuses a part of the recording in which no window begins.
    fn check_range(&self, options: &AnalyzeOptions) -> Result<(), AnalyzeError> {
        let windows = &self.tables.windows;
        if windows.iter().any(|window| self.chooses(window.start, options)) {
            return Ok(());
        }
        let recorded = windows.last().map(|last| last.end.since(self.start)).unwrap_or_default();
        let from = options.from.unwrap_or_default();
        Err(AnalyzeError::EmptyRange { from, to: options.to.unwrap_or(recorded), recorded })
    }
}

impl RecordedWindow<'_> {
    /// Adds the window, divided, to a profile.
    fn add_to(&self, profile: &mut ProfileBuilder, divided: &AttributedWindow) {
        if self.residency_known {
            profile.add(divided, &self.residency);
        } else {
            profile.add_without_residency(divided);
        }
    }
}

/// What the sources that energy was taken from draw without load: as the machine was calibrated, or as
/// the model has it that made the energy.
fn told_idle(tables: &Tables, facts: &Facts) -> Vec<(DomainId, Baseline)> {
    let used =
        |domain: &DomainId, name: &str| tables.sources.get(domain).is_some_and(|s| s == name);
    let mut told = Vec::new();
    for source in &facts.sources {
        for (domain, power) in source.idle.iter().filter(|(domain, _)| used(domain, &source.name)) {
            let calibration =
                facts.calibration.filter(|_| source.provenance == Provenance::Measured);
            let baseline = match calibration {
                Some(CalibrationFacts { taken, busy }) => {
                    Baseline::Calibrated { power: *power, taken, busy }
                }
                None => Baseline::Modelled(*power),
            };
            told.push((*domain, baseline));
        }
    }
    told
}

/// Who used graphics cards, where any card tells.
fn cards_of<R: Recording>(recording: &R, tables: &Tables) -> Result<Cards, AnalyzeError> {
    let told = recording.gpu().map_err(of_recording)?;
    if told.is_empty() {
        return Ok(Cards::default());
    }
    let threads = recording.threads().map_err(of_recording)?;
    Ok(Cards::new(&told, &tables.windows, &threads))
}

/// The programs of a recording, and their functions as far as those were sampled.
fn code_of<R: Recording>(recording: &R) -> Result<(Programs, Functions), AnalyzeError> {
    let programs = Programs::new(&recording.threads().map_err(of_recording)?);
    let mut census = FunctionCensus::new(&programs);
    for batch in recording.stacks().map_err(of_recording)? {
        batch.map_err(of_recording)?.iter().for_each(|(id, stack)| census.stack(*id, stack));
    }
    for batch in recording.samples().map_err(of_recording)? {
        batch.map_err(of_recording)?.iter().for_each(|sample| census.sample(sample));
    }
    let functions = census.finish();
    Ok((programs, functions))
}

/// The first pass: it looks for baselines, and for the watts of programs and functions where those are
/// asked for. It is spared where nothing is to be found.
fn first_pass<R: Recording>(
    tables: &Tables,
    recording: &R,
    cards: &Cards,
    known: Baselines,
    code: Option<&(Programs, Functions)>,
    weighing: Option<&Weighing>,
) -> Result<(Baselines, Option<Regression>), AnalyzeError> {
    if known.cover(tables.sources.keys()) && code.is_none() {
        return Ok((known, None));
    }
    let topology = recording.topology();
    let mut search = BaselineSearch::new(topology);
    if code.is_none() && tables.tell_who_was_busy() {
        for (window, energy) in tables.windows_with_energy() {
            search.observe_told(window, energy, &cards.of_window(window));
        }
        return Ok((search.finish(known), None));
    }
    let mut gathering =
        code.map(|(programs, functions)| EquationGathering::new(topology, programs, functions));
    if weighing.is_none() {
        gathering = gathering.map(EquationGathering::with_siblings);
    }
    let reading = Reading { samples: code.is_some(), counts: false };
    for recorded in tables.stream(recording, reading)? {
        let RecordedWindow { window, energy, residency, residency_known, samples, .. } = recorded?;
        search.observe(&window, energy, &residency, &cards.of_window(&window));
        if let Some(gathering) = gathering.as_mut().filter(|_| residency_known) {
            let ran = weighed(weighing, &window, &residency);
            gathering.observe(&window, energy, &ran, &samples);
        }
    }
    let baselines = search.finish(known);
    let Some(regression) = gathering.map(|gathering| gathering.solve(&baselines)) else {
        return Ok((baselines, None));
    };
    Ok((baselines.or_fitted(&regression.facts()), Some(regression)))
}
