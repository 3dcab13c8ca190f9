//! Sources: which counters a machine has, what their readings mean, and what stands in where there are none.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use energy_prof::model::{CounterFlags, Domain, DomainId, EnergySample, Grid, Provenance, Window};
use energy_prof::probes::count_cpu_time;
use energy_prof::sources::simulated_powercap::{
    Layout, Load, SimulatedPowercap, SimulationError, Truth,
};
use energy_prof::sources::{
    CounterReading, CounterSpec, CpuVendor, EnergySource, FindingState, HostFacts, Meter,
    PowercapZones, RaplPowercap, Shown, SourceChoice, SourceOptions, cpu_powers, discover,
    family_powers, model_constants,
};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds, WallTime, Watts};
use nix::time::{ClockId, clock_gettime};
use proptest::prelude::*;

use crate::support::fake_events::no_events;
use crate::support::fake_powercap::FakePowercap;

fn open(tree: &FakePowercap, vendor: &CpuVendor) -> PowercapZones {
    RaplPowercap::open(tree.root(), vendor).unwrap()
}

/// What each counter of a tree shows, by the domain's name.
fn shown(tree: &FakePowercap, vendor: &CpuVendor) -> BTreeMap<String, u64> {
    let mut source = open(tree, vendor).source.unwrap();
    let mut readings = Vec::new();
    source.read(&MonotonicTime::default, &mut readings);
    let value = |reading: CounterReading| {
        let domain = source.counters()[reading.counter].domain;
        (domain.to_string(), reading.value.unwrap().get())
    };
    readings.into_iter().map(value).collect()
}

fn named<const N: usize>(values: [(&str, u64); N]) -> BTreeMap<String, u64> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn a_client_has_package_cores_graphics_and_psys_and_no_twin() {
    let expected = [
        ("package-0", 1_000_000),
        ("core-0", 2_000_000),
        ("uncore-0", 3_000_000),
        ("psys", 4_000_000),
    ];
    assert_eq!(shown(&FakePowercap::client(), &CpuVendor::Intel), named(expected));
}

#[test]
fn a_memory_mapped_twin_is_read_where_its_original_cannot_be() {
    let tree = FakePowercap::client();
    fs::remove_file(tree.counter("intel-rapl:0")).unwrap();
    tree.show("intel-rapl-mmio:0", "77\n");
    assert_eq!(shown(&tree, &CpuVendor::Intel)["package-0"], 77);
}

#[test]
fn sockets_are_known_by_name_and_memory_by_its_parent() {
    let expected = [("package-0", 10), ("package-1", 11), ("dram-0", 20), ("dram-1", 21)];
    assert_eq!(shown(&FakePowercap::two_socket_server(), &CpuVendor::Intel), named(expected));
}

#[test]
fn dies_have_counters_of_their_own() {
    let expected =
        [("package-0-die-0", 0), ("package-0-die-1", 1), ("dram-0-die-0", 0), ("dram-0-die-1", 1)];
    assert_eq!(shown(&FakePowercap::two_dies(), &CpuVendor::Intel), named(expected));
}

#[test]
fn amds_core_zone_is_one_core_and_not_read() {
    assert_eq!(shown(&FakePowercap::amd(), &CpuVendor::Amd), named([("package-0", 7)]));
}

#[test]
fn psys_of_two_sockets_are_two() {
    let tree = FakePowercap::two_socket_server();
    tree.zone("intel-rapl:2", "psys", 4_294_967_295_000_000, 5);
    tree.zone("intel-rapl:3", "psys-1", 4_294_967_295_000_000, 6);
    let shown = shown(&tree, &CpuVendor::Intel);
    assert_eq!((shown["psys-0"], shown["psys-1"]), (5, 6));
}

#[test]
fn ranges_give_away_turn_and_quantum() {
    let source = open(&FakePowercap::two_socket_server(), &CpuVendor::Intel).source.unwrap();
    let dram = DomainId::of_socket(Domain::Dram, 0);
    let spec = source.counters().iter().find(|spec| spec.domain == dram).unwrap();
    assert_eq!(spec.range, Some(Microjoules::new(65_712_999_628)));
    assert_eq!(spec.quantum, Microjoules::new(16));
}

