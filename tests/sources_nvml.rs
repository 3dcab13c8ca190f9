//! NVIDIA's cards: what their library tells through the real wrapper of it, and what it does when it fails.

use std::cell::Cell;
use std::path::Path;

use energy_prof::model::{CounterFlags, Domain, DomainId, EnergySample, GpuSample, Window};
use energy_prof::sources::{
    CpuVendor, EnergySource, FindingState, Meter, Nvml, NvmlCards, SourceChoice, SourceOptions,
    discover,
};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime};

use crate::support::fake_events::no_events;
use crate::support::fake_machine::{FakeMachine, facts};
use crate::support::nvml::StandIn;

const CARD: DomainId = DomainId::of_socket(Domain::Gpu, 0);

/// An A100 that draws 60 W, and 240 W more for a process from 1 s to 3 s.
const A100: &str = "
    card NVIDIA A100-SXM4-80GB
    pci 00000000:41:00.0
    base 1000
    power 60 0 100
    power 240 1 3
    process 4711 80 4096 1 3
";

fn open(stand_in: &StandIn) -> NvmlCards {
    Nvml::open(&stand_in.library())
}

fn at(seconds: f64, cards: &str) -> String {
    format!("at {seconds}\n{cards}")
}

fn window(milliseconds: u64, index: u32) -> Window {
    let length = Nanoseconds::from_millis(milliseconds);
    let start = MonotonicTime::from_nanos(1_000_000_000 + length.get() * u64::from(index));
    Window {
        index,
        start,
        end: start + length,
        start_utc: WallTime::default(),
        lost_switches: 0,
        lost_events: 0,
    }
}

/// The first card's energy in windows of so many milliseconds, from script time 1 s on; `cards` may change.
fn energies(
    stand_in: &StandIn,
    milliseconds: u32,
    windows: u32,
    cards: impl Fn(u32) -> String,
) -> Vec<EnergySample> {
    let time = |reading: u32| 1.0 + f64::from(milliseconds * reading) / 1000.0;
    stand_in.play(&at(time(0), &cards(0)));
    let mut source = open(stand_in).source.unwrap();
    let mut meter = Meter::new(source.counters()[0], source.name(), source.provenance());
    let now = Cell::new(window(u64::from(milliseconds), 0).start);
    for reading in 0..=windows {
        // A hair later, so that rounding does not decide whether a step was made.
        stand_in.play(&at(time(reading) + 1e-6, &cards(reading)));
        now.set(window(u64::from(milliseconds), reading).start);
        let mut readings = Vec::new();
        source.read(&|| now.get(), &mut readings);
        meter.push(readings.swap_remove(0));
    }
    let sample = |index| meter.energy_of(&window(u64::from(milliseconds), index)).unwrap();
    (0..windows).map(sample).collect()
}

fn joules(samples: &[EnergySample]) -> Vec<Option<f64>> {
    samples.iter().map(|sample| sample.energy.map(|energy| energy.joules().get())).collect()
}

#[test]
fn millijoules_of_the_counter_become_microjoules() {
    let Some(stand_in) = StandIn::new("") else { return };
    let found = energies(&stand_in, 500, 5, |_| A100.to_owned());
    // 300 W for half a second are 150 J, and 60 W 30 J.
    let expected = [150.0, 150.0, 150.0, 150.0, 30.0];
    assert_eq!(joules(&found), expected.map(Some));
    assert!(
        found.iter().all(|sample| sample.flags == CounterFlags::NONE && *sample.source == *"nvml")
    );
    assert_eq!(found[0].domain, CARD);
}

#[test]
fn windows_shorter_than_the_counters_steps_are_flagged_and_add_up_to_what_it_counted() {
    let Some(stand_in) = StandIn::new("") else { return };
    let found = energies(&stand_in, 20, 50, |_| A100.to_owned());
    assert!(found.iter().all(|sample| sample.flags.contains(CounterFlags::COARSE)));
    let repeated = |sample: &&EnergySample| sample.flags.contains(CounterFlags::REPEATED);
    let still: Vec<&EnergySample> = found.iter().filter(repeated).collect();
    assert_eq!(still.len(), 40, "four of five");
    assert!(still.iter().all(|sample| sample.energy == Some(Microjoules::ZERO)));
    assert!(still.last().unwrap().error.unwrap().get() > 10_000_000, "it may have drawn 30 J");
    let sum: f64 = joules(&found).into_iter().flatten().sum();
    assert!((sum - 300.0).abs() < 1e-9, "{sum} J of 300 W for a second");
}

