//! Hardware monitoring: what chips measure, what their readings are worth, and what is left out of totals.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;

use energy_prof::attribution::{Baselines, IdleRule, Rules, TimeShare, attribute_window};
use energy_prof::model::{
    CounterFlags, Domain, DomainId, EnergySample, Provenance, Residency, ThreadId, Topology,
    Window, disjoint_cover,
};
use energy_prof::sources::{
    CpuVendor, EnergySource, FindingState, Hwmon, HwmonSensors, Meter, Shown, SourceChoice,
    SourceOptions, discover,
};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime, Watts};

use crate::support::fake_events::no_events;
use crate::support::fake_machine::{FakeMachine, facts};
use crate::support::fake_powercap::FakePowercap;

fn open(machine: &FakeMachine) -> HwmonSensors {
    Hwmon::open(machine.sysfs())
}

/// Each domain with the name of what measures it, as the source's note says.
fn note(machine: &FakeMachine) -> String {
    open(machine).source.unwrap().note().unwrap()
}

/// The energy of the seconds between three readings; `change` is called before the second and the third.
fn two_seconds(machine: &FakeMachine, change: impl Fn(u32)) -> BTreeMap<String, Vec<EnergySample>> {
    let mut source = open(machine).source.unwrap();
    let mut meters: Vec<Meter> = source
        .counters()
        .iter()
        .map(|spec| Meter::new(*spec, source.name(), source.provenance()))
        .collect();
    let now = Cell::new(0);
    let clock = || MonotonicTime::from_nanos(now.get() * 1_000_000_000);
    for second in 0..3 {
        if second > 0 {
            change(second);
        }
        now.set(u64::from(second) + 1);
        let mut readings = Vec::new();
        source.read(&clock, &mut readings);
        for reading in readings {
            meters[reading.counter].push(reading);
        }
    }
    let second = |index: u32| Window {
        index,
        start: MonotonicTime::from_nanos(u64::from(index + 1) * 1_000_000_000),
        end: MonotonicTime::from_nanos(u64::from(index + 2) * 1_000_000_000),
        start_utc: WallTime::default(),
        lost_switches: 0,
        lost_events: 0,
    };
    meters
        .iter_mut()
        .map(|meter| {
            let samples = (0..2).map(|index| meter.energy_of(&second(index)).unwrap()).collect();
            (meter.spec().domain.to_string(), samples)
        })
        .collect()
}

fn energy_uj(sample: &EnergySample) -> Option<u64> {
    sample.energy.map(Microjoules::get)
}

#[test]
fn a_counter_of_energy_is_taken_by_difference() {
    let machine = FakeMachine::new();
    machine.write("class/hwmon/hwmon4/name", "i915");
    machine.write("class/hwmon/hwmon4/energy1_input", "500000");
    // The card's limit is no reading.
    machine.write("class/hwmon/hwmon4/power1_max", "120000000");
    let samples = two_seconds(&machine, |second| {
        let shown = ["500000", "3500000", "7500000"][second as usize];
        machine.write("class/hwmon/hwmon4/energy1_input", shown);
    });
    let samples = &samples["gpu-0"];
    assert_eq!(
        samples.iter().map(energy_uj).collect::<Vec<_>>(),
        [Some(3_000_000), Some(4_000_000)]
    );
    assert_eq!(samples[0].flags, CounterFlags::NONE);
    assert_eq!(samples[0].provenance, Provenance::Measured);
}

#[test]
fn power_is_integrated_and_says_so() {
    let machine = FakeMachine::new();
    machine.write("class/hwmon/hwmon0/name", "amdgpu");
    machine.write("class/hwmon/hwmon0/power1_average", "20000000");
    machine.write("class/hwmon/hwmon0/power1_label", "PPT");
    let samples = two_seconds(&machine, |second| {
        let shown = ["", "20000000", "40000000"][second as usize];
        machine.write("class/hwmon/hwmon0/power1_average", shown);
    });
    let samples = &samples["gpu-0"];
    // 20 W for a second, then from 20 W to 40 W: 30 W in the mean.
    assert_eq!(
        samples.iter().map(energy_uj).collect::<Vec<_>>(),
        [Some(20_000_000), Some(30_000_000)]
    );
    assert!(samples.iter().all(|sample| sample.flags == CounterFlags::INTEGRATED));
    assert!(
        note(&machine).starts_with("gpu-0 is amdgpu PPT (hwmon0); energy flagged `integrated`")
    );
}

