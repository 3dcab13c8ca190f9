//! Who used each graphics card in each window, from what drivers told at times of their own.
//!
//! A driver samples each process for itself, every 1/6 s to 1 s, and tells of it only where it used anything;
//! a sample is a mean over the time before it. So each process's windows have its next sample, as far
//! back as samples of this card usually reach.

use std::collections::BTreeMap;

use crate::attribution::{CardUse, CardUser};
use crate::model::{Domain, DomainId, GpuSample, ThreadId, ThreadInfo, Window};
use crate::units::{MonotonicTime, Nanoseconds};

/// The longest time that drivers sample over.
/// Reference: NVIDIA, "NVML API Reference Guide", nvmlUtilization_t ("between 1 second and 1/6 second")
const LONGEST: Nanoseconds = Nanoseconds::from_millis(1000);

/// What the drivers told.
#[derive(Debug, Default)]
pub(super) struct Cards {
    cards: BTreeMap<u16, Told>,
    processes: BTreeMap<u32, Vec<Life>>,
}

/// What one card told.
#[derive(Debug, Default)]
struct Told {
    /// How busy it was in all.
    busy: Vec<Sample>,
    /// How much it did for each process.
    by_process: BTreeMap<u32, Vec<Sample>>,
    /// How far back its samples of processes reach.
    reach: Nanoseconds,
    /// When it told anything last.
    until: MonotonicTime,
}

/// What was told at the end of a window; samples are in the order of the windows.
#[derive(Clone, Copy, Debug)]
struct Sample {
    window: u32,
    at: MonotonicTime,
    percent: u8,
}

/// A thread of a process that a card works for.
#[derive(Debug)]
struct Life {
    thread: ThreadId,
    is_leader: bool,
    start: MonotonicTime,
    exec: u32,
    exit: Option<MonotonicTime>,
}

impl Cards {
    /// Puts together what was told, and the threads of those it was told of. `windows` are ascending.
    pub(super) fn new(
        samples: &[GpuSample],
        windows: &[Window],
        threads: &BTreeMap<ThreadId, ThreadInfo>,
    ) -> Self {
        let mut cards: BTreeMap<u16, Told> = BTreeMap::new();
        let mut processes: BTreeMap<u32, Vec<Life>> = BTreeMap::new();
        for sample in samples {
            let card = cards.entry(sample.gpu).or_default();
            let place = windows.binary_search_by_key(&sample.window, |window| window.index);
            let Ok(place) = place else { continue };
            card.until = card.until.max(windows[place].end);
            let Some(percent) = sample.sm_percent else { continue };
            let told = match sample.pid {
                Some(pid) => {
                    processes.entry(pid).or_default();
                    card.by_process.entry(pid).or_default()
                }
                None => &mut card.busy,
            };
            told.push(Sample { window: sample.window, at: windows[place].end, percent });
        }
        for (thread, info) in threads.iter().filter(|(thread, _)| **thread >= ThreadId::FIRST) {
            if let Some(lives) = processes.get_mut(&info.tgid) {
                let ThreadInfo { start, exec, exit, .. } = *info;
                let is_leader = info.tid == info.tgid;
                lives.push(Life { thread: *thread, is_leader, start, exec, exit });
            }
        }
        cards.values_mut().for_each(Told::settle);
        Self { cards, processes }
    }

    /// Who used each card that told anything, in `window`.
    pub(super) fn of_window(&self, window: &Window) -> Vec<CardUse> {
        let of_card = |(gpu, told): (&u16, &Told)| CardUse {
            domain: DomainId::of_socket(Domain::Gpu, *gpu),
            users: told.used_in(window).map(|used| self.users(&used, window)),
        };
        self.cards.iter().map(of_card).collect()
    }

    fn users(&self, used: &[(u32, u8)], window: &Window) -> Vec<CardUser> {
        let user = |(pid, sm_percent): &(u32, u8)| {
            let lives = self.processes.get(pid).map_or(&[][..], Vec::as_slice);
            let sm_percent = *sm_percent;
            if lives.is_empty() {
                return Some(CardUser { thread: None, sm_percent });
            }
            let lives = lives.iter().filter(|life| life.is_in(window));
            // Of a process that was not there in this window, the sample tells of another one.
            let life = lives.max_by_key(|life| (life.is_leader, life.start, life.exec))?;
            Some(CardUser { thread: Some(life.thread), sm_percent })
        };
        used.iter().filter_map(user).collect()
    }
}

