//! The records that the kernel side writes and user space reads: the ABI between the two.
//! Everything here is `repr(C)`, has no padding the compiler chose, and builds for both sides.
#![cfg_attr(not(test), no_std)]

pub mod config;
pub mod counters;
pub mod event;
pub mod sample;
pub mod switch_log;
