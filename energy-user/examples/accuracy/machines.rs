//! Machines by the hundred, on all CPUs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What is found of each machine, by its seed, in the order of these.
pub(super) fn each<T: Send>(
    seeds: u64,
    find: impl Fn(u64) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let next = AtomicU64::new(0);
    let found = Mutex::new(Vec::new());
    let work = || -> anyhow::Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return Ok(());
            }
            let of_seed = find(seed)?;
            found.lock().expect("no thread panics while it adds one").push((seed, of_seed));
        }
    };
    thread::scope(|scope| {
        let cpus = thread::available_parallelism()?.get();
        let threads: Vec<_> = (0..cpus).map(|_| scope.spawn(work)).collect();
        let mut ends = threads.into_iter().map(|it| it.join().expect("a machine can be simulated"));
        ends.try_for_each(|end| end)
    })?;
    let mut found = found.into_inner().expect("no thread panics while it adds one");
    found.sort_by_key(|(seed, _)| *seed);
    Ok(found.into_iter().map(|(_, of_seed)| of_seed).collect())
}
