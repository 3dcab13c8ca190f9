//! From "this thread left this CPU at this time" to on-CPU time per window: every nanosecond of
//! every CPU since the start is charged to exactly one thread, the idle task among them.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Grid, Residency, ThreadId};
use crate::units::{MonotonicTime, Nanoseconds};

/// On-CPU time of all CPUs, cut at the lines of the grid.
#[derive(Debug)]
pub(super) struct ResidencyBook {
    grid: Grid,
    start: MonotonicTime,
    cpus: BTreeMap<u16, Cursor>,
    /// Rows of windows that at least one CPU has passed, by window.
    rows: BTreeMap<u32, Vec<Residency>>,
}

/// How far one CPU has been charged, and what its current window holds so far.
#[derive(Debug)]
struct Cursor {
    charged_to: MonotonicTime,
    window: u32,
    spent: HashMap<ThreadId, Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    oncpu: Nanoseconds,
    switches: u32,
}

impl ResidencyBook {
    /// An empty book: charging begins at `start`.
    pub(super) fn new(grid: Grid, start: MonotonicTime) -> Self {
        Self { grid, start, cpus: BTreeMap::new(), rows: BTreeMap::new() }
    }

    /// Where charging of `cpu` has got to.
    pub(super) fn charged_to(&self, cpu: u16) -> MonotonicTime {
        self.cpus.get(&cpu).map_or(self.start, |cursor| cursor.charged_to)
    }

    /// Charges `thread` with the time on `cpu` from where charging has got to until `until`, which
    /// is a switch out of it or, for a thread that runs on, merely how far time has come.
    /// Nothing happens where that lies in the past.
    pub(super) fn charge(
        &mut self,
        cpu: u16,
        thread: ThreadId,
        until: MonotonicTime,
        switched_out: bool,
    ) {
        let (grid, start) = (self.grid, self.start);
        let cursor = self.cpus.entry(cpu).or_insert_with(|| Cursor {
            charged_to: start,
            window: 0,
            spent: HashMap::new(),
        });
        while cursor.charged_to < until {
            let line = grid.line_after(cursor.charged_to);
            let to = line.min(until);
            cursor.spent.entry(thread).or_default().oncpu += to.since(cursor.charged_to);
            cursor.charged_to = to;
            if to == line {
                if switched_out && to == until {
                    cursor.spent.entry(thread).or_default().switches += 1;
                }
                cursor.close_window(cpu, &mut self.rows);
                if to == until {
                    return;
                }
            }
        }
        if switched_out {
            cursor.spent.entry(thread).or_default().switches += 1;
        }
    }

    /// The rows of every window before `window`, in order of window, thread and CPU.
    pub(super) fn take_before(&mut self, window: u32) -> Vec<(u32, Vec<Residency>)> {
        let kept = self.rows.split_off(&window);
        let taken = std::mem::replace(&mut self.rows, kept);
        taken
            .into_iter()
            .map(|(window, mut rows)| {
                rows.sort_unstable_by_key(|row| (row.thread, row.cpu));
                (window, rows)
            })
            .collect()
    }

    /// Ends the last window on every CPU, wherever it has got to.
    pub(super) fn close(&mut self) {
        for (cpu, cursor) in &mut self.cpus {
            if !cursor.spent.is_empty() {
                cursor.close_window(*cpu, &mut self.rows);
            }
        }
    }
}

impl Cursor {
    fn close_window(&mut self, cpu: u16, rows: &mut BTreeMap<u32, Vec<Residency>>) {
        let window = self.window;
        rows.entry(window).or_default().extend(self.spent.drain().map(|(thread, spent)| {
            Residency { window, thread, cpu, oncpu: spent.oncpu, switches: spent.switches }
        }));
        self.window += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: ThreadId = ThreadId(10);
    const B: ThreadId = ThreadId(11);

    fn at(milliseconds: u64) -> MonotonicTime {
        MonotonicTime::from_nanos(milliseconds * 1_000_000)
    }

    fn book() -> ResidencyBook {
        ResidencyBook::new(Grid::new(Nanoseconds::from_millis(100)).unwrap(), at(1050))
    }

    #[test]
    fn an_interval_over_an_edge_is_split_there() {
        let mut book = book();
        book.charge(0, A, at(1080), true);
        book.charge(0, B, at(1130), true);
        book.charge(0, A, at(1200), false);
        let rows = book.take_before(2);
        let row = |window, thread, milliseconds, switches| Residency {
            window,
            thread,
            cpu: 0,
            oncpu: Nanoseconds::from_millis(milliseconds),
            switches,
        };
        assert_eq!(
            rows,
            [
                (0, vec![row(0, A, 30, 1), row(0, B, 20, 0)]),
                (1, vec![row(1, A, 70, 0), row(1, B, 30, 1)]),
            ]
        );
    }

    #[test]
    fn a_thread_that_never_switches_is_in_every_window() {
        let mut book = book();
        book.charge(3, A, at(1400), false);
        let rows = book.take_before(4);
        let spent: Vec<_> = rows.iter().map(|(_, rows)| rows[0].oncpu.get() / 1_000_000).collect();
        assert_eq!(spent, [50, 100, 100, 100]);
    }

    #[test]
    fn time_in_the_past_is_charged_to_nobody_twice() {
        let mut book = book();
        book.charge(0, A, at(1090), false);
        book.charge(0, B, at(1085), true);
        book.charge(0, B, at(1100), false);
        let rows = book.take_before(1);
        let total: u64 = rows[0].1.iter().map(|row| row.oncpu.get()).sum();
        assert_eq!(total, 50_000_000);
    }

    proptest! {
        #[test]
        fn time_closes(
            steps in prop::collection::vec((0u16..3, 2u32..6, 1u64..50_000_000, any::<bool>()), 1..300)
        ) {
            let mut book = book();
            for (cpu, thread, length, out) in steps {
                let until = book.charged_to(cpu) + Nanoseconds::new(length);
                book.charge(cpu, ThreadId(thread), until, out);
            }
            let reached: BTreeMap<u16, MonotonicTime> =
                (0..3).map(|cpu| (cpu, book.charged_to(cpu))).collect();
            book.close();
            let mut sums: BTreeMap<(u16, u32), u64> = BTreeMap::new();
            for (_, rows) in book.take_before(u32::MAX) {
                for row in rows {
                    *sums.entry((row.cpu, row.window)).or_default() += row.oncpu.get();
                }
            }
            for (cpu, end) in reached {
                let total: u64 =
                    sums.iter().filter(|((of, _), _)| *of == cpu).map(|(_, sum)| sum).sum();
                prop_assert_eq!(total, end.since(at(1050)).get());
            }
            for ((cpu, window), sum) in &sums {
                let last = sums.keys().filter(|(of, _)| of == cpu).map(|(_, w)| *w).max();
                if *window > 0 && Some(*window) != last {
                    prop_assert_eq!(*sum, 100_000_000);
                }
            }
        }
    }
}
