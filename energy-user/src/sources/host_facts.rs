//! What the machine says about itself in procfs and sysfs: processor, places of CPUs, memory, hypervisor.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::model::{CpuPlace, Topology};

/// Who made the processor, as `/proc/cpuinfo` spells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CpuVendor {
    /// `GenuineIntel`.
    Intel,
    /// `AuthenticAMD`.
    Amd,
    /// `HygonGenuine`, AMD's registers.
    Hygon,
    /// Any other, or none named (ARM, RISC-V).
    #[default]
    Other,
}

impl CpuVendor {
    /// Whether powercap's `core` zone counts all cores. AMD counts each core in its own register, and the
    /// zone shows one CPU's only (Linux v6.12, `drivers/powercap/intel_rapl_msr.c`, `rapl_msr_priv_amd`).
    pub const fn counts_all_cores(&self) -> bool {
        !matches!(self, Self::Amd | Self::Hygon)
    }

    fn from_cpuinfo(name: &str) -> Self {
        match name {
            "GenuineIntel" => Self::Intel,
            "AuthenticAMD" => Self::Amd,
            "HygonGenuine" => Self::Hygon,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for CpuVendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Intel => "Intel",
            Self::Amd => "AMD",
            Self::Hygon => "Hygon",
            Self::Other => "other",
        })
    }
}

/// What the machine says about itself. What it does not say is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// The host's name.
    pub hostname: String,
    /// The kernel's release, e.g. `6.12.1`.
    pub kernel: String,
    /// The architecture this program was built for, e.g. `x86_64`.
    pub arch: String,
    /// Which boot this is.
    pub boot_id: String,
    /// The processor's marketing name as the kernel gives it.
    pub cpu_model: Option<String>,
    /// Who made it.
    pub vendor: CpuVendor,
    /// CPUID family.
    pub family: Option<u32>,
    /// CPUID model.
    pub model: Option<u32>,
    /// CPUID stepping.
    pub stepping: Option<u32>,
    /// How many CPUs are online.
    pub cpus: u32,
    /// Where the online CPUs sit.
    pub topology: Topology,
    /// `MemTotal`: memory the kernel has at its disposal, a little less than what is fitted.
    pub memory_bytes: u64,
    /// The hypervisor's name in a virtual machine, `None` on hardware.
    pub virtualisation: Option<String>,
    /// Loaded kernel modules; what is built in is not listed.
    pub modules: Vec<String>,
}

impl HostFacts {
    /// Of this machine.
    pub fn of_this_machine() -> Self {
        Self::read(Path::new("/proc"), Path::new("/sys"))
    }

    /// From a procfs and a sysfs, or trees that look like them. What cannot be read is left out.
    pub fn read(procfs: &Path, sysfs: &Path) -> Self {
        let text = |path: &str| fs::read_to_string(procfs.join(path)).unwrap_or_default();
        let line = |path: &str| text(path).trim().to_owned();
        let cpuinfo = text("cpuinfo");
        let topology = topology(sysfs, &cpuinfo);
        let number = |key: &str| cpuinfo_field(&cpuinfo, key).and_then(|value| value.parse().ok());
        Self {
            hostname: line("sys/kernel/hostname"),
            kernel: line("sys/kernel/osrelease"),
            arch: std::env::consts::ARCH.to_owned(),
            boot_id: line("sys/kernel/random/boot_id"),
            cpu_model: cpuinfo_field(&cpuinfo, "model name").map(str::to_owned),
            vendor: cpuinfo_field(&cpuinfo, "vendor_id")
                .map_or(CpuVendor::Other, CpuVendor::from_cpuinfo),
            family: number("cpu family"),
            model: number("model"),
            stepping: number("stepping"),
            cpus: u32::try_from(topology.cpus.len()).expect("CPU numbers are 16 bits wide"),
            topology,
            memory_bytes: memory_bytes(&text("meminfo")).unwrap_or(0),
            virtualisation: virtualisation(sysfs, &cpuinfo),
            modules: text("modules")
                .lines()
                .filter_map(|line| line.split_whitespace().next())
                .map(str::to_owned)
                .collect(),
        }
    }

