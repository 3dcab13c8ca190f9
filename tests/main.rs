<<<<<<< HEAD
<<<<<<< HEAD
//! The library's behaviour through its public API, one module per module of the library.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod attribution;
mod profile;
mod report;
mod support {
    pub(crate) mod in_memory;
}
=======
//! suite

mod trace;
>>>>>>> trace
=======
//! Behaviour through the public API: one file for each module of the library.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sources;

mod support {
    pub(crate) mod fake_powercap;
}
>>>>>>> sources