#[test]
fn a_counter_that_begins_anew_is_a_gap_and_not_energy() {
    let machine = FakeMachine::new();
    machine.write("class/hwmon/hwmon0/name", "xe");
    machine.write("class/hwmon/hwmon0/energy1_input", "900000000");
    let samples = two_seconds(&machine, |second| {
        let shown = ["", "10", "2000010"][second as usize];
        machine.write("class/hwmon/hwmon0/energy1_input", shown);
    });
    let samples = &samples["gpu-0"];
    assert_eq!(samples.iter().map(energy_uj).collect::<Vec<_>>(), [None, Some(2_000_000)]);
    assert_eq!(samples[0].flags, CounterFlags::BACKWARDS);
}

#[test]
fn a_sensor_that_fails_is_a_gap_and_the_others_go_on() {
    let machine = FakeMachine::new();
    for (chip, name) in [("hwmon0", "amdgpu"), ("hwmon1", "power_meter")] {
        machine.write(&format!("class/hwmon/{chip}/name"), name);
        machine.write(&format!("class/hwmon/{chip}/power1_average"), "10000000");
    }
    let samples = two_seconds(&machine, |second| {
        let shown = ["", "asleep", "10000000"][second as usize];
        machine.write("class/hwmon/hwmon0/power1_average", shown);
    });
    let failed = CounterFlags::UNREADABLE.with(CounterFlags::GAP).with(CounterFlags::INTEGRATED);
    for sample in &samples["gpu-0"] {
        assert_eq!((energy_uj(sample), sample.flags), (None, failed));
    }
    let machine_uj: Vec<_> = samples["machine"].iter().map(energy_uj).collect();
    assert_eq!(machine_uj, [Some(10_000_000), Some(10_000_000)]);
}

#[test]
fn the_three_rails_of_an_ina3221_are_voltage_times_current() {
    let machine = FakeMachine::new();
    machine.write("class/hwmon/hwmon1/name", "ina3221");
    for (number, label, mv, ma) in
        [(1, "VDD_IN", 5000, 2000), (2, "VDD_CPU_GPU_CV", 1000, -8), (3, "NC", 0, 0)]
    {
        machine.write(&format!("class/hwmon/hwmon1/in{number}_label"), label);
        machine.write(&format!("class/hwmon/hwmon1/in{number}_input"), &mv.to_string());
        machine.write(&format!("class/hwmon/hwmon1/curr{number}_input"), &ma.to_string());
    }
    machine.write("class/hwmon/hwmon1/in3_enable", "0");
    // The sum of the shunts is no fourth rail.
    machine.write("class/hwmon/hwmon1/in7_input", "1");
    machine.write("class/hwmon/hwmon1/curr4_input", "1");
    machine.write("class/hwmon/hwmon1/update_interval", "5");
    let source = open(&machine).source.unwrap();
    assert_eq!(source.counters()[0].update_period, Nanoseconds::from_millis(5));
    let samples = two_seconds(&machine, |_| {});
    assert_eq!(samples.len(), 2, "the third is switched off");
    // 5 V × 2 A = 10 W.
    assert_eq!(energy_uj(&samples["machine"][0]), Some(10_000_000));
    assert_eq!(energy_uj(&samples["rail-0"][0]), Some(0), "noise around nothing is not negative");
}

#[test]
fn chips_are_taken_in_the_order_of_their_numbers_and_batteries_left_out() {
    let machine = FakeMachine::new();
    for (chip, name) in [("hwmon10", "ina226"), ("hwmon2", "ina219"), ("hwmon3", "BAT0")] {
        machine.write(&format!("class/hwmon/{chip}/name"), name);
        machine.write(&format!("class/hwmon/{chip}/power1_input"), "1");
    }
    machine.write("class/power_supply/BAT0/status", "Charging");
    machine.write("class/hwmon/hwmon0/name", "coretemp");
    machine.write("class/hwmon/hwmon0/temp1_input", "40000");
    let note = note(&machine);
    assert!(note.starts_with("rail-0 is ina219 (hwmon2), rail-1 is ina226 (hwmon10);"), "{note}");
}

#[test]
fn an_acpi_meter_keeps_its_files_and_its_name_in_its_device() {
    let machine = FakeMachine::new();
    machine.write("class/hwmon/hwmon0/device/name", "power_meter");
    machine.write("class/hwmon/hwmon0/device/power1_average", "250000000");
    machine.write("class/hwmon/hwmon0/device/power1_average_interval", "1000");
    let source = open(&machine).source.unwrap();
    let spec = source.counters()[0];
    assert_eq!((spec.domain, spec.shows), (DomainId::of_machine(Domain::Machine), Shown::Power));
    assert_eq!(spec.update_period, Nanoseconds::from_millis(1000));
}

