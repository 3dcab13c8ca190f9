//! The programs, one file per thing they watch.

mod cgroup;
mod counters;
mod cpu_sample;
mod sched_switch;
mod task_lifecycle;
