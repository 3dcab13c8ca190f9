//! Who ran is read in parts by several threads, each of which divides and adds up the windows of its part: rows
//! stay in the cache of the CPU that decoded them. A window that two parts share is put together at the end.

use std::mem;

use super::AnalyzeError;
use super::shared_out::shared_out_each;
use super::windows::{RecordedWindow, Tables, WindowsWithEnergy, of_recording};
use crate::model::{Residency, Topology};

/// Has each window added to one of several sums, which begin as `begin` gives them: all of these, or the first error
/// among the rows. The `parts` follow each other, and no row may be of an earlier window than the one before.
pub(super) fn read_apart<P, E, S: Send>(
    parts: Vec<P>,
    (tables, topology): (&Tables, &Topology),
    begin: impl Fn() -> S + Sync,
    add: impl Fn(&mut S, RecordedWindow<'_>) + Sync,
) -> Result<Vec<S>, AnalyzeError>
where
    P: Iterator<Item = Result<Vec<Residency>, E>> + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    let read = |(sum, edges): &mut (S, Vec<_>), (place, part): (usize, P)| {
        let windows = InTurn::new(tables, topology, |window: RecordedWindow<'_>| add(sum, window));
        edges.push((place, read_part(part, windows)));
    };
    let parts = parts.into_iter().enumerate().map(Ok);
    let (mut sums, edges): (Vec<S>, Vec<_>) =
        shared_out_each(parts, || (begin(), Vec::new()), read)?.into_iter().unzip();
    let mut edges: Vec<_> = edges.into_iter().flatten().collect();
    edges.sort_unstable_by_key(|(place, _)| *place);
    let mut sum = begin();
    let windows = InTurn::new(tables, topology, |window: RecordedWindow<'_>| add(&mut sum, window));
    join(edges.into_iter().map(|(_, edges)| edges), windows)?;
    sums.push(sum);
    Ok(sums)
}

/// The rows at a part's edges, of windows that may have more in the parts beside it.
#[derive(Debug, Default)]
struct Edges {
    /// Of its first window.
    first: Vec<Residency>,
    /// Of its last one, where that is another.
    last: Vec<Residency>,
}

/// Adds the windows between the first and the last of a part, which are left.
fn read_part<E>(
    part: impl Iterator<Item = Result<Vec<Residency>, E>>,
    mut windows: InTurn<'_, impl FnMut(RecordedWindow<'_>)>,
) -> Result<Edges, AnalyzeError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let mut edges = Edges::default();
    // The rows of the latest window, as long as there may be more.
    let mut open: Vec<Residency> = Vec::new();
    let mut before = None;
    for batch in part {
        let batch = batch.map_err(of_recording)?;
        let mut chunks = batch.chunk_by(|one, next| one.window == next.window).peekable();
        while let Some(rows) = chunks.next() {
            let window = rows[0].window;
            if before == Some(window) {
                open.extend_from_slice(rows);
                continue;
            }
            in_order(before, window)?;
            before = Some(window);
            if edges.first.is_empty() {
                if let Some(row) = open.first() {
                    windows.go_on_after(row.window);
                    edges.first = mem::take(&mut open);
                }
            } else {
                windows.add(&open);
                open.clear();
            }
            // Most windows end where they begin and need not be copied.
            if !edges.first.is_empty() && chunks.peek().is_some() {
                windows.add(rows);
            } else {
                open.extend_from_slice(rows);
            }
        }
    }
    if edges.first.is_empty() {
        edges.first = open;
    } else {
        windows.pass(before);
        edges.last = open;
    }
    Ok(edges)
}

/// Adds the windows at the edges of parts and those outside of all.
fn join(
    parts: impl Iterator<Item = Result<Edges, AnalyzeError>>,
    mut windows: InTurn<'_, impl FnMut(RecordedWindow<'_>)>,
) -> Result<(), AnalyzeError> {
    let mut open: Vec<Residency> = Vec::new();
    for edges in parts {
        let Edges { first, last } = edges?;
        let Some(row) = first.first() else { continue };
        let before = open.first().map(|row| row.window);
        if before == Some(row.window) {
            open.extend(first);
        } else {
            in_order(before, row.window)?;
            windows.add(&open);
            open = first;
        }
        if let Some(row) = last.first() {
            windows.add(&open);
            windows.go_on_at(row.window);
            open = last;
        }
    }
    windows.add(&open);
    windows.pass(None);
    Ok(())
}