#[test]
fn a_card_without_a_counter_is_integrated_and_says_so() {
    let Some(stand_in) = StandIn::new("") else { return };
    for field in ["", "field 0\n"] {
        let card = format!("card NVIDIA GeForce GTX 1080\nstep 0\n{field}power 120 0 100\n");
        let found = energies(&stand_in, 500, 2, |_| card.clone());
        assert_eq!(joules(&found), [Some(60.0); 2]);
        assert!(found.iter().all(|sample| sample.flags == CounterFlags::INTEGRATED));
        let cards = open(&stand_in);
        assert_eq!(cards.findings[0].state, FindingState::Degraded);
        let now = cards.findings[0].detail.starts_with("power now");
        assert_eq!(now, field.is_empty(), "{:?}", cards.findings);
        assert!(cards.source.unwrap().note().unwrap().contains("flagged `integrated`"));
    }
}

#[test]
fn a_card_that_is_lost_leaves_a_gap_and_goes_on_when_it_is_back() {
    let Some(stand_in) = StandIn::new("") else { return };
    for (call, code, words) in [
        (
            "TotalEnergy",
            15,
            "cannot read the energy of gpu-0: the card is lost: it has fallen off the bus",
        ),
        ("HandleByIndex", 15, "the card is lost"),
        (
            "TotalEnergy",
            16,
            "the card must be reset before it works again; sudo nvidia-smi --gpu-reset",
        ),
        ("TotalEnergy", 4, "permission denied; run as root"),
        ("TotalEnergy", 999, "an internal driver error occurred"),
    ] {
        let card = format!("{A100}fail {call} {code} 1.9 2.4\n");
        let found = energies(&stand_in, 500, 5, |_| card.clone());
        let gap = Some(CounterFlags::UNREADABLE.with(CounterFlags::GAP));
        let flags: Vec<_> = found.iter().map(|s| s.energy.is_none().then_some(s.flags)).collect();
        assert_eq!(flags, [None, gap, gap, None, None], "{call}");
        let mut source = open(&stand_in).source.unwrap();
        stand_in.play(&at(2.0, &card));
        let mut readings = Vec::new();
        source.read(&MonotonicTime::default, &mut readings);
        let error = readings[0].value.as_ref().unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.is_permission(), code == 4);
    }
}

#[test]
fn a_driver_that_was_loaded_anew_begins_its_counter_anew() {
    let Some(stand_in) = StandIn::new("") else { return };
    let reloaded = A100.replace("base 1000", "base 0");
    let found =
        energies(
            &stand_in,
            500,
            4,
            |reading| if reading < 2 { A100.to_owned() } else { reloaded.clone() },
        );
    assert_eq!(joules(&found), [Some(150.0), None, Some(150.0), Some(150.0)]);
    assert_eq!(found[1].flags, CounterFlags::BACKWARDS);
}

#[test]
fn a_card_tells_its_processes_use_once_and_its_own_state() {
    let Some(stand_in) = StandIn::new(&at(2.0, A100)) else { return };
    let mut source = open(&stand_in).source.unwrap();
    let mut told = Vec::new();
    source.read_cards(&mut told);
    let card = GpuSample {
        sm_percent: Some(80),
        memory_percent: Some(40),
        memory_bytes: Some(4 << 30),
        temperature_celsius: Some(45),
        sm_clock_mhz: Some(1410),
        memory_clock_mhz: Some(1593),
        ..GpuSample::default()
    };
    let process = GpuSample {
        pid: Some(4711),
        sm_percent: Some(80),
        memory_percent: Some(40),
        memory_bytes: Some(4 << 30),
        ..GpuSample::default()
    };
    assert_eq!(told, [card, process]);
    told.clear();
    stand_in.play(&at(2.1, A100));
    source.read_cards(&mut told);
    let unsampled = GpuSample { sm_percent: None, memory_percent: None, ..process };
    assert_eq!(told[1], unsampled, "the driver has no new sample, which is not 0 %");
}

#[test]
fn under_mig_nothing_is_told_of_use_and_it_is_said() {
    let card = format!("{A100}mig 1\n");
    let Some(stand_in) = StandIn::new(&at(2.0, &card)) else { return };
    let mut found = open(&stand_in);
    assert_eq!(found.findings[0].state, FindingState::Degraded);
    let source = found.source.as_mut().unwrap();
    assert!(source.note().unwrap().contains("gpu-0: divided by MIG"));
    let mut told = Vec::new();
    source.read_cards(&mut told);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|sample| sample.sm_percent.is_none()));
}

