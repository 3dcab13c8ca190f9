//! Windows are divided and added up by several threads, each with sums of its own. Sums of whole numbers are the
//! same in any order: how many threads took part, and which window each had, changes no bit of the result.

use std::num::NonZero;
use std::sync::Mutex;
use std::{panic, thread};

use super::AnalyzeError;

/// How many windows a thread takes at once.
const TOGETHER: usize = 32;

/// More threads than these would wait for each other, and each takes memory for sums of its own.
const MOST: usize = 8;

/// Has each of `items` added to one of several sums, which begin as `begin` gives them: all of these, or the first
/// error among the items.
pub(super) fn shared_out<T, S: Send>(
    items: impl Iterator<Item = Result<T, AnalyzeError>> + Send,
    begin: impl Fn() -> S + Sync,
    add: impl Fn(&mut S, T) + Sync,
) -> Result<Vec<S>, AnalyzeError> {
    among(workers(), TOGETHER, items, begin, add)
}

/// The same, where each item is much work by itself.
pub(super) fn shared_out_each<T, S: Send>(
    items: impl Iterator<Item = Result<T, AnalyzeError>> + Send,
    begin: impl Fn() -> S + Sync,
    add: impl Fn(&mut S, T) + Sync,
) -> Result<Vec<S>, AnalyzeError> {
    among(workers(), 1, items, begin, add)
}

/// How many threads there are to be.
fn workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST)
}

/// The same by so many threads, of which the caller's is one, and which take so many items at once.
fn among<T, S: Send>(
    workers: usize,
    together: usize,
    items: impl Iterator<Item = Result<T, AnalyzeError>> + Send,
    begin: impl Fn() -> S + Sync,
    add: impl Fn(&mut S, T) + Sync,
) -> Result<Vec<S>, AnalyzeError> {
    let source = Mutex::new(Source { items, ended: false });
    let work = || {
        let mut sum = begin();
        let mut parcel = Vec::with_capacity(together);
        loop {
            // Where another thread panicked while it held the items, that goes on where it is joined.
            let Ok(mut source) = source.lock() else { break };
            source.take(together, &mut parcel)?;
            drop(source);
            if parcel.is_empty() {
                break;
            }
            parcel.drain(..).for_each(|item| add(&mut sum, item));
        }
        Ok(sum)
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut sums = vec![work()];
        for other in others {
            sums.push(other.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
        }
        sums.into_iter().collect()
    })
}

/// What is still to be taken.
struct Source<I> {
    items: I,
    ended: bool,
}

impl<T, I: Iterator<Item = Result<T, AnalyzeError>>> Source<I> {
    /// Takes the next items, none at the end and after an error.
    fn take(&mut self, together: usize, parcel: &mut Vec<T>) -> Result<(), AnalyzeError> {
        while !self.ended && parcel.len() < together {
            match self.items.next() {
                Some(Ok(item)) => parcel.push(item),
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(error);
                }
                None => self.ended = true,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(
        workers: usize,
        items: impl Iterator<Item = Result<u64, AnalyzeError>> + Send,
    ) -> Result<u64, AnalyzeError> {
        let sums = among(workers, TOGETHER, items, || 0, |sum, item| *sum += item)?;
        assert_eq!(sums.len(), workers);
        Ok(sums.into_iter().sum())
    }

    #[test]
    fn every_item_is_added_once_however_many_add() {
        for workers in 1..5 {
            for count in [0, 1, 31, 32, 33, 10_000] {
                let all: u64 = (0..count).sum();
                assert_eq!(sum(workers, (0..count).map(Ok)).unwrap(), all);
            }
        }
    }

    #[test]
    fn an_error_is_given_back_and_nothing_is_asked_for_after_it() {
        for workers in 1..5 {
            let mut failed = false;
            let items = (0..1_000).map(|item| {
                assert!(!failed, "it was told to stop");
                failed = item == 500;
                if failed { Err(AnalyzeError::NoEnergy) } else { Ok(item) }
            });
            assert!(matches!(sum(workers, items), Err(AnalyzeError::NoEnergy)));
        }
    }

    #[test]
    #[should_panic(expected = "it made no sense")]
    fn a_panic_of_any_thread_is_not_taken_for_the_end() {
        let items = (0..40).map(|item| {
            assert!(item < 20, "it made no sense");
            Ok(item)
        });
        let _ = sum(2, items);
    }
}
