//! RAPL counters read as perf events of the `power` PMU.
//!
//! The kernel extends the 32-bit registers to 64 bits, so nothing wraps here. It takes a step of more than
//! half a turn for one back, and looks by itself as often as a draw of 200 W needs; reading at least every
//! 10 s, as the recorder does, keeps that from happening below 3 kW (2³¹ × 2⁻¹⁶ J = 32 768 J in 10 s).
//! Reference: Linux v6.14, arch/x86/events/rapl.c

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::discover::{Machine, Sought};
use super::perf_event::OpenedEvent;
use super::perf_pmu::{OpenEvent, PerfPmu};
use super::rapl_place::domains_at;
use super::rapl_registers::{USUAL_QUANTUM, ceiling, update_period};
use super::rapl_unit::counts_whole_joules;
use super::undisturbed::read_undisturbed;
use super::{
    ClockFn, CounterReading, CounterSpec, CpuVendor, EnergySource, Finding, HostFacts, Shown,
    SourceError,
};
use crate::model::{CpuPlace, Domain, DomainId, Provenance};
use crate::units::Microjoules;

/// The events of the PMU and what they count.
const EVENTS: [(&str, Domain); 5] = [
    ("energy-pkg", Domain::Package),
    ("energy-cores", Domain::Core),
    ("energy-gpu", Domain::Uncore),
    ("energy-ram", Domain::Dram),
    ("energy-psys", Domain::Psys),
];

/// The events of the `power` PMU.
pub struct RaplPerf {
    counters: Vec<CounterSpec>,
    events: Vec<OpenedEvent>,
}

/// What [`RaplPerf::open`] found.
#[derive(Debug)]
pub struct PerfCounters {
    /// The counters that could be opened; `None` where there is not one.
    pub source: Option<RaplPerf>,
    /// One for each counter: read, or why not.
    pub findings: Vec<Finding>,
}

/// Looks for the PMU on a machine.
pub(super) fn seek(machine: &Machine) -> Sought {
    let found = RaplPerf::open(machine.sysfs, machine.facts, machine.open_event);
    let source = found.source.map(|source| Box::new(source) as Box<dyn EnergySource>);
    Sought { source, findings: found.findings, ..Sought::default() }
}

impl RaplPerf {
    /// Opens every event of the `power` PMU of a sysfs, on each CPU of its `cpumask`.
    /// What cannot be used is a finding.
    pub fn open(sysfs: &Path, facts: &HostFacts, open_event: &OpenEvent) -> PerfCounters {
        let mut findings = Vec::new();
        let source = match PerfPmu::find(sysfs, "power") {
            Ok(Some(pmu)) => open_pmu(&pmu, facts, open_event, &mut findings),
            Ok(None) => {
                findings.push(no_pmu(facts));
                None
            }
            Err(error) => {
                findings.push(Finding::missing("RAPL (perf)", error.to_string()));
                None
            }
        };
        PerfCounters { source, findings }
    }
}

impl EnergySource for RaplPerf {
    fn name(&self) -> &'static str {
        "rapl-perf"
    }

    fn provenance(&self) -> Provenance {
        Provenance::Measured
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

impl fmt::Debug for RaplPerf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.events.iter().map(|event| event.name.as_str()).collect();
        f.debug_struct("RaplPerf").field("events", &names).finish_non_exhaustive()
    }
}

fn open_pmu(
    pmu: &PerfPmu,
    facts: &HostFacts,
    open_event: &OpenEvent,
    findings: &mut Vec<Finding>,
) -> Option<RaplPerf> {
    let places = places(pmu, facts, findings);
    let (mut counters, mut events) = (Vec::new(), Vec::new());
    for (name, domain) in EVENTS {
        let event = match pmu.event(name) {
            Ok(Some(event)) => event,
            Ok(None) => continue,
            Err(error) => {
                findings
                    .push(Finding::degraded(format!("RAPL {domain} (perf)"), error.to_string()));
                continue;
            }
        };
        for (cpu, domain) in domains_at(domain, &places) {
            match OpenedEvent::open(pmu, (name, event), cpu, open_event) {
                Ok(opened) => {
                    let detail = format!("measured by {}", opened.name);
                    findings.push(Finding::ok(format!("RAPL {domain} (perf)"), detail));
                    counters.push(spec(domain, facts));
                    events.push(opened);
                }
                Err(error) => findings.push(refused(domain, &error)),
            }
        }
    }
    (!events.is_empty()).then_some(RaplPerf { counters, events })
}

/// Where each CPU of the PMU's `cpumask` sits.
fn places(
    pmu: &PerfPmu,
    facts: &HostFacts,
    findings: &mut Vec<Finding>,
) -> BTreeMap<u16, CpuPlace> {
    let mut places = BTreeMap::new();
    for cpu in &pmu.cpus {
        match facts.topology.cpus.get(cpu) {
            Some(place) => {
                places.insert(*cpu, *place);
            }
            None => findings.push(Finding::degraded(
                "RAPL (perf)",
                format!(
                    "the power PMU is to be read on CPU {cpu}, whose socket is unknown: not used"
                ),
            )),
        }
    }
    places
}

fn spec(domain: DomainId, facts: &HostFacts) -> CounterSpec {
    let whole_joules = counts_whole_joules(domain.domain, facts);
    CounterSpec {
        domain,
        range: None,
        quantum: if whole_joules { Microjoules::new(1_000_000) } else { USUAL_QUANTUM },
        update_period: update_period(&facts.vendor),
        ceiling: ceiling(domain.domain),
        shows: Shown::Energy,
    }
}

fn no_pmu(facts: &HostFacts) -> Finding {
    let finding = Finding::missing("RAPL (perf)", "the kernel has no power PMU");
    let may_have_one = matches!(facts.vendor, CpuVendor::Intel | CpuVendor::Amd | CpuVendor::Hygon);
    if may_have_one && facts.virtualisation.is_none() {
        finding.remedied_by("sudo modprobe rapl")
    } else {
        finding
    }
}

fn refused(domain: DomainId, error: &SourceError) -> Finding {
    let finding = Finding::missing(format!("RAPL {domain} (perf)"), error.to_string());
    if error.is_permission() { finding.remedied_by("sudo energy-prof …") } else { finding }
}
