//! Energy of graphics cards: to those whose kernels ran, to nobody where nothing tells, and to the microjoule.

use energy_prof::analyze::{
    AnalyzeOptions, CallTreeOptions, analyze, attribute, profile_and_call_tree,
};
use energy_prof::attribution::{
    Baseline, Baselines, CardUse, CardUser, IdleRule, Nobodys, Rules, TimeShare,
    attribute_window_with_cards,
};
use energy_prof::model::{
    CounterFlags, Domain, DomainId, EnergySample, Frame, FrameKind, GpuSample, Provenance,
    ThreadId, Topology,
};
use energy_prof::profile::{GroupBy, Profile, ViewOptions};
use energy_prof::report::{ReportOptions, json, text};
use energy_prof::units::{Microjoules, Watts};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::in_memory::{InMemory, PACKAGE, leader};

const CARD: DomainId = DomainId::of_socket(Domain::Gpu, 0);

/// A quiet second, and two in which a training uses 60 % of a card and an inference 20 %. The card draws 50 W
/// when nobody uses it and 250 W when they do; the package 2 W and 12 W, with 2 s of CPU time to divide.
///
/// The worked example of docs/gpu.md.
fn training() -> InMemory {
    let mut recording = InMemory::new(2);
    recording.facts.discrete_cards = vec![CARD];
    recording
        .thread(2, leader(100, 1, "train"))
        .thread(3, leader(101, 1, "infer"))
        .thread(4, leader(102, 1, "sleeper"));
    let energy = |package, card| [(PACKAGE, Some((package, 0))), (CARD, Some((card, 1000)))];
    recording.window(1000, &energy(2000, 50_000), &[(0, 0, 1000), (0, 1, 1000)]);
    recording.used(&[(0, None, Some(0))]);
    for _ in 0..2 {
        recording.window(1000, &energy(12_000, 250_000), &[(2, 0, 1000), (3, 1, 1000)]);
        recording.used(&[(0, None, Some(80)), (0, Some(100), Some(60)), (0, Some(101), Some(20))]);
    }
    recording
}

fn profile_of(recording: &InMemory) -> Profile {
    analyze(recording, &AnalyzeOptions::default()).unwrap()
}

fn on_card(profile: &Profile, thread: u32) -> u64 {
    profile.threads[&ThreadId(thread)].charges.get(&CARD).map_or(0, |charge| charge.energy.get())
}

