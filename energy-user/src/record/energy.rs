//! From the sources to rows: every counter has a meter; where nothing counts, the model estimates.

use super::RecordError;
use super::cards::Cards;
use crate::model::{BusyCpus, DomainId, EnergySample, GpuSample, Window};
use crate::sources::{
    Calibration, CounterSpec, CrossCheck, Discovery, EnergySource, Meter, PowerModel,
};
use crate::trace::{IdlePower, SourceInfo};
use crate::units::{MonotonicTime, Nanoseconds, scale};

/// The sources in use, and what is known of their counters.
pub(super) struct Energy {
    metered: Vec<Metered>,
    model: Option<PowerModel>,
    cross_check: CrossCheck,
    cards: Cards,
}

struct Metered {
    source: Box<dyn EnergySource>,
    meters: Vec<Meter>,
}

impl Energy {
    /// Takes what was discovered; the model only where no counter can be read. Without counters of single cores
    /// it is an error where they are wanted.
    pub(super) fn new(found: Discovery, core_counters: bool) -> Result<Self, RecordError> {
        let mut counters = found.sources.iter().flat_map(|source| source.counters());
        let has_cores = counters.any(|spec| spec.domain.is_one_core());
        let metered: Vec<_> = found
            .sources
            .into_iter()
            .map(|source| {
                let meter = |spec: &_| Meter::new(*spec, source.name(), source.provenance());
                let meters = source.counters().iter().map(meter).collect();
                Metered { source, meters }
            })
            .collect();
        let why = |about: &str| {
            let of_it = found.findings.iter().filter(|finding| finding.what.contains(about));
            of_it.map(|finding| finding.detail.clone()).collect::<Vec<_>>().join("; ")
        };
        if metered.is_empty() && found.model.is_none() {
            return Err(RecordError::NoSource(why("")));
        }
        if core_counters && !has_cores {
            return Err(RecordError::NoCoreCounters(why("RAPL")));
        }
        let cross_check = CrossCheck::default();
        Ok(Self { metered, model: found.model, cross_check, cards: Cards::default() })
    }

    /// The sources as a trace of windows of this length tells of them, with what they measured while the
    /// machine was idle.
    pub(super) fn describe(
        &self,
        window: Nanoseconds,
        calibration: Option<&Calibration>,
    ) -> Vec<SourceInfo> {
        let idle_of = |source: &dyn EnergySource| {
            let measured = calibration.into_iter().flat_map(|known| known.idle_of(source.name()));
            let counted =
                |domain: &DomainId| source.counters().iter().any(|spec| spec.domain == *domain);
            let measured = measured.filter(|(domain, _)| counted(domain));
            measured.map(|(domain, watts)| IdlePower { domain, watts }).collect()
        };
        let counted = self.metered.iter().map(|metered| SourceInfo {
            name: metered.source.name().to_owned(),
            provenance: metered.source.provenance(),
            domains: metered.source.counters().iter().map(|spec| spec.domain).collect(),
            idle: idle_of(metered.source.as_ref()),
            note: note_of(metered.source.as_ref(), window),
        });
        let modelled = self.model.iter().map(|model| SourceInfo {
            name: model.name().to_owned(),
            provenance: model.provenance(),
            domains: model.domains(),
            idle: model
                .idle_power()
                .into_iter()
                .map(|(domain, watts)| IdlePower { domain, watts })
                .collect(),
            note: Some(model.note()),
        });
        counted.chain(modelled).collect()
    }

    /// Where two sources of one domain were too far apart, in sentences.
    pub(super) fn disagreements(&self) -> Vec<String> {
        let counters = self.metered.iter().flat_map(|metered| metered.source.counters());
        let specs: Vec<_> = counters.copied().collect();
        let findings = self.cross_check.findings(&specs).into_iter();
        findings.map(|finding| finding.detail).collect()
    }

    /// Graphics cards that lie in no processor's package.
    pub(super) fn discrete_cards(&self) -> Vec<DomainId> {
        self.metered.iter().flat_map(|metered| metered.source.discrete_cards()).collect()
    }

    /// What the cards told of who used them in `window`, in which they may not have been asked.
    pub(super) fn cards_of_window(&mut self, window: &Window) -> Vec<GpuSample> {
        self.cards.of_window(window)
    }

    /// Adds to the sources' notes which counters could not be read at times, and why. Gives it in sentences.
    pub(super) fn note_failures(&self, sources: &mut [SourceInfo]) -> Vec<String> {
        let mut failures = Vec::new();
        for Metered { source, meters } in &self.metered {
            let of_source: Vec<String> = meters
                .iter()
                .filter_map(|meter| {
                    let why = meter.last_error()?;
                    Some(format!("{} could not be read at times: {why}", meter.spec().domain))
                })
                .collect();
            let told = sources.iter_mut().find(|told| told.name == source.name());
            if let Some(told) = told.filter(|_| !of_source.is_empty()) {
                let notes = told.note.take().into_iter().chain(of_source.iter().cloned());
                told.note = Some(notes.collect::<Vec<_>>().join("; "));
            }
            failures.extend(of_source);
        }
        failures
    }

    /// Reads every counter now, at the edge `line` of a window, and asks the cards who uses them.
    pub(super) fn read(&mut self, clock: &dyn Fn() -> MonotonicTime, line: MonotonicTime) {
        let mut readings = Vec::new();
        for metered in &mut self.metered {
            metered.source.read(clock, &mut readings);
            for reading in readings.drain(..) {
                metered.meters[reading.counter].push(reading);
            }
        }
        // After all counters: drivers take their time to tell of processes.
        if self.cards.are_to_be_asked(line) {
            let mut told = Vec::new();
            for metered in &mut self.metered {
                metered.source.read_cards(&mut told);
            }
            self.cards.tell(line, told);
        }
    }

    /// What every counter and the model tell of `window`; `None` while a counter has not been read
    /// at or after its end.
    pub(super) fn of_window(
        &mut self,
        window: &Window,
        busy: &BusyCpus<'_>,
    ) -> Option<Vec<EnergySample>> {
        let mut meters = self.metered.iter().flat_map(|metered| &metered.meters);
        if !meters.all(|meter| meter.has_reached(window.end)) {
            return None;
        }
        let mut samples = Vec::new();
        for meter in self.metered.iter_mut().flat_map(|metered| &mut metered.meters) {
            samples.push(meter.energy_of(window)?);
        }
        self.cross_check.add(&samples, window.length());
        if let Some(model) = &self.model {
            samples.extend(model.estimate(window, &|cpu| busy.on(cpu)));
        }
        for sample in &mut samples {
            sample.busy = busy.feeding(sample.domain);
        }
        Some(samples)
    }
}

/// What must be said of a source's figures in windows of this length.
fn note_of(source: &dyn EnergySource, window: Nanoseconds) -> Option<String> {
    let is_coarse =
        |spec: &&CounterSpec| spec.moves_in_long_steps() && spec.is_too_coarse_for(window);
    let coarse: Vec<&CounterSpec> = source.counters().iter().filter(is_coarse).collect();
    let longest_step = coarse.iter().map(|spec| spec.update_period).max();
    let coarse = longest_step.map(|step| {
        let domains: Vec<String> = coarse.iter().map(|spec| spec.domain.to_string()).collect();
        format!(
            "{}: windows are shorter than the steps of its counter ({}) and are flagged `coarse`, so that sums over \
             ten of those tell, and single windows do not",
            domains.join(", "),
            scale::duration(step)
        )
    });
    let sentences: Vec<String> = source.note().into_iter().chain(coarse).collect();
    (!sentences.is_empty()).then(|| sentences.join("; "))
}
