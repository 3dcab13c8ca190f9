//! AMD's counters of single cores, read as perf events of the PMU `power_core`. Never taken unless asked for.
//!
//! To read one, the kernel interrupts a CPU of that core: every window wakes every core once, idle ones too.
//! Reference: Linux v6.14, arch/x86/events/rapl.c (`energy-core`, register 0xC001029A)

use std::collections::BTreeSet;
use std::fmt;

use super::discover::{Machine, Sought};
use super::perf_event::OpenedEvent;
use super::perf_pmu::PerfPmu;
use super::rapl_place::core_at;
use super::rapl_registers::{CORE_CEILING, USUAL_QUANTUM, update_period};
use super::undisturbed::read_undisturbed;
use super::{ClockFn, CounterReading, CounterSpec, EnergySource, Finding, Shown, SourceError};
use crate::model::Provenance;

/// The name of what is looked for, in findings.
const WHAT: &str = "RAPL per core (perf)";

/// The events of the `power_core` PMU.
pub(super) struct RaplCores {
    counters: Vec<CounterSpec>,
    events: Vec<OpenedEvent>,
}

/// Looks for the PMU on a machine.
pub(super) fn seek(machine: &Machine) -> Sought {
    let mut findings = Vec::new();
    let source = match find(machine) {
        Ok(Some(pmu)) => open_pmu(&pmu, machine, &mut findings),
        Ok(None) => {
            let detail = "the kernel has no power_core PMU: it is of AMD's processors, since Linux 6.14; on older \
                          kernels --source rapl-msr --core-counters may do";
            findings.push(Finding::missing(WHAT, detail));
            None
        }
        Err(error) => {
            findings.push(Finding::missing(WHAT, error.to_string()));
            None
        }
    };
    let source = source.map(|source| Box::new(source) as Box<dyn EnergySource>);
    Sought { source, findings, ..Sought::default() }
}

/// Says that cores could be read, where that was not asked for; opens nothing.
pub(super) fn offer(machine: &Machine) -> Option<Finding> {
    let detail = match find(machine).transpose()? {
        Ok(pmu) => format!(
            "{} cores have counters of their own (power_core PMU), read with record --core-counters only, as \
             every reading wakes every core",
            pmu.cpus.len()
        ),
        Err(error) => error.to_string(),
    };
    Some(Finding::ok(WHAT, detail))
}

fn find(machine: &Machine) -> Result<Option<PerfPmu>, SourceError> {
    PerfPmu::find(machine.sysfs, "power_core")
}

fn open_pmu(pmu: &PerfPmu, machine: &Machine, findings: &mut Vec<Finding>) -> Option<RaplCores> {
    let event = match pmu.event("energy-core") {
        Ok(Some(event)) => event,
        Ok(None) => {
            findings.push(Finding::missing(WHAT, "the power_core PMU has no event energy-core"));
            return None;
        }
        Err(error) => {
            findings.push(Finding::missing(WHAT, error.to_string()));
            return None;
        }
    };
    let mut seen = BTreeSet::new();
    let mut cores = RaplCores { counters: Vec::new(), events: Vec::new() };
    for &cpu in &pmu.cpus {
        // Two cores of one name would be taken for each other.
        let Some(domain) = core_at(cpu, machine.facts).filter(|core| seen.insert(*core)) else {
            let detail = format!(
                "CPU {cpu} is of a core that is unknown or was named before: its counter is not used"
            );
            findings.push(Finding::degraded(WHAT, detail));
            continue;
        };
        match OpenedEvent::open(pmu, ("energy-core", event), cpu, machine.open_event) {
            Ok(event) => {
                let detail = format!("measured by {}", event.name);
                findings.push(Finding::ok(format!("RAPL {domain} (perf)"), detail));
                cores.events.push(event);
                cores.counters.push(CounterSpec {
                    domain,
                    range: None,
                    quantum: USUAL_QUANTUM,
                    update_period: update_period(&machine.facts.vendor),
                    ceiling: CORE_CEILING,
                    shows: Shown::Energy,
                });
            }
            Err(error) => findings.push(refused(&error)),
        }
    }
    (!cores.events.is_empty()).then_some(cores)
}

fn refused(error: &SourceError) -> Finding {
    let finding = Finding::missing(WHAT, error.to_string());
    if error.is_permission() { finding.remedied_by("sudo energy-prof …") } else { finding }
}

impl EnergySource for RaplCores {
    fn name(&self) -> &'static str {
        "rapl-core"
    }

    fn provenance(&self) -> Provenance {
        Provenance::Measured
    }

    fn note(&self) -> Option<String> {
        let cores = self.counters.len();
        let note = format!(
            "to read {cores} cores' counters, every window interrupted every core, also those asleep"
        );
        Some(note)
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>) {
        for (counter, event) in self.events.iter_mut().enumerate() {
            out.push(read_undisturbed(counter, clock, || event.energy()));
        }
    }
}

impl fmt::Debug for RaplCores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaplCores").field("counters", &self.counters).finish_non_exhaustive()
    }
}
