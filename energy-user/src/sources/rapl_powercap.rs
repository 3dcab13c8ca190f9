//! RAPL counters read from the powercap tree in sysfs.
//!
//! Zones are found by `name`, never by index. Files are opened once and read again and again at offset 0,
//! so privileges can be dropped after opening. A virtual machine reads its host's export, which has the
//! same layout, by another root.
//! Reference: Linux v6.12, Documentation/power/powercap/powercap.rst

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::rapl_zone::{domain_of_zone, psys_of_first_socket};
use super::wrapping_counter::turn_of;
use super::{ClockFn, CounterReading, CounterSpec, CpuVendor, EnergySource, Finding, SourceError};
use crate::model::{Domain, DomainId, Provenance};
use crate::units::{Microjoules, Nanoseconds, Watts};

/// RAPL registers advance every 1/1024 s (Intel SDM vol. 3B, 14.9.3, "every ~1 msec"; 0.976 ms measured
/// by Raffin and Trystram, arXiv 2401.15985), AMD's every millisecond (`Documentation/hwmon/amd_energy.rst`).
const INTEL_UPDATE_PERIOD: Nanoseconds = Nanoseconds::new(976_563);
const AMD_UPDATE_PERIOD: Nanoseconds = Nanoseconds::from_millis(1);

/// The unit of Intel's packages, 2⁻¹⁴ J, taken where a range does not give the unit away.
const USUAL_QUANTUM: Microjoules = Microjoules::new(61);

/// A reading that took longer was interrupted, on a busy machine for milliseconds: it does not tell
/// when the counter had its value, and is made again, so often at most.
const UNDISTURBED: Nanoseconds = Nanoseconds::new(100_000);
const ATTEMPTS: usize = 3;

/// Zones nest three deep at most: control type, package, domain.
const DEEPEST_ZONE: usize = 3;

/// The counters of a powercap tree.
#[derive(Debug)]
pub struct RaplPowercap {
    counters: Vec<CounterSpec>,
    files: Vec<CounterFile>,
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

    fn note(&self) -> Option<String> {
        None
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>) {
        for (counter, file) in self.files.iter_mut().enumerate() {
            let mut reading = file.read_between(counter, clock);
            for _ in 1..ATTEMPTS {
                if reading.spread <= UNDISTURBED || reading.value.is_err() {
                    break;
                }
                let again = file.read_between(counter, clock);
                if again.spread < reading.spread {
                    reading = again;
                }
            }
            out.push(reading);
        }
    }
}

fn already_counted(what: String, zone: &Zone, other: &OpenZone) -> Finding {
    let (this, that) = (zone.path.display(), other.file.path.display());
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
    file: CounterFile,
}

impl OpenZone {
    fn open(zone: &Path, domain: DomainId, vendor: &CpuVendor) -> Result<Self, SourceError> {
        let mut file = CounterFile::open(zone.join("energy_uj"))?;
        file.read()?;
        let highest = fs::read_to_string(zone.join("max_energy_range_uj"));
        let turn = highest.ok().and_then(|text| text.trim().parse().ok()).map(turn_of);
        let quantum = turn.and_then(|turn| turn.unit_nj);
        let spec = CounterSpec {
            domain,
            range: turn.map(|turn| Microjoules::new(turn.size_uj)),
            quantum: quantum
                .map_or(USUAL_QUANTUM, |unit_nj| Microjoules::new(unit_nj.div_ceil(1000))),
            update_period: match vendor {
                CpuVendor::Amd | CpuVendor::Hygon => AMD_UPDATE_PERIOD,
                _ => INTEL_UPDATE_PERIOD,
            },
            ceiling: ceiling(domain.domain),
        };
        Ok(Self { spec, file })
    }

    fn finding(&self) -> Finding {
        let what = format!("RAPL {}", self.spec.domain);
        let detail = format!("measured by {}", self.file.path.display());
        match self.spec.range {
            Some(_) => Finding::ok(what, detail),
            None => Finding::degraded(
                what,
                format!("{detail}, whose range is unknown: a wrap would count as a reset"),
            ),
        }
    }
}

/// More than any such part draws, even for a millisecond: the largest packages of 2025 have a TDP of 500 W
/// (EPYC 9965, Xeon 6980P) and short peaks of about twice that; 24 DIMMs draw below 500 W.
const fn ceiling(domain: Domain) -> Watts {
    match domain {
        Domain::Package | Domain::Core | Domain::Uncore => Watts::new(1000.0),
        Domain::Dram => Watts::new(500.0),
        Domain::Psys => Watts::new(10_000.0),
    }
}

/// An open `energy_uj`.
#[derive(Debug)]
struct CounterFile {
    path: PathBuf,
    file: File,
    /// Whether the last read failed, so that the file may have been replaced (a module loaded again).
    failed: bool,
}

impl CounterFile {
    fn open(path: PathBuf) -> Result<Self, SourceError> {
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file, failed: false }),
            Err(cause) => Err(SourceError::read(&path, cause)),
        }
    }

    fn read(&mut self) -> Result<Microjoules, SourceError> {
        if self.failed
            && let Ok(file) = File::open(&self.path)
        {
            self.file = file;
        }
        let value = self.read_once();
        self.failed = value.is_err();
        value
    }

    /// Reads, and looks at the clock before and after.
    fn read_between(&mut self, counter: usize, clock: &ClockFn) -> CounterReading {
        let before = clock();
        let value = self.read();
        let spread = clock().since(before);
        let at = before + Nanoseconds::new(spread.get() / 2);
        CounterReading { counter, at, spread, value }
    }

    fn read_once(&self) -> Result<Microjoules, SourceError> {
        let mut text = [0; 32];
        let length = self
            .file
            .read_at(&mut text, 0)
            .map_err(|cause| SourceError::read(&self.path, cause))?;
        let text = &text[..length];
        parse_counter(text).ok_or_else(|| SourceError::not_a_number(&self.path, text))
    }
}

/// A whole number of microjoules, as the kernel prints it.
fn parse_counter(text: &[u8]) -> Option<Microjoules> {
    let text = str::from_utf8(text).ok()?;
    text.trim_ascii_end().parse().ok().map(Microjoules::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_a_whole_number_and_nothing_else() {
        assert_eq!(parse_counter(b"262143328849\n"), Some(Microjoules::new(262_143_328_849)));
        assert_eq!(parse_counter(b"00000000000000000061\n"), Some(Microjoules::new(61)));
        for garbage in [&b""[..], b"\n", b"-5\n", b"12 34\n", b"0x10\n", b"\xff\n"] {
            assert_eq!(parse_counter(garbage), None);
        }
    }

    #[test]
    fn a_missing_root_is_an_error_that_names_it() {
        let error = RaplPowercap::open(Path::new("/nowhere/powercap"), &CpuVendor::Intel);
        assert_eq!(
            error.unwrap_err().to_string(),
            "cannot list /nowhere/powercap: no such file or directory"
        );
    }
}
