//! One interval's table: the rows of its CPUs added up.

use std::collections::BTreeMap;

use super::{Header, NAME};
use crate::import::cell::{LARGEST_POWER_WATTS, NoNumber, number, rounding_error};
use crate::import::columns::cell;
use crate::import::local_time::epoch_seconds;
use crate::import::log::{ExactSum, LogSource, LoggedEnergy};
use crate::model::{Domain, DomainId, Provenance};
use crate::units::{Joules, Nanoseconds, Watts};

/// More than any row has.
const LARGEST_ENERGY_JOULES: f64 = 1e9;

/// What one interval's table tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Interval {
    /// When it ended, in nanoseconds since 1970.
    pub ended: Option<i64>,
    /// How long a command ran that turbostat was given, which is then the only interval.
    pub lasted: Option<Nanoseconds>,
    pub has_summary: bool,
    /// The places of its rows, to see where the next table begins.
    pub places: Vec<Vec<String>>,
    pub figures: BTreeMap<DomainId, Figure>,
}

/// One domain's figure in one interval: the sum of its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure {
    sum: Result<f64, NoNumber>,
    rounding_error: f64,
    pub is_energy: bool,
    /// How many rows it was added up from: on AMD's processors, each core has its own.
    pub rows: usize,
}

impl Interval {
    /// Adds one row.
    pub(super) fn add(
        &mut self,
        header: &Header,
        row: &[String],
        places: Vec<String>,
        is_summary: bool,
    ) {
        if self.ended.is_none() {
            self.ended = epoch_seconds(cell(row, header.time));
        }
        self.has_summary |= is_summary;
        let package = cell(row, header.package);
        let package = if is_summary { None } else { Some(package.parse().unwrap_or(0_u16)) };
        self.places.push(places);
        for meter in &header.meters {
            let text = cell(row, Some(meter.place));
            let value = number(
                text,
                "",
                if meter.is_energy { LARGEST_ENERGY_JOULES } else { LARGEST_POWER_WATTS },
            );
            // Rows of other CPUs than a package's or core's first end before it.
            if value == Err(NoNumber::Absent) && !is_summary {
                continue;
            }
            let domain = DomainId { socket: package, ..DomainId::of_machine(meter.domain) };
            let figure = self.figures.entry(domain).or_insert(Figure {
                sum: Ok(0.0),
                rounding_error: 0.0,
                is_energy: meter.is_energy,
                rows: 0,
            });
            figure.sum = figure.sum.and_then(|sum| Ok(sum + value?));
            figure.rounding_error = figure.rounding_error.hypot(rounding_error(text));
            figure.rows += 1;
        }
    }

    /// Whether packages are told apart.
    pub(super) fn tells_packages(&self) -> bool {
        self.figures.keys().any(|id| id.socket.is_some() && id.domain == Domain::Package)
    }

    /// Keeps either the packages or their sum, and of the platform the machine's figure.
    pub(super) fn keep(&mut self, by_package: bool) {
        let has_summary = self.has_summary;
        self.figures.retain(|id, _| match id.domain {
            Domain::Psys => id.socket.is_none() || (!has_summary && id.socket == Some(0)),
            _ => id.socket.is_some() == by_package,
        });
    }
}

impl Figure {
    /// Of a domain that the table does not have.
    pub(super) const UNKNOWN: Self =
        Self { sum: Err(NoNumber::Absent), rounding_error: 0.0, is_energy: true, rows: 0 };

    /// The energy of an interval; what power comes to is `integrated`.
    pub(super) fn energy(
        self,
        domain: DomainId,
        lasted: Nanoseconds,
        integrated: Provenance,
        sum: &mut ExactSum,
    ) -> LoggedEnergy {
        let (advance, error) = if self.is_energy {
            let to_uj = |joules| i64::try_from(Joules::new(joules).to_microjoules().get());
            (self.sum.map(|joules| to_uj(joules).unwrap_or(i64::MAX)), self.rounding_error)
        } else {
            let advance = self.sum.map(|watts| sum.add(Watts::new(watts), lasted));
            (advance, self.rounding_error * lasted.seconds())
        };
        let provenance = if self.is_energy { Provenance::Measured } else { integrated };
        LoggedEnergy::of_counter(
            domain,
            LogSource { name: NAME, provenance },
            advance,
            error,
            lasted,
        )
    }
}
