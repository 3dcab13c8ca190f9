//! A row of CodeCarbon's `emissions.csv`, for who has its dashboard or scripts that read it.
//!
//! It is CodeCarbon's reckoning, not ours: energies hold the PUE, and water is WUE × that; what is not
//! known is what CodeCarbon takes for it: a PUE of 1, a WUE of 0.
//! Reference: CodeCarbon 3.3.2, `output_methods/emissions_data.py`

use std::io::Write;

use uuid::Uuid;

use super::{ExportError, Exporter, Subject, headline};
use crate::emissions::{Footprint, Site};
use crate::model::Domain;
use crate::profile::{Profile, Targets};
use crate::units::{
    GramsCo2e, KilowattHours, Microjoules, Nanoseconds, Pue, WallTime, WaterIntensity, scale,
};

/// One row with its heading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeCarbon;

/// Part of the total, as CodeCarbon tells parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Cpu,
    Gpu,
    Memory,
}

impl Part {
    const fn of(domain: Domain) -> Self {
        match domain {
            Domain::Gpu => Self::Gpu,
            Domain::Dram => Self::Memory,
            _ => Self::Cpu,
        }
    }
}

impl Exporter for CodeCarbon {
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let mut table = csv::Writer::from_writer(out);
        let row = row(subject.profile, subject.site)?;
        table.write_record(row.iter().map(|(name, _)| *name))?;
        table.write_record(row.iter().map(|(_, cell)| cell.as_str()))?;
        table.flush()?;
        Ok(())
    }
}

type Cell = (&'static str, String);

fn row(profile: &Profile, site: &Site) -> Result<Vec<Cell>, ExportError> {
    let grid = site.grid.as_ref().ok_or(ExportError::NoIntensity)?;
    let footprint = Footprint::of(profile.total().measured, site);
    let kilograms = footprint.emissions.map_or(0.0, GramsCo2e::kilograms);
    let lasted = profile.span.duration;
    let wue = site.wue.as_ref().map_or_else(WaterIntensity::default, |wue| wue.value);
    let of = |part| energy_of(profile, part);
    let watts = |part| number((of(part).joules() / lasted).get());
    let kilowatt_hours = |part| number((KilowattHours::from(of(part)) * site.pue()).get());
    let run = run_id(profile).to_string();
    let country = grid.country.as_ref();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let (provider, cloud_region) = site.cloud.clone().unwrap_or_default();
    let region = grid.code.contains('-').then(|| grid.name.to_lowercase());
    let busy: Nanoseconds = profile.threads.values().map(|thread| thread.oncpu).sum();
    let cpus = profile.facts.cpus;
    let utilisation = 100.0 * busy.seconds() / (lasted.seconds() * f64::from(cpus.max(1)));
    let empty = String::new;
    Ok(vec![
        ("timestamp", timestamp(profile)),
        ("project_name", project(profile)),
        ("run_id", run.clone()),
        ("experiment_id", run),
        ("duration", number(lasted.seconds())),
        ("emissions", number(kilograms)),
        ("emissions_rate", number(kilograms / lasted.seconds())),
        ("cpu_power", watts(Part::Cpu)),
        ("gpu_power", watts(Part::Gpu)),
        ("ram_power", watts(Part::Memory)),
        ("cpu_energy", kilowatt_hours(Part::Cpu)),
        ("gpu_energy", kilowatt_hours(Part::Gpu)),
        ("ram_energy", kilowatt_hours(Part::Memory)),
        ("energy_consumed", number(footprint.facility.get())),
        ("water_consumed", number((footprint.facility * wue).get())),
        ("country_name", text(country.map(|country| country.name.as_str()))),
        ("country_iso_code", text(country.map(|country| country.iso3.as_str()))),
        ("region", region.unwrap_or_default()),
        ("cloud_provider", provider),
        ("cloud_region", cloud_region),
        ("os", format!("Linux-{}", profile.facts.kernel)),
        ("python_version", empty()),
        ("codecarbon_version", profile.facts.tool.clone()),
        ("cpu_count", cpus.to_string()),
        ("cpu_model", profile.facts.cpu_model.clone()),
        ("gpu_count", gpus(profile)),
        ("gpu_model", empty()),
        ("longitude", empty()),
        ("latitude", empty()),
        ("ram_total_size", empty()),
        ("tracking_mode", "machine".to_owned()),
        ("cpu_utilization_percent", number(utilisation)),
        ("gpu_utilization_percent", empty()),
        ("ram_utilization_percent", empty()),
        ("ram_used_gb", empty()),
        ("on_cloud", if site.cloud.is_some() { "Y" } else { "N" }.to_owned()),
        ("pue", number(site.pue.as_ref().map_or(Pue::NONE, |pue| pue.value).get())),
        ("wue", number(wue.get())),
    ])
}

/// So many digits that nothing is lost, without an exponent where that reads well.
fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-4 { format!("{value:e}") } else { value.to_string() }
}

fn energy_of(profile: &Profile, part: Part) -> Microjoules {
    let counted = profile.total_domains().filter(|(id, _)| Part::of(id.domain) == part);
    counted.map(|(_, account)| account.ledger.measured).sum()
}

fn gpus(profile: &Profile) -> String {
    let cards = headline::cards(profile);
    if cards == 0 { String::new() } else { cards.to_string() }
}

/// When it ended, in UTC: CodeCarbon writes its machine's time without saying which zone.
fn timestamp(profile: &Profile) -> String {
    let lasted = i64::try_from(profile.span.duration.get()).unwrap_or(i64::MAX);
    let end = profile.span.start_utc.epoch_nanos().saturating_add(lasted);
    let end = scale::rfc3339(WallTime::from_epoch_nanos(end)).unwrap_or_default();
    end.trim_end_matches('Z').to_owned()
}

fn project(profile: &Profile) -> String {
    let program = match &profile.facts.targets {
        Targets::Command { argv, .. } => argv.first().and_then(|path| path.rsplit('/').next()),
        Targets::All | Targets::Pids(_) => None,
    };
    program.unwrap_or("energy-prof").to_owned()
}

/// The same for the same recording, so that who adds rows up finds one twice.
fn run_id(profile: &Profile) -> Uuid {
    let name = format!(
        "{} {} {}",
        profile.facts.hostname,
        profile.span.start_utc.epoch_nanos(),
        profile.facts.recorder_tgid
    );
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}
