//! The log of context switches: complete at full speed, and where it overflows, that is told.

use std::time::Duration;

use energy_prof::model::{Losses, ThreadId, ThreadInfo};

use crate::support::energy_prof::Place;
use crate::support::load::{Usage, Worker, cpus, ping_pong};
use crate::support::recorded::{Recorded, interrupt, stop};

#[test]
fn every_switch_of_a_saturating_ping_pong_is_counted() {
    // The log holds what happens in a tenth of a second, and some more. Where others keep the
    // recorder from its CPU for longer, it says that it has lost switches, and begins again.
    for attempt in 1..=3 {
        let losses = saturating_ping_pong();
        println!("attempt {attempt}: {losses:?}");
        if losses.switches == 0 {
            return;
        }
    }
    panic!("switches were lost in every attempt");
}

/// Checks the count of switches unless some were lost, and gives what was.
fn saturating_ping_pong() -> Losses {
    let place = Place::new();
    let players = ping_pong(cpus()[0], Duration::from_millis(700), Duration::ZERO);
    let before = players.each_ref().map(Worker::usage);
    let recording = place.recording(&["-q"], &["-a"]);
    players.iter().for_each(Worker::begin);
    players.iter().for_each(Worker::wait);
    let after = players.each_ref().map(Worker::usage);
    stop(recording);
    let recorded = Recorded::of(&place);
    recorded.assert_time_closes();
    let losses = recorded.session.losses;
    assert_eq!(losses.events, 0);
    if losses.switches > 0 {
        assert!(losses.cpu_time_ns > 0);
        return losses;
    }
    assert_eq!(losses.cpu_time_ns, 0);
    for (player, (before, after)) in players.iter().zip(before.into_iter().zip(after)) {
        let truth = Usage::since(after, before).switches;
        let (thread, info) = recorded.thread(player.tid());
        let counted = recorded.spent(thread).switches;
        assert!(truth > 10_000, "only {truth} switches");
        assert!(counted.abs_diff(truth) <= 5, "{}: {counted} of {truth}", info.comm);
    }
    losses
}

#[test]
fn what_a_full_log_loses_is_counted_and_charged_to_nobody() {
    let place = Place::new();
    let players = ping_pong(cpus()[0], Duration::from_millis(400), Duration::ZERO);
    let before = players.each_ref().map(Worker::usage);
    let recording = place.recording(&["-q", "--log-records", "256", "--strict"], &["-a"]);
    players.iter().for_each(Worker::begin);
    players.iter().for_each(Worker::wait);
    let after = players.each_ref().map(Worker::usage);
    assert_eq!(interrupt(recording).status.code(), Some(9));
    let recorded = Recorded::of(&place);
    recorded.assert_time_closes();
    let losses = recorded.session.losses;
    let lost_in_windows: u64 = recorded.windows.iter().map(|window| window.lost_switches).sum();
    assert_eq!(lost_in_windows, losses.switches);
    let lost = recorded.spent(ThreadId::LOST).oncpu;
    assert_eq!(lost, Duration::from_nanos(losses.cpu_time_ns));

    // Every switch of the two is either seen or lost; what was seen is theirs, and not much.
    let is_player = |info: &ThreadInfo| players.iter().any(|player| player.tid() == info.tid);
    let seen = recorded.spent_by(|_, info| is_player(info));
    let truth: u64 =
        before.into_iter().zip(after).map(|(before, after)| after.since(before).switches).sum();
    assert!(seen.switches > 0 && truth > 10_000, "{seen:?} of {truth}");
    assert!(seen.switches + losses.switches + 5 >= truth, "{seen:?}, {losses:?} of {truth}");
    assert!(seen.oncpu < lost / 4, "{seen:?} beside {lost:?} lost");
}
