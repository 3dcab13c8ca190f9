//! The records that the kernel side writes and user space reads.
#![no_std]
