//! Reports: a profile for people, as text, and for programs, as JSON.
//!
//! **You give** a [`Profile`] and [`ReportOptions`]; for a report on code, a [`CallTree`] beside it.
//! **You get** rows that add up to the ledger, and everything one must know to trust them.
//! **It is not** a measurement tool: the only thing done to a number here is to round it for people.

mod callers;
mod code_json;
mod code_text;
mod cores;
mod elsewhere;
mod emissions;
mod emissions_json;
mod emissions_text;
mod json;
mod models;
mod over_time;
mod regression;
mod regression_json;
mod scale;
mod summary;
mod table;
mod text;

pub use callers::missing_callers;
pub use code_json::{code_json, function_json};
pub use code_text::{code_text, function_text};
pub use elsewhere::{Alternatives, Elsewhere, elsewhere_json, elsewhere_text};
pub use emissions::{EmissionsSubject, EmittingRows};
pub use emissions_json::emissions_json;
pub use emissions_text::emissions_text;
pub use json::{SCHEMA_VERSION, json};
pub use models::ModelComparison;
pub use over_time::{OverTime, Part, PartKey, TimeGrid, TimeRow, time_rows};
pub use scale::{
    bytes, count, duration, electricity, emissions, energy, error_95, exact_joules, percent, power,
    rfc3339, seconds, utc, water,
};
pub use text::{summary, text};

use crate::profile::{CallTree, GroupBy, Profile, SortBy, ThreadFilter, ViewOptions};

/// What a report on code is about.
#[derive(Clone, Copy, Debug)]
pub struct CodeSubject<'a> {
    /// The recording, or the part of it that is looked at.
    pub profile: &'a Profile,
    /// Where in the programs the energy was used.
    pub tree: &'a CallTree,
    /// Whose energy the tree is of.
    pub filter: &'a ThreadFilter,
}

/// What a report shows and how. A report on code stands for functions or lines, whatever `by` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportOptions {
    /// What a row stands for.
    pub by: GroupBy,
    /// What rows are ordered by.
    pub sort: SortBy,
    /// How many rows of targets, and as many of others; the rest of each become one row.
    pub top: Option<usize>,
    /// Whether all of the system is shown in rows of its own although targets were chosen.
    pub all: bool,
    /// Whether the text may use the terminal's colours.
    pub color: bool,
    /// Whether a report on emissions says what else emits as much.
    pub equivalents: bool,
    /// How wide the text may be, in columns; names are cut to fit, numbers never.
    pub width: usize,
}

impl Default for ReportOptions {
    /// All processes by energy, plain, at most 100 columns wide.
    fn default() -> Self {
        Self {
            by: GroupBy::default(),
            sort: SortBy::default(),
            top: None,
            all: false,
            color: false,
            equivalents: false,
            width: 100,
        }
    }
}

impl ReportOptions {
    /// The part that chooses and orders rows.
    const fn view(&self) -> ViewOptions {
        ViewOptions { by: self.by, sort: self.sort, top: self.top, all: self.all }
    }
}
