//! Server processors' micro-architectures by CPUID, for the table of watts per vCPU.
//!
//! The table was derived from servers, so clients of the same architecture are not looked up in it.
//! References: Linux v6.12, arch/x86/include/asm/intel-family.h (Intel models) and
//! arch/x86/kernel/cpu/amd.c, `bsp_init_amd` (Zen generations); Skylake's, Cascade Lake's and Cooper Lake's
//! servers share model 0x55 and differ in stepping (arch/x86/events/intel/core.c, `isolation_ucodes`).

use super::{CpuVendor, HostFacts};

/// The architecture's name in `cpu_family_watts.csv`; `None` where it is not known for certain.
pub(super) fn server_architecture(facts: &HostFacts) -> Option<&'static str> {
    let name = facts.cpu_model.as_deref()?.to_lowercase();
    let (family, model) = (facts.family?, facts.model?);
    match facts.vendor {
        CpuVendor::Intel if family == 6 && name.contains("xeon") => intel(model, facts.stepping?),
        CpuVendor::Amd if name.contains("epyc") => amd(family, model),
        _ => None,
    }
}

const fn intel(model: u32, stepping: u32) -> Option<&'static str> {
    Some(match (model, stepping) {
        (0x2d, _) => "Sandy Bridge",
        (0x3e, _) => "Ivy Bridge",
        (0x3f, _) => "Haswell",
        (0x4f | 0x56, _) => "Broadwell",
        (0x55, 0..=4) => "Skylake",
        (0x55, 5..=7) => "Cascade Lake",
        // Xeon E-2100 and E-2200; earlier steppings are Kaby Lake.
        (0x9e, 10..=13) => "Coffee Lake",
        (0x6a | 0x6c, _) => "Ice Lake",
        (0x8f, _) => "Sapphire Rapids",
        (0xcf, _) => "Emerald Rapids",
        (0xad | 0xae, _) => "Granite Rapids",
        _ => return None,
    })
}

/// Zen 5 (family 0x1a) is left out: the table's row for it is doubtful.
const fn amd(family: u32, model: u32) -> Option<&'static str> {
    Some(match (family, model) {
        (0x17, 0x00..=0x0f) => "EPYC 1st Gen",
        (0x17, 0x30..=0x3f) => "EPYC 2nd Gen",
        (0x19, 0x00..=0x0f) => "EPYC 3rd Gen",
        (0x19, 0x10..=0x1f | 0xa0..=0xaf) => "EPYC 4th Gen",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(vendor: CpuVendor, name: &str, family: u32, model: u32, stepping: u32) -> HostFacts {
        HostFacts {
            vendor,
            cpu_model: Some(name.to_owned()),
            family: Some(family),
            model: Some(model),
            stepping: Some(stepping),
            ..HostFacts::default()
        }
    }

    #[test]
    fn servers_are_known_by_their_numbers() {
        let xeon = |model, stepping| {
            server_architecture(&facts(CpuVendor::Intel, "Intel(R) Xeon(R)", 6, model, stepping))
        };
        assert_eq!(xeon(0x55, 4), Some("Skylake"));
        assert_eq!(xeon(0x55, 7), Some("Cascade Lake"));
        assert_eq!(xeon(0x55, 11), None, "Cooper Lake is not in the table");
        assert_eq!(xeon(0x8f, 8), Some("Sapphire Rapids"));
        let epyc = |family, model| {
            server_architecture(&facts(CpuVendor::Amd, "AMD EPYC", family, model, 1))
        };
        assert_eq!(epyc(0x19, 0x01), Some("EPYC 3rd Gen"));
        assert_eq!(epyc(0x1a, 0x02), None, "the table's figure for Zen 5 is doubtful");
    }

    #[test]
    fn clients_are_not_taken_for_servers() {
        let ryzen = facts(CpuVendor::Amd, "AMD Ryzen 7 1700", 0x17, 0x01, 1);
        assert_eq!(server_architecture(&ryzen), None);
    }
}