impl Life {
    fn is_in(&self, window: &Window) -> bool {
        self.start <= window.end && self.exit.is_none_or(|exit| exit >= window.start)
    }
}

impl Told {
    /// Orders the samples, and looks how far apart those of a process are while it uses the card: on average, in
    /// whole steps of the times at which the card was asked.
    fn settle(&mut self) {
        let all = self.by_process.values_mut().chain([&mut self.busy]);
        all.for_each(|samples| samples.sort_by_key(|sample| sample.window));
        let processes = self.by_process.values();
        let pairs = processes.flat_map(|samples| samples.iter().zip(samples.iter().skip(1)));
        let apart = pairs.map(|(a, b)| b.at.since(a.at).get());
        let apart: Vec<u64> = apart.filter(|apart| (1..=LONGEST.get()).contains(apart)).collect();
        self.reach = apart.iter().min().map_or(LONGEST, |step| {
            let mean = apart.iter().sum::<u64>() / apart.len() as u64;
            Nanoseconds::new(mean.div_ceil(*step) * step)
        });
    }

    /// Who used it in how many percent of a window; `None` where nothing tells.
    fn used_in(&self, window: &Window) -> Option<Vec<(u32, u8)>> {
        let of_each = |find: &dyn Fn(&[Sample]) -> Option<Sample>| -> Vec<(u32, u8)> {
            let found = self.by_process.iter();
            found.filter_map(|(pid, told)| Some((*pid, find(told)?.percent))).collect()
        };
        let used =
            of_each(&|told| next(told, window, self.reach).or_else(|| self.held(told, window)));
        let busy = next(&self.busy, window, LONGEST).or_else(|| before(&self.busy, window));
        if !used.is_empty() || busy.is_some_and(|busy| busy.percent == 0) {
            return Some(used);
        }
        // Nobody has a sample any more, and yet it is busy.
        let used = of_each(&|told| before(told, window));
        (!used.is_empty()).then_some(used)
    }

    /// The last sample of a process, where the recording ended before the next was due.
    fn held(&self, told: &[Sample], window: &Window) -> Option<Sample> {
        let due = Nanoseconds::new(2 * self.reach.get());
        told.last().copied().filter(|last| last.at < window.end && self.until.since(last.at) < due)
    }
}

/// The first sample of `window` itself, or after it where it reaches back into it.
fn next(told: &[Sample], window: &Window, reach: Nanoseconds) -> Option<Sample> {
    let here = told.partition_point(|told| told.window < window.index);
    told.get(here)
        .copied()
        .filter(|told| told.window == window.index || told.at.since(window.end) < reach)
}

