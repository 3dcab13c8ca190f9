//! Graphics cards whose power and users are known, recorded with the stand-in for their driver's library.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::model::{CounterFlags, Domain, DomainId, EnergySample, GpuSample};
use energy_prof::probes::monotonic_now;
use energy_prof::profile::Profile;
use energy_prof::units::{Microjoules, Watts};
use nix::sys::signal::Signal;

use crate::support::energy_prof::Place;
use crate::support::nvml::StandIn;
use crate::support::outcome::Outcome;
use crate::support::recorder::Recorder;

const CARDS: [DomainId; 2] =
    [DomainId::of_socket(Domain::Gpu, 0), DomainId::of_socket(Domain::Gpu, 1)];

/// What each card draws when nobody uses it.
const IDLE_WATTS: f64 = 50.0;

/// What it draws besides, for each percent that it is used.
const WATTS_A_PERCENT: f64 = 2.5;

/// A process that uses no CPU, gone when it is dropped: cards work for those that wait.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Which process uses which card for how many percent, and when, in seconds.
struct Phase {
    card: usize,
    process: usize,
    percent: f64,
    from: f64,
    to: f64,
}

impl Phase {
    fn joules(&self) -> f64 {
        self.percent * WATTS_A_PERCENT * (self.to - self.from)
    }
}

/// Two cards, and three processes that use them.
struct Machine {
    stand_in: StandIn,
    place: Place,
    processes: [Sleeper; 3],
    /// Time 0 of the cards, in nanoseconds on CLOCK_MONOTONIC.
    origin: u64,
}

impl Machine {
    fn new() -> Option<Self> {
        let stand_in = StandIn::new("")?;
        let processes = [(); 3].map(|()| Sleeper::start());
        let origin = monotonic_now().nanos();
        Some(Self { stand_in, place: Place::new(), processes, origin })
    }

    /// How long the cards have been there, in seconds.
    fn seconds(&self) -> f64 {
        Duration::from_nanos(monotonic_now().nanos() - self.origin).as_secs_f64()
    }

    /// What the cards do. Their counters move in steps of 100 ms and 70 ms.
    fn script(&self, phases: &[Phase]) -> String {
        let mut script = format!("origin {}\n", self.origin);
        for (card, step) in ["0.1", "0.07"].into_iter().enumerate() {
            script.push_str(&format!("card NVIDIA H100 PCIe\npci 0000000{card}:41:00.0\n"));
            script.push_str(&format!("base 5000\nstep {step}\npower {IDLE_WATTS} 0 1000000\n"));
            let of_card = phases.iter().filter(|phase| phase.card == card);
            for Phase { process, percent, from, to, .. } in of_card {
                let (pid, watts) = (self.processes[*process].pid(), percent * WATTS_A_PERCENT);
                script.push_str(&format!("power {watts} {from} {to}\n"));
                script.push_str(&format!("process {pid} {percent} 1024 {from} {to}\n"));
            }
        }
        script
    }

    /// `energy-prof record` of the cards, to be started.
    fn record(&self, options: &[&str], target: &[&str]) -> Command {
        let library = self.stand_in.library();
        let library = library.to_str().unwrap();
        let cards = ["--no-stacks", "--source", "nvml", "--nvml-library", library];
        self.place.record(&[&cards, options].concat(), target)
    }

    fn of_card(&self, card: DomainId) -> Vec<EnergySample> {
        let samples = self.place.reader().energy().unwrap();
        samples.into_iter().filter(|sample| sample.domain == card).collect()
    }

    /// The recording, divided with the idle power as it is.
    fn profile(&self) -> Profile {
        let given = CARDS.map(|card| (card, Watts::new(IDLE_WATTS))).into();
        let options = AnalyzeOptions { given, ..AnalyzeOptions::default() };
        let profile = analyze(&self.place.reader(), &options).unwrap();
        self.assert_closes(&profile);
        profile
    }

    /// What a process is charged with on a card, in joules.
    fn charged(&self, profile: &Profile, process: usize, card: usize) -> f64 {
        let pid = self.processes[process].pid();
        let threads = profile.threads.values().filter(|account| account.info.tgid == pid);
        let charges = threads.filter_map(|account| account.charges.get(&CARDS[card]));
        charges.map(|charge| charge.energy.joules().get()).sum()
    }

    /// That the ledger of every card closes, with what the trace's rows say and with what is charged.
    fn assert_closes(&self, profile: &Profile) {
        for card in CARDS {
            let ledger = profile.domains[&card].ledger;
            assert!(ledger.closes());
            let rows: Microjoules = self.of_card(card).iter().filter_map(|row| row.energy).sum();
            assert_eq!(rows, ledger.measured);
            let charged = profile.threads.values().filter_map(|account| account.charges.get(&card));
            assert_eq!(charged.map(|charge| charge.energy).sum::<Microjoules>(), ledger.attributed);
        }
    }
}

