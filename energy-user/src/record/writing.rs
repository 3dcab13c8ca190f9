//! The trace is written on a thread of its own, so that a slow disk never delays a reading.

use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::RecordError;
use crate::trace::{Batch, Session, TraceError, TraceSize, TraceWriter};

/// Batches that may wait for the disk; a recording of a second each has then been waiting for a
/// minute, and waits itself.
const WAITING: usize = 64;

/// Hands rows to the writing thread.
pub(super) struct Writing {
    batches: mpsc::SyncSender<Batch>,
    thread: JoinHandle<Result<TraceWriter, TraceError>>,
}

impl Writing {
    /// Starts the thread. The receiver fires when writing has failed; [`Self::finish`] then says why.
    pub(super) fn start(
        mut writer: TraceWriter,
    ) -> Result<(Self, oneshot::Receiver<()>), RecordError> {
        let (batches, arriving) = mpsc::sync_channel::<Batch>(WAITING);
        let (failed, failure) = oneshot::channel();
        let write = move || {
            for batch in arriving {
                writer.append(batch);
                if let Err(error) = writer.seal() {
                    // Nobody listening means that recording has ended already.
                    let _ = failed.send(());
                    return Err(error);
                }
            }
            Ok(writer)
        };
        let thread = std::thread::Builder::new()
            .name("trace-writer".to_owned())
            .spawn(write)
            .map_err(|source| RecordError::System { what: "start a thread", source })?;
        Ok((Self { batches, thread }, failure))
    }

    /// Sends rows to be sealed.
    pub(super) fn send(&self, batch: Batch) {
        // A thread that has failed is not receiving; the failure is reported by `finish`.
        let _ = self.batches.send(batch);
    }

    /// Seals what was sent, and completes the trace with `session`.
    pub(super) fn finish(self, session: &Session) -> Result<TraceSize, TraceError> {
        drop(self.batches);
        let writer = self.thread.join().expect("the writing thread does not panic")?;
        writer.finish(session)
    }
}
