//! Perf events that count what tests say.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use energy_prof::sources::ReadCount;

/// What each event counts: by its code and CPU. What is not here cannot be opened.
#[derive(Clone, Default)]
pub(crate) struct FakeEvents {
    counts: Arc<Mutex<BTreeMap<(u64, u16), Count>>>,
}

/// A count, or the error number that reading it gives.
type Count = Result<u64, i32>;

impl FakeEvents {
    /// What the event `config` on `cpu` shows from now on.
    pub(crate) fn show(&self, config: u64, cpu: u16, count: Count) {
        self.counts.lock().unwrap().insert((config, cpu), count);
    }

    /// Opens an event of PMU 9.
    pub(crate) fn open(&self, pmu_type: u32, config: u64, cpu: u16) -> io::Result<ReadCount> {
        assert_eq!(pmu_type, 9, "the number that the PMU's `type` gives");
        if !self.counts.lock().unwrap().contains_key(&(config, cpu)) {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        let counts = Arc::clone(&self.counts);
        Ok(Box::new(move || {
            counts.lock().unwrap()[&(config, cpu)].map_err(io::Error::from_raw_os_error)
        }))
    }
}

/// A kernel that lets nobody open events.
pub(crate) fn no_events(_pmu_type: u32, _config: u64, _cpu: u16) -> io::Result<ReadCount> {
    Err(io::Error::from_raw_os_error(libc::EACCES))
}
