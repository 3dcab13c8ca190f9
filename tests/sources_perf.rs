//! RAPL by perf events: which counters a PMU has, what its counts are worth, and what a second way to them tells.

use std::cell::Cell;

use energy_prof::model::{Domain, DomainId, Window, disjoint_cover};
use energy_prof::probes::count_event;
use energy_prof::sources::{
    CpuVendor, Discovery, EnergySource, FindingState, HostFacts, Meter, RaplPerf, SourceChoice,
    SourceOptions, cross_check, discover,
};
use energy_prof::units::{Microjoules, MonotonicTime, WallTime};

use crate::support::fake_events::{FakeEvents, no_events};
use crate::support::fake_machine::{FakeMachine, facts};
use crate::support::fake_powercap::FakePowercap;
use crate::support::machines::{CORES, GRAPHICS, MEMORY, PACKAGE, PLATFORM};
use crate::support::readings::shown;
use crate::support::skip::skip;

/// Counts of 2⁻³² J in a joule.
const JOULE: u64 = 1 << 32;

/// Two sockets of two CPUs each, with a counter of each on CPUs 0 and 2.
fn server() -> (FakeMachine, HostFacts, FakeEvents) {
    let machine = FakeMachine::new().with_pmu(
        "power",
        "0,2",
        &[("energy-pkg", PACKAGE), ("energy-ram", MEMORY), ("energy-psys", PLATFORM)],
    );
    let events = FakeEvents::default();
    for event in [PACKAGE, MEMORY, PLATFORM] {
        for cpu in [0, 2] {
            events.show(event, cpu, Ok(event * JOULE + u64::from(cpu) * (JOULE / 4)));
        }
    }
    let places = [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)];
    (machine, facts(CpuVendor::Intel, &places), events)
}

fn open(machine: &FakeMachine, facts: &HostFacts, events: &FakeEvents) -> Option<RaplPerf> {
    RaplPerf::open(machine.sysfs(), facts, &|kind, config, cpu| events.open(kind, config, cpu))
        .source
}

fn found(machine: &FakeMachine, facts: &HostFacts, events: &FakeEvents) -> Discovery {
    let options =
        SourceOptions { sysfs: Some(machine.sysfs().to_owned()), ..SourceOptions::default() };
    discover(&options, facts, &|kind, config, cpu| events.open(kind, config, cpu))
}

#[test]
fn each_socket_counts_on_its_cpu_of_the_mask() {
    let (machine, facts, events) = server();
    let shown = shown(&mut open(&machine, &facts, &events).unwrap());
    let expected = [
        ("package-0", 2_000_000),
        ("package-1", 2_500_000),
        ("dram-0", 3_000_000),
        ("dram-1", 3_500_000),
        ("psys-0", 5_000_000),
        ("psys-1", 5_500_000),
    ];
    let expected = expected.map(|(name, energy_uj)| (name.to_owned(), Ok(energy_uj)));
    assert_eq!(shown, expected.into());
}

#[test]
fn dies_of_one_socket_have_counters_of_their_own_and_the_platform_one() {
    let events = FakeEvents::default();
    for cpu in [0, 1] {
        events.show(PACKAGE, cpu, Ok(JOULE));
        events.show(PLATFORM, cpu, Ok(JOULE));
    }
    let machine = FakeMachine::new().with_pmu(
        "power",
        "0-1",
        &[("energy-pkg", PACKAGE), ("energy-psys", PLATFORM)],
    );
    let facts = facts(CpuVendor::Intel, &[(0, 0, 0), (0, 1, 0)]);
    let shown = shown(&mut open(&machine, &facts, &events).unwrap());
    assert_eq!(
        shown.into_keys().collect::<Vec<_>>(),
        ["package-0-die-0", "package-0-die-1", "psys"]
    );
}

#[test]
fn cores_and_graphics_are_part_of_their_package() {
    let events = FakeEvents::default();
    let named = [("energy-pkg", PACKAGE), ("energy-cores", CORES), ("energy-gpu", GRAPHICS)];
    for (_, event) in named {
        events.show(event, 0, Ok(0));
    }
    let machine = FakeMachine::new().with_pmu("power", "0", &named);
    let source = open(&machine, &facts(CpuVendor::Intel, &[(0, 0, 0)]), &events).unwrap();
    let domains: Vec<DomainId> = source.counters().iter().map(|spec| spec.domain).collect();
    assert_eq!(domains.len(), 3);
    assert_eq!(disjoint_cover(&domains), [DomainId::of_socket(Domain::Package, 0)]);
}

