//! energy-prof: where did the joules go, by process, thread, container and function.
//!
//! **You give** a workload (a pid, a command, the whole machine) and a way to read energy
//! (RAPL counters, or a model of the hardware where nothing measures).
//! **You get** a trace of raw measurements in Parquet, and from it, as often as you like and with any
//! policy, joules per thread, process, container and unit that add up exactly to what was measured.
//! **It is not** a power meter: a figure is as good as the counter behind it, and says which that was.
//!
//! The modules are in the order of the data. Imports point only from later to earlier ones:
//! [`units`] ← [`model`] ← ([`sources`], [`probes`], [`trace`], [`symbols`], [`attribution`], [`emissions`]) ←
//! [`profile`] ← ([`record`], [`calibrate`], [`import`], [`analyze`], [`estimate`], [`export`], [`report`]).

pub mod units;

pub mod model;

pub mod attribution;
pub mod emissions;
pub mod probes;
pub mod sources;
pub mod symbols;
pub mod trace;

pub mod profile;

pub mod analyze;
pub mod calibrate;
pub mod estimate;
pub mod export;
pub mod import;
pub mod record;
pub mod report;
