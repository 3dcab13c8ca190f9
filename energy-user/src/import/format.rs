//! The kinds of logs there are, and telling by its content which one a log is.
//! A new one is its file and a line in [`FORMATS`].

use std::str::FromStr;

use thiserror::Error;

use super::codecarbon::CodeCarbon;
use super::log::Log;
use super::nvidia_smi::NvidiaSmi;
use super::power_gadget::PowerGadget;
use super::text::LogText;
use super::turbostat::Turbostat;
use super::{LogError, Missing};
use crate::units::WallTime;

/// Every kind of log, in the order in which they are tried.
const FORMATS: [&dyn LogFormat; 4] = [&PowerGadget, &CodeCarbon, &NvidiaSmi, &Turbostat];

/// One tool's logs.
pub(super) trait LogFormat: Sync {
    /// The name in options and in the trace.
    fn name(&self) -> &'static str;

    /// The tool's own name.
    fn tool(&self) -> &'static str;

    /// What makes a log one of its own, for whoever gave one that is not: "no …".
    fn lacks(&self) -> &'static str;

    /// Whether it is one.
    fn recognises(&self, text: &LogText) -> bool;

    /// Reads it.
    fn read(&self, text: &LogText, about: &AboutLog<'_>) -> Result<Log, LogError>;
}

/// What is known of a log besides its content.
pub(super) struct AboutLog<'a> {
    /// What the user says.
    pub missing: &'a Missing,
    /// When its file was last written, which is about when the tool ended.
    pub written: Option<WallTime>,
}

/// One of the kinds of logs.
#[derive(Clone, Copy)]
pub struct FormatChoice(&'static dyn LogFormat);

impl FormatChoice {
    /// Every kind's name, in the order in which they are tried.
    pub fn names() -> Vec<&'static str> {
        FORMATS.iter().map(|format| format.name()).collect()
    }

    pub(super) fn format(self) -> &'static dyn LogFormat {
        self.0
    }
}

impl std::fmt::Debug for FormatChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

/// A name that is no kind of log.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name:?} is no kind of log known here: expected {}", FormatChoice::names().join(", "))]
pub struct ParseFormatError {
    name: String,
}

impl FromStr for FormatChoice {
    type Err = ParseFormatError;
    fn from_str(name: &str) -> Result<Self, ParseFormatError> {
        let found = FORMATS.into_iter().find(|format| format.name() == name);
        found.map(Self).ok_or_else(|| ParseFormatError { name: name.to_owned() })
    }
}

/// What kind of log this is, or what was looked for in vain.
pub(super) fn recognise(text: &LogText) -> Result<&'static dyn LogFormat, String> {
    let found = FORMATS.into_iter().find(|format| format.recognises(text));
    found.ok_or_else(|| {
        let tried = FORMATS.map(|format| format!("{} ({})", format.lacks(), format.tool()));
        tried.join(", ")
    })
}