#[test]
fn the_sensors_that_look_a_quarter_of_the_time_are_known_by_their_cards() {
    for (name, part) in [
        ("NVIDIA A100-PCIE-40GB", true),
        ("NVIDIA H100 80GB HBM3", true),
        ("NVIDIA GH200 480GB", true),
        ("NVIDIA A10", false),
        ("NVIDIA GeForce RTX 3090", false),
    ] {
        let Some(stand_in) = StandIn::new(&at(0.0, &format!("card {name}\n"))) else { return };
        let note = open(&stand_in).source.unwrap().note().unwrap();
        assert_eq!(note.contains("a quarter of the time"), part, "{note}");
    }
}

#[test]
fn cards_come_before_those_of_hardware_monitoring_and_none_is_there_twice() {
    let two = format!("{A100}card NVIDIA A2\npci 00000000:C1:00.0\nbus 3\n");
    let Some(stand_in) = StandIn::new(&at(0.0, &two)) else { return };
    let machine = FakeMachine::new();
    let bus = "devices/pci0000:00";
    for (hwmon, driver, address) in
        [("hwmon0", "nouveau", "0000:41:00.0"), ("hwmon1", "amdgpu", "0000:c3:00.0")]
    {
        machine.write(&format!("{bus}/{address}/vendor"), "0x1");
        machine.write(&format!("class/hwmon/{hwmon}/name"), driver);
        machine.write(&format!("class/hwmon/{hwmon}/power1_input"), "5000000");
        let device = machine.path(&format!("class/hwmon/{hwmon}/device"));
        std::os::unix::fs::symlink(machine.path(&format!("{bus}/{address}")), device).unwrap();
    }
    let options = SourceOptions {
        sysfs: Some(machine.sysfs().to_owned()),
        nvml_library: Some(stand_in.library()),
        ..SourceOptions::default()
    };
    let found = discover(&options, &facts(CpuVendor::Intel, &[]), &no_events);
    let of = |name: &str| -> Vec<String> {
        let source = found.sources.iter().find(|source| source.name() == name).unwrap();
        source.counters().iter().map(|spec| spec.domain.to_string()).collect()
    };
    assert_eq!(of("nvml"), ["gpu-0", "gpu-1"]);
    assert_eq!(of("hwmon"), ["gpu-2"], "the card of nouveau is gpu-0");
    let nvml = found.sources.iter().find(|source| source.name() == "nvml").unwrap();
    assert_eq!(nvml.discrete_cards(), [CARD], "the other is on a chip with a processor");
}

#[test]
fn a_library_that_is_not_there_or_not_right_is_told_with_a_way_out() {
    let there_is_no_such = Nvml::open(Path::new("/nonexistent/libnvidia-ml.so.1"));
    assert!(there_is_no_such.source.is_none());
    let remedy = there_is_no_such.findings[0].remedy.as_deref().unwrap();
    assert!(remedy.contains("--nvml-library"), "{remedy}");
    // A library, but not NVIDIA's.
    let other = Nvml::open(Path::new("libc.so.6"));
    assert_eq!(other.findings[0].detail, "it lacks a function that is needed");
    for (code, detail, remedy) in [
        (9, "NVIDIA's driver is not loaded", Some("sudo modprobe nvidia")),
        (18, "NVIDIA's driver in the kernel and its library are of different versions", None),
        (4, "permission denied", Some("run as root")),
    ] {
        let Some(stand_in) = StandIn::new(&format!("init {code}\n")) else { return };
        let finding = open(&stand_in).findings.swap_remove(0);
        assert_eq!((finding.state, &*finding.detail), (FindingState::Missing, detail));
        assert!(finding.remedy.is_some());
        assert!(remedy.is_none_or(|remedy| finding.remedy.as_deref() == Some(remedy)));
    }
    let Some(stand_in) = StandIn::new("") else { return };
    assert_eq!(open(&stand_in).findings[0].detail, "it knows of no card");
}

#[test]
fn a_machine_without_cards_hears_nothing_of_them_unless_it_asks() {
    let machine = FakeMachine::new();
    let options =
        SourceOptions { sysfs: Some(machine.sysfs().to_owned()), ..SourceOptions::default() };
    let told = |options: &SourceOptions| {
        let found = discover(options, &facts(CpuVendor::Intel, &[]), &no_events);
        found.findings.iter().any(|finding| finding.what.contains("NVIDIA"))
    };
    assert!(!told(&options));
    let named = SourceOptions {
        nvml_library: Some("/nonexistent".into()),
        choice: SourceChoice::Nvml,
        ..options
    };
    assert!(told(&named));
}
