//! Where joules come from: counters that measure them, and a model where nothing does.
//!
//! A source is an [`EnergySource`]: it knows how to read a set of counters and what they cover.
//! A [`Meter`] per counter turns readings into the energy of windows. [`discover`] looks at a machine
//! and says which sources it has, and what is missing for better ones.
//! A new source is one file here and one line in `discover.rs`.

mod battery;
mod calibration;
mod counter;
mod cpu_architecture;
mod cpu_name;
mod cross_check;
mod discover;
mod finding;
mod host_facts;
mod hwmon;
mod hwmon_chip;
mod hwmon_place;
mod meter;
mod msr_device;
mod number_file;
mod nvml;
mod perf_event;
mod perf_pmu;
mod power_integral;
mod power_model;
mod power_table;
mod powercap_remedy;
mod rapl_core;
mod rapl_msr;
mod rapl_perf;
mod rapl_place;
mod rapl_powercap;
mod rapl_registers;
mod rapl_unit;
mod rapl_zone;
mod scaphandre_guest;
pub mod simulated_powercap;
mod source_choice;
mod source_error;
mod undisturbed;
mod wrapping_counter;

pub use battery::{Batteries, BatteryGauges};
pub use calibration::{
    CALIBRATION_VERSION, Calibration, CalibrationError, DomainPower, HostIdentity, LoadPoint,
};
pub use counter::{ClockFn, CounterReading, CounterSpec, EnergySource, Shown};
pub use cpu_name::comparable_name;
pub use cross_check::{CrossCheck, cross_check};
pub use discover::{Discovery, SourceOptions, discover};
pub use finding::{Finding, FindingState};
pub use host_facts::{CpuVendor, HostFacts};
pub use hwmon::{Hwmon, HwmonSensors};
pub use meter::Meter;
pub use nvml::{Nvml, NvmlCards};
pub use perf_pmu::{OpenEvent, ReadCount};
pub use power_model::PowerModel;
pub use power_table::{
    CpuPower, FamilyPower, ModelConstant, TableError, cpu_powers, family_powers, model_constants,
};
pub use rapl_msr::{MsrCounters, RaplMsr};
pub use rapl_perf::{PerfCounters, RaplPerf};
pub use rapl_powercap::{PowercapZones, RaplPowercap};
pub use scaphandre_guest::ScaphandreGuest;
pub use source_choice::{ParseSourceError, SourceChoice};
pub use source_error::SourceError;