#[test]
fn a_tree_without_ranges_guesses_no_wraps() {
    let tree = FakePowercap::amd();
    fs::remove_file(tree.root().join("intel-rapl:0/max_energy_range_uj")).unwrap();
    let zones = open(&tree, &CpuVendor::Amd);
    assert_eq!(zones.source.unwrap().counters()[0].range, None);
    assert_eq!(zones.findings[0].state, FindingState::Degraded);
}

#[test]
fn what_cannot_be_used_is_told() {
    let tree = FakePowercap::two_socket_server();
    tree.zone("intel-rapl:2", "accelerator", 1, 1);
    tree.show("intel-rapl:0", "many joules\n");
    fs::remove_file(tree.counter("intel-rapl:1")).unwrap();
    fs::create_dir(tree.counter("intel-rapl:1")).unwrap();
    let zones = open(&tree, &CpuVendor::Intel);
    assert_eq!(zones.source.unwrap().counters().len(), 2, "both memories");
    let told: Vec<String> = zones
        .findings
        .iter()
        .filter(|finding| finding.state != FindingState::Ok)
        .map(|finding| format!("{}: {}", finding.what, finding.detail))
        .collect();
    let told = told.join("\n");
    assert!(told.contains("holds \"many joules\""), "{told}");
    assert!(told.contains("cannot read"), "{told}");
    assert!(told.contains("RAPL accelerator"), "{told}");
}

#[test]
fn a_counter_that_vanishes_is_an_error_until_it_is_back() {
    let tree = FakePowercap::amd();
    let mut source = open(&tree, &CpuVendor::Amd).source.unwrap();
    let mut read = || {
        let mut readings = Vec::new();
        source.read(&MonotonicTime::default, &mut readings);
        readings.remove(0).value.map_err(|error| error.to_string())
    };
    // A counter's file that is held open does not notice the removal of its name.
    tree.show("intel-rapl:0", "");
    fs::remove_file(tree.counter("intel-rapl:0")).unwrap();
    assert!(read().unwrap_err().contains("energy_uj"));
    assert!(read().is_err());
    tree.show("intel-rapl:0", "99\n");
    assert_eq!(read(), Ok(Microjoules::new(99)));
}

#[test]
fn a_named_root_without_zones_is_no_reason_to_estimate() {
    let tree = FakePowercap::new();
    let options =
        SourceOptions { powercap_root: Some(tree.root().to_owned()), ..SourceOptions::default() };
    let found = discover(&options, &HostFacts::default(), &no_events);
    assert!(found.sources.is_empty() && found.model.is_none());
    assert_eq!(found.findings[0].state, FindingState::Missing);
    assert!(found.findings[0].remedy.is_some());
}

#[test]
fn counters_come_before_the_model_unless_that_is_asked_for() {
    let tree = FakePowercap::client();
    let options =
        SourceOptions { powercap_root: Some(tree.root().to_owned()), ..SourceOptions::default() };
    let facts = HostFacts { vendor: CpuVendor::Intel, ..HostFacts::default() };
    let measured = discover(&options, &facts, &no_events);
    assert_eq!((measured.sources.len(), measured.model.is_some()), (1, false));
    let options = SourceOptions { choice: SourceChoice::Model, ..options };
    let modelled = discover(&options, &facts, &no_events);
    assert_eq!((modelled.sources.len(), modelled.model.is_some()), (0, true));
}

