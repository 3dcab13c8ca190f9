//! What RAPL's registers have in common, by whatever way they are read.

use super::CpuVendor;
use crate::model::Domain;
use crate::units::{Microjoules, Nanoseconds, Watts};

/// RAPL registers advance every 1/1024 s (Intel SDM vol. 3B, 14.9.3, "every ~1 msec"; 0.976 ms measured
/// by Raffin and Trystram, arXiv 2401.15985), AMD's every millisecond (`Documentation/hwmon/amd_energy.rst`).
const INTEL_UPDATE_PERIOD: Nanoseconds = Nanoseconds::new(976_563);
const AMD_UPDATE_PERIOD: Nanoseconds = Nanoseconds::from_millis(1);

/// The unit of Intel's packages, 2⁻¹⁴ J, taken where nothing gives the unit away.
pub(super) const USUAL_QUANTUM: Microjoules = Microjoules::new(61);

/// More than any core draws, even for a millisecond: the fastest of 2025 draw some 60 W.
pub(super) const CORE_CEILING: Watts = Watts::new(150.0);

/// How often the registers of a maker's processors are brought up to date.
pub(super) const fn update_period(vendor: &CpuVendor) -> Nanoseconds {
    match vendor {
        CpuVendor::Amd | CpuVendor::Hygon => AMD_UPDATE_PERIOD,
        CpuVendor::Intel | CpuVendor::Other => INTEL_UPDATE_PERIOD,
    }
}

/// More than any such part draws, even for a millisecond: the largest packages of 2025 have a TDP of 500 W
/// (EPYC 9965, Xeon 6980P) and short peaks of about twice that; 24 DIMMs draw below 500 W, a graphics card
/// at most 1.4 kW (B300), with peaks of twice that.
pub(super) const fn ceiling(domain: Domain) -> Watts {
    match domain {
        Domain::Package | Domain::Core | Domain::Uncore => Watts::new(1000.0),
        Domain::Dram => Watts::new(500.0),
        Domain::Psys | Domain::Machine => Watts::new(10_000.0),
        Domain::Gpu | Domain::Rail => Watts::new(3000.0),
    }
}