/// The report with single spaces between its words.
fn flowing(profile: &Profile) -> String {
    let shown = text(profile, &ReportOptions::default(), &|_| None);
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_worked_example_comes_out_as_written() {
    let profile = profile_of(&training());
    let card = &profile.domains[&CARD];
    let Baseline::LowestSeen { power, .. } = card.baseline else { panic!("{:?}", card.baseline) };
    assert!((power.get() - 50.0).abs() < 1e-9);
    assert_eq!((on_card(&profile, 2), on_card(&profile, 3)), (300_000_000, 100_000_000));
    let ledger = card.ledger;
    assert_eq!(ledger.idle.get(), 150_000_000);
    assert_eq!(ledger.unattributed, Microjoules::ZERO);
    // 26 J of the package and 550 J of the card.
    assert!(card.in_total);
    assert_eq!(profile.total().measured.get(), 576_000_000);
    assert!(profile.total().closes());
}

#[test]
fn a_card_that_may_be_part_of_the_package_stays_beside_the_total() {
    let mut recording = training();
    recording.facts.discrete_cards.clear();
    let profile = profile_of(&recording);
    assert!(!profile.domains[&CARD].in_total);
    assert_eq!(profile.total().measured.get(), 26_000_000);
    assert_eq!(on_card(&profile, 2), 300_000_000, "divided all the same");
}

#[test]
fn a_process_is_charged_for_a_card_although_it_never_ran_on_a_cpu() {
    let mut recording = training();
    recording.used(&[(0, Some(102), Some(20))]);
    let profile = profile_of(&recording);
    assert_eq!(on_card(&profile, 4), 40_000_000, "a fifth of the last second's 200 J");
    let view = profile.view(&ViewOptions::default(), &|_| None);
    let row = view.rows.iter().find(|row| row.pid == Some(102)).unwrap();
    assert_eq!(row.energy.get(), 40_000_000);
    let rows: Microjoules = view.rows.iter().map(|row| row.energy).sum();
    assert_eq!(rows, view.total.measured);
}

#[test]
fn what_no_process_can_be_told_for_is_nobodys_and_the_report_says_why() {
    let mut recording = training();
    recording.gpu.retain(|sample| sample.window == 0);
    let energy = [(PACKAGE, Some((2000, 0))), (CARD, Some((90_000, 1000)))];
    for used in
        [vec![(0, None, Some(0))], vec![(0, Some(7777), Some(30)), (0, Some(100), Some(10))]]
    {
        for _ in 0..2 {
            recording.window(1000, &energy, &[(2, 0, 1000)]);
            recording.used(&used);
        }
    }
    // The two seconds without a sample have those of the seconds before and after them.
    let profile = profile_of(&recording);
    let card = &profile.domains[&CARD];
    let millijoules = |energy: Microjoules| energy.get() / 1000;
    let Nobodys { untold, unused, strangers } = card.nobodys;
    assert_eq!(
        (millijoules(untold), millijoules(unused), millijoules(strangers)),
        (0, 480_000, 60_000)
    );
    assert_eq!(card.nobodys.sum(), card.ledger.unattributed);
    assert_eq!(on_card(&profile, 2), 20_000_000, "a quarter of twice 40 J, and not all of it");
    let shown = flowing(&profile);
    let told = "nobody's of gpu-0 480 J above idle while no process used it, 60.0 J of processes that were not \
                recorded";
    assert!(shown.contains(told), "{shown}");
}

#[test]
fn a_card_of_which_nothing_is_told_is_charged_to_nobody() {
    let mut recording = training();
    for sample in &mut recording.gpu {
        sample.sm_percent = None;
    }
    let profile = profile_of(&recording);
    let card = &profile.domains[&CARD];
    assert_eq!(card.baseline, Baseline::Unknown, "nothing tells that it was not used");
    assert_eq!(card.nobodys.untold.get(), 550_000_000);
    assert_eq!(on_card(&profile, 2) + on_card(&profile, 3), 0);
    let shown = flowing(&profile);
    assert!(shown.contains("550 J while nothing told which process used it"), "{shown}");
    assert!(shown.contains("gpu-0 unknown: it was never known to be unused"), "{shown}");
}

#[test]
fn a_card_that_is_used_all_the_time_has_its_idle_power_charged_to_its_users_and_says_so() {
    let mut recording = training();
    let mut samples = recording.gpu.split_off(1);
    samples.retain(|sample| sample.window == 1);
    let of_window = |window| samples.iter().map(move |sample| GpuSample { window, ..*sample });
    recording.gpu = (0..3).flat_map(of_window).collect();
    let profile = profile_of(&recording);
    assert_eq!(profile.domains[&CARD].baseline, Baseline::Unknown);
    assert_eq!(on_card(&profile, 2), 412_500_000, "three quarters of all 550 J");
    let shown = flowing(&profile);
    assert!(shown.contains("its users are charged with idle too"), "{shown}");
    let given =
        AnalyzeOptions { given: [(CARD, Watts::new(50.0))].into(), ..AnalyzeOptions::default() };
    assert_eq!(on_card(&analyze(&recording, &given).unwrap(), 2), 300_000_000);
}

#[test]
fn a_report_has_a_column_of_cards_and_json_each_of_them() {
    let profile = profile_of(&training());
    let shown = text(&profile, &ReportOptions::default(), &|_| None);
    let line = |name: &str| shown.lines().find(|line| line.ends_with(name)).unwrap().to_owned();
    assert!(line("command").contains("of it GPU"), "{shown}");
    assert!(line(" train").contains("310 J") && line(" train").contains("300 J"), "{shown}");
    let by_domain = ReportOptions { by: GroupBy::Domain, ..ReportOptions::default() };
    assert!(text(&profile, &by_domain, &|_| None).contains("gpu-0"));
    let report: Value =
        serde_json::from_str(&json(&profile, &ReportOptions::default(), &|_| None)).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let train = rows.iter().find(|row| row["pid"] == 100).unwrap();
    assert_eq!(train["domains_uj"]["gpu-0"], 300_000_000);
    let mut without = training();
    without.energy.retain(|sample| sample.domain != CARD);
    let shown = text(&profile_of(&without), &ReportOptions::default(), &|_| None);
    assert!(!shown.contains("GPU"), "{shown}");
}

#[test]
fn a_call_tree_has_what_cards_drew_below_the_process_and_its_root_closes() {
    let mut recording = training();
    let frame = Frame {
        function: Some("main".to_owned()),
        file: None,
        line: None,
        module: Some("train".to_owned()),
        build_id: None,
        file_offset: Some(1),
        function_offset: None,
        kind: FrameKind::User,
    };
    recording.stack(1, vec![frame]).sampled(&[(2, 1, 1000, 100)]);
    let of = CallTreeOptions { timed: true, ..CallTreeOptions::default() };
    let (profile, tree) =
        profile_and_call_tree(&recording, &AnalyzeOptions::default(), &of).unwrap();
    assert_eq!(tree.total()[0], profile.total().attributed);
    let nodes: Vec<(String, String, u64)> = tree
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(index, node)| {
            let parent = tree.frame(node.parent?);
            let frame = tree.frame(index);
            (frame.kind.name() == "gpu")
                .then(|| (parent.name.clone(), frame.name.clone(), node.self_energy.get()))
        })
        .collect();
    let expected = [("train (pid 100)", 300_000_000), ("infer (pid 101)", 100_000_000)];
    assert_eq!(nodes, expected.map(|(of, uj)| (of.to_owned(), "[gpu]".to_owned(), uj)));
    let at_times: Microjoules = tree.moments.iter().map(|moment| moment.energy).sum();
    assert_eq!(at_times, tree.energy());
    assert_eq!(tree.samples(), (100, 1));
}

