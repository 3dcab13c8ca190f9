//! What Scaphandre exports to a virtual machine: found by its layout, taken for what it is, and told of.

use std::fs;
use std::path::Path;

use energy_prof::model::{EnergySample, Provenance, Window, disjoint_cover};
use energy_prof::sources::{
    CpuVendor, Discovery, EnergySource, FindingState, Meter, ScaphandreGuest, SourceChoice,
    SourceOptions, discover,
};
use energy_prof::units::{Microjoules, MonotonicTime, WallTime};
use tempfile::TempDir;

use crate::support::fake_events::no_events;
use crate::support::fake_machine::{FakeMachine, facts};
use crate::support::fake_powercap::FakePowercap;

/// The directory that a guest mounts, as Scaphandre 1.0.3 leaves it.
fn guest(energy_uj: u64) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("intel-rapl:0:0")).unwrap();
    fs::create_dir(root.path().join("intel-rapl:0")).unwrap();
    show(root.path(), energy_uj);
    root
}

/// As `fs::write(path, content.to_string())` there: no newline.
fn show(root: &Path, energy_uj: u64) {
    fs::write(root.join("intel-rapl:0/energy_uj"), energy_uj.to_string()).unwrap();
}

fn look(root: &Path, choice: SourceChoice) -> Discovery {
    let options =
        SourceOptions { powercap_root: Some(root.to_owned()), choice, ..SourceOptions::default() };
    let sockets = facts(CpuVendor::Intel, &[(0, 0, 0), (1, 0, 0)]);
    discover(&options, &sockets, &no_events)
}

#[test]
fn a_guests_share_is_one_counter_of_all_its_cpus() {
    let root = guest(12_345_678);
    for choice in [SourceChoice::Auto, SourceChoice::RaplPowercap] {
        let mut found = look(root.path(), choice);
        let [source] = &mut found.sources[..] else { panic!("{:?}", found.findings) };
        assert_eq!(source.name(), "scaphandre");
        let domains: Vec<_> = source.counters().iter().map(|spec| spec.domain).collect();
        assert_eq!(domains.iter().map(ToString::to_string).collect::<Vec<_>>(), ["package"]);
        assert_eq!(disjoint_cover(&domains), domains);
        let mut readings = Vec::new();
        source.read(&MonotonicTime::default, &mut readings);
        assert_eq!(readings[0].value.as_ref().unwrap(), &Microjoules::new(12_345_678));
        let topology = facts(CpuVendor::Intel, &[(0, 0, 0), (1, 0, 0)]).topology;
        assert!(topology.feeds(0, domains[0]) && topology.feeds(1, domains[0]));
    }
}

/// It is its host's energy divided by CPU time, and by the versions there are not even that.
#[test]
fn a_guests_share_is_no_measurement() {
    let found = look(guest(1).path(), SourceChoice::Auto);
    assert_eq!(found.sources[0].provenance(), Provenance::Estimated);
    assert!(found.model.is_none());
    let [finding] = &found.findings[..] else { panic!("{:?}", found.findings) };
    assert_eq!(finding.state, FindingState::Degraded);
    assert!(finding.detail.contains("about a fifth"), "{}", finding.detail);
    assert!(found.sources[0].note().unwrap().contains("CPU time"));
}

#[test]
fn a_tree_of_the_kernels_is_no_guests() {
    for tree in [FakePowercap::client(), FakePowercap::amd(), FakePowercap::new()] {
        assert!(ScaphandreGuest::open(tree.root()).unwrap().is_none());
    }
    // A zone without a name, beside none that is empty, is a damaged tree and not Scaphandre's.
    let tree = FakePowercap::amd();
    fs::remove_file(tree.root().join("intel-rapl:0/name")).unwrap();
    assert!(ScaphandreGuest::open(tree.root()).unwrap().is_none());
}

/// Only a directory that was named is looked at so closely.
#[test]
fn the_machines_own_powercap_is_never_taken_for_a_guests_share() {
    let machine = FakeMachine::new();
    machine.write("class/powercap/intel-rapl:0/energy_uj", "5");
    fs::create_dir(machine.path("class/powercap/intel-rapl:0:0")).unwrap();
    let options =
        SourceOptions { sysfs: Some(machine.sysfs().to_owned()), ..SourceOptions::default() };
    let found = discover(&options, &facts(CpuVendor::Intel, &[(0, 0, 0)]), &no_events);
    assert!(found.sources.is_empty());
}

/// The energy and the flags of the windows of a second between these readings, of which `None` finds the
/// file as the host leaves it for a moment before it writes.
fn seconds(shown: &[Option<u64>]) -> Vec<(Option<u64>, String)> {
    let root = guest(0);
    let mut source = ScaphandreGuest::open(root.path()).unwrap().unwrap();
    let mut meter = Meter::new(source.counters()[0], source.name(), source.provenance());
    let at = |second: u64| MonotonicTime::from_nanos(1_000_000_000 * (second + 1));
    let mut samples: Vec<EnergySample> = Vec::new();
    for (second, energy_uj) in (0..).zip(shown) {
        match energy_uj {
            Some(energy_uj) => show(root.path(), *energy_uj),
            None => fs::write(root.path().join("intel-rapl:0/energy_uj"), "").unwrap(),
        }
        let mut readings = Vec::new();
        source.read(&|| at(second), &mut readings);
        meter.push(readings.remove(0));
        if second > 0 {
            let window = Window {
                index: 0,
                start: at(second - 1),
                end: at(second),
                start_utc: WallTime::default(),
                lost_switches: 0,
                lost_events: 0,
            };
            samples.extend(meter.energy_of(&window));
        }
    }
    let told =
        |sample: EnergySample| (sample.energy.map(Microjoules::get), sample.flags.to_string());
    samples.into_iter().map(told).collect()
}

#[test]
fn a_counter_that_moves_every_five_seconds_says_that_its_windows_are_too_short() {
    let told = seconds(&[Some(100), Some(100), Some(900)]);
    let expected = [(Some(0), "coarse|repeated".to_owned()), (Some(800), "coarse".to_owned())];
    assert_eq!(told, expected);
}

#[test]
fn a_file_that_stays_empty_is_a_gap() {
    let told = seconds(&[Some(100), None, Some(900), Some(950)]);
    let energies: Vec<_> = told.iter().map(|(energy, _)| *energy).collect();
    assert_eq!(energies.last(), Some(&Some(50)), "{told:?}");
    assert!(energies[..energies.len() - 1].iter().all(Option::is_none), "{told:?}");
}
