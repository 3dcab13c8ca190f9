//! What is said of a site and of a machine, by whom it counts first: the command line, the recording, and the
//! configuration file.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use energy_prof::emissions::{Candidate, GIVEN, SiteFile, SiteOptions, UnknownPlace};
use energy_prof::probes::Account;
use energy_prof::profile::Facts;
use energy_prof::sources::HostFacts;

use crate::cli::PlaceArguments;
use crate::terminal;

/// All that is said.
pub(super) struct Said {
    /// Of the site and the machine.
    pub(super) options: SiteOptions,
    /// A table of intensities over time, where the file names one for this place.
    pub(super) series: Option<PathBuf>,
}

impl Said {
    /// Of where a recording was made.
    pub(super) fn of_recording(place: &PlaceArguments, facts: &Facts) -> anyhow::Result<Self> {
        let before = place.options().or(&facts.site);
        let file = file(place, |candidate| {
            let here = HostFacts::of_this_machine().hostname;
            if matches!(candidate, Candidate::OfWork(_)) || facts.hostname == here {
                return true;
            }
            if before.place.is_none() {
                terminal::say(&format!(
                    "energy-prof: {} is of this machine ({here}) and not used for a recording of {}; give \
                     it with --config if it holds there, too\n",
                    candidate.path().display(),
                    facts.hostname
                ));
            }
            false
        })?;
        Self::of(before, file)
    }

    /// Of where this machine stands.
    pub(super) fn of_this_machine(place: &PlaceArguments) -> anyhow::Result<Self> {
        Self::of(place.options(), file(place, |_| true)?)
    }

    /// Of where a machine would stand that is not this one: a file tells of the place, and not of what
    /// it took to make the hardware.
    pub(super) fn of_other_hardware(place: &PlaceArguments) -> anyhow::Result<Self> {
        let SiteFile { options, .. } = file(place, |_| true)?;
        let options =
            SiteOptions { embodied: None, lifespan: None, resource_share: None, ..options };
        Self::of(place.options(), SiteFile { options, series: None })
    }

    fn of(before: SiteOptions, file: SiteFile) -> anyhow::Result<Self> {
        // A series is of the grid at the file's own place.
        let there = file.options.place.as_ref().map(|place| &place.value);
        let here = before.place.as_ref().map(|place| &place.value);
        let series = file.series.filter(|_| here.is_none() || here == there);
        Ok(Self { options: before.or(&file.options).checked()?, series })
    }
}

/// A place that was looked up; one that is not found is told with who said it, where that was not the command
/// line.
pub(super) fn found<T>(
    looked_up: Result<T, UnknownPlace>,
    options: &SiteOptions,
) -> anyhow::Result<T> {
    let by = options.place.as_ref().map(|place| place.by.as_str()).filter(|by| *by != GIVEN);
    match by {
        Some(by) => looked_up.with_context(|| format!("cannot find the place ({by})")),
        None => Ok(looked_up?),
    }
}

/// What the file says: the one that was named, else the first that is there, if it `counts`.
fn file(place: &PlaceArguments, counts: impl Fn(&Candidate) -> bool) -> anyhow::Result<SiteFile> {
    if let Some(named) = &place.config {
        return Ok(SiteFile::read(&absolute(named)?)?);
    }
    let directory = absolute(Path::new(""))?;
    let candidates = SiteFile::candidates(&directory, of_user().as_deref());
    let found = candidates.iter().find(|candidate| candidate.path().exists());
    match found.filter(|candidate| counts(candidate)) {
        Some(candidate) => Ok(SiteFile::read(candidate.path())?),
        None => Ok(SiteFile::default()),
    }
}

/// As it is told to whoever reads it elsewhere.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    let directory = env::current_dir().context(
        "cannot look for energy-prof.toml: the working directory is gone; change to another",
    )?;
    Ok(if path.as_os_str().is_empty() { directory } else { directory.join(path) })
}

/// The user's configuration; behind sudo that of who called it, as recordings are theirs.
fn of_user() -> Option<PathBuf> {
    let below = |home: OsString| PathBuf::from(home).join(".config");
    if let Some(account) = Account::behind_sudo() {
        return account.login.map(|(_, home)| below(home));
    }
    let named = |name| env::var_os(name).filter(|path| Path::new(path).is_absolute());
    named("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| named("HOME").map(below))
}