#[test]
fn a_machine_is_described_by_its_procfs_and_sysfs() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let cpuinfo = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n\
        model name\t: Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz\nstepping\t: 7\n\
        flags\t\t: fpu hypervisor sse\n";
    write("proc/cpuinfo", cpuinfo);
    write("proc/meminfo", "MemTotal:       16000000 kB\nMemFree:        1 kB\n");
    write("proc/modules", "intel_rapl_common 40960 1 intel_rapl_msr, Live 0x0\n");
    write("proc/sys/kernel/hostname", "node7\n");
    write("proc/sys/kernel/osrelease", "6.12.1-amd64\n");
    write("sys/devices/system/cpu/online", "0-1\n");
    write("sys/devices/system/cpu/cpu1/topology/physical_package_id", "1\n");
    write("sys/devices/system/cpu/cpu1/topology/core_id", "3\n");
    write("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    let facts = HostFacts::read(&root.path().join("proc"), &root.path().join("sys"));
    assert_eq!(facts.vendor, CpuVendor::Intel);
    assert_eq!((facts.family, facts.model, facts.stepping), (Some(6), Some(85), Some(7)));
    assert_eq!((facts.cpus, facts.topology.sockets()), (2, vec![0, 1]));
    assert_eq!(facts.topology.cpus[&1].core, 3);
    assert_eq!(facts.memory_bytes, 16_000_000 * 1024);
    assert_eq!(facts.virtualisation.as_deref(), Some("Amazon EC2"));
    assert_eq!((facts.hostname.as_str(), facts.modules.len()), ("node7", 1));
    // Cascade Lake: its servers' curve is known.
    let options = SourceOptions { choice: SourceChoice::Model, ..SourceOptions::default() };
    let model = discover(&options, &facts, &no_events).model.unwrap();
    assert!(model.note().contains("Cascade Lake"), "{}", model.note());
    assert_eq!(model.domains().len(), 3, "two packages and the memory");
}

#[test]
fn every_row_of_the_tables_is_plausible_and_has_a_source() {
    let sources = include_str!("../energy-user/data/SOURCES.md");
    let known = |source: &str| !source.is_empty() && sources.contains(&format!("`{source}`"));
    let processors = cpu_powers().unwrap();
    assert_eq!(processors.len(), 4984);
    for row in processors {
        assert!((0.1..=600.0).contains(&row.tdp_w), "{row:?}");
        assert!(row.cores.is_none_or(|cores| (1..=512).contains(&cores)), "{row:?}");
        assert!(row.threads.is_none_or(|threads| (1..=1024).contains(&threads)), "{row:?}");
        assert!(!row.name.is_empty() && known(&row.source), "{row:?}");
    }
    for row in family_powers().unwrap() {
        assert!(0.1 < row.min_w_per_vcpu && row.min_w_per_vcpu < row.max_w_per_vcpu, "{row:?}");
        assert!(row.max_w_per_vcpu < 10.0 && row.year >= 2024 && known(&row.source), "{row:?}");
    }
    for row in model_constants().unwrap() {
        assert!((0.1..=10.0).contains(&row.value) && known(&row.source), "{row:?}");
    }
}

fn window(index: u32, start: MonotonicTime, end: MonotonicTime) -> Window {
    let start_utc = WallTime::default();
    Window { index, start, end, start_utc, lost_switches: 0, lost_events: 0 }
}

const TURN_UJ: u64 = 100_000_000;

