//! An event that counts energy, open on one CPU.

use super::SourceError;
use super::perf_pmu::{EnergyEvent, OpenEvent, PerfPmu, ReadCount, Scale};
use crate::units::Microjoules;

/// See the module.
pub(super) struct OpenedEvent {
    /// `power/energy-pkg/ on CPU 0`.
    pub name: String,
    scale: Scale,
    read: ReadCount,
}

impl OpenedEvent {
    /// Opens the event `name` of a unit, and reads it once to see that it can be.
    pub(super) fn open(
        pmu: &PerfPmu,
        (name, event): (&str, EnergyEvent),
        cpu: u16,
        open_event: &OpenEvent,
    ) -> Result<Self, SourceError> {
        let name = format!("{}/{name}/ on CPU {cpu}", pmu.name);
        let read = open_event(pmu.number, event.config, cpu)
            .map_err(|cause| SourceError::Event { event: name.clone(), cause })?;
        let mut opened = Self { name, scale: event.scale, read };
        opened.energy()?;
        Ok(opened)
    }

    /// What it has counted since it was opened.
    pub(super) fn energy(&mut self) -> Result<Microjoules, SourceError> {
        let failed = |cause| SourceError::Event { event: self.name.clone(), cause };
        let count = (self.read)().map_err(failed)?;
        let too_much = || failed(std::io::Error::other(format!("it counts {count}")));
        self.scale.energy(count).ok_or_else(too_much)
    }
}
