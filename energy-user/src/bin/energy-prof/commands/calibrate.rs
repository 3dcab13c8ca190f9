//! `energy-prof calibrate`: what this machine draws idle and busy, kept for the recordings to come.

use std::path::{Path, PathBuf};

use anyhow::Context;
use energy_prof::calibrate::{
    CalibrateOptions, LoadCheck, MACHINE_ID, MOST_LOAD, Progress, calibrate, usual_place,
};
use energy_prof::report;
use energy_prof::sources::{
    Calibration, CalibrationError, HostFacts, HostIdentity, LoadPoint, SourceOptions,
};

use energy_prof::units::Watts;

use crate::cli::{CalibrateArguments, MeasureArguments};
use crate::exit::Status;
use crate::terminal::{self, StatusLine};

/// Half the width of the 95 % interval, in standard errors.
const WIDTH_95: f64 = 1.96;

pub(crate) fn run(arguments: &CalibrateArguments) -> anyhow::Result<Status> {
    let place = arguments.output.clone().or_else(usual_place);
    let place =
        place.context("cannot tell where to keep the calibration: HOME is not set; give -o")?;
    let options = CalibrateOptions {
        sources: SourceOptions {
            powercap_root: arguments.powercap_root.clone(),
            sysfs: arguments.sysfs.clone(),
            dev: arguments.dev.clone(),
            choice: arguments.source,
            nvml_library: arguments.nvml_library.clone(),
            core_counters: false,
        },
        idle: arguments.idle,
        step: (!arguments.idle_only).then_some(arguments.step),
        load: if arguments.allow_load { LoadCheck::Tell } else { LoadCheck::Refuse },
    };
    let mut line = StatusLine::new(false);
    let calibration = calibrate(&options, |progress| match progress {
        Progress::Idle => {
            let idle = report::duration(arguments.idle);
            line.show(&format!("measuring idle power for {idle}; leave the machine alone"));
        }
        Progress::Busy(1) => line.show("measuring with 1 CPU busy"),
        Progress::Busy(cpus) => line.show(&format!("measuring with {cpus} CPUs busy")),
    });
    line.clear();
    let calibration = calibration?;
    calibration.save(&place)?;
    terminal::print(&text(&calibration))?;
    let next = if arguments.output.is_some() { " --calibration FILE" } else { "" };
    let place = place.display();
    terminal::say(&format!(
        "Wrote {place}; `energy-prof record{next}` takes idle power from it.\n"
    ));
    Ok(Status::SUCCESS)
}

/// The powers found, a line for each load and domain.
fn text(calibration: &Calibration) -> String {
    let host = &calibration.host;
    let mut out = format!(
        "{}, {}, {} CPUs, {}\n\n",
        host.hostname, host.cpu_model, host.cpus, calibration.taken_utc
    );
    out.push_str("busy CPUs    load    power ±95 %\n");
    for point in std::iter::once(&calibration.idle).chain(&calibration.active) {
        let name =
            if point.busy_cpus == 0 { "idle".to_owned() } else { point.busy_cpus.to_string() };
        for (index, power) in point.power.iter().enumerate() {
            let (name, load) = match index {
                0 => (name.as_str(), format!("{:.1} %", 100.0 * point.busy_share)),
                _ => ("", String::new()),
            };
            let shown = report::power(power.watts);
            let error = report::power(Watts::new(WIDTH_95 * power.standard_error_watts.get()));
            let (domain, source) = (&power.domain, &power.source);
            out.push_str(&format!(
                "{name:>9}  {load:>6}  {shown:>7} ±{error} {domain} by {source}\n"
            ));
        }
    }
    let topology = HostFacts::of_this_machine().topology;
    if topology.has_siblings()
        && let Some(factor) = calibration.smt_factor(topology.cores())
    {
        out.push_str(&format!(
            "\nA CPU second beside a busy sibling of the same core drew {factor:.3} of one alone: report --smt {:.3}\n",
            factor.clamp(0.5, 1.0)
        ));
    }
    out.push_str(&warning(&calibration.idle));
    out
}

/// That idle power was not that of an idle machine.
fn warning(idle: &LoadPoint) -> String {
    if idle.busy_share <= MOST_LOAD {
        return String::new();
    }
    let running =
        if idle.running.is_empty() { "unknown".to_owned() } else { idle.running.join(", ") };
    format!(
        "\nThe machine was not idle ({:.1} % busy), so its idle power is too high. What ran most: {running}.\n",
        100.0 * idle.busy_share
    )
}

/// The calibration that a recording is to use. One that was named must fit; the usual one is left out where
/// it does not, with a sentence, and where other counters than this machine's own are read.
pub(super) fn for_recording(arguments: &MeasureArguments) -> anyhow::Result<Option<Calibration>> {
    if let Some(file) = &arguments.calibration {
        return Ok(Some(load(file)?));
    }
    let other = [&arguments.powercap_root, &arguments.sysfs, &arguments.dev];
    if other.into_iter().any(Option::is_some) {
        return Ok(None);
    }
    let there: Option<PathBuf> = usual_place().filter(|place| place.exists());
    let Some(file) = there else { return Ok(None) };
    match load(&file) {
        Ok(calibration) => Ok(Some(calibration)),
        Err(error) => {
            terminal::say(&format!("energy-prof: {error}; recording without it\n"));
            Ok(None)
        }
    }
}

fn load(file: &Path) -> Result<Calibration, CalibrationError> {
    let host = HostIdentity::of(&HostFacts::of_this_machine(), Path::new(MACHINE_ID));
    Calibration::load(file, &host)
}