#[test]
fn the_platform_of_new_servers_counts_whole_joules() {
    let (machine, mut facts, events) = server();
    let quantum_of_psys = |facts: &HostFacts| {
        let source = open(&machine, facts, &events).unwrap();
        let psys = |domain: DomainId| domain.domain == Domain::Psys;
        source.counters().iter().find(|spec| psys(spec.domain)).unwrap().quantum
    };
    (facts.family, facts.model) = (Some(6), Some(0x55));
    assert_eq!(quantum_of_psys(&facts), Microjoules::new(61));
    facts.model = Some(0x8f);
    assert_eq!(quantum_of_psys(&facts), Microjoules::new(1_000_000));
}

#[test]
fn a_count_that_cannot_be_read_is_an_error_and_the_others_go_on() {
    let (machine, facts, events) = server();
    let mut source = open(&machine, &facts, &events).unwrap();
    events.show(PACKAGE, 2, Err(libc::EIO));
    let during = shown(&mut source);
    let error = during["package-1"].as_ref().unwrap_err();
    assert!(error.starts_with("cannot count power/energy-pkg/ on CPU 2: "), "{error}");
    assert_eq!(during["package-0"], Ok(2_000_000));
    events.show(PACKAGE, 2, Ok(3 * JOULE));
    assert_eq!(shown(&mut source)["package-1"], Ok(3_000_000));
}

/// The flags and the energy in microjoules of a domain in the seconds between these counts.
fn seconds(
    whole: &(FakeMachine, HostFacts, FakeEvents),
    event: u64,
    counts: &[u64],
) -> Vec<(Option<u64>, String)> {
    let (machine, facts, events) = whole;
    let mut source = open(machine, facts, events).unwrap();
    let domain = if event == PLATFORM { Domain::Psys } else { Domain::Package };
    let id = DomainId::of_socket(domain, 0);
    let index = source.counters().iter().position(|spec| spec.domain == id).unwrap();
    let spec = source.counters()[index];
    let mut meter = Meter::new(spec, source.name(), source.provenance());
    let at = |second: usize| MonotonicTime::from_nanos(1_000_000_000 * (second as u64 + 1));
    let mut samples = Vec::new();
    for (second, count) in counts.iter().enumerate() {
        events.show(event, 0, Ok(*count));
        let mut readings = Vec::new();
        source.read(&|| at(second), &mut readings);
        meter.push(readings.swap_remove(index));
        if second > 0 {
            let window = Window {
                index: 0,
                start: at(second - 1),
                end: at(second),
                start_utc: WallTime::default(),
                lost_switches: 0,
                lost_events: 0,
            };
            let sample = meter.energy_of(&window).unwrap();
            samples.push((sample.energy.map(Microjoules::get), sample.flags.to_string()));
        }
    }
    samples
}

/// The kernel takes more than half a turn between two of its looks for a step back.
#[test]
fn a_count_that_goes_back_is_a_gap_and_the_next_second_is_right() {
    let samples = seconds(&server(), PACKAGE, &[100 * JOULE, 40 * JOULE, 50 * JOULE]);
    let expected = [(None, "backwards".to_owned()), (Some(10_000_000), String::new())];
    assert_eq!(samples, expected);
}

#[test]
fn a_count_beyond_32_bits_of_register_goes_on_without_a_wrap() {
    let turn = 1 << 50;
    let samples = seconds(&server(), PACKAGE, &[turn - JOULE, turn + 9 * JOULE]);
    assert_eq!(samples, [(Some(10_000_000), String::new())]);
}

#[test]
fn a_platform_that_counts_whole_joules_may_stand_still_for_a_second() {
    let (machine, mut facts, events) = server();
    (facts.family, facts.model) = (Some(6), Some(0x8f));
    let server = (machine, facts, events);
    let samples = seconds(&server, PLATFORM, &[5 * JOULE, 5 * JOULE, 6 * JOULE]);
    assert_eq!(samples, [(Some(0), String::new()), (Some(1_000_000), String::new())]);
}

#[test]
fn a_pmu_that_says_nonsense_is_told_of() {
    let (machine, facts, events) = server();
    let event = "bus/event_source/devices/power/events/energy-pkg";
    machine.write(&format!("{event}.unit"), "Calories");
    machine.write("bus/event_source/devices/power/events/energy-ram", "config=3");
    let counters = RaplPerf::open(machine.sysfs(), &facts, &|kind, config, cpu| {
        events.open(kind, config, cpu)
    });
    assert_eq!(counters.source.unwrap().counters().len(), 2, "both platforms");
    let told: Vec<String> =
        counters.findings.iter().map(|finding| finding.detail.clone()).collect();
    let told = told.join("\n");
    assert!(told.contains("holds \"Calories\", which is no unit known here (Joules)"), "{told}");
    assert!(told.contains("holds \"config=3\", which is no event code"), "{told}");
    machine.write("bus/event_source/devices/power/type", "seven");
    let counters = RaplPerf::open(machine.sysfs(), &facts, &no_events);
    assert!(counters.source.is_none());
    assert!(counters.findings[0].detail.contains("holds \"seven\""), "{:?}", counters.findings);
}

