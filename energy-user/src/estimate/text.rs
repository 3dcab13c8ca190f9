//! An estimate as text.

use super::{Devices, Estimate, Job};
use crate::emissions::{in_words, sci_in_words};
use crate::units::scale;

/// How wide the labels are.
const LABEL: usize = 12;

/// The estimate, ending in a line break.
pub fn text(estimate: &Estimate, equivalents: bool) -> String {
    let mut lines = vec![(
        "ASSUMED",
        "nothing was measured: design power × load × time, from tables. Processors and cards draw \
         less most of the time, and what is around them draws besides."
            .to_owned(),
    )];
    let job = &estimate.job;
    let mut label = "hardware";
    for devices in &job.devices {
        lines.push((label, of_devices(devices)));
        label = "";
    }
    lines.push(("energy", energy(job)));
    let mut words = in_words(&estimate.site, &estimate.footprint, None, equivalents);
    if let Some(units) = &estimate.units {
        words.extend(sci_in_words(estimate.sci(), None, units));
    }
    lines.extend(words.into_iter().map(|it| (it.label, it.text)));
    if let Some(comparison) = &estimate.elsewhere {
        let (least, most) = (&comparison.least, &comparison.most);
        let text = format!(
            "least in {} ({}), most in {} ({}), of {}",
            least.place,
            scale::emissions(least.emissions),
            most.place,
            scale::emissions(most.emissions),
            comparison.among
        );
        lines.push(("elsewhere", text));
    }
    let line = |(label, text): (&str, String)| format!("{label:<LABEL$} {text}\n");
    lines.into_iter().map(line).collect()
}

fn of_devices(devices: &Devices) -> String {
    let hardware = &devices.hardware;
    let year = hardware.released.map_or_else(String::new, |year| format!(", of {year}"));
    format!(
        "{} × {} at {} ({}{year})",
        devices.count,
        hardware.name,
        scale::power(hardware.power),
        hardware.source
    )
}

fn energy(job: &Job) -> String {
    format!(
        "{} in {} at {} % load; assumed",
        scale::electricity(job.energy().into()),
        scale::duration(job.lasted.into()),
        scale::percent(job.load)
    )
}
