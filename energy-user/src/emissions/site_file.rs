//! `energy-prof.toml`: a site's factors and a machine's, written down once. Its keys are the names of the
//! options, and `series`; it holds no command, no address and no secret.
//!
//! The first file that is there counts, and only that: in the working directory (not above it: what
//! counts is to be seen where it counts), of the user, of the machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use toml::{Table, Value};

use super::nearest::nearest;
use super::site_options::{SiteOptionError, SiteOptions};

/// What the file is called wherever it lies.
const NAME: &str = "energy-prof.toml";
/// Where that of the machine lies.
const OF_MACHINE: &str = "/etc/energy-prof";
/// The key of the path of a series of intensities.
const SERIES: &str = "series";
/// Keys that say where a machine stands, of which one is enough.
const PLACES: [&str; 4] = ["zone", "cloud", "intensity", "mix"];

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteFile {
    /// Of the site and the machine; each value is said by the file's path.
    pub options: SiteOptions,
    /// A table of intensities over time; a relative path begins where the file lies.
    pub series: Option<PathBuf>,
}

/// Where a file is looked for, and what it then describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// What is done in this directory, whatever machine it is about.
    OfWork(PathBuf),
    /// This machine.
    OfThisMachine(PathBuf),
}

impl Candidate {
    /// Where it is.
    pub fn path(&self) -> &Path {
        let (Self::OfWork(path) | Self::OfThisMachine(path)) = self;
        path
    }
}

/// A file that cannot be used.
#[derive(Debug, Error)]
pub enum SiteFileError {
    /// It cannot be read.
    #[error("cannot read the configuration {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is no TOML.
    #[error("the configuration {} is no TOML in line {line}: {why}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// In words.
        why: String,
    },
    /// A key that means nothing.
    #[error(
        "the configuration {} has the unknown key {key:?}; {}", path.display(), meant(.nearest)
    )]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Keys that were meant, the nearest first.
        nearest: Vec<String>,
    },
    /// A value that makes no sense.
    #[error("{key} in the configuration {} cannot be used: {cause}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Its key.
        key: String,
        /// Why.
        cause: SiteOptionError,
    },
    /// A value of a kind that the key does not take.
    #[error("{key} in the configuration {} is neither a text nor a number", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// Its key.
        key: String,
    },
    /// Two keys that contradict each other.
    #[error("the configuration {} says the place by {first} and by {second}: keep one of them", path.display())]
    TwoPlaces {
        /// The file.
        path: PathBuf,
        /// A key.
        first: &'static str,
        /// Another.
        second: &'static str,
    },
}

impl SiteFile {
    /// Where files are looked for, the one that counts first: the working directory, the user's
    /// configuration (`$XDG_CONFIG_HOME` or what stands for it), the machine's.
    pub fn candidates(directory: &Path, of_user: Option<&Path>) -> Vec<Candidate> {
        let of_user =
            of_user.map(|home| Candidate::OfThisMachine(home.join("energy-prof").join(NAME)));
        let of_machine = Candidate::OfThisMachine(Path::new(OF_MACHINE).join(NAME));
        let of_work = Candidate::OfWork(directory.join(NAME));
        std::iter::once(of_work).chain(of_user).chain([of_machine]).collect()
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, SiteFileError> {
        let text = fs::read_to_string(path)
            .map_err(|cause| SiteFileError::Read { path: path.to_owned(), cause })?;
        Self::parse(path, &text)
    }

    /// From the text of the file at a path.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SiteFileError> {
        let table: Table = toml::from_str(text).map_err(|error| syntax(path, text, &error))?;
        let mut file = Self::default();
        let by = path.display().to_string();
        for (key, value) in &table {
            if !keys().any(|known| known == key) {
                let names = keys().map(|name| (name.to_owned(), name.to_owned()));
                let nearest = nearest(key, names);
                return Err(SiteFileError::UnknownKey {
                    path: path.to_owned(),
                    key: key.clone(),
                    nearest,
                });
            }
            let kind = || SiteFileError::Kind { path: path.to_owned(), key: key.clone() };
            let text = text_of(value).ok_or_else(kind)?;
            if key == SERIES {
                file.series = Some(path.parent().unwrap_or(Path::new("")).join(text));
                continue;
            }
            file.options.set(key, &text, &by).map_err(|cause| SiteFileError::Value {
                path: path.to_owned(),
                key: key.clone(),
                cause,
            })?;
        }
        match contradiction(&table) {
            None => Ok(file),
            Some((first, second)) => {
                Err(SiteFileError::TwoPlaces { path: path.to_owned(), first, second })
            }
        }
    }
}

