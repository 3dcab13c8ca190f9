//! Energy from other sources than RAPL, recorded to the end: what fails in between is a flagged gap.

use std::fs;
use std::path::Path;
use std::process::Output;

use energy_prof::model::{CounterFlags, Domain, DomainId, EnergySample};
use energy_prof::sources::{CpuVendor, HostFacts};
use energy_prof::units::Microjoules;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::fake_machine::FakeMachine;
use crate::support::fake_registers::FakeRegisters;
use crate::support::skip::skip;

const MACHINE: DomainId = DomainId::of_machine(Domain::Machine);
const CARD: DomainId = DomainId::of_socket(Domain::Gpu, 0);

/// A machine that draws 10 W at its meter, and a card that draws 5 W.
fn machine() -> FakeMachine {
    let machine = FakeMachine::new();
    for (chip, name, power_uw) in [("hwmon0", "power_meter", 10), ("hwmon1", "amdgpu", 5)] {
        machine.write(&format!("class/hwmon/{chip}/name"), name);
        let power = format!("class/hwmon/{chip}/power1_average");
        machine.write(&power, &(power_uw * 1_000_000).to_string());
    }
    machine
}

/// Records a shell script on `machine`; `meter` in it is the file of the machine's power.
fn record(place: &Place, machine: &FakeMachine, script: &str) -> Output {
    let sysfs = machine.sysfs().to_str().unwrap();
    let meter = machine.path("class/hwmon/hwmon0/power1_average");
    let script = format!("meter={}; {script}", meter.display());
    place.recorded(&["--no-stacks", "--as-root", "--sysfs", sysfs], &["--", "sh", "-c", &script])
}

fn of_domain(place: &Place, domain: DomainId) -> Vec<EnergySample> {
    let samples = place.reader().energy().unwrap();
    samples.into_iter().filter(|sample| sample.domain == domain).collect()
}