#[test]
fn a_cpu_whose_socket_is_unknown_is_told_of_and_not_guessed() {
    let (machine, mut facts, events) = server();
    facts.topology.cpus.remove(&2);
    let source = open(&machine, &facts, &events).unwrap();
    assert!(
        source.counters().iter().all(|spec| spec.domain.socket.is_none_or(|socket| socket == 0))
    );
    let told = found(&machine, &facts, &events).findings;
    assert!(told.iter().any(|finding| finding.detail.contains("CPU 2, whose socket is unknown")));
}

#[test]
fn without_the_right_to_open_events_the_way_out_is_told() {
    let (machine, facts, _) = server();
    let counters = RaplPerf::open(machine.sysfs(), &facts, &no_events);
    assert!(counters.source.is_none());
    let finding = &counters.findings[0];
    assert_eq!(finding.state, FindingState::Missing);
    assert_eq!(
        finding.detail,
        "cannot count power/energy-pkg/ on CPU 0: permission denied; run as root"
    );
    assert!(finding.remedy.is_some());
}

/// A socket of two cores that count 3 and 5 J, where cores of Zen have their own counters.
fn zen() -> (FakeMachine, HostFacts, FakeEvents) {
    let machine = FakeMachine::new().with_pmu("power", "0", &[("energy-pkg", PACKAGE)]).with_pmu(
        "power_core",
        "0-1",
        &[("energy-core", CORES)],
    );
    let events = FakeEvents::default();
    events.show(PACKAGE, 0, Ok(9 * JOULE));
    events.show(CORES, 0, Ok(3 * JOULE));
    events.show(CORES, 1, Ok(5 * JOULE));
    (machine, facts(CpuVendor::Amd, &[(0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 0, 1)]), events)
}

fn found_with_cores((machine, facts, events): &(FakeMachine, HostFacts, FakeEvents)) -> Discovery {
    let options = SourceOptions {
        sysfs: Some(machine.sysfs().to_owned()),
        core_counters: true,
        ..SourceOptions::default()
    };
    discover(&options, facts, &|kind, config, cpu| events.open(kind, config, cpu))
}

#[test]
fn counters_of_single_cores_are_found_and_not_read_unasked() {
    let (machine, facts, events) = zen();
    let found = found(&machine, &facts, &events);
    let domains: Vec<_> = found.sources[0].counters().iter().map(|spec| spec.domain).collect();
    assert_eq!((found.sources.len(), domains), (1, vec![DomainId::of_socket(Domain::Package, 0)]));
    let told = found.findings.iter().find(|finding| finding.what == "RAPL per core (perf)");
    assert!(told.unwrap().detail.starts_with("2 cores have counters of their own"));
}

#[test]
fn counters_of_single_cores_are_part_of_their_package() {
    let mut found = found_with_cores(&zen());
    let [_, cores] = found.sources.as_mut_slice() else { panic!("two sources") };
    assert_eq!(cores.name(), "rapl-core");
    let expected = [("core-0-core-0", 3_000_000), ("core-0-core-1", 5_000_000)];
    let expected = expected.map(|(name, energy_uj)| (name.to_owned(), Ok(energy_uj)));
    assert_eq!(shown(cores.as_mut()), expected.into());
    let domains: Vec<DomainId> =
        found.sources.iter().flat_map(|source| source.counters()).map(|spec| spec.domain).collect();
    assert_eq!(disjoint_cover(&domains), [DomainId::of_socket(Domain::Package, 0)]);
    assert!(found.sources[1].note().unwrap().contains("2 cores"), "that they are woken is told");
}

#[test]
fn a_core_that_cannot_be_named_or_opened_is_told_of() {
    let (machine, mut facts, events) = zen();
    facts.topology.cpus.get_mut(&1).unwrap().core = 0;
    events.show(CORES, 0, Err(libc::EACCES));
    let found = found_with_cores(&(machine, facts, events));
    assert_eq!(found.sources.len(), 1, "no core is left");
    let of_cores = found.findings.iter().filter(|finding| finding.what == "RAPL per core (perf)");
    let told: Vec<&str> = of_cores.map(|finding| finding.detail.as_str()).collect();
    assert_eq!(
        told,
        [
            "cannot count power_core/energy-core/ on CPU 0: permission denied; run as root",
            "CPU 1 is of a core that is unknown or was named before: its counter is not used"
        ]
    );
}