/// That a row of `found` may follow one of the window `before`.
fn in_order(before: Option<u32>, found: u32) -> Result<(), AnalyzeError> {
    let Some(after) = before.filter(|before| found < *before) else { return Ok(()) };
    Err(AnalyzeError::OutOfOrder { table: "residency", found, after })
}

/// Windows that are added one after the other.
struct InTurn<'a, F> {
    tables: &'a Tables,
    topology: &'a Topology,
    windows: WindowsWithEnergy<'a>,
    add: F,
}

impl<'a, F: FnMut(RecordedWindow<'_>)> InTurn<'a, F> {
    /// All windows.
    fn new(tables: &'a Tables, topology: &'a Topology, add: F) -> Self {
        Self { tables, topology, windows: tables.windows_with_energy(), add }
    }

    /// Leaves out those up to `window`.
    fn go_on_after(&mut self, window: u32) {
        self.windows = self.tables.windows_with_energy_from(|index| index > window);
    }

    /// Leaves out those before `window`.
    fn go_on_at(&mut self, window: u32) {
        self.windows = self.tables.windows_with_energy_from(|index| index >= window);
    }

    /// Adds those before `end`, or all, as windows of which nothing tells who ran.
    fn pass(&mut self, end: Option<u32>) {
        while let Some((window, energy)) =
            self.windows.next_if(|window| end.is_none_or(|end| window.index < end))
        {
            (self.add)(RecordedWindow::of_unknown(window, energy, self.topology));
        }
    }

    /// Adds the window in which `rows` ran, and those before it. A window that the recording lost is left out.
    fn add(&mut self, rows: &[Residency]) {
        let Some(row) = rows.first() else { return };
        self.pass(Some(row.window));
        if let Some((window, energy)) = self.windows.next_if(|window| window.index == row.window) {
            (self.add)(RecordedWindow::of_known(window, energy, rows.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::super::in_order::InOrder;
    use super::*;
    use crate::model::{
        CounterFlags, CpuPlace, Domain, DomainId, EnergySample, Provenance, ThreadId, Window,
    };
    use crate::units::{MonotonicTime, Nanoseconds, WallTime};

    /// A window as it was added: its index, the sockets of its energy, whether it is known who ran, and the rows.
    type Added = (u32, Vec<Option<u16>>, bool, Vec<Residency>);

    fn added(window: &RecordedWindow<'_>) -> Added {
        let sockets = window.energy.iter().map(|sample| sample.domain.socket).collect();
        (window.window.index, sockets, window.residency_known, window.residency.to_vec())
    }

    /// Windows of these indices, with energy of as many sockets as the index modulo 3.
    fn tables(indices: &[u32]) -> Tables {
        let window = |index: &u32| Window {
            index: *index,
            start: MonotonicTime::from_nanos(u64::from(*index)),
            end: MonotonicTime::from_nanos(u64::from(*index) + 1),
            start_utc: WallTime::from_epoch_nanos(0),
            lost_switches: 0,
            lost_events: 0,
        };
        let sample = |window: u32, socket: u16| EnergySample {
            window,
            domain: DomainId::of_socket(Domain::Package, socket),
            source: "replay".into(),
            provenance: Provenance::Measured,
            energy: None,
            error: None,
            flags: CounterFlags::NONE,
            busy: None,
        };
        let every = (0..3).flat_map(|socket| indices.iter().map(move |index| (*index, socket)));
        let mut energy: Vec<_> = every
            .filter(|(index, socket)| u32::from(*socket) < index % 3)
            .map(|(index, socket)| sample(index, socket))
            .collect();
        energy.sort_by_key(|sample| (sample.window, sample.domain));
        Tables { windows: indices.iter().map(window).collect(), energy, sources: BTreeMap::new() }
    }

    fn topology() -> Topology {
        Topology { cpus: [(3, CpuPlace { socket: 0, die: 0, core: 0 })].into() }
    }

    /// Rows of these windows, told apart by their thread.
    fn rows(windows: &[u32]) -> Vec<Residency> {
        let row = |(thread, window): (u32, &u32)| Residency {
            window: *window,
            thread: ThreadId(thread),
            cpu: 0,
            oncpu: Nanoseconds::new(1),
            switches: 0,
        };
        (0..).zip(windows).map(row).collect()
    }

    /// The rows in parts of so many batches of so many rows, by turns.
    fn parted(rows: &[Residency], lengths: &[(usize, usize)]) -> Vec<Vec<Vec<Residency>>> {
        let mut rest = rows.iter().copied().peekable();
        let mut parts = Vec::new();
        for (batches, length) in lengths.iter().cycle() {
            if rest.peek().is_none() {
                return parts;
            }
            let batch = |_| rest.by_ref().take(*length).collect();
            parts.push((0..*batches).map(batch).collect());
        }
        parts
    }

    fn apart(parts: Vec<Vec<Vec<Residency>>>, tables: &Tables) -> Result<Vec<Added>, AnalyzeError> {
        let parts = parts.into_iter().map(|part| part.into_iter().map(Ok::<_, Infallible>));
        let sums = read_apart(parts.collect(), (tables, &topology()), Vec::new, |sum, window| {
            sum.push(added(&window));
        })?;
        let mut all = sums.concat();
        all.sort_by_key(|(index, ..)| *index);
        Ok(all)
    }

    fn one_after_the_other(
        rows: Vec<Residency>,
        tables: &Tables,
    ) -> Result<Vec<Added>, AnalyzeError> {
        let batches = std::iter::once(Ok::<_, Infallible>(rows));
        let mut rows = InOrder::new("residency", batches, |row: &Residency| row.window);
        let windows = tables.windows_with_energy().map(|(window, energy)| {
            let rows = rows.of_window(window.index)?;
            Ok(added(&if rows.is_empty() {
                RecordedWindow::of_unknown(window, energy, &topology())
            } else {
                RecordedWindow::of_known(window, energy, rows.into())
            }))
        });
        windows.collect()
    }

    /// Some of the indices from 0 to 19, ascending.
    fn some_windows() -> impl Strategy<Value = Vec<u32>> {
        prop::collection::btree_set(0..20u32, 1..20).prop_map(Vec::from_iter)
    }

    proptest! {
        #[test]
        fn every_window_is_added_once_with_all_its_rows_however_they_are_parted(
            indices in some_windows(),
            mut windows in prop::collection::vec(0..20u32, 0..60),
            lengths in prop::collection::vec((1..4usize, 1..12usize), 1..6),
        ) {
            windows.sort_unstable();
            let (tables, rows) = (tables(&indices), rows(&windows));
            let apart = apart(parted(&rows, &lengths), &tables).unwrap();
            prop_assert_eq!(apart, one_after_the_other(rows, &tables).unwrap());
        }

        #[test]
        fn rows_out_of_order_are_the_same_error_wherever_they_are(
            mut windows in prop::collection::vec(0..20u32, 2..60),
            out_of_order in any::<prop::sample::Index>(),
            lengths in prop::collection::vec((1..4usize, 1..12usize), 1..6),
        ) {
            windows.sort_unstable();
            let place = 1 + out_of_order.index(windows.len() - 1);
            prop_assume!(windows[place - 1] > 0);
            windows[place] = windows[place - 1] - 1;
            let all: Vec<u32> = (0..20).collect();
            let (tables, rows) = (tables(&all), rows(&windows));
            let apart = apart(parted(&rows, &lengths), &tables).unwrap_err();
            let expected = one_after_the_other(rows, &tables).unwrap_err();
            prop_assert_eq!(apart.to_string(), expected.to_string());
        }
    }

    #[test]
    fn of_several_errors_the_first_is_told() {
        let part = |error: &'static str| std::iter::once(Err(std::io::Error::other(error)));
        let parts = vec![part("the first"), part("the second"), part("the third")];
        let none = |(): &mut (), _: RecordedWindow<'_>| ();
        let error = read_apart(parts, (&tables(&[0]), &topology()), || (), none).unwrap_err();
        assert!(format!("{error:?}").contains("the first"), "{error:?}");
    }
}
