//! Emissions of graphics cards and of containers: cards are rows of their own, containers have what cards drew
//! for them, and all of it adds up to the nanogram.

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::attribution::IdlePolicy;
use energy_prof::emissions::{Site, SiteOptions};
use energy_prof::model::{Domain, DomainId, ThreadInfo};
use energy_prof::profile::{GroupBy, ViewOptions};
use energy_prof::report::{
    EmissionsSubject, EmittingRows, ReportOptions, emissions_json, emissions_text,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::in_memory::{InMemory, PACKAGE, leader};

const CARDS: [DomainId; 2] =
    [DomainId::of_socket(Domain::Gpu, 0), DomainId::of_socket(Domain::Gpu, 1)];

/// A container's cgroup, of an id that is a digit 64 times.
fn in_container(digit: char, info: ThreadInfo) -> ThreadInfo {
    let id: String = std::iter::repeat_n(digit, 64).collect();
    ThreadInfo { cgroup: Some(format!("/docker/{id}")), ..info }
}

/// Two containers and a process outside, on a package and two cards.
fn machine() -> InMemory {
    let mut recording = InMemory::new(2);
    recording.facts.discrete_cards = CARDS.to_vec();
    recording
        .thread(2, in_container('a', leader(100, 1, "train")))
        .thread(3, in_container('b', leader(101, 1, "infer")))
        .thread(4, in_container('b', leader(102, 101, "tokenize")))
        .thread(5, leader(103, 1, "sshd"));
    recording
}

/// A quiet second, and two of work: `train` has the first card to 60 %, `infer` to 20 %, and nobody is told of
/// the second. Package 2 J, then 12 J a second for 2 s of CPU time; cards 50 J, then 250 J and 100 J.
fn work() -> InMemory {
    let mut recording = machine();
    let energy = |package, first, second| {
        [
            (PACKAGE, Some((package, 0))),
            (CARDS[0], Some((first, 1000))),
            (CARDS[1], Some((second, 1000))),
        ]
    };
    recording.window(1000, &energy(2000, 50_000, 50_000), &[(0, 0, 1000), (0, 1, 1000)]);
    recording.used(&[(0, None, Some(0)), (1, None, Some(0))]);
    for _ in 0..2 {
        let ran = [(2, 0, 1000), (3, 1, 400), (4, 1, 400), (5, 1, 200)];
        recording.window(1000, &energy(12_000, 250_000, 100_000), &ran);
        recording.used(&[(0, None, Some(80)), (0, Some(100), Some(60)), (0, Some(101), Some(20))]);
    }
    recording
}

/// At 360 g/kWh, which are 100 ng for a millijoule, and by contract at a tenth; 1.5 L/kWh evaporate; a
/// gram a second to make the machine.
fn site() -> Site {
    let mut options = SiteOptions::default();
    let given = [
        ("intensity", "360"),
        ("wue", "1.5"),
        ("market-intensity", "36"),
        ("market-source", "wind farm"),
        ("embodied", "126144kg"),
        ("lifespan", "4y"),
    ];
    for (name, text) in given {
        options.set(name, text, "given").unwrap();
    }
    Site::of(&options, 2026).unwrap()
}

type Render = fn(&EmissionsSubject<'_>, &ReportOptions) -> String;

fn report(recording: &InMemory, by: GroupBy, idle: IdlePolicy, render: Render) -> String {
    let choices = AnalyzeOptions { idle, ..AnalyzeOptions::default() };
    let profile = analyze(recording, &choices).unwrap();
    let view = profile.view(&ViewOptions { by, ..ViewOptions::default() }, &|_| None);
    let rows = EmittingRows::Threads(&view, by);
    let subject =
        EmissionsSubject { profile: &profile, rows, site: &site(), over_time: None, units: None };
    render(&subject, &ReportOptions { by, ..ReportOptions::default() })
}

fn json(recording: &InMemory, by: GroupBy) -> Value {
    serde_json::from_str(&report(recording, by, IdlePolicy::default(), emissions_json)).unwrap()
}

/// The nanograms of the row of this name.
fn nanograms(report: &Value, name: &str) -> u64 {
    let rows = report["rows"].as_array().unwrap();
    let mut named = rows.iter().filter(|row| row["name"].as_str().unwrap().starts_with(name));
    let row = named.next().unwrap_or_else(|| panic!("no row {name} in {rows:?}"));
    assert_eq!(named.next(), None);
    row["emissions_ng"].as_u64().unwrap()
}

#[test]
fn a_card_is_a_row_of_its_own() {
    let report = json(&work(), GroupBy::Domain);
    // 26 J, 550 J and 250 J at 100 ng for a millijoule.
    assert_eq!(nanograms(&report, "package-0"), 2_600_000);
    assert_eq!(nanograms(&report, "gpu-0"), 55_000_000);
    assert_eq!(nanograms(&report, "gpu-1"), 25_000_000);
    assert_eq!(report["footprint"]["emissions_ng"], 82_600_000);
    assert_eq!(report["footprint"]["embodied_ng"], 3_000_000_000_u64);
}

#[test]
fn a_container_has_what_cards_drew_for_its_processes() {
    let report = json(&work(), GroupBy::Container);
    // Of the first card's 400 J that are active, train has three quarters; of the package's 20 J, that of a
    // whole CPU, 10 J. infer has the last quarter, and with tokenize 8 J of the package.
    assert_eq!(nanograms(&report, "aaaa"), 31_000_000);
    assert_eq!(nanograms(&report, "bbbb"), 10_800_000);
    assert_eq!(nanograms(&report, "[no container]"), 200_000);
    // 2 W, 50 W and 50 W for 3 s; 100 J of the second card that nobody is told to have used.
    assert_eq!(nanograms(&report, "[idle]"), 30_600_000);
    assert_eq!(nanograms(&report, "[unattributed]"), 10_000_000);
}

#[test]
fn a_machine_with_cards_by_container() {
    let shown = report(&work(), GroupBy::Container, IdlePolicy::default(), emissions_text);
    insta::assert_snapshot!(shown);
}

proptest! {
    /// Whatever ran where, whatever cards tell and whoever is told apart.
    #[test]
    fn rows_of_cards_and_containers_add_up(
        windows in prop::collection::vec(
            (
                (0..100_000_u64, prop::option::of(0..900_000_u64), prop::option::of(0..900_000_u64)),
                prop::collection::vec(0..250_u64, 4),
                prop::collection::vec(prop::option::of(0..60_u8), 4),
            ),
            1..8,
        ),
        by in prop::sample::select(vec![
            GroupBy::Container, GroupBy::Domain, GroupBy::Process, GroupBy::Cgroup,
        ]),
        idle in prop::sample::select(vec![
            IdlePolicy::Separate, IdlePolicy::Proportional, IdlePolicy::Equal,
        ]),
    ) {
        let mut recording = machine();
        for ((package, first, second), ran, used) in &windows {
            let error = |energy: u64| (energy, 100);
            let energy = [
                (PACKAGE, Some(error(*package))),
                (CARDS[0], first.map(error)),
                (CARDS[1], second.map(error)),
            ];
            let ran: Vec<(u32, u16, u64)> =
                (2..6).zip(ran).map(|(thread, milliseconds)| (thread, 0, *milliseconds)).collect();
            recording.window(1000, &energy, &ran);
            let users = [(0, 100), (0, 101), (1, 101), (1, 103)].into_iter().zip(used);
            let users: Vec<(u16, Option<u32>, Option<u8>)> =
                users.map(|((card, pid), percent)| (card, Some(pid), *percent)).collect();
            recording.used(&users);
        }
        let report: Value =
            serde_json::from_str(&report(&recording, by, idle, emissions_json)).unwrap();
        let energy = report["total"]["measured_uj"].as_u64().unwrap();
        prop_assume!(energy > 0);
        let rows = report["rows"].as_array().unwrap();
        let counted = || rows.iter().filter(|row| row["kind"] != "contained_domain");
        for part in ["emissions_ng", "market_emissions_ng", "embodied_ng", "water_on_site_nl"] {
            let sum: u64 = counted().filter_map(|row| row[part].as_u64()).sum();
            prop_assert_eq!(Some(sum), report["footprint"][part].as_u64(), "{}", part);
        }
        let sum: u64 = counted().filter_map(|row| row["energy_uj"].as_u64()).sum();
        prop_assert_eq!(sum, energy);
        for row in counted() {
            let exact = row["energy_uj"].as_f64().unwrap_or(0.0) * 0.1;
            let found = row["emissions_ng"].as_f64().unwrap_or(0.0);
            prop_assert!((found - exact).abs() <= 1.0, "{}", row);
        }
    }
}
