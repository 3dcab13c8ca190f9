//! Intensities from Electricity Maps, or from any service that answers as version 3 of its API does.
//!
//! Asked is `past-range`, hour by hour, over the life cycle, for the whole hours of a recording and in
//! stretches of at most 240 hours, which is what one request may have. Answers are kept on disk, so that
//! the same recording needs no network the next time.
//! Reference: Electricity Maps API v3, `carbon-intensity/past-range`, 2026.

mod answer;
mod cache;
mod client;

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::series::{IntensitySeries, Origin, later};
use crate::units::{Nanoseconds, WallTime, scale};
use answer::Answer;
use cache::Cache;
use client::Client;

/// The service's own address.
pub const ADDRESS: &str = "https://api.electricitymaps.com";

/// The environment's variable with the token.
pub const TOKEN_VARIABLE: &str = "ELECTRICITY_MAPS_TOKEN";

const HOUR: Nanoseconds = Nanoseconds::from_millis(3_600_000);

/// How many hours one request may have.
const MOST_HOURS: u64 = 240;

/// A service, and where its answers are kept.
#[derive(Debug)]
pub struct ElectricityMaps {
    client: Client,
    cache: Cache,
}

/// How the service is asked.
#[derive(Clone, Debug)]
pub struct ElectricityMapsOptions {
    /// Its address, as [`ADDRESS`].
    pub address: String,
    /// What it is to know the user by; `None` will do where all is on disk.
    pub token: Option<String>,
    /// Answers are kept below this folder.
    pub cache: PathBuf,
    /// How long it may take to be reached, to answer, and to send the answer: each as long.
    pub patience: Duration,
}

/// Why there is no series from the service, and what to do about it.
#[derive(Debug, Error)]
pub enum ElectricityMapsError {
    /// The address makes no sense.
    #[error("{0:?} is no address of a service; write it as {ADDRESS}")]
    Address(String),
    /// The zone is none that can be asked for.
    #[error("{0:?} is no zone of Electricity Maps; write it as FR, SE-SE3 or US-CAL-CISO")]
    Zone(String),
    /// There is no token, or it is none.
    #[error(
        "cannot ask {address} for the zone {zone}: {TOKEN_VARIABLE} has no token; get one from \
         Electricity Maps, or give a table with --series"
    )]
    NoToken {
        /// Who was to be asked.
        address: String,
        /// For what.
        zone: String,
    },
    /// The service says no, or cannot be asked.
    #[error("cannot get the intensities of {zone} from {address}: {why}")]
    Refused {
        /// Who was asked.
        address: String,
        /// For what.
        zone: String,
        /// Why, and the way out.
        why: String,
    },
    /// The answer makes no sense.
    #[error(
        "cannot use what {address} answers for {zone}: {why}; is it a service that speaks version 3 of \
         Electricity Maps' API?"
    )]
    Answer {
        /// Who was asked.
        address: String,
        /// For what.
        zone: String,
        /// What is wrong.
        why: String,
    },
    /// Some of the hours are not there.
    #[error(
        "cannot use what {address} answers for {zone}: it has nothing from {} to {}; recent hours come \
         later, and a token may not reach far back",
        scale::utc(*.from), scale::utc(*.to)
    )]
    Missing {
        /// Who was asked.
        address: String,
        /// For what.
        zone: String,
        /// The first hour asked for.
        from: WallTime,
        /// The end of the last.
        to: WallTime,
    },
    /// The answer cannot be kept.
    #[error(
        "cannot keep what {address} answers in {}: {source}; XDG_CACHE_HOME names another place",
        .folder.display()
    )]
    Cache {
        /// Who was asked.
        address: String,
        /// Where it was to be kept.
        folder: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl ElectricityMaps {
    /// The service. Nothing is asked or made before it is needed.
    pub fn new(options: ElectricityMapsOptions) -> Result<Self, ElectricityMapsError> {
        let cache = Cache::new(&options.cache, &options.address);
        let client = Client::new(options.address, options.token, options.patience)?;
        Ok(Self { client, cache })
    }

    /// The intensities of a zone, over the hours in which windows begin from `first` to `last`.
    pub fn series(
        &self,
        zone: &str,
        first: WallTime,
        last: WallTime,
    ) -> Result<IntensitySeries, ElectricityMapsError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if zone.is_empty() || !zone.chars().all(is_plain) {
            return Err(ElectricityMapsError::Zone(zone.to_owned()));
        }
        let end = later(whole_hour(last), HOUR);
        let mut from = whole_hour(first);
        let mut points = Vec::new();
        let mut new = Vec::new();
        let mut covers = None;
        while from < end {
            let stretch = Nanoseconds::new(HOUR.get() * MOST_HOURS);
            let to = later(from, stretch).min(end);
            let (answer, sent) = self.stretch(zone, from, to)?;
            new.extend(sent.map(|text| (from, to, text)));
            covers = covers.or(answer.covers);
            points.extend(answer.points);
            from = to;
        }
        let origin = Origin {
            name: format!("of Electricity Maps for {zone}"),
            zone: Some(zone.to_owned()),
            source: format!("Electricity Maps, {}", self.client.host()),
            covers: Some(format!(
                "electricity consumed there, {}",
                covers.as_deref().unwrap_or("life cycle")
            )),
            notes: Vec::new(),
        };
        let series = IntensitySeries::new(origin, &points, Some(HOUR));
        let reaches = |at| series.as_ref().is_some_and(|series| series.place_of(at).is_some());
        let missing = !reaches(first) || !reaches(last);
        let series = series.filter(|_| !missing).ok_or_else(|| ElectricityMapsError::Missing {
            address: self.client.address().to_owned(),
            zone: zone.to_owned(),
            from: whole_hour(first),
            to: end,
        })?;
        // What is missing today may be there tomorrow: only what is used is kept.
        for (from, to, text) in new {
            self.keep(zone, from, to, &text)?;
        }
        Ok(series)
    }

    /// One stretch, from the disk; else from the service, with what it sent.
    fn stretch(
        &self,
        zone: &str,
        from: WallTime,
        to: WallTime,
    ) -> Result<(Answer, Option<String>), ElectricityMapsError> {
        let kept = self.cache.read(zone, from, to).and_then(|text| Answer::parse(&text).ok());
        if let Some(answer) = kept {
            return Ok((answer, None));
        }
        let text = self.client.past_range(zone, from, to)?;
        let answer = Answer::parse(&text).map_err(|why| ElectricityMapsError::Answer {
            address: self.client.address().to_owned(),
            zone: zone.to_owned(),
            why,
        })?;
        Ok((answer, Some(text)))
    }

    fn keep(
        &self,
        zone: &str,
        from: WallTime,
        to: WallTime,
        text: &str,
    ) -> Result<(), ElectricityMapsError> {
        self.cache.keep(zone, from, to, text).map_err(|source| ElectricityMapsError::Cache {
            address: self.client.address().to_owned(),
            folder: self.cache.folder(zone),
            source,
        })
    }
}

/// The beginning of the hour.
fn whole_hour(at: WallTime) -> WallTime {
    let hour = i64::try_from(HOUR.get()).expect("an hour is few nanoseconds");
    WallTime::from_epoch_nanos(at.epoch_nanos().div_euclid(hour).saturating_mul(hour))
}