fn keys() -> impl Iterator<Item = &'static str> {
    SiteOptions::NAMES.into_iter().chain([SERIES])
}

/// Two keys that both say what the grid emits.
fn contradiction(table: &Table) -> Option<(&'static str, &'static str)> {
    let mut places = PLACES.into_iter().filter(|key| table.contains_key(*key));
    let first = places.next()?;
    let over_time = table.contains_key(SERIES) && ["intensity", "mix"].contains(&first);
    let second = places.next().or_else(|| over_time.then_some(SERIES))?;
    Some((first, second))
}

/// A value as its option has it on the command line: a mix and the parts of a server may be tables.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Table(parts) => {
            let part = |(name, value): (&String, &Value)| {
                let number = text_of(value).filter(|_| !value.is_table())?;
                Some(format!("{name}={number}"))
            };
            let parts: Option<Vec<String>> = parts.iter().map(part).collect();
            parts.map(|parts| parts.join(","))
        }
        Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) => None,
    }
}

/// Says the line, and not what is in it: it may be another file than was meant, and read as root.
fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> SiteFileError {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..at].split(|byte| *byte == b'\n').count();
    SiteFileError::Syntax { path: path.to_owned(), line, why: error.message().to_owned() }
}

fn meant(nearest: &[String]) -> String {
    match nearest {
        [] => format!("it knows {}", keys().collect::<Vec<_>>().join(", ")),
        nearest => format!("is one of these meant: {}?", nearest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emissions::Place;

    fn parse(text: &str) -> Result<SiteFile, String> {
        let path = Path::new("/site/energy-prof.toml");
        SiteFile::parse(path, text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_site_is_read_and_every_value_says_where_from() {
        let text = "zone = \"FR\"\npue = 1.2\nwue = 0\nembodied = { server = 1, gpu = 8 }\n\
                    lifespan = \"5y\"\nresource-share = \"8/64\"\nseries = \"grid.csv\"\n";
        let file = parse(text).unwrap();
        assert_eq!(file.series.as_deref(), Some(Path::new("/site/grid.csv")));
        let texts = file.options.texts();
        assert_eq!(texts.len(), 6);
        assert!(texts.iter().all(|(_, _, by)| *by == "/site/energy-prof.toml"));
        assert_eq!(file.options.place.unwrap().value, Place::Zone("FR".to_owned()));
        assert_eq!(parse("# nothing\n"), Ok(SiteFile::default()));
    }

    #[test]
    fn a_mix_is_a_text_or_a_table() {
        let place = |text| parse(text).unwrap().options.place.unwrap().value;
        assert_eq!(place("mix = \"coal=10,wind=90\""), place("[mix]\ncoal = 10\nwind = 90.0\n"));
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_file() {
        let error = |text| parse(text).unwrap_err();
        assert_eq!(
            error("zonee = \"FR\""),
            "the configuration /site/energy-prof.toml has the unknown key \"zonee\"; is one of these \
             meant: zone?"
        );
        assert!(error("q = 1").contains("it knows zone, cloud"));
        assert!(error("pue = 0.5").contains("pue in the configuration"));
        assert!(error("pue = true").contains("neither a text nor a number"));
        assert!(error("lifespan = 4").contains("write it as 4y"));
        assert!(error("zone = \"FR\"\ncloud = \"aws/eu-west-3\"").contains("by zone and by cloud"));
        assert!(error("intensity = 5\nseries = \"x.csv\"").contains("by intensity and by series"));
        let secret = error("zone = \"FR\"\nroot:secret:1:\n");
        assert!(secret.contains("in line 2") && !secret.contains("secret"), "{secret}");
    }

    #[test]
    fn the_file_beside_the_work_counts_first() {
        let found =
            SiteFile::candidates(Path::new("/project"), Some(Path::new("/home/ada/.config")));
        assert_eq!(
            found,
            [
                Candidate::OfWork("/project/energy-prof.toml".into()),
                Candidate::OfThisMachine("/home/ada/.config/energy-prof/energy-prof.toml".into()),
                Candidate::OfThisMachine("/etc/energy-prof/energy-prof.toml".into()),
            ]
        );
    }
}
