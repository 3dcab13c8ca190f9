//! Behaviour through the public API: one file for each module of the library.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sources;

mod support {
    pub(crate) mod fake_powercap;
}
