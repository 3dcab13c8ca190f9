//! suite

mod trace;
