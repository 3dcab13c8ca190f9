//! Whole machines: what their sysfs shows, who they are, and what their perf events count.

use energy_prof::sources::{CpuVendor, HostFacts};

use super::fake_events::FakeEvents;
use super::fake_machine::{FakeMachine, facts};
use super::fake_powercap::FakePowercap;

/// Codes of the `power` PMU's events.
pub(crate) const CORES: u64 = 1;
pub(crate) const PACKAGE: u64 = 2;
pub(crate) const MEMORY: u64 = 3;
pub(crate) const GRAPHICS: u64 = 4;
pub(crate) const PLATFORM: u64 = 5;

/// A machine to look for sources on.
pub(crate) struct Whole {
    pub(crate) machine: FakeMachine,
    pub(crate) facts: HostFacts,
    pub(crate) events: FakeEvents,
}

/// Every machine by name.
pub(crate) fn all() -> [(&'static str, Whole); 8] {
    [
        ("intel_client", intel_client()),
        ("two_socket_xeon", two_socket_xeon()),
        ("two_die_package", two_die_package()),
        ("amd_zen", amd_zen()),
        ("grace", grace()),
        ("jetson", jetson()),
        ("raspberry_pi", raspberry_pi()),
        ("virtual_machine", virtual_machine()),
    ]
}

/// A laptop: package with cores and graphics, platform, a battery that is being charged, an Intel card.
pub(crate) fn intel_client() -> Whole {
    let power = [
        ("energy-cores", CORES),
        ("energy-pkg", PACKAGE),
        ("energy-gpu", GRAPHICS),
        ("energy-psys", PLATFORM),
    ];
    let machine =
        FakeMachine::new().with_powercap(&FakePowercap::client()).with_pmu("power", "0", &power);
    machine.write("class/hwmon/hwmon2/name", "coretemp");
    machine.write("class/hwmon/hwmon2/temp1_input", "41000");
    machine.write("class/hwmon/hwmon3/name", "i915");
    machine.write("class/hwmon/hwmon3/energy1_input", "123456");
    machine.write("class/power_supply/BAT0/type", "Battery");
    machine.write("class/power_supply/BAT0/status", "Charging");
    machine.write("class/power_supply/BAT0/power_now", "9000000");
    let facts = facts(CpuVendor::Intel, &[(0, 0, 0), (0, 0, 0), (0, 0, 1), (0, 0, 1)]);
    Whole { machine, facts, events: counting(&power, &[0]) }
}

/// A server of two sockets with memory and platform counters, and an ACPI meter of its supply.
pub(crate) fn two_socket_xeon() -> Whole {
    let power = [("energy-pkg", PACKAGE), ("energy-ram", MEMORY), ("energy-psys", PLATFORM)];
    let tree = FakePowercap::two_socket_server();
    // Sapphire Rapids counts its platform in whole joules.
    tree.zone("intel-rapl:2", "psys", 4_294_967_295_000_000, 5_000_000);
    tree.zone("intel-rapl:3", "psys-1", 4_294_967_295_000_000, 6_000_000);
    let machine = FakeMachine::new().with_powercap(&tree).with_pmu("power", "0,2", &power);
    machine.write("class/hwmon/hwmon0/device/name", "power_meter");
    machine.write("class/hwmon/hwmon0/device/power1_average", "412000000");
    machine.write("class/hwmon/hwmon0/device/power1_average_interval", "1000");
    let mut facts = facts(CpuVendor::Intel, &[(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)]);
    (facts.family, facts.model) = (Some(6), Some(0x8f));
    Whole { machine, facts, events: counting(&power, &[0, 2]) }
}

/// One socket of two dies (Cascade Lake AP), each with counters.
pub(crate) fn two_die_package() -> Whole {
    let power = [("energy-pkg", PACKAGE), ("energy-ram", MEMORY)];
    let machine = FakeMachine::new()
        .with_powercap(&FakePowercap::two_dies())
        .with_pmu("power", "0,2", &power);
    let facts = facts(CpuVendor::Intel, &[(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]);
    Whole { machine, facts, events: counting(&power, &[0, 2]) }
}

/// A Zen with counters of its single cores, and a Radeon.
pub(crate) fn amd_zen() -> Whole {
    let power = [("energy-pkg", PACKAGE)];
    let machine = FakeMachine::new()
        .with_powercap(&FakePowercap::amd())
        .with_pmu("power", "0", &power)
        .with_pmu("power_core", "0-1", &[("energy-core", CORES)]);
    machine.write("class/hwmon/hwmon1/name", "amdgpu");
    machine.write("class/hwmon/hwmon1/power1_average", "31000000");
    machine.write("class/hwmon/hwmon1/power1_label", "PPT");
    let facts = facts(CpuVendor::Amd, &[(0, 0, 0), (0, 0, 1)]);
    Whole { machine, facts, events: counting(&power, &[0]) }
}

/// A Grace superchip of two sockets: ACPI meters told apart by what their maker calls them.
pub(crate) fn grace() -> Whole {
    let machine = FakeMachine::new();
    let meters =
        ["Module Power", "Grace Power", "CPU Power", "SysIO Power"].into_iter().enumerate();
    for (index, name) in meters {
        for socket in 0..2 {
            let chip = format!("class/hwmon/hwmon{}/device", index + 4 * socket);
            machine.write(&format!("{chip}/name"), "power_meter");
            machine.write(&format!("{chip}/power1_average"), "100000000");
            machine.write(&format!("{chip}/power1_average_interval"), "50");
            machine.write(&format!("{chip}/power1_oem_info"), &format!("{name} Socket {socket}"));
        }
    }
    let facts = HostFacts {
        arch: "aarch64".to_owned(),
        ..facts(CpuVendor::Other, &[(0, 0, 0), (1, 0, 0)])
    };
    Whole { machine, facts, events: FakeEvents::default() }
}

/// A Jetson Orin NX: one INA3221 with the module's input and two of the rails that it feeds.
pub(crate) fn jetson() -> Whole {
    let machine = FakeMachine::new();
    machine.write("class/hwmon/hwmon1/name", "ina3221");
    let rails =
        [(1, "VDD_IN", 5056, 960), (2, "VDD_CPU_GPU_CV", 5056, 128), (3, "VDD_SOC", 5056, 256)];
    for (number, label, mv, ma) in rails {
        machine.write(&format!("class/hwmon/hwmon1/in{number}_label"), label);
        machine.write(&format!("class/hwmon/hwmon1/in{number}_input"), &mv.to_string());
        machine.write(&format!("class/hwmon/hwmon1/curr{number}_input"), &ma.to_string());
    }
    machine.write("class/hwmon/hwmon1/in7_input", "1");
    machine.write("class/hwmon/hwmon1/curr4_input", "1344");
    let facts = HostFacts { arch: "aarch64".to_owned(), ..facts(CpuVendor::Other, &[(0, 0, 0)]) };
    Whole { machine, facts, events: FakeEvents::default() }
}

/// A Raspberry Pi, which measures a voltage and nothing else.
pub(crate) fn raspberry_pi() -> Whole {
    let machine = FakeMachine::new();
    machine.write("class/hwmon/hwmon0/name", "rpi_volt");
    machine.write("class/hwmon/hwmon0/in0_lcrit_alarm", "0");
    let facts = HostFacts {
        arch: "aarch64".to_owned(),
        memory_bytes: 4 << 30,
        ..facts(CpuVendor::Other, &[(0, 0, 0), (0, 0, 1)])
    };
    Whole { machine, facts, events: FakeEvents::default() }
}

/// A guest whose host shows it nothing.
pub(crate) fn virtual_machine() -> Whole {
    let mut facts = facts(CpuVendor::Intel, &[(0, 0, 0), (0, 0, 1)]);
    facts.virtualisation = Some("QEMU".to_owned());
    facts.cpu_model = Some("Intel Core Processor".to_owned());
    facts.memory_bytes = 8 << 30;
    Whole { machine: FakeMachine::new(), facts, events: FakeEvents::default() }
}

/// Events that can be opened on these CPUs.
fn counting(events: &[(&str, u64)], cpus: &[u16]) -> FakeEvents {
    let fake = FakeEvents::default();
    for (_, event) in events {
        for cpu in cpus {
            fake.show(*event, *cpu, Ok(0));
        }
    }
    fake
}
