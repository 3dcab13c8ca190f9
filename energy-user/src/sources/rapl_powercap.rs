//! RAPL counters read from the powercap tree in sysfs.
//!
//! Zones are found by `name`, never by index. Files are opened once and read again and again at offset 0,
//! so privileges can be dropped after opening. A virtual machine reads its host's export, which has the
//! same layout, by another root.
//! Reference: Linux v6.12, Documentation/power/powercap/powercap.rst

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::discover::{Machine, Sought};
use super::number_file::NumberFile;
use super::powercap_remedy::{missing_counters, remedy_without_zones};
use super::rapl_registers::{USUAL_QUANTUM, ceiling, update_period};
use super::rapl_zone::{domain_of_zone, psys_of_first_socket};
use super::undisturbed::read_undisturbed;
use super::wrapping_counter::turn_of;
use super::{
    ClockFn, CounterReading, CounterSpec, CpuVendor, EnergySource, Finding, ScaphandreGuest, Shown,
    SourceError,
};
use crate::model::{Domain, DomainId, Provenance};
use crate::units::Microjoules;

/// Zones nest three deep at most: control type, package, domain.
const DEEPEST_ZONE: usize = 3;

/// The counters of a powercap tree.
#[derive(Debug)]
pub struct RaplPowercap {
    counters: Vec<CounterSpec>,
    files: Vec<NumberFile>,
}

/// What [`RaplPowercap::open`] found.
#[derive(Debug)]
pub struct PowercapZones {
    /// The readable counters; `None` where there is not one.
    pub source: Option<RaplPowercap>,
    /// One for each zone: read, or why not.
    pub findings: Vec<Finding>,
    /// Whether a counter was there but not readable for want of privileges.
    pub denied: bool,
}

/// Looks for zones on a machine.
pub(super) fn seek(machine: &Machine) -> Sought {
    let default = machine.sysfs.join("class/powercap");
    let root = machine.powercap_root.unwrap_or(&default);
    if let Some(sought) = machine.powercap_root.and_then(seek_guest) {
        return sought;
    }
    match RaplPowercap::open(root, &machine.facts.vendor) {
        Ok(mut zones) => {
            let mut findings = std::mem::take(&mut zones.findings);
            if zones.source.is_none() {
                findings.insert(0, missing_counters(&zones, root, machine));
            }
            let source = zones.source.map(|source| Box::new(source) as Box<dyn EnergySource>);
            Sought { source, findings, ..Sought::default() }
        }
        Err(error) => {
            let finding = Finding::missing("RAPL (powercap)", error.to_string());
            let findings = vec![finding.remedied_by(remedy_without_zones(machine))];
            Sought { findings, ..Sought::default() }
        }
    }
}

/// Looks for what Scaphandre exports to a virtual machine, in a root that was named.
fn seek_guest(root: &Path) -> Option<Sought> {
    let what = "Scaphandre's share of the host";
    match ScaphandreGuest::open(root).transpose()? {
        Ok(guest) => {
            let note = guest.note().unwrap_or_default();
            let detail = format!("{}: {note}", guest.path().display());
            let findings = vec![Finding::degraded(what, detail)];
            Some(Sought { source: Some(Box::new(guest)), findings, ..Sought::default() })
        }
        Err(error) => {
            let findings = vec![Finding::missing(what, error.to_string())];
            Some(Sought { findings, ..Sought::default() })
        }
    }
}

impl RaplPowercap {
    /// Opens every counter under `root` that can be used: those of `/sys/class/powercap`, or of a tree of
    /// the same layout. `vendor` tells whose registers they are.
    ///
    /// Fails only where `root` cannot be listed. Zones that cannot be used are findings.
    pub fn open(root: &Path, vendor: &CpuVendor) -> Result<PowercapZones, SourceError> {
        let mut zones = zones_below(root)?;
        zones.sort_by_key(|zone| (zone.twin, zone.domain));
        let mut findings = Vec::new();
        let mut opened: BTreeMap<DomainId, OpenZone> = BTreeMap::new();
        let mut denied = false;
        for zone in zones {
            let what = format!("RAPL {}", zone.name);
            let Some(domain) = zone.domain else {
                let detail =
                    format!("{} is a zone of no known kind: not used", zone.path.display());
                findings.push(Finding::degraded(what, detail));
                continue;
            };
            if domain.domain == Domain::Core && !vendor.counts_all_cores() {
                let detail = "on this processor the core zone counts the first core only: not used";
                findings.push(Finding::ok(what, detail));
                continue;
            }
            if let Some(other) = opened.get(&domain) {
                findings.push(already_counted(what, &zone, other));
                continue;
            }
            match OpenZone::open(&zone.path, domain, vendor) {
                Ok(open) => {
                    opened.insert(domain, open);
                }
                Err(error) => {
                    denied |= error.is_permission();
                    findings.push(unreadable(what, &error));
                }
            }
        }
        findings.splice(0..0, opened.values().map(OpenZone::finding));
        let (counters, files): (Vec<_>, Vec<_>) =
            opened.into_values().map(|zone| (zone.spec, zone.file)).unzip();
        let source = (!counters.is_empty()).then_some(Self { counters, files });
        Ok(PowercapZones { source, findings, denied })
    }
}