proptest! {
    /// Readings 1 to 50 ms apart of a counter that draws up to 1000 W (1000 µJ in a µs) and turns after
    /// 100 J, and windows that meet anywhere between the first reading and the last.
    #[test]
    fn windows_that_meet_add_up_to_the_counters_advance(
        start_uj in 0..TURN_UJ,
        steps in prop::collection::vec((1_000_u64..50_000, 0_u64..=1000), 2..60),
        edges in prop::collection::vec(0_u64..1_000_000, 0..60),
    ) {
        let spec = CounterSpec {
            domain: DomainId::of_socket(Domain::Package, 0),
            range: Some(Microjoules::new(TURN_UJ)),
            quantum: Microjoules::new(61),
            update_period: Nanoseconds::from_millis(1),
            ceiling: Watts::new(1000.0),
            shows: Shown::Energy,
        };
        let mut readings = vec![(0_u64, start_uj)];
        for (length_us, watts) in &steps {
            let (at, sum) = readings[readings.len() - 1];
            readings.push((at + length_us * 1000, sum + length_us * watts));
        }
        let (last_at, last_uj) = readings[readings.len() - 1];
        let mut lines: Vec<u64> = edges.iter().map(|edge| last_at * edge / 1_000_000).collect();
        lines.extend([0, last_at]);
        lines.sort_unstable();
        lines.dedup();
        let mut windows = lines.windows(2).map(|pair| {
            window(0, MonotonicTime::from_nanos(pair[0]), MonotonicTime::from_nanos(pair[1]))
        }).peekable();

        let mut meter = Meter::new(spec, "test", Provenance::Measured);
        let mut sum = 0;
        for (at, value) in readings {
            meter.push(CounterReading {
                counter: 0,
                at: MonotonicTime::from_nanos(at),
                spread: Nanoseconds::ZERO,
                value: Ok(Microjoules::new(value % TURN_UJ)),
            });
            while let Some(sample) = windows.peek().and_then(|next| meter.energy_of(next)) {
                windows.next();
                let energy = sample.energy;
                prop_assert!(energy.is_some(), "{}", sample.flags);
                sum += energy.map_or(0, Microjoules::get);
            }
        }
        prop_assert!(windows.next().is_none());
        prop_assert_eq!(sum, last_uj - start_uj);
    }
}

/// A simulation that runs on a thread of its own.
struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Truth, SimulationError>>,
}

impl Running {
    fn start(directory: &Path, layout: &Layout) -> Self {
        let mut simulated = SimulatedPowercap::create(directory, layout, count_cpu_time).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Self { stop, thread: thread::spawn(move || simulated.run_until(&stopped)) }
    }

    fn finish(self) -> Truth {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap().unwrap()
    }
}

fn now() -> MonotonicTime {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    MonotonicTime::from_nanos(Nanoseconds::from(Duration::from(now)).get())
}

/// Reads the tree's first counter every 50 ms for so many windows of 100 ms.
fn measure(directory: &Path, windows: u32, mut at_window: impl FnMut(u32)) -> Vec<EnergySample> {
    let mut source = RaplPowercap::open(directory, &CpuVendor::Intel).unwrap().source.unwrap();
    let mut meter = Meter::new(source.counters()[0], source.name(), source.provenance());
    let grid = Grid::new(Nanoseconds::from_millis(100)).unwrap();
    let mut readings = Vec::new();
    source.read(&now, &mut readings);
    readings.drain(..).for_each(|reading| meter.push(reading));
    let mut start = grid.line_after(now());
    let mut samples = Vec::new();
    while samples.len() < windows as usize {
        thread::sleep(Duration::from_millis(50));
        source.read(&now, &mut readings);
        readings.drain(..).for_each(|reading| meter.push(reading));
        let index = u32::try_from(samples.len()).unwrap();
        let next = window(index, start, start + grid.step());
        if let Some(sample) = meter.energy_of(&next) {
            samples.push(sample);
            start = next.end;
            at_window(index);
        }
    }
    samples
}

/// A process that works without end, and ends with its value.
struct Busy(Child);