#[test]
fn what_cannot_be_read_is_told() {
    let machine = FakeMachine::new();
    machine.write("class/hwmon/hwmon0/name", "amdgpu");
    machine.write("class/hwmon/hwmon0/power1_average", "n/a");
    machine.write("class/hwmon/hwmon1/name", "power_meter");
    machine.write("class/hwmon/hwmon1/power1_average", "1");
    fs::remove_file(machine.path("class/hwmon/hwmon1/power1_average")).unwrap();
    fs::create_dir(machine.path("class/hwmon/hwmon1/power1_average")).unwrap();
    let sensors = open(&machine);
    assert!(sensors.source.is_none());
    let told: Vec<_> = sensors.findings.iter().map(|finding| finding.detail.as_str()).collect();
    assert!(told[0].ends_with("holds \"n/a\", which is no number of microwatts"), "{told:?}");
    assert!(told[1].starts_with("cannot read "), "{told:?}");
    assert!(sensors.findings.iter().all(|finding| finding.state == FindingState::Degraded));
}

fn found(machine: &FakeMachine, choice: SourceChoice) -> (Vec<DomainId>, bool) {
    let sysfs = Some(machine.sysfs().to_owned());
    let options = SourceOptions { sysfs, choice, ..SourceOptions::default() };
    let facts = facts(CpuVendor::Amd, &[(0, 0, 0)]);
    let found = discover(&options, &facts, &no_events);
    let domains =
        found.sources.iter().flat_map(|source| source.counters()).map(|spec| spec.domain).collect();
    (domains, found.model.is_some())
}

#[test]
fn a_card_beside_rapl_is_recorded_and_not_added() {
    let machine = FakeMachine::new().with_powercap(&FakePowercap::amd());
    machine.write("class/hwmon/hwmon0/name", "amdgpu");
    machine.write("class/hwmon/hwmon0/power1_average", "1");
    machine.write("class/hwmon/hwmon1/name", "power_meter");
    machine.write("class/hwmon/hwmon1/power1_average", "1");
    let (domains, modelled) = found(&machine, SourceChoice::Auto);
    assert_eq!((domains.len(), modelled), (3, false));
    assert_eq!(disjoint_cover(&domains), [DomainId::of_socket(Domain::Package, 0)]);
    let (alone, _) = found(&machine, SourceChoice::Hwmon);
    assert_eq!(disjoint_cover(&alone), [DomainId::of_machine(Domain::Machine)]);
}

#[test]
fn a_card_alone_does_not_tell_what_the_processor_draws() {
    let machine = FakeMachine::new();
    machine.write("class/hwmon/hwmon0/name", "amdgpu");
    machine.write("class/hwmon/hwmon0/power1_average", "1");
    let card = [DomainId::of_socket(Domain::Gpu, 0)];
    assert_eq!(found(&machine, SourceChoice::Auto), (card.to_vec(), true));
    assert_eq!(found(&machine, SourceChoice::Hwmon), (card.to_vec(), false));
}

#[test]
fn nobodys_cpu_time_says_who_used_a_card() {
    let window = Window {
        index: 0,
        start: MonotonicTime::default(),
        end: MonotonicTime::from_nanos(1_000_000_000),
        start_utc: WallTime::default(),
        lost_switches: 0,
        lost_events: 0,
    };
    let sample = |domain| EnergySample {
        window: 0,
        domain,
        source: "hwmon".into(),
        provenance: Provenance::Measured,
        energy: Some(Microjoules::new(7_000_000)),
        error: None,
        flags: CounterFlags::NONE,
        busy: None,
    };
    let ran = [Residency {
        window: 0,
        thread: ThreadId(2),
        cpu: 0,
        oncpu: Nanoseconds::from_millis(1000),
        switches: 1,
    }];
    let card = DomainId::of_socket(Domain::Gpu, 0);
    let topology = Topology::default();
    let baselines = Baselines::given(&[(card, Watts::new(2.0))].into());
    let rules = Rules {
        topology: &topology,
        baselines: &baselines,
        model: &TimeShare,
        idle: IdleRule::Separate,
    };
    let of = |domain| {
        let divided = attribute_window(&window, &[sample(domain)], &ran, &rules);
        let ledger = divided.domains[0].ledger.unwrap();
        (ledger.attributed.get(), ledger.idle.get(), ledger.unattributed.get())
    };
    assert_eq!(of(DomainId::of_machine(Domain::Machine)), (7_000_000, 0, 0));
    assert_eq!(of(card), (0, 2_000_000, 5_000_000));
    assert_eq!(of(DomainId::of_socket(Domain::Rail, 0)), (0, 0, 7_000_000));
}