#[test]
fn a_counter_that_stood_still_shares_what_it_shows_later() {
    let mut recording = training();
    let of_card: Vec<usize> = (0..recording.energy.len())
        .filter(|index| recording.energy[*index].domain == CARD)
        .collect();
    let milli = |joules: u64| Some(Microjoules::new(joules * 1_000_000));
    recording.energy[of_card[1]].energy = milli(0);
    recording.energy[of_card[1]].flags = CounterFlags::REPEATED;
    recording.energy[of_card[2]].energy = milli(500);
    // Two windows of half a second stand for those of a second, so that the run is short enough.
    let middle = recording.windows[1].start;
    for (index, window) in recording.windows.iter_mut().enumerate().skip(1) {
        let half = energy_prof::units::Nanoseconds::from_millis(500);
        window.start = if index == 1 { middle } else { middle + half };
        window.end = window.start + half;
    }
    let profile = profile_of(&recording);
    let ledger = profile.domains[&CARD].ledger;
    assert_eq!(ledger.measured.get(), 550_000_000, "what the counter showed");
    assert_eq!(ledger.idle.get(), 100_000_000, "50 J, and 25 J in each of the two");
    let windows = attribute(&recording, &AnalyzeOptions::default(), |rows| {
        rows.collect::<Result<Vec<_>, energy_prof::analyze::AnalyzeError>>()
    });
    let train = windows.unwrap().into_iter().filter(|row| row.thread.0 == 2 && row.domain == CARD);
    let train: Vec<u64> = train.map(|row| row.energy.get()).collect();
    assert_eq!(train, [168_750_000; 2], "three quarters of 225 J");
}

proptest! {
    #[test]
    fn every_ledger_of_a_card_closes_to_the_microjoule(
        energy in prop_oneof![0..10u64, 0..1_000_000_000u64, 0..1u64 << 62],
        error in prop::option::of(0..1u64 << 40),
        idle in prop::option::of(0.0..500.0),
        users in prop::option::of(prop::collection::vec((prop::option::of(2..8u32), 0..=100u8), 0..6)),
    ) {
        let given = idle.map(|watts| (CARD, Watts::new(watts))).into_iter().collect();
        let baselines = Baselines::given(&given);
        let topology = Topology::default();
        let rules = Rules {
            topology: &topology,
            baselines: &baselines,
            model: &TimeShare,
            idle: IdleRule::Separate,
        };
        let window = training().windows[0];
        let sample = EnergySample {
            window: 0,
            domain: CARD,
            source: "nvml".into(),
            provenance: Provenance::Measured,
            energy: Some(Microjoules::new(energy)),
            error: error.map(Microjoules::new),
            flags: CounterFlags::NONE,
            busy: None,
        };
        let user = |(thread, sm_percent): (Option<u32>, u8)| CardUser {
            thread: thread.map(ThreadId),
            sm_percent,
        };
        let users: Option<Vec<CardUser>> = users.map(|users| users.into_iter().map(user).collect());
        let card = CardUse { domain: CARD, users: users.clone() };
        let divided = attribute_window_with_cards(&window, &[sample], &[], &[card], &rules);
        let divided = &divided.domains[0];
        let ledger = divided.ledger.unwrap();
        prop_assert!(ledger.closes());
        prop_assert_eq!(ledger.measured.get(), energy);
        prop_assert_eq!(divided.nobodys.sum(), ledger.unattributed);
        let charged: Microjoules = divided.samples.iter().map(|charge| charge.energy).sum();
        prop_assert_eq!(charged, ledger.attributed);
        let used = |thread: ThreadId| {
            let users = users.iter().flatten();
            users.clone().any(|user| user.thread == Some(thread) && user.sm_percent > 0)
        };
        prop_assert!(divided.samples.iter().all(|charge| used(charge.thread)));
        prop_assert!(divided.samples.is_sorted_by_key(|charge| charge.thread));
        if users.is_none() {
            prop_assert_eq!(ledger.attributed, Microjoules::ZERO);
        }
    }
}
