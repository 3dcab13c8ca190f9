//! Which sources a machine has, what is missing, and what would make it better.

use std::path::{Path, PathBuf};

use super::{CpuVendor, EnergySource, Finding, HostFacts, PowerModel, PowercapZones, RaplPowercap};

/// Where Linux shows RAPL's zones.
pub const DEFAULT_POWERCAP_ROOT: &str = "/sys/class/powercap";

/// What the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// Read zones under this directory and nowhere else; the default is [`DEFAULT_POWERCAP_ROOT`].
    pub powercap_root: Option<PathBuf>,
    /// Estimate even where counters could be read.
    pub force_model: bool,
}

/// What there is to measure or to estimate with.
pub struct Discovery {
    /// Counters, ready to be read.
    pub sources: Vec<Box<dyn EnergySource>>,
    /// The model, where there is no counter or it was asked for. Where a root was named and has no counter
    /// there is neither: an estimate is not what was asked for, and the findings say why.
    pub model: Option<PowerModel>,
    /// What was found out on the way, for people.
    pub findings: Vec<Finding>,
}

/// Looks for sources.
pub fn discover(options: &SourceOptions, facts: &HostFacts) -> Discovery {
    let mut findings = Vec::new();
    let mut sources: Vec<Box<dyn EnergySource>> = Vec::new();
    if options.force_model {
        findings
            .push(Finding::ok("energy source", "counters are not read: the model was asked for"));
    } else {
        let default_root = Path::new(DEFAULT_POWERCAP_ROOT);
        let root = options.powercap_root.as_deref().unwrap_or(default_root);
        match RaplPowercap::open(root, &facts.vendor) {
            Ok(zones) => {
                findings.extend(missing_counters(&zones, root, options, facts));
                findings.extend(zones.findings);
                if let Some(source) = zones.source {
                    sources.push(Box::new(source));
                }
            }
            Err(error) => {
                let finding = Finding::missing("RAPL (powercap)", error.to_string());
                findings.push(finding.remedied_by(remedy_without_zones(options, facts)));
            }
        }
    }
    let estimate = sources.is_empty() && (options.force_model || options.powercap_root.is_none());
    let model = estimate.then(|| PowerModel::for_host(facts));
    if let Some(model) = &model {
        findings.push(Finding::degraded("energy model", model.note()));
    }
    Discovery { sources, model, findings }
}

/// A root that can be listed and has no counter to read.
fn missing_counters(
    zones: &PowercapZones,
    root: &Path,
    options: &SourceOptions,
    facts: &HostFacts,
) -> Option<Finding> {
    if zones.source.is_some() {
        return None;
    }
    let what = "RAPL (powercap)";
    if zones.denied {
        let detail = format!("the counters under {} are readable by root only", root.display());
        let remedy = "run as root: sudo energy-prof …".to_owned();
        return Some(Finding::missing(what, detail).remedied_by(remedy));
    }
    let detail = format!("{} has no zone that can be read", root.display());
    Some(Finding::missing(what, detail).remedied_by(remedy_without_zones(options, facts)))
}

/// The way to have zones at all.
fn remedy_without_zones(options: &SourceOptions, facts: &HostFacts) -> String {
    if options.powercap_root.is_some() {
        return "name a directory that holds intel-rapl:* zones, as /sys/class/powercap does"
            .to_owned();
    }
    if let Some(hypervisor) = &facts.virtualisation {
        return format!(
            "this is a virtual machine ({hypervisor}) and its host shows it no counters: ask the host to \
             export its /sys/class/powercap into the guest (a read-only virtiofs or 9p share, as \
             `scaphandre qemu` writes it), then pass --powercap-root DIR; or measure on the host"
        );
    }
    match facts.vendor {
        // Fam17h and Fam19h: Linux 5.11, drivers/powercap/intel_rapl_common.c, `rapl_ids`.
        CpuVendor::Amd | CpuVendor::Hygon if !facts.kernel_at_least(5, 11) => format!(
            "kernel {} has no powercap zones for {} processors: upgrade to 5.11 or newer",
            facts.kernel, facts.vendor
        ),
        // Linux 6.13 and stable kernels with "powercap: intel_rapl: Add support for AMD family 1Ah".
        CpuVendor::Amd if facts.family == Some(0x1a) && !module(facts, "intel_rapl_msr") => {
            "sudo modprobe intel_rapl_msr; on family 1Ah (Zen 5) this needs a kernel from 6.12 or 6.13 on"
                .to_owned()
        }
        CpuVendor::Intel | CpuVendor::Amd | CpuVendor::Hygon
            if !module(facts, "intel_rapl_msr") || !module(facts, "intel_rapl_common") =>
        {
            "sudo modprobe intel_rapl_msr".to_owned()
        }
        CpuVendor::Intel | CpuVendor::Amd | CpuVendor::Hygon => {
            "the driver is loaded and found no register: look for \"rapl\" in `sudo dmesg`".to_owned()
        }
        CpuVendor::Other => format!(
            "RAPL is a feature of x86 processors, and this one ({}) is none that Linux knows to have it: \
             only an estimate is possible",
            facts.arch
        ),
    }
}

fn module(facts: &HostFacts, name: &str) -> bool {
    facts.modules.iter().any(|module| module == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedy(facts: &HostFacts) -> String {
        remedy_without_zones(&SourceOptions::default(), facts)
    }

    #[test]
    fn the_way_out_depends_on_the_machine() {
        let intel = HostFacts {
            vendor: CpuVendor::Intel,
            kernel: "6.12.0".to_owned(),
            ..HostFacts::default()
        };
        assert_eq!(remedy(&intel), "sudo modprobe intel_rapl_msr");
        let old_amd = HostFacts {
            vendor: CpuVendor::Amd,
            kernel: "5.10.0-28-amd64".to_owned(),
            ..HostFacts::default()
        };
        assert!(remedy(&old_amd).contains("5.11"));
        let guest = HostFacts { virtualisation: Some("QEMU".to_owned()), ..intel };
        assert!(remedy(&guest).contains("--powercap-root"));
        assert!(
            remedy(&HostFacts { arch: "aarch64".to_owned(), ..HostFacts::default() })
                .contains("aarch64")
        );
    }
}
