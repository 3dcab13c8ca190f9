//! Which windows a trace has, as ranges: there is one range unless something was lost.

/// A set of window indices.
#[derive(Debug, Default)]
pub(super) struct WindowSet {
    /// First and last index of each range, in order, apart from each other.
    ranges: Vec<(u32, u32)>,
}

impl WindowSet {
    /// How many windows there are.
    pub(super) fn len(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// Whether `window` is one of them.
    pub(super) fn contains(&self, window: u32) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= window);
        after > 0 && self.ranges[after - 1].1 >= window
    }

    fn insert(&mut self, window: u32) {
        match self.ranges.last_mut() {
            Some((first, last)) if (*first..=*last).contains(&window) => {}
            Some((_, last)) if last.checked_add(1) == Some(window) => *last = window,
            _ => self.ranges.push((window, window)),
        }
    }

    /// Orders and joins the ranges, which windows out of order have left in disarray.
    fn settle(&mut self) {
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1.saturating_add(1);
            if joins {
                kept.1 = kept.1.max(next.1);
            }
            joins
        });
    }
}

impl Extend<u32> for WindowSet {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, windows: I) {
        windows.into_iter().for_each(|window| self.insert(window));
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_in_any_order_make_the_same_set() {
        for windows in [[0, 1, 2, 5, 6], [6, 2, 5, 0, 1]] {
            let mut set = WindowSet::default();
            set.extend(windows);
            set.extend([1, 2]);
            assert_eq!(set.ranges, [(0, 2), (5, 6)]);
            assert_eq!(set.len(), 5);
            let found: Vec<u32> = (0..8).filter(|window| set.contains(*window)).collect();
            assert_eq!(found, [0, 1, 2, 5, 6]);
        }
    }
}