impl Busy {
    fn start() -> Self {
        Self(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _already_waited = self.0.wait();
    }
}

#[test]
fn a_simulated_tree_measures_what_its_truth_says() {
    let directory = tempfile::tempdir().unwrap();
    let busy = Busy::start();
    let layout = Layout {
        loads: vec![Load { pid: busy.0.id(), watts: 20.0, package: 0 }],
        // Turns after 128 J, of which 13 J are left.
        register_bits: 21,
        start_uj: 115_000_000,
        ..Layout::default()
    };
    let running = Running::start(directory.path(), &layout);
    thread::sleep(Duration::from_millis(200));
    let mut source =
        RaplPowercap::open(directory.path(), &CpuVendor::Intel).unwrap().source.unwrap();
    // A machine this small draws less than the ceiling of any package; its turn is short.
    let spec = CounterSpec { ceiling: Watts::new(100.0), ..source.counters()[0] };
    let mut meter = Meter::new(spec, source.name(), source.provenance());
    let mut readings = Vec::new();
    for _ in 0..20 {
        source.read(&now, &mut readings);
        thread::sleep(Duration::from_millis(100));
    }
    source.read(&now, &mut readings);
    let (first, last) = (readings[0].at, readings[20].at);
    readings.drain(..).for_each(|reading| meter.push(reading));
    let sample = meter.energy_of(&window(0, first, last)).unwrap();
    let truth = running.finish();
    let load = &truth.loads[0];
    assert_eq!(load.microjoules, load.cpu_ns / 50, "20 W are a microjoule in 50 ns");
    let parts = load.microjoules + truth.rest_microjoules + truth.static_microjoules;
    assert!(truth.domains["package-0"].abs_diff(parts) <= 3, "{truth:?}");
    assert!(load.cpu_ns > 200_000_000, "a busy process gets a fair part of a CPU: {load:?}");
    // Counters show the truth to a unit of theirs, from the start in whole units and modulo a turn.
    let turn = spec.range.unwrap().get();
    source.read(&now, &mut readings);
    let shown = readings[0].value.as_ref().unwrap().get();
    let expected = (layout.start_uj + truth.domains["package-0"]) % turn;
    assert!(shown.abs_diff(expected) <= 2 * 62, "{shown} against {expected}");
    // From 5 W static to 20 W for a busy CPU and 4 W for each other one.
    let mean = sample.energy.unwrap().joules() / last.since(first);
    assert!((5.0..1000.0).contains(&mean.get()), "{mean:?}");
    assert_eq!(sample.flags, CounterFlags::WRAPPED);
    assert_eq!(Truth::read(directory.path()).unwrap(), truth);
}

#[test]
fn faults_of_a_simulated_counter_are_flagged_and_passed() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout { start_uj: 50_000_000, ..Layout::default() };
    let running = Running::start(directory.path(), &layout);
    let command = |line: &str| {
        let control = fs::OpenOptions::new().append(true).open(directory.path().join("control"));
        control.unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    };
    let samples = measure(directory.path(), 20, |index| match index {
        1 => command("backwards package-0"),
        4 => command("garbage package-0"),
        6 => command("restore package-0"),
        9 => command("stale package-0 250ms"),
        14 => command("jump package-0 100000"),
        15 => command("burn package-0"),
        _ => {}
    });
    let truth = running.finish();
    let flags = samples.iter().fold(CounterFlags::NONE, |all, sample| all.with(sample.flags));
    for expected in [
        CounterFlags::BACKWARDS,
        CounterFlags::UNREADABLE,
        CounterFlags::STALE,
        CounterFlags::IMPLAUSIBLE,
    ] {
        assert!(flags.contains(expected), "{flags} lacks {expected}");
    }
    let known = samples.iter().filter_map(|sample| sample.energy);
    for energy in known {
        assert!(energy < Microjoules::new(10_000_000), "no fault became energy: {energy:?}");
    }
    assert!(
        samples[19].energy.is_some(),
        "the meter went on after every fault: {}",
        samples[19].flags
    );
    assert_eq!(truth.refused_commands, ["\"burn package-0\" is no command"]);
}

#[test]
fn a_process_can_join_a_running_simulation() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path(), &Layout::default());
    let busy = Busy::start();
    let pid = busy.0.id();
    fs::write(directory.path().join("control"), format!("load {pid} 8\nload 4000000000 1\n"))
        .unwrap();
    thread::sleep(Duration::from_millis(500));
    drop(busy);
    thread::sleep(Duration::from_millis(50));
    let truth = running.finish();
    assert_eq!((truth.loads.len(), truth.loads[0].pid), (1, pid));
    assert!(truth.loads[0].microjoules > 100_000, "{truth:?}");
    assert!(truth.refused_commands[0].contains("4000000000"), "{truth:?}");
}
