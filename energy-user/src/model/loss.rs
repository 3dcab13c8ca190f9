//! What a recording missed. Every loss is counted, stored and shown.

use serde::{Deserialize, Serialize};

/// Everything a recording knows it missed or had to guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Losses {
    /// Scheduler switches not written because a CPU's log was full; their time is `[lost]`.
    pub switches: u64,
    /// Nanoseconds of CPU time charged to `[lost]`.
    pub cpu_time_ns: u64,
    /// Process events (fork, exec, exit, rename) not written because the ring buffer was full.
    pub events: u64,
    /// Samples of stacks not written because their ring buffer was full, or too late to weigh.
    pub samples: u64,
    /// Mappings of code not told because a ring was full; addresses in them have no names.
    pub mappings: u64,
    /// Switches that arrived after their window's edge had been charged to the thread before.
    pub late_switches: u64,
    /// Nanoseconds of CPU time that had been charged to the thread before when those arrived.
    pub late_time_ns: u64,
    /// Window edges at which the counters were read more than one window late.
    pub late_ticks: u64,
    /// Domain windows whose energy is unknown (gap, garbage, reset, implausible).
    pub energy_gaps: u64,
    /// Times that a CPU switched threads without running our program, so that the thread that left
    /// next was charged with the time of those before it.
    pub unseen_switches: u64,
    /// Threads that ran but whose name was never learnt.
    pub unnamed_threads: u64,
}

impl Losses {
    /// Each loss with its name, in the order shown.
    pub fn named(&self) -> [(&'static str, u64); 11] {
        [
            ("switches lost (log full)", self.switches),
            ("ns of CPU time charged to [lost]", self.cpu_time_ns),
            ("process events lost (ring full)", self.events),
            ("samples lost", self.samples),
            ("mappings lost", self.mappings),
            ("late switches", self.late_switches),
            ("ns of CPU time charged before late switches", self.late_time_ns),
            ("late counter reads", self.late_ticks),
            ("domain windows without energy", self.energy_gaps),
            ("switches the kernel did not tell", self.unseen_switches),
            ("unnamed threads", self.unnamed_threads),
        ]
    }

    /// Whether anything at all was missed.
    pub fn any(&self) -> bool {
        self.named().iter().any(|(_, count)| *count > 0)
    }
}
