//! Behaviour on the running kernel: what `energy-prof` records of loads whose truth is known.
//! Needs root, and runs one test at a time: `cargo xtask test` sees to both.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod identity;
mod log;
mod residency;
mod targets;

#[path = "../support"]
mod support {
    pub(crate) mod energy_prof;
    pub(crate) mod load;
    pub(crate) mod recorded;
}