    /// Whether the kernel is at least version `major.minor`; true where its release cannot be read as one.
    pub fn kernel_at_least(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.kernel.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        match (parts.next(), parts.next()) {
            (Some(Ok(have_major)), Some(Ok(have_minor))) => {
                (have_major, have_minor) >= (major, minor)
            }
            _ => true,
        }
    }
}

/// The first value of `key` in `/proc/cpuinfo`.
fn cpuinfo_field<'a>(cpuinfo: &'a str, key: &str) -> Option<&'a str> {
    cpuinfo.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim_end() == key && !value.trim().is_empty()).then(|| value.trim())
    })
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// From sysfs; CPUs that it does not list are taken from `/proc/cpuinfo`, all on the first socket.
fn topology(sysfs: &Path, cpuinfo: &str) -> Topology {
    let cpus = sysfs.join("devices/system/cpu");
    let online = fs::read_to_string(cpus.join("online")).unwrap_or_default();
    let mut topology = Topology::default();
    let listed = cpuinfo.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim_end() == "processor").then(|| value.trim().parse().ok())?
    });
    for cpu in parse_cpu_list(&online).into_iter().chain(listed) {
        let place = cpus.join(format!("cpu{cpu}/topology"));
        // The kernel writes −1 for what an architecture does not say.
        let number = |file: &str| {
            let text = fs::read_to_string(place.join(file)).ok()?;
            text.trim().parse::<u16>().ok()
        };
        topology.cpus.entry(cpu).or_insert_with(|| CpuPlace {
            socket: number("physical_package_id").unwrap_or(0),
            die: number("die_id").unwrap_or(0),
            core: number("core_id").unwrap_or(cpu),
        });
    }
    topology
}

/// The CPUs of a list such as `0-3,8`; parts that are no list are left out.
pub(super) fn parse_cpu_list(text: &str) -> Vec<u16> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            cpus.extend(first..=last);
        }
    }
    cpus
}

/// The hypervisor by what the firmware calls the machine; the processor's flag says whether there is one.
fn virtualisation(sysfs: &Path, cpuinfo: &str) -> Option<String> {
    const MAKERS: [(&str, &str); 8] = [
        ("QEMU", "QEMU"),
        ("Amazon EC2", "Amazon EC2"),
        ("Google", "Google Compute Engine"),
        ("Microsoft Corporation", "Hyper-V"),
        ("VMware", "VMware"),
        ("innotek", "VirtualBox"),
        ("Xen", "Xen"),
        ("Parallels", "Parallels"),
    ];
    let line = |path: &str| {
        fs::read_to_string(sysfs.join(path)).map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    let flags = cpuinfo_field(cpuinfo, "flags").unwrap_or_default();
    let by_xen = line("hypervisor/type");
    if !flags.split(' ').any(|flag| flag == "hypervisor") && by_xen.is_empty() {
        return None;
    }
    let maker = line("class/dmi/id/sys_vendor");
    let known = MAKERS.iter().find(|(prefix, _)| maker.starts_with(prefix));
    Some(match known {
        Some((_, name)) => (*name).to_owned(),
        None if !by_xen.is_empty() => by_xen,
        None => "unknown hypervisor".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_cpu_list("0-2,8\n"), [0, 1, 2, 8]);
        assert_eq!(parse_cpu_list("0\n"), [0]);
        assert_eq!(parse_cpu_list(""), [] as [u16; 0]);
    }

    #[test]
    fn the_kernels_release_is_compared_by_number() {
        let facts = HostFacts { kernel: "5.10.0-28-amd64".to_owned(), ..HostFacts::default() };
        assert!(facts.kernel_at_least(5, 10));
        assert!(!facts.kernel_at_least(5, 11));
        assert!(facts.kernel_at_least(4, 20));
    }
}
