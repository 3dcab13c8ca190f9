//! Who used each graphics card in each window, from what drivers told at times of their own.

use std::collections::BTreeMap;

use crate::attribution::{CardUse, CardUser};
use crate::model::{Domain, DomainId, GpuSample, ThreadId, ThreadInfo, Window};
use crate::units::{MonotonicTime, Nanoseconds};

/// How far from a window its cards' samples may be: drivers sample every 1/6 s to 1 s.
/// Reference: NVIDIA, "NVML API Reference Guide", nvmlUtilization_t
const NEAR: Nanoseconds = Nanoseconds::from_millis(1000);

/// What the drivers told.
#[derive(Debug, Default)]
pub(super) struct Cards {
    /// By card, in the order of the windows.
    told: BTreeMap<u16, Vec<Told>>,
    processes: BTreeMap<u32, Vec<Life>>,
}

/// A process, and in how many percent of the time its kernels ran.
type Used = (u32, u8);

/// What one card told at the end of one window.
#[derive(Debug)]
struct Told {
    window: u32,
    at: MonotonicTime,
    /// Who used it; `None` where there was no sample.
    used: Option<Vec<Used>>,
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
        let mut by_card: BTreeMap<(u16, u32), Option<Vec<Used>>> = BTreeMap::new();
        let mut processes: BTreeMap<u32, Vec<Life>> = BTreeMap::new();
        for sample in samples {
            let used = by_card.entry((sample.gpu, sample.window)).or_default();
            match (sample.pid, sample.sm_percent) {
                (Some(pid), Some(percent)) => {
                    used.get_or_insert_default().push((pid, percent));
                    processes.entry(pid).or_default();
                }
                // An idle card has no samples of processes.
                (None, Some(0)) => {
                    used.get_or_insert_default();
                }
                _ => {}
            }
        }
        for (thread, info) in threads.iter().filter(|(thread, _)| **thread >= ThreadId::FIRST) {
            if let Some(lives) = processes.get_mut(&info.tgid) {
                let ThreadInfo { start, exec, exit, .. } = *info;
                let is_leader = info.tid == info.tgid;
                lives.push(Life { thread: *thread, is_leader, start, exec, exit });
            }
        }
        let mut told: BTreeMap<u16, Vec<Told>> = BTreeMap::new();
        for ((gpu, window), used) in by_card {
            let place = windows.binary_search_by_key(&window, |window| window.index);
            if let Ok(place) = place {
                let at = windows[place].end;
                told.entry(gpu).or_default().push(Told { window, at, used });
            }
        }
        Self { told, processes }
    }

    /// Who used each card that told anything, in `window`.
    pub(super) fn of_window(&self, window: &Window) -> Vec<CardUse> {
        let of_card = |(gpu, told): (&u16, &Vec<Told>)| CardUse {
            domain: DomainId::of_socket(Domain::Gpu, *gpu),
            users: used_in(told, window).map(|used| self.users(used, window)),
        };
        self.told.iter().map(of_card).collect()
    }

    fn users(&self, used: &[Used], window: &Window) -> Vec<CardUser> {
        let user = |(pid, sm_percent): &Used| {
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

/// A sample is a mean over the time before it, so a window has the next one, its own first of all; where
/// none is near, the one before.
fn used_in<'a>(told: &'a [Told], window: &Window) -> Option<&'a [Used]> {
    let here = told.partition_point(|told| told.window < window.index);
    let with_use = |told: &'a Told| told.used.as_deref().map(|used| (told.at, used));
    let next = told[here..].iter().take_while(|told| told.at.since(window.end) <= NEAR);
    let before = told[..here].iter().rev().take_while(|told| window.start.since(told.at) <= NEAR);
    next.chain(before).find_map(with_use).map(|(_, used)| used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::WallTime;

    /// A window of 500 ms.
    fn window(index: u32) -> Window {
        let start = MonotonicTime::from_nanos(u64::from(index) * 500_000_000);
        Window {
            index,
            start,
            end: start + Nanoseconds::from_millis(500),
            start_utc: WallTime::default(),
            lost_switches: 0,
            lost_events: 0,
        }
    }

    fn sample(window: u32, pid: Option<u32>, sm_percent: Option<u8>) -> GpuSample {
        GpuSample { window, gpu: 1, pid, sm_percent, ..GpuSample::default() }
    }

    fn thread(tgid: u32, start_ms: u64, exit_ms: Option<u64>) -> ThreadInfo {
        let at = |ms: u64| MonotonicTime::from_nanos(ms * 1_000_000);
        ThreadInfo {
            tgid,
            tid: tgid,
            start: at(start_ms),
            exit: exit_ms.map(at),
            ..ThreadInfo::default()
        }
    }

    fn users(cards: &Cards, index: u32) -> Option<Vec<(Option<u32>, u8)>> {
        let of_window = cards.of_window(&window(index));
        let [card] = of_window.as_slice() else { panic!("one card: {of_window:?}") };
        assert_eq!(card.domain, DomainId::of_socket(Domain::Gpu, 1));
        let users = card.users.as_ref()?;
        Some(
            users
                .iter()
                .map(|user| (user.thread.map(|thread| thread.0), user.sm_percent))
                .collect(),
        )
    }

    #[test]
    fn a_window_without_a_sample_has_the_next_one_and_else_the_one_before() {
        let windows: Vec<Window> = (0..12).map(window).collect();
        let threads = [(ThreadId(5), thread(70, 0, None))].into();
        let samples = [
            sample(0, None, Some(40)),
            sample(2, Some(70), Some(40)),
            sample(3, None, Some(0)),
            sample(9, None, Some(30)),
        ];
        let cards = Cards::new(&samples, &windows, &threads);
        let used = Some(vec![(Some(5), 40)]);
        assert_eq!(users(&cards, 0), used, "the next is 1 s later");
        assert_eq!(users(&cards, 2), used);
        assert_eq!(users(&cards, 3), Some(Vec::new()), "nobody");
        assert_eq!(users(&cards, 6), Some(Vec::new()), "1 s before");
        assert_eq!(users(&cards, 8), None, "nothing near tells");
    }

    #[test]
    fn a_process_id_used_again_is_the_process_of_that_time_and_an_unknown_one_is_a_stranger() {
        let windows: Vec<Window> = (0..8).map(window).collect();
        let threads =
            [(ThreadId(5), thread(70, 0, Some(600))), (ThreadId(6), thread(70, 1100, None))].into();
        let samples: Vec<GpuSample> = (0..8)
            .flat_map(|w| [sample(w, Some(70), Some(9)), sample(w, Some(71), Some(1))])
            .collect();
        let cards = Cards::new(&samples, &windows, &threads);
        assert_eq!(users(&cards, 0), Some(vec![(Some(5), 9), (None, 1)]));
        assert_eq!(users(&cards, 4), Some(vec![(Some(6), 9), (None, 1)]));
    }
}
