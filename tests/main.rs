//! Behaviour through the public API: one file for each module of the library.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attribution;
mod attribution_cards;
mod attribution_cores;
mod attribution_cycles;
mod attribution_smt;
mod calibrate;
mod call_tree;
mod cli;
mod cli_emissions;
mod cli_estimate;
mod cli_functions;
mod cli_market;
mod cli_sci;
mod cli_series;
mod cli_site_file;
mod determinism;
mod electricity_maps;
mod emissions;
mod estimate_tables;
mod export;
mod export_commands;
mod export_emissions;
mod idle_policies;
mod import;
mod import_codecarbon;
mod import_nvidia_smi;
mod import_power_gadget;
mod import_turbostat;
mod profile;
mod regress;
mod regress_functions;
mod report;
mod report_code;
mod report_emissions;
mod report_emissions_cards;
mod report_models;
mod report_over_time;
mod report_sci;
mod series;
mod simulated_machines;
mod sources;
mod sources_battery;
mod sources_guest;
mod sources_hwmon;
mod sources_machines;
mod sources_msr;
mod sources_nvml;
mod sources_perf;
mod stack_division;
mod symbolize;
mod symbols;
mod trace;
mod trace_damage;
mod trace_gpu;
mod trace_place;
mod trace_stacks;

mod support {
    pub(crate) mod call_tree;
    pub(crate) mod chance;
    pub(crate) mod electricity_maps;
    #[expect(dead_code, reason = "recordings belong to the kernel tests")]
    pub(crate) mod energy_prof;
    pub(crate) mod exported;
    pub(crate) mod fake_events;
    pub(crate) mod fake_machine;
    pub(crate) mod fake_powercap;
    pub(crate) mod fake_registers;
    pub(crate) mod imported;
    pub(crate) mod in_memory;
    pub(crate) mod machines;
    #[expect(dead_code, reason = "single rights belong to the kernel tests")]
    pub(crate) mod nobody;
    pub(crate) mod nvml;
    pub(crate) mod on_disk;
    pub(crate) mod one_window;
    pub(crate) mod outcome;
    pub(crate) mod program;
    pub(crate) mod protobuf;
    pub(crate) mod readings;
    pub(crate) mod recorded_seconds;
    pub(crate) mod sampled;
    pub(crate) mod simulated_code;
    pub(crate) mod simulated_cores;
    pub(crate) mod simulated_crowd;
    pub(crate) mod simulated_filter;
    pub(crate) mod simulated_frequency;
    pub(crate) mod simulated_load;
    pub(crate) mod simulated_program;
    pub(crate) mod skip;
    pub(crate) mod small_trace;
}