/// The last sample before `window`, where it is near.
fn before(told: &[Sample], window: &Window) -> Option<Sample> {
    let here = told.partition_point(|told| told.window < window.index);
    let last = told[..here].last().copied();
    last.filter(|told| window.start.since(told.at) <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::WallTime;

    /// A window of 100 ms.
    fn window(index: u32) -> Window {
        let start = MonotonicTime::from_nanos(u64::from(index) * 100_000_000);
        Window {
            index,
            start,
            end: start + Nanoseconds::from_millis(100),
            start_utc: WallTime::default(),
            lost_switches: 0,
            lost_events: 0,
        }
    }

    fn sample(window: u32, pid: Option<u32>, sm_percent: u8) -> GpuSample {
        GpuSample { window, gpu: 1, pid, sm_percent: Some(sm_percent), ..GpuSample::default() }
    }

    fn thread(tgid: u32, start_ms: u64, exit_ms: Option<u64>) -> ThreadInfo {
        let at = |ms: u64| MonotonicTime::from_nanos(ms * 1_000_000);
        let (start, exit) = (at(start_ms), exit_ms.map(at));
        ThreadInfo { tgid, tid: tgid, start, exit, ..ThreadInfo::default() }
    }

    /// Of fifty windows, with processes 70 and 80 as threads 7 and 8.
    fn cards(samples: &[GpuSample]) -> Cards {
        let windows: Vec<Window> = (0..50).map(window).collect();
        let threads = [(ThreadId(7), thread(70, 0, None)), (ThreadId(8), thread(80, 0, None))];
        Cards::new(samples, &windows, &threads.into())
    }

    fn users(cards: &Cards, index: u32) -> Option<Vec<(Option<u32>, u8)>> {
        let of_window = cards.of_window(&window(index));
        let [card] = of_window.as_slice() else { panic!("one card: {of_window:?}") };
        assert_eq!(card.domain, DomainId::of_socket(Domain::Gpu, 1));
        let user = |user: &CardUser| (user.thread.map(|thread| thread.0), user.sm_percent);
        Some(card.users.as_ref()?.iter().map(user).collect())
    }

    #[test]
    fn processes_that_are_sampled_in_turns_use_the_card_together() {
        let in_turns = (10..40).map(|window| match window % 4 {
            0 => sample(window, Some(70), 60),
            2 => sample(window, Some(80), 20),
            _ => sample(window, None, 80),
        });
        let cards = cards(&in_turns.collect::<Vec<_>>());
        for index in 12..36 {
            assert_eq!(users(&cards, index), Some(vec![(Some(7), 60), (Some(8), 20)]), "{index}");
        }
    }

    #[test]
    fn a_sample_reaches_back_as_far_as_samples_of_the_card_are_apart() {
        let other = (1..20).map(|n| sample(2 * n, Some(70), 50));
        let told: Vec<GpuSample> = other.chain([sample(20, Some(80), 10)]).collect();
        let cards = cards(&told);
        assert_eq!(users(&cards, 18), Some(vec![(Some(7), 50)]), "it is of the time after this");
        assert_eq!(users(&cards, 19), Some(vec![(Some(7), 50), (Some(8), 10)]));
        assert_eq!(users(&cards, 21), Some(vec![(Some(7), 50)]));
    }

    #[test]
    fn the_last_samples_hold_until_the_end_where_the_next_were_not_due() {
        let in_turns = (10..20).map(|window| match window % 2 {
            0 => sample(window, Some(70), 60),
            _ => sample(window, Some(80), 20),
        });
        let cards = cards(&in_turns.collect::<Vec<_>>());
        assert_eq!(users(&cards, 19), Some(vec![(Some(7), 60), (Some(8), 20)]));
    }

    #[test]
    fn a_card_that_was_not_busy_was_used_by_nobody_but_those_sampled_there() {
        let idle = (0..9).map(|window| sample(window, None, 0));
        let told: Vec<GpuSample> =
            idle.chain([sample(6, Some(70), 3), sample(7, Some(70), 3)]).collect();
        let cards = cards(&told);
        assert_eq!(users(&cards, 5), Some(Vec::new()));
        assert_eq!(users(&cards, 6), Some(vec![(Some(7), 3)]));
        assert_eq!(users(&cards, 8), Some(vec![(Some(7), 3)]), "it ended before the next was due");
    }

    #[test]
    fn the_last_sample_holds_for_a_second_while_the_card_is_busy_and_then_nothing_is_known() {
        let busy = (10..30).map(|window| sample(window, None, 30));
        let told: Vec<GpuSample> = busy.chain([sample(9, Some(70), 30)]).collect();
        let cards = cards(&told);
        assert_eq!(users(&cards, 20), Some(vec![(Some(7), 30)]));
        assert_eq!(users(&cards, 21), None);
        assert_eq!(users(&cards, 45), None, "no figure is near");
    }

    #[test]
    fn a_process_id_used_again_is_the_process_of_that_time_and_an_unknown_one_is_a_stranger() {
        let windows: Vec<Window> = (0..8).map(window).collect();
        let threads =
            [(ThreadId(5), thread(70, 0, Some(150))), (ThreadId(6), thread(70, 310, None))].into();
        let of_both = |w| [sample(w, Some(70), 9), sample(w, Some(71), 1)];
        let cards = Cards::new(&(0..8).flat_map(of_both).collect::<Vec<_>>(), &windows, &threads);
        assert_eq!(users(&cards, 0), Some(vec![(Some(5), 9), (None, 1)]));
        assert_eq!(users(&cards, 2), Some(vec![(None, 1)]), "there was none");
        assert_eq!(users(&cards, 4), Some(vec![(Some(6), 9), (None, 1)]));
    }
}
