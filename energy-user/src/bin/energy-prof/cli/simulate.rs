//! The arguments of the simulator of RAPL counters.

use std::path::PathBuf;

use clap::Args;
use energy_prof::units::Nanoseconds;

use super::{pid_watts, positive_time};

#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// Directory to make the zones in
    pub(crate) directory: PathBuf,
    /// Watts per CPU second of a process, PID=WATTS
    #[arg(long, value_name = "PID=WATTS,…", value_delimiter = ',', value_parser = pid_watts)]
    pub(crate) watts: Vec<(u32, f64)>,
    /// Watts per CPU second of everything else
    #[arg(long, default_value_t = 0.0)]
    pub(crate) rest_watts: f64,
    /// Static watts of each package
    #[arg(long, default_value_t = 5.0)]
    pub(crate) static_watts: f64,
    /// Static watts of each socket's memory
    #[arg(long, default_value_t = 0.0)]
    pub(crate) dram_watts: f64,
    /// Sockets
    #[arg(long, default_value_t = 1)]
    pub(crate) sockets: u16,
    /// Dies of each socket
    #[arg(long, default_value_t = 1)]
    pub(crate) dies: u16,
    /// Bits of the energy register: fewer make the counters begin again sooner
    #[arg(long, default_value_t = 32)]
    pub(crate) register_bits: u32,
    /// Where the counters begin, in microjoules
    #[arg(long, default_value_t = 0)]
    pub(crate) start_uj: u64,
    /// How often the counters advance; RAPL's do every 1/1024 s
    #[arg(long, value_name = "TIME", value_parser = positive_time)]
    pub(crate) update_period: Option<Nanoseconds>,
    /// Leave a file with every update of the counters behind
    #[arg(long)]
    pub(crate) history: bool,
    /// Seed of the update jitter
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Stop after this long; otherwise at SIGTERM or SIGINT
    #[arg(long, value_parser = positive_time)]
    pub(crate) duration: Option<Nanoseconds>,
}
