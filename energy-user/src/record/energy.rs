//! From the sources to rows: every counter has a meter; where nothing counts, the model estimates.

use super::RecordError;
use crate::model::{DomainId, EnergySample, Residency, ThreadId, Window};
use crate::sources::{Calibration, CrossCheck, Discovery, EnergySource, Meter, PowerModel};
use crate::trace::{IdlePower, SourceInfo};
use crate::units::{MonotonicTime, Nanoseconds};

/// The sources in use, and what is known of their counters.
pub(super) struct Energy {
    metered: Vec<Metered>,
    model: Option<PowerModel>,
    cross_check: CrossCheck,
}

struct Metered {
    source: Box<dyn EnergySource>,
    meters: Vec<Meter>,
}

impl Energy {
    /// Takes what was discovered; the model only where no counter can be read.
    pub(super) fn new(found: Discovery) -> Result<Self, RecordError> {
        let metered: Vec<_> = found
            .sources
            .into_iter()
            .map(|source| {
                let meter = |spec: &_| Meter::new(*spec, source.name(), source.provenance());
                let meters = source.counters().iter().map(meter).collect();
                Metered { source, meters }
            })
            .collect();
        if metered.is_empty() && found.model.is_none() {
            let why: Vec<_> = found.findings.iter().map(|finding| finding.detail.clone()).collect();
            return Err(RecordError::NoSource(why.join("; ")));
        }
        Ok(Self { metered, model: found.model, cross_check: CrossCheck::default() })
    }

    /// The sources as the trace tells of them, with what they measured while the machine was idle.
    pub(super) fn describe(&self, calibration: Option<&Calibration>) -> Vec<SourceInfo> {
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
            note: metered.source.note(),
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

    /// Reads every counter now.
    pub(super) fn read(&mut self, clock: &dyn Fn() -> MonotonicTime) {
        let mut readings = Vec::new();
        for metered in &mut self.metered {
            metered.source.read(clock, &mut readings);
            for reading in readings.drain(..) {
                metered.meters[reading.counter].push(reading);
            }
        }
    }

    /// What every counter and the model tell of `window`; `None` while a counter has not been read
    /// at or after its end.
    pub(super) fn of_window(
        &mut self,
        window: &Window,
        rows: &[Residency],
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
            let busy = |cpu: u16| -> Nanoseconds {
                rows.iter()
                    .filter(|row| row.cpu == cpu && row.thread != ThreadId::IDLE)
                    .map(|row| row.oncpu)
                    .sum()
            };
            samples.extend(model.estimate(window, &busy));
        }
        Some(samples)
    }
}
