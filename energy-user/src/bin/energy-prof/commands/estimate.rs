//! `energy-prof estimate`: what hardware emits that was not measured, by its design power.

use std::time::SystemTime;

use energy_prof::estimate::{Devices, Estimate, Hardware, HardwareKind, Job, hardware, json, text};
use energy_prof::units::{WallTime, scale};

use super::site::{Said, found};
use crate::cli::{Counted, EstimateArguments};
use crate::exit::Status;
use crate::terminal;

pub(crate) fn run(arguments: &EstimateArguments) -> anyhow::Result<Status> {
    let mut devices = Vec::new();
    for (kind, all) in [(HardwareKind::Gpu, &arguments.gpu), (HardwareKind::Cpu, &arguments.cpu)] {
        for Counted { count, name } in all {
            devices.push(Devices { hardware: hardware(kind, name)?, count: *count });
        }
    }
    if let Some(power) = arguments.watts {
        let given = Hardware {
            name: "given power".to_owned(),
            power,
            released: None,
            source: "given".to_owned(),
        };
        devices.push(Devices { hardware: given, count: 1 });
    }
    let job = Job { devices, lasted: arguments.hours, load: arguments.load };
    let options = Said::of_other_hardware(&arguments.place)?.options;
    let units = arguments.units.functional_units();
    let estimate = Estimate { units, ..found(Estimate::of(job, &options, this_year()), &options)? };
    let render = if arguments.json { json } else { text };
    terminal::print(&render(&estimate, arguments.equivalents))?;
    Ok(Status::SUCCESS)
}

/// By the clock; where that cannot be, so late that the newest factors are taken.
fn this_year() -> u16 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
    let nanoseconds = since.and_then(|since| i64::try_from(since.as_nanos()).ok());
    nanoseconds.and_then(|at| scale::year(WallTime::from_epoch_nanos(at))).unwrap_or(u16::MAX)
}
