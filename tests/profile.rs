//! Whatever rows are asked for, they add up to what was measured.

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::model::{ThreadId, ThreadInfo};
use energy_prof::profile::{GroupBy, Profile, Row, RowKind, SortBy, Targets, View, ViewOptions};
use energy_prof::units::{Microjoules, MonotonicTime, Nanoseconds};
use proptest::prelude::*;

use crate::support::in_memory::{DRAM, InMemory, PACKAGE, build, leader};

fn users(uid: u32) -> Option<String> {
    (uid == 1000).then(|| "ada".to_owned())
}

fn view_by(profile: &Profile, by: GroupBy) -> View {
    profile.view(&ViewOptions { by, ..ViewOptions::default() }, &users)
}

fn names(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| format!("{}{}", "> ".repeat(row.depth), row.name)).collect()
}

fn profile_of(recording: &InMemory) -> Profile {
    analyze(recording, &AnalyzeOptions::default()).unwrap()
}

/// One CPU and one busy second of 1 J, shared alike by these threads; no baseline is found.
fn alike(threads: &[ThreadInfo]) -> InMemory {
    let mut recording = InMemory::new(1);
    recording.facts.recorder_tgid = 0;
    let mut ran = Vec::new();
    for (id, info) in (2..).zip(threads) {
        recording.thread(id, info.clone());
        ran.push((id, 0, 1000 / threads.len() as u64));
    }
    recording.window(1000, &[(PACKAGE, Some((1000, 0)))], &ran);
    recording
}

#[test]
fn targets_come_first_as_a_tree_then_the_rest_of_the_system() {
    let view = view_by(&profile_of(&build()), GroupBy::Process);
    assert_eq!(
        names(&view.rows),
        [
            "make -j2",
            "> cc1 -quiet -O2 first.c -o /tmp/ccAbCdEf.s",
            "> cc1 -quiet -O2 second.c -o /tmp/ccGhIjKl.s",
            "[rest of the system]",
            "[energy-prof]",
            "[idle]",
            "[unattributed]",
        ]
    );
    // 4 s, 2 s and 0.4 s of CPU time at 5.5 J.
    assert_eq!(view.targets.unwrap().0, Microjoules::new(35_200_000));
    assert_eq!(view.rows[1].energy, Microjoules::new(22_000_000));
    assert_eq!(view.rows[1].by_domain[&DRAM], Microjoules::new(2_000_000));
}

#[test]
fn everything_is_shown_where_it_is_asked_for() {
    let options = ViewOptions { all: true, ..ViewOptions::default() };
    let view = profile_of(&build()).view(&options, &users);
    assert_eq!(view.rows[3].name, "nginx: worker process");
    assert_eq!(view.rows[3].kind, RowKind::Other);
}

#[test]
fn without_targets_all_processes_are_alike() {
    let mut recording = build();
    recording.facts.targets = Targets::All;
    let view = view_by(&profile_of(&recording), GroupBy::Process);
    assert_eq!(view.targets, None);
    assert_eq!(
        view.rows.iter().map(|row| row.kind.name()).collect::<Vec<_>>(),
        ["other", "other", "other", "other", "profiler", "idle", "unattributed"]
    );
}

#[test]
fn what_the_top_cuts_off_is_one_row() {
    let options = ViewOptions { top: Some(1), ..ViewOptions::default() };
    let view = profile_of(&build()).view(&options, &users);
    assert!(view.rows[0].name.starts_with("cc1"));
    assert_eq!(
        (view.rows[1].name.as_str(), view.rows[1].kind),
        ("[2 more processes]", RowKind::More)
    );
    assert_eq!(view.rows[1].energy, Microjoules::new(13_200_000), "2.4 s of CPU time at 5.5 J");
}

#[test]
fn threads_are_grouped_by_what_they_have_in_common() {
    let profile = profile_of(&build());
    let targets = |by| -> Vec<(String, u64)> {
        let rows = view_by(&profile, by).rows.into_iter();
        let rows = rows.filter(|row| row.kind == RowKind::Target);
        rows.map(|row| (row.name, row.energy.get())).collect()
    };
    let all = 35_200_000;
    assert_eq!(
        targets(GroupBy::Exec),
        [("/usr/bin/cc1".to_owned(), 33_000_000), ("/usr/bin/make".to_owned(), 2_200_000)]
    );
    assert_eq!(targets(GroupBy::User), [("ada".to_owned(), all)]);
    assert_eq!(targets(GroupBy::Unit), [("session-2.scope".to_owned(), all)]);
    assert_eq!(targets(GroupBy::Container), [("[no container]".to_owned(), all)]);
    assert_eq!(
        targets(GroupBy::Cgroup),
        [("/user.slice/user-1000.slice/session-2.scope".to_owned(), all)]
    );
    assert_eq!(targets(GroupBy::Thread).len(), 3);
}

#[test]
fn domains_that_are_inside_others_do_not_count() {
    let view = view_by(&profile_of(&build()), GroupBy::Domain);
    let rows: Vec<_> = view.rows.iter().map(|row| (row.name.as_str(), row.kind.counts())).collect();
    assert_eq!(rows, [("package-0", true), ("core-0", false), ("dram-0", true)]);
}

#[test]
fn a_process_id_used_again_is_another_row() {
    let first = leader(10, 1, "first");
    let second =
        ThreadInfo { start: MonotonicTime::from_nanos(5_000_000), ..leader(10, 1, "second") };
    let view = view_by(&profile_of(&alike(&[first, second])), GroupBy::Process);
    assert_eq!(names(&view.rows)[..2], ["first", "second"]);
}

