//! RAPL by the processor's registers: only where asked for, with each processor's units, and once for each
//! part of the machine.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;

use energy_prof::model::{DomainId, Window, disjoint_cover};
use energy_prof::sources::{
    CpuVendor, Discovery, EnergySource, FindingState, HostFacts, Meter, RaplMsr, RaplPowercap,
    SourceChoice, SourceOptions, cross_check, discover,
};
use energy_prof::units::{Microjoules, MonotonicTime, WallTime};

use crate::support::fake_events::no_events;
use crate::support::fake_machine::{FakeMachine, facts};
use crate::support::fake_powercap::FakePowercap;
use crate::support::fake_registers::FakeRegisters;
use crate::support::nobody::{as_nobody_with, open_to_all};
use crate::support::readings::shown;
use crate::support::skip::skip;

const UNIT: u64 = 0x606;
const PACKAGE: u64 = 0x611;
const MEMORY: u64 = 0x619;
const CORES: u64 = 0x639;
const GRAPHICS: u64 = 0x641;
const PLATFORM: u64 = 0x64d;
const AMD_UNIT: u64 = 0xc001_0299;
const AMD_PACKAGE: u64 = 0xc001_029b;
const AMD_CORE: u64 = 0xc001_029a;

/// A joule in the usual units of 2⁻¹⁴ J.
const JOULE: u32 = 1 << 14;

/// An Intel of this model with two sockets of two CPUs each, whose packages count from 7 J on.
fn server(model: u32) -> (FakeRegisters, HostFacts) {
    let registers = FakeRegisters::of(&[0, 1, 2, 3]);
    for cpu in [0, 2] {
        registers.hold_unit(cpu, UNIT, 14);
        registers.hold(cpu, PACKAGE, 7 * JOULE);
    }
    let mut facts = facts(CpuVendor::Intel, &[(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)]);
    (facts.family, facts.model) = (Some(6), Some(model));
    (registers, facts)
}

fn open(registers: &FakeRegisters, facts: &HostFacts) -> Option<RaplMsr> {
    RaplMsr::open(registers.dev(), facts, false).source
}

fn named<const N: usize>(values: [(&str, u64); N]) -> BTreeMap<String, Result<u64, String>> {
    values.into_iter().map(|(name, value)| (name.to_owned(), Ok(value))).collect()
}

fn look(choice: SourceChoice, registers: &FakeRegisters, facts: &HostFacts) -> Discovery {
    let options = SourceOptions {
        sysfs: Some(FakeMachine::new().sysfs().to_owned()),
        dev: Some(registers.dev().to_owned()),
        choice,
        ..SourceOptions::default()
    };
    discover(&options, facts, &no_events)
}

#[test]
fn every_register_that_counts_is_read_once_for_each_socket() {
    let (registers, facts) = server(0x8f);
    for (cpu, more) in [(0, 0), (2, 1)] {
        registers.hold(cpu, MEMORY, (2 + more) * JOULE);
        registers.hold(cpu, PLATFORM, 100 + more);
    }
    let expected = named([
        ("package-0", 7_000_000),
        ("package-1", 7_000_000),
        ("dram-0", 2_000_000),
        ("dram-1", 3_000_000),
        ("psys-0", 100_000_000),
        ("psys-1", 101_000_000),
    ]);
    assert_eq!(shown(&mut open(&registers, &facts).unwrap()), expected);
}

#[test]
fn a_client_has_cores_and_graphics_within_its_package() {
    let (registers, mut facts) = server(0x9e);
    facts.topology.cpus.retain(|cpu, _| *cpu < 2);
    registers.hold(0, CORES, JOULE);
    registers.hold(0, GRAPHICS, JOULE);
    let source = open(&registers, &facts).unwrap();
    let domains: Vec<DomainId> = source.counters().iter().map(|spec| spec.domain).collect();
    let names = |domains: &[DomainId]| domains.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&domains), ["package-0", "core-0", "uncore-0"]);
    assert_eq!(names(&disjoint_cover(&domains)), ["package-0"]);
}

#[test]
fn memory_of_skylake_servers_counts_in_its_own_unit() {
    let (registers, facts) = server(0x55);
    registers.hold(0, MEMORY, 1 << 16);
    let mut source = open(&registers, &facts).unwrap();
    assert_eq!(shown(&mut source)["dram-0"], Ok(1_000_000));
    let turns: Vec<_> = source.counters().iter().map(|spec| spec.range.unwrap().get()).collect();
    assert_eq!(turns, [262_144_000_000, 262_144_000_000, 65_536_000_000]);
}

