//! Reading ahead: batches are decoded on a thread of their own while those before are worked on.

use std::iter::FusedIterator;
use std::panic;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

/// Batches that may wait. They are large; more would only cost memory.
const WAITING: usize = 2;

/// The same items as another iterator's, in the same order.
#[derive(Debug)]
pub(super) struct ReadAhead<T> {
    items: Option<Receiver<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> ReadAhead<T> {
    /// Starts to read. Where no thread can be started, that is the error.
    pub(super) fn of(items: impl Iterator<Item = T> + Send + 'static) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let send = move || {
            for item in items {
                // Nobody waits for more.
                if sender.send(item).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("read ahead".to_owned()).spawn(send)?;
        Ok(Self { items: Some(receiver), thread: Some(thread) })
    }

    /// Waits for the thread to end; its panic, if it had one, goes on here.
    fn end(&mut self) {
        self.items = None;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !thread::panicking()
        {
            panic::resume_unwind(panic);
        }
    }
}

impl<T: Send + 'static> Iterator for ReadAhead<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let item = self.items.as_ref()?.recv().ok();
        if item.is_none() {
            self.end();
        }
        item
    }
}

impl<T: Send + 'static> FusedIterator for ReadAhead<T> {}

impl<T> Drop for ReadAhead<T> {
    fn drop(&mut self) {
        // Its next batch finds nobody waiting.
        self.items = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_and_end() {
        let mut ahead = ReadAhead::of(0..1000).unwrap();
        assert!(ahead.by_ref().eq(0..1000));
        assert_eq!(ahead.next(), None);
    }

    #[test]
    fn a_reader_that_is_not_wanted_any_more_ends() {
        let mut ahead = ReadAhead::of(0..).unwrap();
        assert_eq!(ahead.next(), Some(0));
        drop(ahead);
    }

    #[test]
    #[should_panic(expected = "what was read made no sense")]
    fn a_panic_while_reading_is_not_taken_for_the_end() {
        let items =
            (0..3).map(|item| if item < 2 { item } else { panic!("what was read made no sense") });
        ReadAhead::of(items).unwrap().for_each(drop);
    }
}
