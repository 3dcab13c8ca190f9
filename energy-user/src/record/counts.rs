//! What CPUs counted, by window and thread. The switch log tells what was counted between two of its
//! records; what lies on both sides of a window's edge, or of an exec, is divided by time.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Counted, Grid, HardwareCounter, ThreadId};
use crate::units::MonotonicTime;

/// Counts in the order of [`HardwareCounter::ALL`].
type Counts = [Option<u64>; HardwareCounter::ALL.len()];

/// A thread that was on a CPU from one time to another.
pub(super) type Stay = (ThreadId, MonotonicTime, MonotonicTime);

/// All counts since the start.
#[derive(Debug)]
pub(super) struct CountsBook {
    grid: Grid,
    start: MonotonicTime,
    /// What is counted, in the order of a record's counts.
    counters: Vec<HardwareCounter>,
    /// Of each CPU, stays that are counted with the next.
    waiting: HashMap<u16, Vec<Stay>>,
    rows: BTreeMap<u32, HashMap<(ThreadId, u16), Counts>>,
}

impl CountsBook {
    /// An empty book: counting begins at `start`.
    pub(super) fn new(grid: Grid, start: MonotonicTime, counters: &[HardwareCounter]) -> Self {
        let (counters, waiting) = (counters.to_owned(), HashMap::new());
        Self { grid, start, counters, waiting, rows: BTreeMap::new() }
    }

    /// Takes what `cpu` counted while these were on it, one after the other; without counts they are counted
    /// with those that come next. What the idle task counted is nobody's.
    pub(super) fn add(&mut self, cpu: u16, stays: &[Stay], counts: Option<&[Option<u64>]>) {
        let waiting = self.waiting.entry(cpu).or_default();
        waiting.extend_from_slice(stays);
        let Some(counts) = counts else { return };
        let stays = std::mem::take(waiting);
        let pieces: Vec<(u32, ThreadId, u64)> =
            stays.into_iter().flat_map(|stay| self.cut(stay)).collect();
        let whole: u64 = pieces.iter().map(|(.., length)| length).sum();
        let mut before = 0;
        for (number, (window, thread, length)) in pieces.iter().enumerate() {
            let is_last = number + 1 == pieces.len();
            let after = before + length;
            // Of rounded-down parts up to here and up to there, so that all parts add up to the whole.
            let share = |count: u64| match whole {
                0 => u64::from(is_last) * count,
                _ => part(count, after, whole) - part(count, before, whole),
            };
            if *thread != ThreadId::IDLE {
                let row = self.rows.entry(*window).or_default();
                let fresh =
                    || HardwareCounter::ALL.map(|it| self.counters.contains(&it).then_some(0));
                let sums = row.entry((*thread, cpu)).or_insert_with(fresh);
                for (counter, count) in self.counters.iter().zip(counts) {
                    let sum = &mut sums[*counter as usize];
                    *sum = sum.zip(*count).map(|(sum, count)| sum.saturating_add(share(count)));
                }
            }
            before = after;
        }
    }

    /// The rows of all windows before `window`, in order of window, thread and CPU.
    pub(super) fn take_before(&mut self, window: u32) -> Vec<Counted> {
        let kept = self.rows.split_off(&window);
        let taken = std::mem::replace(&mut self.rows, kept);
        let mut rows: Vec<Counted> = taken
            .into_iter()
            .flat_map(|(window, rows)| {
                rows.into_iter().map(move |((thread, cpu), counts)| Counted {
                    window,
                    thread,
                    cpu,
                    counts,
                })
            })
            .collect();
        rows.sort_unstable_by_key(|row| (row.window, row.thread, row.cpu));
        rows
    }

    /// A stay, cut at the lines of the grid.
    fn cut(&self, (thread, from, until): Stay) -> Vec<(u32, ThreadId, u64)> {
        let mut pieces = Vec::new();
        let mut at = from;
        loop {
            let to = self.grid.line_after(at).min(until);
            let window = self.grid.index_between(self.start, at);
            pieces.push((window, thread, to.since(at).get()));
            if to >= until {
                return pieces;
            }
            at = to;
        }
    }
}

/// `count × length / whole`, rounded down.
fn part(count: u64, length: u64, whole: u64) -> u64 {
    let part = u128::from(count) * u128::from(length) / u128::from(whole);
    u64::try_from(part).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::Nanoseconds;

    const A: ThreadId = ThreadId(10);
    const B: ThreadId = ThreadId(11);

    fn at(milliseconds: u64) -> MonotonicTime {
        MonotonicTime::from_nanos(milliseconds * 1_000_000)
    }

    fn book() -> CountsBook {
        let grid = Grid::new(Nanoseconds::from_millis(100)).unwrap();
        CountsBook::new(grid, at(1050), &[HardwareCounter::LlcMisses, HardwareCounter::Cycles])
    }

    fn rows(book: &mut CountsBook) -> Vec<(u32, ThreadId, Counts)> {
        book.take_before(u32::MAX).iter().map(|row| (row.window, row.thread, row.counts)).collect()
    }

    #[test]
    fn counts_over_an_edge_are_divided_by_time() {
        let mut book = book();
        book.add(0, &[(A, at(1080), at(1120))], Some(&[Some(9), Some(4_000)]));
        book.add(0, &[(B, at(1120), at(1130)), (A, at(1130), at(1140))], Some(&[Some(10), None]));
        let expected = [
            (0, A, [Some(2_000), None, Some(4)]),
            (1, A, [None, None, Some(5 + 5)]),
            (1, B, [None, None, Some(5)]),
        ];
        assert_eq!(rows(&mut book), expected);
        assert!(rows(&mut book).is_empty());
    }

    #[test]
    fn what_is_counted_while_idle_is_nobodys() {
        let mut book = book();
        book.add(0, &[(ThreadId::IDLE, at(1060), at(1070))], Some(&[Some(9), Some(4)]));
        assert!(rows(&mut book).is_empty());
    }

    #[test]
    fn of_threads_that_were_counted_together_each_has_its_part_by_time() {
        let mut book = book();
        book.add(0, &[(A, at(1060), at(1070))], None);
        assert!(rows(&mut book).is_empty());
        book.add(0, &[(B, at(1070), at(1100))], Some(&[Some(40), Some(400)]));
        let mut found = rows(&mut book);
        found.sort_by_key(|(_, thread, _)| *thread);
        assert_eq!(
            found,
            [(0, A, [Some(100), None, Some(10)]), (0, B, [Some(300), None, Some(30)])]
        );
    }

    proptest! {
        #[test]
        fn no_count_is_lost_or_made(
            lengths in prop::collection::vec(0..300_000_000u64, 1..6), count in 0..u64::MAX / 2,
        ) {
            let (mut book, mut from, mut stays) = (book(), at(1060), Vec::new());
            for length in lengths {
                stays.push((A, from, from + Nanoseconds::new(length)));
                from = from + Nanoseconds::new(length);
            }
            book.add(0, &stays, Some(&[Some(1), Some(count)]));
            let sum: u64 = rows(&mut book).iter().map(|(.., counts)| counts[0].unwrap()).sum();
            prop_assert_eq!(sum, count);
        }
    }
}