impl EnergySource for RaplPowercap {
    fn name(&self) -> &'static str {
        "rapl-powercap"
    }

    fn provenance(&self) -> Provenance {
        Provenance::Measured
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>) {
        for (counter, file) in self.files.iter_mut().enumerate() {
            out.push(read_undisturbed(counter, clock, || file.read().map(Microjoules::new)));
        }
    }
}

fn already_counted(what: String, zone: &Zone, other: &OpenZone) -> Finding {
    let (this, that) = (zone.path.display(), other.file.path().display());
    if zone.twin {
        Finding::ok(what, format!("{this} counts the same silicon as {that}: not used"))
    } else {
        let detail = format!("{this} has the same name as {that}: not used, so energy is missing");
        Finding::degraded(what, detail)
    }
}

fn unreadable(what: String, error: &SourceError) -> Finding {
    let finding = Finding::missing(what, error.to_string());
    if error.is_permission() { finding.remedied_by("sudo energy-prof …") } else { finding }
}

/// A zone's directory.
#[derive(Debug)]
struct Zone {
    path: PathBuf,
    name: String,
    domain: Option<DomainId>,
    /// Whether it is read through memory-mapped registers: the same silicon as its MSR twin.
    twin: bool,
}

/// The zones at or below `root`, each once: `/sys/class/powercap` lists nested zones beside their parents
/// and again inside them.
fn zones_below(root: &Path) -> Result<Vec<Zone>, SourceError> {
    let mut paths = BTreeMap::new();
    collect_zone_directories(root, DEEPEST_ZONE, &mut paths)?;
    let name_of = |path: &PathBuf| {
        let text = fs::read_to_string(path.join("name")).unwrap_or_default();
        text.trim().to_owned()
    };
    let names: BTreeMap<&str, String> =
        paths.iter().map(|(directory, path)| (directory.as_str(), name_of(path))).collect();
    let mut zones: Vec<Zone> = Vec::new();
    for (directory, path) in &paths {
        let parent = directory.rsplit_once(':').and_then(|(parent, _)| names.get(parent));
        let parent = parent.and_then(|name| domain_of_zone(name, None));
        let name = names[directory.as_str()].clone();
        zones.push(Zone {
            path: path.clone(),
            domain: domain_of_zone(&name, parent),
            name: if name.is_empty() { directory.clone() } else { name },
            twin: directory.starts_with("intel-rapl-mmio"),
        });
    }
    let mut domains: Vec<DomainId> = zones.iter().filter_map(|zone| zone.domain).collect();
    psys_of_first_socket(&mut domains);
    for (zone, domain) in zones.iter_mut().filter(|zone| zone.domain.is_some()).zip(domains) {
        zone.domain = Some(domain);
    }
    Ok(zones)
}

fn collect_zone_directories(
    directory: &Path,
    depth: usize,
    paths: &mut BTreeMap<String, PathBuf>,
) -> Result<(), SourceError> {
    let entries = fs::read_dir(directory).map_err(|cause| SourceError::list(directory, cause))?;
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        if !name.starts_with("intel-rapl") || !path.is_dir() {
            continue;
        }
        if name.contains(':') {
            paths.entry(name).or_insert_with(|| path.clone());
        }
        if depth > 1 {
            // A zone that cannot be listed is still read if its files can.
            let _unlisted = collect_zone_directories(&path, depth - 1, paths);
        }
    }
    Ok(())
}

#[derive(Debug)]
struct OpenZone {
    spec: CounterSpec,
    file: NumberFile,
}

impl OpenZone {
    fn open(zone: &Path, domain: DomainId, vendor: &CpuVendor) -> Result<Self, SourceError> {
        let mut file = NumberFile::open(zone.join("energy_uj"), "microjoules")?;
        file.read()?;
        let highest = fs::read_to_string(zone.join("max_energy_range_uj"));
        let turn = highest.ok().and_then(|text| text.trim().parse().ok()).map(turn_of);
        let quantum = turn.and_then(|turn| turn.unit_nj);
        let spec = CounterSpec {
            domain,
            range: turn.map(|turn| Microjoules::new(turn.size_uj)),
            quantum: quantum
                .map_or(USUAL_QUANTUM, |unit_nj| Microjoules::new(unit_nj.div_ceil(1000))),
            update_period: update_period(vendor),
            ceiling: ceiling(domain.domain),
            shows: Shown::Energy,
        };
        Ok(Self { spec, file })
    }

    fn finding(&self) -> Finding {
        let what = format!("RAPL {}", self.spec.domain);
        let detail = format!("measured by {}", self.file.path().display());
        match self.spec.range {
            Some(_) => Finding::ok(what, detail),
            None => Finding::degraded(
                what,
                format!("{detail}, whose range is unknown: a wrap would count as a reset"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_root_is_an_error_that_names_it() {
        let error = RaplPowercap::open(Path::new("/nowhere/powercap"), &CpuVendor::Intel);
        assert_eq!(
            error.unwrap_err().to_string(),
            "cannot list /nowhere/powercap: no such file or directory"
        );
    }
}