#[test]
fn a_machine_without_counters_of_cores_says_what_may_do() {
    let found = found_with_cores(&server());
    let told =
        found.findings.iter().find(|finding| finding.what == "RAPL per core (perf)").unwrap();
    assert!(told.detail.contains("--source rapl-msr --core-counters"), "{}", told.detail);
}

#[test]
fn perf_comes_before_powercap_and_a_name_chooses_one() {
    let (machine, facts, events) = server();
    let machine = machine.with_powercap(&FakePowercap::two_socket_server());
    let names = |choice| {
        let options = SourceOptions {
            sysfs: Some(machine.sysfs().to_owned()),
            choice,
            ..SourceOptions::default()
        };
        let found = discover(&options, &facts, &|kind, config, cpu| events.open(kind, config, cpu));
        assert_eq!(found.model.is_some(), choice == SourceChoice::Model);
        found.sources.iter().map(|source| source.name()).collect::<Vec<_>>()
    };
    assert_eq!(names(SourceChoice::Auto), ["rapl-perf", "rapl-powercap"]);
    assert_eq!(names(SourceChoice::RaplPerf), ["rapl-perf"]);
    assert_eq!(names(SourceChoice::RaplPowercap), ["rapl-powercap"]);
    assert_eq!(names(SourceChoice::Model), [""; 0]);
}

#[test]
fn a_source_that_was_named_and_is_not_there_is_no_reason_to_estimate() {
    let options = SourceOptions {
        sysfs: Some(FakeMachine::new().sysfs().to_owned()),
        choice: SourceChoice::RaplPerf,
        ..SourceOptions::default()
    };
    let found = discover(&options, &HostFacts::default(), &no_events);
    assert!(found.sources.is_empty() && found.model.is_none());
    assert_eq!(found.findings[0].state, FindingState::Missing);
}

/// What is found where perf counts 10 J and powercap shows so many microjoules in the same second.
fn told_of(powercap_uj: u64) -> Vec<String> {
    let machine = FakeMachine::new()
        .with_pmu("power", "0", &[("energy-pkg", PACKAGE)])
        .with_powercap(&FakePowercap::amd());
    let events = FakeEvents::default();
    events.show(PACKAGE, 0, Ok(0));
    let facts = facts(CpuVendor::Amd, &[(0, 0, 0)]);
    let mut sources = found(&machine, &facts, &events).sources;
    assert_eq!(sources.len(), 2);
    let now = Cell::new(0);
    let clock = || MonotonicTime::from_nanos(now.get());
    let findings = cross_check(&mut sources, &clock, || {
        now.set(1_000_000_000);
        events.show(PACKAGE, 0, Ok(10 * JOULE));
        let shown = (7 + powercap_uj).to_string();
        machine.write("class/powercap/intel-rapl:0/energy_uj", &shown);
    });
    findings.into_iter().map(|finding| finding.detail).collect()
}

#[test]
fn two_ways_to_one_counter_that_disagree_are_a_finding() {
    assert_eq!(told_of(10_000_000), [""; 0]);
    assert_eq!(told_of(10_027_000), [""; 0], "the kernel's rounding of Xeons' memory unit");
    assert_eq!(
        told_of(13_000_000),
        [
            "rapl-perf counted 10.000 J and rapl-powercap 13.000 J of package-0 at the same time, 23.1 % \
          apart: one of them is wrong"
        ]
    );
}

/// The kernel's own clock event stands in for the PMU: 2³² of its nanoseconds are shown as a joule.
#[test]
fn real_events_are_opened_and_count() {
    let machine = FakeMachine::new().with_pmu("power", "0", &[("energy-pkg", 0)]);
    // PERF_TYPE_SOFTWARE; its event 0 is PERF_COUNT_SW_CPU_CLOCK.
    machine.write("bus/event_source/devices/power/type", "1");
    machine.write("bus/event_source/devices/power/events/energy-pkg.scale", "1e-9");
    let counters =
        RaplPerf::open(machine.sysfs(), &facts(CpuVendor::Intel, &[(0, 0, 0)]), &count_event);
    let Some(mut source) = counters.source else {
        assert!(!nix::unistd::geteuid().is_root(), "{:?}", counters.findings);
        return skip("no right to open perf events");
    };
    let mut energy_uj = || shown(&mut source)["package-0"].clone().unwrap();
    let before = energy_uj();
    // Counts of a CPU's clock rise while the CPU is up, so waiting for it ends.
    while energy_uj() < before + 1000 {}
}

#[test]
fn a_pmu_that_does_not_exist_cannot_be_opened() {
    assert!(count_event(u32::MAX, 0, 0).is_err());
}