#[test]
fn silvermont_counts_microjoules() {
    let (registers, mut facts) = server(0x37);
    facts.topology.cpus.retain(|cpu, _| *cpu < 2);
    registers.hold_unit(0, UNIT, 5);
    registers.hold(0, PACKAGE, 1000);
    assert_eq!(shown(&mut open(&registers, &facts).unwrap()), named([("package-0", 32_000)]));
}

#[test]
fn amd_has_registers_of_its_own_and_one_for_each_package() {
    let registers = FakeRegisters::of(&[0, 1]);
    registers.hold_unit(0, AMD_UNIT, 16);
    registers.hold(0, AMD_PACKAGE, 3 << 16);
    let facts = facts(CpuVendor::Amd, &[(0, 0, 0), (0, 1, 0)]);
    assert_eq!(shown(&mut open(&registers, &facts).unwrap()), named([("package-0", 3_000_000)]));
}

#[test]
fn reserved_bits_are_no_energy() {
    let (registers, facts) = server(0x9e);
    registers.hold_above(0, PACKAGE, u32::MAX);
    assert_eq!(shown(&mut open(&registers, &facts).unwrap())["package-0"], Ok(7_000_000));
}

/// 2³² steps of 2⁻¹⁴ J: one step less than a turn would lose 61 µJ.
#[test]
fn a_register_that_turns_loses_no_step() {
    let (registers, facts) = server(0x9e);
    let mut source = open(&registers, &facts).unwrap();
    let mut meter = Meter::new(source.counters()[0], source.name(), source.provenance());
    let mut read_at = |second: u64, value: u32| {
        registers.hold(0, PACKAGE, value);
        let mut readings = Vec::new();
        source.read(&|| MonotonicTime::from_nanos(second * 1_000_000_000), &mut readings);
        meter.push(readings.swap_remove(0));
    };
    read_at(1, u32::MAX - 5 * JOULE + 1);
    read_at(2, 5 * JOULE);
    let at = |second: u64| MonotonicTime::from_nanos(second * 1_000_000_000);
    let start_utc = WallTime::default();
    let window =
        Window { index: 0, start: at(1), end: at(2), start_utc, lost_switches: 0, lost_events: 0 };
    assert_eq!(meter.energy_of(&window).unwrap().energy, Some(Microjoules::new(10_000_000)));
}

#[test]
fn registers_are_read_only_where_they_are_named() {
    let (registers, facts) = server(0x9e);
    let found = look(SourceChoice::Auto, &registers, &facts);
    assert!(found.sources.is_empty() && found.model.is_some());
    let offers: Vec<_> =
        found.findings.iter().filter(|finding| finding.what == "RAPL (registers)").collect();
    assert_eq!((offers.len(), offers[0].state), (1, FindingState::Ok));
    assert!(offers[0].detail.contains("--source rapl-msr"), "{}", offers[0].detail);
    let found = look(SourceChoice::RaplMsr, &registers, &facts);
    let names: Vec<_> = found.sources.iter().map(|source| source.name()).collect();
    assert_eq!(names, ["rapl-msr"]);
    assert!(found.model.is_none());
}

#[test]
fn nothing_is_offered_where_there_is_nothing() {
    let facts = facts(CpuVendor::Intel, &[(0, 0, 0)]);
    let none = FakeRegisters::of(&[]);
    let offers = |registers: &FakeRegisters, facts: &HostFacts| {
        let found = look(SourceChoice::Auto, registers, facts);
        found.findings.iter().filter(|finding| finding.what.contains("registers")).count()
    };
    assert_eq!(offers(&none, &facts), 0);
    let guest = HostFacts { virtualisation: Some("QEMU".to_owned()), ..facts };
    assert_eq!(offers(&FakeRegisters::of(&[0]), &guest), 0);
}

