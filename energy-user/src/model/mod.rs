//! The nouns every stage speaks of. No file, clock or counter is touched here.

mod attributed;
mod busy;
mod counts;
mod domain;
mod energy;
mod gpu;
mod ledger;
mod loss;
mod provenance;
mod residency;
mod stack;
mod thread;
mod topology;
mod window;

pub use attributed::{AttributedSample, Component};
pub use busy::BusyCpus;
pub use counts::{Counted, HardwareCounter, ParseHardwareCounterError};
pub use domain::{Domain, DomainId, ParseDomainError, disjoint_cover, disjoint_cover_with};
pub use energy::{CounterFlags, EnergySample};
pub use gpu::GpuSample;
pub use ledger::Ledger;
pub use loss::Losses;
pub use provenance::Provenance;
pub use residency::Residency;
pub use stack::{Frame, FrameKind, Stack, StackId, StackSample};
pub use thread::{ThreadId, ThreadInfo, container_of_cgroup, unit_of_cgroup};
pub use topology::{CpuPlace, Feeders, Topology};
pub use window::{Grid, GridError, Window};
