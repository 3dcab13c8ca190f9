//! What would give a machine powercap zones that it lacks.

use std::path::Path;

use super::discover::Machine;
use super::{CpuVendor, Finding, HostFacts, PowercapZones};

/// A root that can be listed and has no counter to read.
pub(super) fn missing_counters(zones: &PowercapZones, root: &Path, machine: &Machine) -> Finding {
    let what = "RAPL (powercap)";
    if zones.denied {
        let detail = format!("the counters under {} are readable by root only", root.display());
        let remedy = "run as root: sudo energy-prof …".to_owned();
        return Finding::missing(what, detail).remedied_by(remedy);
    }
    let detail = format!("{} has no zone that can be read", root.display());
    Finding::missing(what, detail).remedied_by(remedy_without_zones(machine))
}

/// The way to have zones at all.
pub(super) fn remedy_without_zones(machine: &Machine) -> String {
    if machine.powercap_root.is_some() {
        return "name a directory that holds intel-rapl:* zones, as /sys/class/powercap does"
            .to_owned();
    }
    remedy_on(machine.facts)
}

fn remedy_on(facts: &HostFacts) -> String {
    if let Some(hypervisor) = &facts.virtualisation {
        return format!(
            "this is a virtual machine ({hypervisor}) and its host shows it no counters: ask the host to \
             share its /sys/class/powercap read-only with the guest (virtiofs, 9p), mount it and pass \
             --powercap-root DIR; or measure on the host"
        );
    }
    match facts.vendor {
        // Families 17h and 19h: Linux 5.11, drivers/powercap/intel_rapl_common.c, `rapl_ids`.
        CpuVendor::Amd | CpuVendor::Hygon if !facts.kernel_at_least(5, 11) => format!(
            "kernel {} has no powercap zones for {} processors: upgrade to 5.11 or newer",
            facts.kernel, facts.vendor
        ),
        CpuVendor::Amd if facts.family == Some(0x1a) => {
            "sudo modprobe intel_rapl_msr; if it finds nothing, this kernel does not know family 1Ah (Zen 5) \
             yet: upgrade it"
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
             another source must measure",
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

    #[test]
    fn the_way_out_depends_on_the_machine() {
        let intel = HostFacts {
            vendor: CpuVendor::Intel,
            kernel: "6.12.0".to_owned(),
            ..HostFacts::default()
        };
        assert_eq!(remedy_on(&intel), "sudo modprobe intel_rapl_msr");
        let old_amd = HostFacts {
            vendor: CpuVendor::Amd,
            kernel: "5.10.0-28-amd64".to_owned(),
            ..HostFacts::default()
        };
        assert!(remedy_on(&old_amd).contains("5.11"));
        let guest = HostFacts { virtualisation: Some("QEMU".to_owned()), ..intel };
        assert!(remedy_on(&guest).contains("--powercap-root"));
        assert!(
            remedy_on(&HostFacts { arch: "aarch64".to_owned(), ..HostFacts::default() })
                .contains("aarch64")
        );
    }
}