#[test]
fn three_processes_on_two_cards_get_their_joules_to_five_percent() {
    let Some(machine) = Machine::new() else { return };
    machine.stand_in.play(&machine.script(&[]));
    let mut recorder = Recorder::begun(&mut machine.record(&["-q"], &["-a"]));
    // More than a second in which nobody uses the cards, then who uses which changes.
    let start = machine.seconds() + 1.7;
    let phase = |card, process, percent, from: f64, to: f64| {
        let (from, to) = (start + from, start + to);
        Phase { card, process, percent, from, to }
    };
    let phases = [
        phase(0, 0, 60.0, 0.0, 6.0),
        phase(0, 1, 20.0, 2.0, 8.0),
        phase(1, 1, 30.0, 0.0, 5.0),
        phase(1, 2, 90.0, 3.0, 8.0),
    ];
    machine.stand_in.play(&machine.script(&phases));
    while machine.seconds() < start + 9.0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!recorder.has_ended());
    recorder.signal(Signal::SIGINT);
    recorder.end().succeeded();

    let profile = machine.profile();
    assert_eq!(profile.gaps(), 0);
    let mut truth: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for phase in &phases {
        *truth.entry((phase.process, phase.card)).or_default() += phase.joules();
    }
    for ((process, card), truly) in truth {
        let found = machine.charged(&profile, process, card);
        let error = (found - truly).abs() / truly;
        println!("process {process} on gpu-{card}: {found:.2} J, truly {truly:.2} J: {error:.4}");
        assert!(error <= 0.05, "process {process} on gpu-{card}: {found} J, truly {truly} J");
    }
    for (card, domain) in CARDS.into_iter().enumerate() {
        let account = &profile.domains[&domain];
        let of_three: f64 = (0..3).map(|process| machine.charged(&profile, process, card)).sum();
        let attributed = account.ledger.attributed.joules().get();
        assert!((of_three - attributed).abs() < 1e-6, "nobody else is charged");
        let nobodys = account.ledger.unattributed.joules().get();
        assert!(nobodys < 0.05 * of_three, "{nobodys} J: {:?}", account.nobodys);
        let drew: f64 = phases.iter().filter(|phase| phase.card == card).map(Phase::joules).sum();
        let truly = IDLE_WATTS * account.covered.seconds() + drew;
        let measured = account.ledger.measured.joules().get();
        // What the counter does not show yet at the end, and did not at the beginning: a step each.
        assert!(
            (measured - truly).abs() <= 2.0 * 0.1 * IDLE_WATTS,
            "{measured} J, truly {truly} J"
        );
    }
    // The idle power is found, too.
    let found = machine.place.profile();
    for card in CARDS {
        let power = found.domains[&card].baseline.power().unwrap().get();
        println!("idle of {card}: {power:.1} W, truly {IDLE_WATTS} W");
        assert!((power / IDLE_WATTS - 1.0).abs() < 0.2, "{power} W");
        assert!(found.domains[&card].in_total);
    }
    machine.assert_states_are_told();
}

impl Machine {
    fn assert_states_are_told(&self) {
        let rows: Vec<GpuSample> = self.place.reader().gpu().unwrap();
        let cards = rows.iter().filter(|row| row.pid.is_none());
        let state =
            |row: &GpuSample| (row.temperature_celsius, row.sm_clock_mhz, row.memory_clock_mhz);
        assert!(cards.map(state).all(|state| state == (Some(45), Some(1410), Some(1593))));
        for process in &self.processes {
            let of_process = || rows.iter().filter(|row| row.pid == Some(process.pid()));
            assert!(of_process().any(|row| row.memory_bytes == Some(1 << 30)));
            assert!(of_process().any(|row| row.sm_percent.is_some()));
        }
    }
}

#[test]
fn windows_shorter_than_the_cards_steps_are_flagged_and_told_and_still_close() {
    let Some(machine) = Machine::new() else { return };
    let phase = |process, percent| Phase { card: 0, process, percent, from: 0.0, to: 1e6 };
    machine.stand_in.play(&machine.script(&[phase(0, 60.0), phase(1, 20.0)]));
    let mut record = machine.record(&["-d", "700ms", "--window", "20ms"], &["-a"]);
    let said = Outcome::of(&mut record).succeeded().stderr;
    assert!(said.contains("flagged `coarse`"), "{said}");
    for card in CARDS {
        let samples = machine.of_card(card);
        assert!(samples.iter().all(|sample| sample.flags.contains(CounterFlags::COARSE)));
        assert!(samples.iter().any(|sample| sample.flags.contains(CounterFlags::REPEATED)));
    }
    let profile = machine.profile();
    let [first, second] = [0, 1].map(|process| machine.charged(&profile, process, 0));
    // At the edges of the recording one of them may have been sampled and the other not.
    assert!((2.5..3.5).contains(&(first / second)), "{first} J and {second} J");
}

#[test]
fn a_card_that_is_lost_while_recording_is_a_gap_and_the_recording_goes_on() {
    let Some(machine) = Machine::new() else { return };
    let well = machine.script(&[]);
    let lost = format!("{well}fail HandleByIndex 15 0 1000000\n");
    machine.stand_in.play(&well);
    let [well, lost] = [("well", well), ("lost", lost)]
        .map(|(name, script)| machine.stand_in.written(name, &script).display().to_string());
    let script = machine.stand_in.script();
    let script = script.display();
    let command =
        format!("sleep 0.5; mv {lost} {script}; sleep 0.5; mv {well} {script}; sleep 0.5");
    let mut record = machine.record(&["--as-root"], &["--", "sh", "-c", &command]);
    let said = Outcome::of(&mut record).succeeded().stderr;
    assert!(said.contains("gpu-1 could not be read at times: "), "{said}");
    assert!(said.contains("the card is lost"), "{said}");
    assert!(said.contains("windows without energy: gpu-1 in "), "{said}");
    let samples = machine.of_card(CARDS[1]);
    let unknown: Vec<_> = samples.iter().filter(|sample| sample.energy.is_none()).collect();
    let odd = CounterFlags::UNREADABLE.with(CounterFlags::GAP);
    assert!(!unknown.is_empty() && unknown.iter().all(|sample| sample.flags.contains(odd)));
    assert!(samples.last().unwrap().energy.is_some(), "it goes on when it is back");
    assert!(machine.of_card(CARDS[0]).iter().all(|sample| sample.energy.is_some()));
    machine.profile();
}
