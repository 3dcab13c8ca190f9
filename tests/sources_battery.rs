//! Batteries: the last measured resort, and only while they discharge.

use std::fs;

use energy_prof::model::{Domain, DomainId};
use energy_prof::sources::{
    Batteries, CpuVendor, EnergySource, FindingState, SourceChoice, SourceOptions, discover,
};
use energy_prof::units::{Microjoules, MonotonicTime};

use crate::support::fake_events::no_events;
use crate::support::fake_machine::{FakeMachine, facts};
use crate::support::fake_powercap::FakePowercap;

/// A battery that gives 12 W.
fn laptop() -> FakeMachine {
    let machine = FakeMachine::new();
    machine.write("class/power_supply/AC/type", "Mains");
    battery(&machine, "BAT0", "Discharging");
    machine.write("class/power_supply/BAT0/power_now", "12000000");
    machine
}

fn battery(machine: &FakeMachine, name: &str, status: &str) {
    machine.write(&format!("class/power_supply/{name}/type"), "Battery");
    machine.write(&format!("class/power_supply/{name}/status"), status);
}

/// What the machine's counter advances by in a second, or why it does not.
fn joules_in_a_second(source: &mut Batteries, second: u64) -> Result<u64, String> {
    let mut read = |second: u64| {
        let clock = move || MonotonicTime::from_nanos(second * 1_000_000_000);
        let mut readings = Vec::new();
        source.read(&clock, &mut readings);
        readings.remove(0).value.map(Microjoules::get).map_err(|error| error.to_string())
    };
    let before = read(second)?;
    Ok((read(second + 1)? - before) / 1_000_000)
}

#[test]
fn twelve_watts_for_a_second_are_twelve_joules_of_the_machine() {
    let machine = laptop();
    let mut source = Batteries::open(machine.sysfs()).source.unwrap();
    assert_eq!(source.counters()[0].domain, DomainId::of_machine(Domain::Machine));
    assert_eq!(joules_in_a_second(&mut source, 1), Ok(12));
}

#[test]
fn current_times_voltage_stands_in_for_power_whatever_its_sign() {
    let machine = FakeMachine::new();
    battery(&machine, "BAT1", "Discharging");
    machine.write("class/power_supply/BAT1/current_now", "-500000");
    machine.write("class/power_supply/BAT1/voltage_now", "12000000");
    // 0.5 A × 12 V = 6 W.
    assert_eq!(joules_in_a_second(&mut Batteries::open(machine.sysfs()).source.unwrap(), 1), Ok(6));
}

#[test]
fn two_batteries_are_added_and_one_may_rest() {
    let machine = laptop();
    battery(&machine, "BAT1", "Discharging");
    machine.write("class/power_supply/BAT1/power_now", "3000000");
    let mut source = Batteries::open(machine.sysfs()).source.unwrap();
    assert_eq!(joules_in_a_second(&mut source, 1), Ok(15));
    machine.write("class/power_supply/BAT1/status", "Not charging");
    assert_eq!(joules_in_a_second(&mut source, 3), Ok(12));
}

#[test]
fn the_battery_of_a_mouse_feeds_no_machine() {
    let machine = FakeMachine::new();
    battery(&machine, "hidpp_battery_0", "Discharging");
    machine.write("class/power_supply/hidpp_battery_0/scope", "Device");
    machine.write("class/power_supply/hidpp_battery_0/power_now", "1");
    let gauges = Batteries::open(machine.sysfs());
    assert!(gauges.source.is_none() && gauges.findings.is_empty());
}

#[test]
fn plugging_in_while_recording_is_an_error_until_it_is_unplugged() {
    let machine = laptop();
    let mut source = Batteries::open(machine.sysfs()).source.unwrap();
    machine.write("class/power_supply/BAT0/status", "Charging");
    let error = joules_in_a_second(&mut source, 1).unwrap_err();
    assert!(error.ends_with(
        "BAT0/status says \"Charging\": what the machine draws is known only while discharging"
    ));
    machine.write("class/power_supply/BAT0/status", "Full");
    let error = joules_in_a_second(&mut source, 3).unwrap_err();
    assert_eq!(error, "no battery is discharging, so none tells what the machine draws");
    machine.write("class/power_supply/BAT0/status", "Discharging");
    assert_eq!(joules_in_a_second(&mut source, 5), Ok(12));
}

#[test]
fn a_machine_on_mains_says_how_its_battery_could_measure() {
    let machine = laptop();
    machine.write("class/power_supply/BAT0/status", "Charging");
    let gauges = Batteries::open(machine.sysfs());
    assert!(gauges.source.is_none());
    assert_eq!(gauges.findings[0].state, FindingState::Missing);
    assert!(gauges.findings[0].remedy.as_ref().unwrap().contains("unplug"));
    fs::remove_file(machine.path("class/power_supply/BAT0/power_now")).unwrap();
    let told = Batteries::open(machine.sysfs()).findings;
    assert!(told[0].detail.contains("power_now: no such file"), "{told:?}");
}

#[test]
fn a_battery_is_asked_only_where_nothing_better_measures() {
    let names = |machine: &FakeMachine, choice| {
        let sysfs = Some(machine.sysfs().to_owned());
        let options = SourceOptions { sysfs, choice, ..SourceOptions::default() };
        let found = discover(&options, &facts(CpuVendor::Amd, &[(0, 0, 0)]), &no_events);
        assert!(found.model.is_none());
        found.sources.iter().map(|source| source.name()).collect::<Vec<_>>()
    };
    assert_eq!(names(&laptop(), SourceChoice::Auto), ["battery"]);
    let with_rapl = laptop().with_powercap(&FakePowercap::amd());
    assert_eq!(names(&with_rapl, SourceChoice::Auto), ["rapl-powercap"]);
    assert_eq!(names(&with_rapl, SourceChoice::Battery), ["battery"]);
}
