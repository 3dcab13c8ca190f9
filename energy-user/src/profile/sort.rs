//! The orders of a report's rows.

use std::str::FromStr;

use thiserror::Error;

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// The most energy first.
    #[default]
    Joules,
    /// The most energy first, with that of all it called; of rows that call nothing, as by joules.
    Total,
    /// The most power first: the same order, as all rows are means over the same time.
    Watts,
    /// The most CPU time first.
    Cpu,
    /// By name.
    Name,
}

impl SortBy {
    /// Every order, in the order shown.
    pub const ALL: [Self; 5] = [Self::Joules, Self::Total, Self::Watts, Self::Cpu, Self::Name];

    /// The name in options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joules => "joules",
            Self::Total => "total",
            Self::Watts => "watts",
            Self::Cpu => "cpu",
            Self::Name => "name",
        }
    }
}

/// A name that is no order of rows.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("cannot sort by {name:?}: expected {}", SortBy::ALL.map(SortBy::name).join(", "))]
pub struct ParseSortByError {
    name: String,
}

impl FromStr for SortBy {
    type Err = ParseSortByError;
    fn from_str(name: &str) -> Result<Self, ParseSortByError> {
        Self::ALL
            .into_iter()
            .find(|order| order.name() == name)
            .ok_or_else(|| ParseSortByError { name: name.to_owned() })
    }
}
