//! Behaviour through the public API: one file for each module of the library.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attribution;
mod profile;
mod report;
mod sources;
mod symbols;
mod trace;

mod support {
    pub(crate) mod fake_powercap;
    pub(crate) mod in_memory;
}
