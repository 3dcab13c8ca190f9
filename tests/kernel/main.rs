//! Behaviour on the running kernel: what `energy-prof` records of loads whose truth is known, and
//! what it does when something is wrong.
//! Needs root, and runs one test at a time: `cargo xtask test` sees to both.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod calibrate;
mod call_graph;
mod cards;
mod cli;
mod counters;
mod cpu_time;
mod crash;
mod faults;
mod function_names;
mod functions;
mod identity;
mod jit;
mod log;
mod privileges;
mod residency;
mod simulated;
mod sources;
mod targets;

#[path = "../support"]
mod support {
    pub(crate) mod busy;
    pub(crate) mod divided;
    pub(crate) mod energy_prof;
    #[expect(dead_code, reason = "PMUs and places of CPUs belong to the suite")]
    pub(crate) mod fake_machine;
    #[expect(dead_code, reason = "zones belong to the suite")]
    pub(crate) mod fake_powercap;
    #[expect(dead_code, reason = "reserved bits belong to the suite")]
    pub(crate) mod fake_registers;
    pub(crate) mod functions;
    pub(crate) mod load;
    pub(crate) mod nobody;
    pub(crate) mod nvml;
    pub(crate) mod outcome;
    pub(crate) mod recorded;
    pub(crate) mod recorder;
    pub(crate) mod simulator;
    pub(crate) mod skip;
    pub(crate) mod working_thread;
    pub(crate) mod workload;
}
