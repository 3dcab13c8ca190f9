//! What needs root and a kernel that BPF programs may be loaded into.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/divided.rs"]
mod divided;
#[path = "../support/energy_prof.rs"]
mod energy_prof;
#[path = "../support/load.rs"]
mod load;
#[path = "../support/nobody.rs"]
mod nobody;
#[path = "../support/outcome.rs"]
mod outcome;
#[path = "../support/recorder.rs"]
mod recorder;
#[path = "../support/simulator.rs"]
mod simulator;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/working_thread.rs"]
mod working_thread;

mod bad_input;
mod cli;
mod crash;
mod faults;
mod privileges;
mod simulated;