fn report(trace: &Path) -> String {
    let output = energy_prof().arg("report").arg(trace).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_meter_of_the_machine_is_the_total_and_the_card_is_beside_it() {
    let place = Place::new();
    record(&place, &machine(), "sleep 1");
    let profile = place.profile();
    let (reads, windows) =
        (place.reader().session().reads.unwrap(), place.reader().windows().unwrap().len() as u64);
    assert!((1..windows).contains(&reads.edges), "{reads:?} of {windows} windows");
    assert!(reads.over_2_ms <= reads.edges && reads.longest_ns > 0, "{reads:?}");
    let duration = profile.span.duration.seconds();
    let total = profile.total().measured.joules().get();
    assert!((total - 10.0 * duration).abs() < 0.001, "{total} J in {duration} s of 10 W");
    let card = profile.domains[&CARD].ledger;
    assert_eq!(card.attributed, Microjoules::ZERO);
    assert_eq!(card.unattributed + card.idle, card.measured);
    assert!(
        of_domain(&place, CARD)
            .iter()
            .all(|sample| sample.flags.contains(CounterFlags::INTEGRATED))
    );
    let report = report(&place.trace());
    assert!(report.contains("integrated"), "{report}");
}

#[test]
fn a_sensor_that_fails_while_recording_is_a_gap_and_the_recording_goes_on() {
    for fault in ["echo nonsense > $meter", ": > $meter; rm $meter", "echo 99999999999999 > $meter"]
    {
        let place = Place::new();
        let script = format!("sleep 0.5; {fault}; sleep 0.5; echo 10000000 > $meter; sleep 0.5");
        let machine = machine();
        let output = record(&place, &machine, &script);
        let samples = of_domain(&place, MACHINE);
        let unknown = samples.iter().filter(|sample| sample.energy.is_none());
        let odd = CounterFlags::UNREADABLE.with(CounterFlags::GAP);
        let flagged = |sample: &EnergySample| {
            sample.flags.contains(odd) || sample.flags.contains(CounterFlags::IMPLAUSIBLE)
        };
        let unknown: Vec<_> = unknown.collect();
        assert!(!unknown.is_empty() && unknown.iter().all(|sample| flagged(sample)), "{unknown:?}");
        assert!(samples.last().unwrap().energy.is_some(), "{fault}: it goes on when it is back");
        assert!(of_domain(&place, CARD).iter().all(|sample| sample.energy.is_some()), "{fault}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("energy"), "{said}");
        let report = report(&place.trace());
        assert!(report.contains("windows without energy: machine in "), "{report}");
    }
}

/// The kernel's clock of a CPU stands in for the PMU, a nanosecond for 10⁻⁹ J: it draws 1 W.
#[test]
fn two_ways_to_one_counter_that_disagree_are_told_and_the_first_is_believed() {
    let machine = FakeMachine::new().with_pmu("power", "0", &[("energy-pkg", 0)]);
    // PERF_TYPE_SOFTWARE; its event 0 is PERF_COUNT_SW_CPU_CLOCK.
    machine.write("bus/event_source/devices/power/type", "1");
    machine.write("bus/event_source/devices/power/events/energy-pkg.scale", "1e-9");
    let zone = "class/powercap/intel-rapl:0";
    machine.write(&format!("{zone}/name"), "package-0");
    machine.write(&format!("{zone}/energy_uj"), "5");
    let place = Place::new();
    let output = record(&place, &machine, "sleep 1");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = "of package-0 at the same time, 100.0 % apart: one of them is wrong";
    assert!(said.contains(told), "{said}");
    let profile = place.profile();
    let package = &profile.domains[&DomainId::of_socket(Domain::Package, 0)];
    assert_eq!((package.source.as_str(), package.in_total), ("rapl-perf", true));
    let duration = profile.span.duration.seconds();
    let total = profile.total().measured.joules().get();
    assert!((total - duration).abs() < 0.01 * duration, "{total} J in {duration} s of 1 W");
    assert!(report(&place.trace()).contains("one of them is wrong"));
}

#[test]
fn a_charger_that_is_plugged_in_while_recording_is_a_gap() {
    let machine = FakeMachine::new();
    machine.write("class/power_supply/BAT0/type", "Battery");
    machine.write("class/power_supply/BAT0/status", "Discharging");
    machine.write("class/power_supply/BAT0/power_now", "8000000");
    let status = machine.path("class/power_supply/BAT0/status");
    let place = Place::new();
    let script = format!(
        "sleep 0.5; echo Charging > {0}; sleep 0.5; echo Discharging > {0}; sleep 0.5",
        status.display()
    );
    record(&place, &machine, &script);
    let samples = of_domain(&place, MACHINE);
    assert!(samples.iter().any(|sample| sample.energy.is_none()));
    assert!(samples.iter().any(|sample| sample.energy.is_some()));
    assert!(samples.iter().all(|sample| *sample.source == *"battery"));
    assert!(fs::read_to_string(status).unwrap().starts_with("Discharging"));
}

/// Scaphandre's counter of a guest steps up while a command runs.
#[test]
fn a_guests_share_of_its_host_is_recorded_as_an_estimate() {
    let (place, guest) = (Place::new(), tempfile::tempdir().unwrap());
    for zone in ["intel-rapl:0", "intel-rapl:0:0"] {
        fs::create_dir(guest.path().join(zone)).unwrap();
    }
    let counter = guest.path().join("intel-rapl:0/energy_uj");
    fs::write(&counter, "1000000").unwrap();
    let script = format!("sleep 0.5; printf 4000000 > {}; sleep 0.5", counter.display());
    let root = guest.path().to_str().unwrap();
    place.recorded(
        &["--no-stacks", "--as-root", "--powercap-root", root],
        &["--", "sh", "-c", &script],
    );
    let domain = DomainId::of_machine(Domain::Package);
    let energies: Vec<_> =
        of_domain(&place, domain).into_iter().filter_map(|sample| sample.energy).collect();
    assert_eq!(energies.into_iter().sum::<Microjoules>(), Microjoules::new(3_000_000));
    let report = report(&place.trace());
    assert!(report.contains("(est.)") && report.contains("about a fifth"), "{report}");
}

/// The registers of this machine's first CPU, as its maker has them, step up by 3 J while a command runs.
#[test]
fn registers_that_are_named_are_recorded_alone() {
    let facts = HostFacts::of_this_machine();
    let (unit, package) = match facts.vendor {
        CpuVendor::Intel => (0x606, 0x611),
        CpuVendor::Amd | CpuVendor::Hygon => (0xc001_0299, 0xc001_029b),
        CpuVendor::Other => return skip("no processor with energy registers"),
    };
    let cpus: Vec<u16> = facts.topology.cpus.keys().copied().collect();
    let (place, registers) = (Place::new(), FakeRegisters::of(&cpus));
    for cpu in &cpus {
        registers.hold_unit(*cpu, unit, 16);
        registers.hold(*cpu, package, 1 << 16);
    }
    // Of four bytes, the third alone changes: 1 << 16 becomes 4 << 16.
    let device = registers.path(cpus[0]);
    let step = format!("dd of={} bs=1 seek={} conv=notrunc", device.display(), package + 2);
    let script = format!("sleep 0.3; printf '\\004' | {step}; sleep 0.3");
    let dev = registers.dev().to_str().unwrap();
    place.recorded(
        &["--no-stacks", "--as-root", "--source", "rapl-msr", "--dev", dev],
        &["--", "sh", "-c", &script],
    );
    let samples = place.reader().energy().unwrap();
    assert!(samples.iter().all(|sample| *sample.source == *"rapl-msr"));
    let energies = samples.iter().filter_map(|sample| sample.energy);
    assert_eq!(energies.sum::<Microjoules>(), Microjoules::new(3_000_000));
}

/// Page faults stand in for what a core draws, 0.1 mJ each, and the clock of a CPU for the package, 50 W: one
/// shell starts programs, which touches new pages, on one core while another only computes on the other.
#[test]
fn what_a_core_counted_goes_to_what_ran_on_it() {
    let facts = HostFacts::of_this_machine();
    let cores: Vec<_> = facts.topology.cpus.values().map(|place| (place.die, place.core)).collect();
    if cores.len() != 2 || cores[0] == cores[1] {
        return skip("not a machine of two cores with a CPU each");
    }
    // Of PERF_TYPE_SOFTWARE, 0 is PERF_COUNT_SW_CPU_CLOCK and 2 PERF_COUNT_SW_PAGE_FAULTS.
    let machine = FakeMachine::new().with_pmu("power", "0", &[("energy-pkg", 0)]).with_pmu(
        "power_core",
        "0-1",
        &[("energy-core", 2)],
    );
    let events = [("power", "energy-pkg", "5e-8"), ("power_core", "energy-core", "1e-4")];
    for (pmu, event, scale) in events {
        let pmu = format!("bus/event_source/devices/{pmu}");
        machine.write(&format!("{pmu}/type"), "1");
        machine.write(&format!("{pmu}/events/{event}.scale"), scale);
    }
    let place = Place::new();
    let touching = "for i in $(seq 1000); do /bin/true; done";
    let computing = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done";
    let script =
        format!("taskset -c 0 sh -c '{touching}' & taskset -c 1 sh -c '{computing}' & wait");
    let sysfs = machine.sysfs().to_str().unwrap();
    let options = ["--no-stacks", "--as-root", "--core-counters", "--sysfs", sysfs];
    place.recorded(&options, &["--", "sh", "-c", &script]);
    let (profile, on_package) = (place.profile(), DomainId::of_socket(Domain::Package, 0));
    let package = &profile.domains[&on_package];
    assert!(package.by_core > 0 && package.ledger.closes(), "{package:?}");
    let core: DomainId = "core-0-core-0".parse().unwrap();
    let counted = profile.domains[&core].ledger.measured.joules().get();
    let joules = |word: &str, not: &str| -> f64 {
        let is_it = |command: &String| command.contains(word) && !command.contains(not);
        let of = profile.threads.values().filter(|it| it.info.cmdline.as_ref().is_some_and(is_it));
        let charges = of.filter_map(|it| it.charges.get(&on_package));
        charges.map(|charge| charge.energy.joules().get()).sum()
    };
    let (touched, computed) = (joules("true", "-lt"), joules("-lt", "true"));
    assert!(counted > 1.0, "1,000 programs touch some pages each: {counted} J");
    assert!(touched > counted * 0.9, "{touched} J, where the core counted {counted} J");
    assert!(touched > computed + counted * 0.5, "{touched} and {computed} J");
    let report = report(&place.trace());
    let words: Vec<&str> = report.split_whitespace().collect();
    assert!(words.join(" ").contains("by their own counters"), "{report}");
}
