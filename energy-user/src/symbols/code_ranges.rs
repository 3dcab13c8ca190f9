//! Ranges of addresses of code that is made, dropped and made again in the same place: the later one
//! holds.

use std::collections::BTreeMap;

/// What is at which address. Ranges are sorted and apart from each other.
#[derive(Clone, Debug)]
pub(super) struct CodeRanges<T>(Vec<Range<T>>);

#[derive(Clone, Copy, Debug)]
struct Range<T> {
    start: u64,
    end: u64,
    what: T,
}

impl<T> Default for CodeRanges<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> CodeRanges<T> {
    /// What is at an address.
    pub(super) fn find(&self, address: u64) -> Option<&T> {
        let after = self.0.partition_point(|range| range.start <= address);
        self.0[..after].last().filter(|range| address < range.end).map(|range| &range.what)
    }
}

/// Takes ranges from the last to the first.
#[derive(Debug)]
pub(super) struct FromTheLast<T> {
    taken: Taken,
    ranges: Vec<Range<T>>,
}

impl<T> Default for FromTheLast<T> {
    fn default() -> Self {
        Self { taken: Taken::default(), ranges: Vec::new() }
    }
}

impl<T: Copy> FromTheLast<T> {
    /// Adds what was at addresses from `start` to before `end` earlier than all that was added so far.
    /// Asks what it is only if something is left of it.
    pub(super) fn add(&mut self, start: u64, end: u64, what: impl FnOnce() -> T) {
        let free = self.taken.take(start, end);
        if free.is_empty() {
            return;
        }
        let what = what();
        self.ranges.extend(free.into_iter().map(|(start, end)| Range { start, end, what }));
    }

    /// All of them.
    pub(super) fn ranges(mut self) -> CodeRanges<T> {
        self.ranges.sort_unstable_by_key(|range| range.start);
        CodeRanges(self.ranges)
    }
}

/// Addresses that something is at: start to end, apart from each other.
#[derive(Debug, Default)]
struct Taken(BTreeMap<u64, u64>);

impl Taken {
    /// Takes a span and gives back the parts of it that were free. Spans that touch become one, so
    /// each is passed over once, whatever the file says.
    fn take(&mut self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut free = Vec::new();
        let (mut first, mut last, mut from) = (start, end, start);
        if let Some((&before, &until)) = self.0.range(..start).next_back()
            && until >= start
        {
            (first, last, from) = (before, last.max(until), until);
        }
        while let Some((&next, &until)) = self.0.range(start..=end).next() {
            if from < next {
                free.push((from, next));
            }
            (from, last) = (from.max(until), last.max(until));
            self.0.remove(&next);
        }
        if from < end {
            free.push((from, end));
        }
        self.0.insert(first, last);
        free
    }
}