#[test]
fn threads_and_programs_of_one_process_are_one_row_named_by_the_last_program() {
    let shell = leader(10, 1, "sh -c job");
    let job = ThreadInfo { exec: 1, ..leader(10, 1, "job --fast") };
    let worker = ThreadInfo { tid: 11, comm: "worker".to_owned(), ..job.clone() };
    let profile = profile_of(&alike(&[shell, job, worker]));
    assert_eq!(names(&view_by(&profile, GroupBy::Process).rows)[..1], ["job --fast"]);
    assert_eq!(view_by(&profile, GroupBy::Process).rows[0].energy, Microjoules::new(1_000_000));
    assert_eq!(names(&view_by(&profile, GroupBy::Thread).rows)[..2], ["job", "worker"]);
}

#[test]
fn a_child_hangs_from_its_grandparent_where_the_parent_is_not_shown() {
    let mut recording = alike(&[leader(10, 1, "make"), leader(12, 11, "cc1")]);
    // The shell between them never ran in the windows looked at.
    recording.thread(9, leader(11, 10, "sh"));
    for info in recording.threads.values_mut() {
        info.target = true;
    }
    recording.facts.targets = Targets::Pids(vec![10]);
    let view = view_by(&profile_of(&recording), GroupBy::Process);
    assert_eq!(names(&view.rows)[..2], ["make", "> cc1"]);
}

#[test]
fn parents_in_a_ring_lose_no_row() {
    let same_start =
        |info: ThreadInfo| ThreadInfo { start: MonotonicTime::from_nanos(1), target: true, ..info };
    let ring = [same_start(leader(10, 11, "a")), same_start(leader(11, 10, "b"))];
    let mut recording = alike(&ring);
    recording.facts.targets = Targets::Pids(vec![10]);
    let view = view_by(&profile_of(&recording), GroupBy::Process);
    assert_eq!(view.rows.iter().filter(|row| row.kind == RowKind::Target).count(), 2);
}

#[test]
fn a_thread_the_trace_does_not_name_is_still_charged() {
    let mut recording = alike(&[leader(10, 1, "named")]);
    recording.residency[0].thread = ThreadId(77);
    let view = view_by(&profile_of(&recording), GroupBy::Process);
    assert_eq!(view.rows[0].name, "[unnamed thread 77]");
    assert_eq!(view.rows[0].energy, Microjoules::new(1_000_000));
}

#[test]
fn a_gap_is_counted_and_the_rest_still_closes() {
    let mut recording = InMemory::new(1);
    recording
        .window(1000, &[(PACKAGE, Some((1000, 0))), (DRAM, None)], &[(2, 0, 1000)])
        .window(1000, &[(PACKAGE, None), (DRAM, None)], &[(2, 0, 1000)])
        .window(1000, &[(PACKAGE, Some((1000, 0)))], &[(2, 0, 1000)]);
    let profile = profile_of(&recording);
    assert_eq!(profile.domains[&PACKAGE].gaps, 1);
    assert_eq!(profile.domains[&PACKAGE].covered, Nanoseconds::from_millis(2000));
    assert_eq!(profile.domains[&DRAM].gaps, 3);
    assert!(!profile.domains[&DRAM].in_total, "nothing is known of it");
    assert_eq!(profile.total().measured, Microjoules::new(2_000_000));
}

fn recordings() -> impl Strategy<Value = InMemory> {
    let thread = (0..4u32, 0..4u32, 0..3u64, 0..2u32, 0..5u32, any::<bool>(), 0..3u32);
    let threads = prop::collection::vec(thread, 0..10);
    let ran = prop::collection::vec((0..14u32, 0..2u16, 0..1000u64), 0..12);
    let energy = prop::option::weighted(0.9, (0..100_000u64, 0..1000u64));
    let windows = prop::collection::vec((energy.clone(), energy, ran), 1..6);
    (threads, windows, any::<bool>()).prop_map(|(threads, windows, targeted)| {
        let mut recording = InMemory::new(2);
        recording.facts.recorder_tgid = 3;
        if targeted {
            recording.facts.targets = Targets::Pids(vec![1]);
        }
        for (id, (tgid, tid, start, exec, parent, target, uid)) in (2..).zip(threads) {
            recording.thread(
                id,
                ThreadInfo {
                    tgid,
                    tid: tgid + tid,
                    start: MonotonicTime::from_nanos(start),
                    exec,
                    parent_tgid: Some(parent),
                    target,
                    uid: (uid > 0).then_some(uid),
                    comm: format!("t{tid}"),
                    ..ThreadInfo::default()
                },
            );
        }
        for (package, dram, ran) in windows {
            recording.window(1000, &[(PACKAGE, package), (DRAM, dram)], &ran);
        }
        recording
    })
}

proptest! {
    #[test]
    fn the_rows_of_every_view_add_up_to_the_measured_energy(
        recording in recordings(),
        top in prop::option::of(0..4usize),
        all in any::<bool>(),
    ) {
        let profile = profile_of(&recording);
        let total = profile.total();
        prop_assert!(total.closes());
        let ran: Nanoseconds = recording
            .residency
            .iter()
            .filter(|row| row.thread != ThreadId::IDLE)
            .map(|row| row.oncpu)
            .sum();
        for by in GroupBy::ALL {
            for sort in SortBy::ALL {
                let view = profile.view(&ViewOptions { by, sort, top, all }, &users);
                let counted = view.rows.iter().filter(|row| row.kind.counts());
                let sum: Microjoules = counted.map(|row| row.energy).sum();
                prop_assert_eq!(sum, total.measured, "by {:?}", by);
                if by != GroupBy::Domain {
                    let shown: Nanoseconds = view.rows.iter().filter_map(|row| row.oncpu).sum();
                    prop_assert_eq!(shown, ran);
                }
            }
        }
    }
}