/// Files overlap where registers do not: the lowest byte of a core's is where the unit's exponent is, 14.
#[test]
fn amds_cores_are_read_where_they_are_asked_for() {
    let registers = FakeRegisters::of(&[0, 1, 2, 3]);
    for cpu in 0..4 {
        registers.hold_unit(cpu, AMD_UNIT, 14);
    }
    registers.hold(0, AMD_PACKAGE, 7 * JOULE);
    registers.hold(1, AMD_CORE, 3 * JOULE + 14);
    let facts = facts(CpuVendor::Amd, &[(0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 0, 1)]);
    let names = |core_counters| {
        let source = RaplMsr::open(registers.dev(), &facts, core_counters).source.unwrap();
        source.counters().iter().map(|spec| spec.domain.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(false), ["package-0"]);
    assert_eq!(names(true), ["package-0", "core-0-core-0", "core-0-core-1"]);
    let mut source = RaplMsr::open(registers.dev(), &facts, true).source.unwrap();
    assert_eq!(shown(&mut source)["core-0-core-1"], Ok(3_000_854));
    assert_eq!(source.counters()[2].range.unwrap().get(), 262_144_000_000);
}

/// The state, the words and the remedy of the only finding.
fn told(registers: &FakeRegisters, facts: &HostFacts) -> (String, Option<String>) {
    let found = RaplMsr::open(registers.dev(), facts, false);
    assert!(found.source.is_none());
    let [finding] = found.findings.try_into().unwrap();
    assert_eq!(finding.state, FindingState::Missing);
    let detail = finding.detail.replace(&registers.dev().display().to_string(), "/dev");
    (detail, finding.remedy)
}

#[test]
fn without_the_module_its_name_is_told() {
    let facts = facts(CpuVendor::Intel, &[(0, 0, 0)]);
    let (detail, remedy) = told(&FakeRegisters::of(&[]), &facts);
    let expected = "cannot open /dev/cpu/0/msr: no such file or directory; load the module: sudo \
                    modprobe msr";
    assert_eq!((detail.as_str(), remedy.as_deref()), (expected, Some("sudo modprobe msr")));
}

#[test]
fn without_the_right_its_name_is_told() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can make a file that another cannot open");
    }
    let registers = FakeRegisters::of(&[0]);
    fs::set_permissions(registers.path(0), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    open_to_all(registers.dev());
    let facts = facts(CpuVendor::Intel, &[(0, 0, 0)]);
    let (detail, remedy) = as_nobody_with(&[], || told(&registers, &facts));
    let expected = "cannot open /dev/cpu/0/msr: permission denied; run as root, with CAP_SYS_RAWIO";
    assert_eq!(detail, expected);
    assert!(remedy.unwrap().contains("--cap-add SYS_RAWIO"));
}

#[test]
fn a_processor_without_rapl_is_told_of() {
    let registers = FakeRegisters::of(&[0]);
    let intel = facts(CpuVendor::Intel, &[(0, 0, 0)]);
    let (detail, _) = told(&registers, &intel);
    assert!(detail.starts_with("register 0x611 of /dev/cpu/0/msr counts nothing"), "{detail}");
    let (detail, _) = told(&registers, &facts(CpuVendor::Other, &[(0, 0, 0)]));
    assert_eq!(detail, "only processors of Intel's and AMD's have such registers");
    // As the kernel answers where a register does not exist.
    fs::File::options().write(true).open(registers.path(0)).unwrap().set_len(UNIT).unwrap();
    let (detail, _) = told(&registers, &intel);
    assert!(detail.starts_with("cannot read register 0x606 of /dev/cpu/0/msr: "), "{detail}");
}

#[test]
fn a_register_that_cannot_be_read_for_a_while_is_a_gap_and_the_others_go_on() {
    let (registers, facts) = server(0x9e);
    let mut source = open(&registers, &facts).unwrap();
    let file = fs::File::options().write(true).open(registers.path(2)).unwrap();
    file.set_len(PACKAGE).unwrap();
    let during = shown(&mut source);
    assert_eq!(during["package-0"], Ok(7_000_000));
    let error = during["package-1"].as_ref().unwrap_err();
    assert!(error.starts_with("cannot read register 0x611 of "), "{error}");
    file.set_len(0x1000).unwrap();
    registers.hold(2, PACKAGE, 9 * JOULE);
    assert_eq!(shown(&mut source)["package-1"], Ok(9_000_000));
}

/// What is found where a register counts 10 J and powercap shows so many microjoules in the same second.
fn held_against_powercap(powercap_uj: u64) -> Vec<String> {
    let (registers, mut facts) = server(0x9e);
    facts.topology.cpus.retain(|cpu, _| *cpu < 2);
    let tree = FakePowercap::new();
    tree.zone("intel-rapl:0", "package-0", 262_143_328_850, 7_000_000);
    let powercap = RaplPowercap::open(tree.root(), &facts.vendor).unwrap().source.unwrap();
    let mut sources: Vec<Box<dyn EnergySource>> =
        vec![Box::new(open(&registers, &facts).unwrap()), Box::new(powercap)];
    let now = Cell::new(0);
    let clock = || MonotonicTime::from_nanos(now.get());
    let findings = cross_check(&mut sources, &clock, || {
        now.set(1_000_000_000);
        registers.hold(0, PACKAGE, 17 * JOULE);
        tree.show("intel-rapl:0", &format!("{}\n", 7_000_000 + powercap_uj));
    });
    findings.into_iter().map(|finding| finding.remedy.unwrap()).collect()
}

#[test]
fn a_register_and_powercap_read_the_same_silicon() {
    assert_eq!(held_against_powercap(10_000_000), [""; 0]);
    let choose =
        "hold both against a meter and choose: --source rapl-msr or --source rapl-powercap";
    assert_eq!(held_against_powercap(20_000_000), [choose]);
}
