//! What a step of a RAPL register is worth, and on which processors it is not what its unit register says.
//! Reference: Intel SDM vol. 4, `MSR_RAPL_POWER_UNIT`; Linux v6.14, arch/x86/events/rapl.c (`unit_quirk`),
//! v6.12, drivers/powercap/intel_rapl_common.c (`rapl_check_unit_atom`).

use super::{CpuVendor, HostFacts};
use crate::model::Domain;
use crate::units::Microjoules;

/// Energy registers are 32 bits wide; the bits above are reserved, and not always 0.
const REGISTER_BITS: u32 = 32;

/// Models of Intel's family 6 that count their memory in 2⁻¹⁶ J, whatever their unit register says: servers
/// from Haswell to Ice Lake (`RAPL_UNIT_QUIRK_INTEL_HSW`).
const FIXED_UNIT_OF_MEMORY: [u32; 8] = [0x3f, 0x4f, 0x56, 0x55, 0x6a, 0x6c, 0x57, 0x85];

/// Those whose `psys` counts whole joules: Sapphire, Emerald and Granite Rapids
/// (`RAPL_UNIT_QUIRK_INTEL_SPR`).
const WHOLE_JOULES_OF_PSYS: [u32; 4] = [0x8f, 0xcf, 0xad, 0xae];

/// Those whose unit register holds a power of two of microjoules instead of a negative one of joules: Atoms
/// with Silvermont (Bay Trail, Merrifield) and Airmont cores (Cherry Trail, Moorefield).
const POWERS_OF_MICROJOULES: [u32; 4] = [0x37, 0x4a, 0x4c, 0x5a];

/// Whether `domain` of this machine counts whole joules.
pub(super) fn counts_whole_joules(domain: Domain, facts: &HostFacts) -> bool {
    domain == Domain::Psys && is_one_of(&WHOLE_JOULES_OF_PSYS, facts)
}

/// What a step of an energy register is worth: `microjoules` × 2^−`halvings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RegisterUnit {
    microjoules: u64,
    halvings: u32,
}

impl RegisterUnit {
    /// Of `domain`'s register, by what the unit register holds.
    pub(super) fn of(domain: Domain, unit_register: u64, facts: &HostFacts) -> Self {
        // Bits 12 to 8, the "energy status units".
        let exponent = u32::from(unit_register.to_le_bytes()[1] & 0x1f);
        if domain == Domain::Dram && is_one_of(&FIXED_UNIT_OF_MEMORY, facts) {
            Self { microjoules: 1_000_000, halvings: 16 }
        } else if counts_whole_joules(domain, facts) {
            Self { microjoules: 1_000_000, halvings: 0 }
        } else if is_one_of(&POWERS_OF_MICROJOULES, facts) {
            Self { microjoules: 1 << exponent, halvings: 0 }
        } else {
            Self { microjoules: 1_000_000, halvings: exponent }
        }
    }

    /// What a register that holds this value has counted, rounded down.
    pub(super) fn energy(self, register: u64) -> Microjoules {
        self.of_steps(register & ((1 << REGISTER_BITS) - 1))
    }

    /// What a register counts until it shows 0 again; a whole number of microjoules for every unit there is.
    pub(super) fn turn(self) -> Microjoules {
        self.of_steps(1 << REGISTER_BITS)
    }

    /// A step, rounded up.
    pub(super) fn quantum(self) -> Microjoules {
        Microjoules::new(self.microjoules.div_ceil(1 << self.halvings))
    }

    /// At most 2³² steps of at most 2³¹ microjoules each.
    fn of_steps(self, steps: u64) -> Microjoules {
        Microjoules::new((steps * self.microjoules) >> self.halvings)
    }
}

fn is_one_of(models: &[u32], facts: &HostFacts) -> bool {
    facts.vendor == CpuVendor::Intel
        && facts.family == Some(6)
        && facts.model.is_some_and(|model| models.contains(&model))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units of 2⁻¹⁴ J in bits 12 to 8, beside the units of power and time.
    const USUAL: u64 = 0x000a_0e03;

    fn intel(model: u32) -> HostFacts {
        HostFacts {
            vendor: CpuVendor::Intel,
            family: Some(6),
            model: Some(model),
            ..HostFacts::default()
        }
    }

    #[test]
    fn a_unit_is_a_negative_power_of_two_of_joules() {
        let unit = RegisterUnit::of(Domain::Package, USUAL, &intel(0x9e));
        assert_eq!(unit.energy(1 << 14), Microjoules::new(1_000_000));
        assert_eq!(unit.energy((1 << 14) - 1), Microjoules::new(999_938), "61.035 µJ less");
        assert_eq!(
            (unit.turn(), unit.quantum()),
            (Microjoules::new(262_144_000_000), Microjoules::new(62))
        );
    }

    #[test]
    fn bits_above_the_32nd_are_no_energy() {
        let unit = RegisterUnit::of(Domain::Package, USUAL, &intel(0x9e));
        assert_eq!(unit.energy(0xffff_ffff_0000_4000), Microjoules::new(1_000_000));
    }

    #[test]
    fn silvermont_counts_in_powers_of_two_of_microjoules() {
        // 2⁵ µJ.
        let unit = |model| RegisterUnit::of(Domain::Package, 0x0500, &intel(model));
        assert_eq!(unit(0x37).energy(1000), Microjoules::new(32_000));
        assert_eq!(unit(0x37).turn(), Microjoules::new(32 << 32));
        assert_eq!(unit(0x9e).energy(32), Microjoules::new(1_000_000), "2⁻⁵ J elsewhere");
        let largest = RegisterUnit::of(Domain::Package, 0x1f00, &intel(0x37));
        assert_eq!(largest.turn(), Microjoules::new(1 << 63));
    }

    #[test]
    fn memory_of_servers_before_sapphire_rapids_has_a_unit_of_its_own() {
        let memory = |model| RegisterUnit::of(Domain::Dram, USUAL, &intel(model)).energy(1 << 16);
        assert_eq!(memory(0x55), Microjoules::new(1_000_000), "Skylake-SP: 2⁻¹⁶ J");
        assert_eq!(memory(0x8f), Microjoules::new(4_000_000), "Sapphire Rapids: 2⁻¹⁴ J");
        let package = RegisterUnit::of(Domain::Package, USUAL, &intel(0x55));
        assert_eq!(package.energy(1 << 16), Microjoules::new(4_000_000));
    }

    #[test]
    fn the_platform_of_sapphire_rapids_counts_whole_joules() {
        let platform = |model| RegisterUnit::of(Domain::Psys, USUAL, &intel(model));
        assert_eq!(platform(0x8f).energy(7), Microjoules::new(7_000_000));
        assert_eq!(platform(0x8f).quantum(), Microjoules::new(1_000_000));
        assert_eq!(platform(0x9e).energy(1 << 14), Microjoules::new(1_000_000));
    }
}
