//! What the chips of hardware monitoring measure, by their names and labels. No chip says what contains what,
//! so only what is known here becomes part of a total; everything else is a rail beside it.

use crate::model::{Domain, DomainId};

/// What a channel covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This domain.
    Domain(DomainId),
    /// A device of this kind, to be numbered in the order found.
    Device(Domain),
    /// Part of what another channel of the chip, or another chip, measures.
    Contained,
}

/// Drivers of graphics cards. Their first channel is the card, others are parts of it.
const GRAPHICS: [&str; 5] = ["amdgpu", "radeon", "nouveau", "i915", "xe"];

/// Rails that feed all others of a board: NVIDIA's Jetson TX2, Xavier NX, Orin NX and Orin Nano, and Nano
/// (Jetson Linux Developer Guide, "Power Consumption": "total module power").
const ALL_OF_A_BOARD: [&str; 2] = ["VDD_IN", "POM_5V_IN"];

/// What NVIDIA's Grace calls its ACPI power meters, and what they cover: the processor with its memory, its cores
/// and the rest of it; the module adds the graphics processor and what regulators lose.
/// Reference: NVIDIA Grace Performance Tuning Guide, "Power and Thermals".
const GRACE: [(&str, Domain); 4] = [
    ("Module Power Socket ", Domain::Psys),
    ("Grace Power Socket ", Domain::Package),
    ("CPU Power Socket ", Domain::Core),
    ("SysIO Power Socket ", Domain::Uncore),
];

/// What the channel with index `channel` of a chip measures.
pub(super) fn place(chip: &str, channel: usize, label: Option<&str>) -> Place {
    if GRAPHICS.contains(&chip) {
        return if channel == 0 { Place::Device(Domain::Gpu) } else { Place::Contained };
    }
    // The parts of an Intel card, beside the chip of the card.
    if chip.starts_with("i915_gt") {
        return Place::Contained;
    }
    let label = label.unwrap_or_default();
    match chip {
        "power_meter" => grace(label).map_or(Place::Device(Domain::Machine), Place::Domain),
        "amd_energy" => match label.strip_prefix("Esocket").map(str::parse) {
            Some(Ok(socket)) => Place::Domain(DomainId::of_socket(Domain::Package, socket)),
            _ => Place::Contained,
        },
        _ if ALL_OF_A_BOARD.contains(&label) => Place::Device(Domain::Machine),
        _ => Place::Device(Domain::Rail),
    }
}

fn grace(label: &str) -> Option<DomainId> {
    GRACE.iter().find_map(|(prefix, domain)| {
        let socket = label.strip_prefix(prefix)?.parse().ok()?;
        Some(DomainId::of_socket(*domain, socket))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_channel_of_a_card_is_the_card() {
        assert_eq!(place("xe", 0, Some("card")), Place::Device(Domain::Gpu));
        assert_eq!(place("xe", 1, Some("pkg")), Place::Contained);
        assert_eq!(place("i915_gt0", 0, None), Place::Contained);
    }

    #[test]
    fn an_acpi_meter_is_the_machine_unless_grace_says_otherwise() {
        let machine = Place::Device(Domain::Machine);
        assert_eq!(place("power_meter", 0, None), machine);
        assert_eq!(place("power_meter", 0, Some("CPU Power Socket x")), machine);
        let cores = DomainId::of_socket(Domain::Core, 1);
        assert_eq!(place("power_meter", 0, Some("CPU Power Socket 1")), Place::Domain(cores));
    }

    #[test]
    fn what_is_not_known_is_a_rail() {
        assert_eq!(place("ina226", 0, None), Place::Device(Domain::Rail));
        assert_eq!(place("ina3221", 1, Some("VDD_CPU_GPU_CV")), Place::Device(Domain::Rail));
        assert_eq!(place("ina3221", 0, Some("VDD_IN")), Place::Device(Domain::Machine));
        let socket = DomainId::of_socket(Domain::Package, 1);
        assert_eq!(place("amd_energy", 65, Some("Esocket1")), Place::Domain(socket));
        assert_eq!(place("amd_energy", 0, Some("Ecore000")), Place::Contained);
    }
}
