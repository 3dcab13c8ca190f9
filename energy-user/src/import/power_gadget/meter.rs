//! One domain's column in a log of Intel Power Gadget, and where its counter has got to.

use crate::import::cell::{LARGEST_POWER_WATTS, NoNumber, number, rounding_error};
use crate::import::columns::Columns;
use crate::import::log::ExactSum;
use crate::model::{Domain, DomainId};
use crate::units::{Joules, Nanoseconds, Watts};

/// What the tool calls the domains. The package is Processor on Windows, and Package on macOS.
const DOMAINS: [(&str, Domain); 5] = [
    ("Processor", Domain::Package),
    ("Package", Domain::Package),
    ("IA", Domain::Core),
    ("GT", Domain::Uncore),
    ("DRAM", Domain::Dram),
];

/// More than this in one log is damage: a machine that draws [`LARGEST_POWER_WATTS`] for a year.
const LARGEST_ENERGY_JOULES: f64 = 3.2e12;

const JOULES_PER_MWH: f64 = 3.6;

/// One domain's figures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MeterColumn {
    pub domain: DomainId,
    pub place: usize,
    pub shows: Shows,
}

/// What a column shows, the best first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shows {
    /// Energy since the log's start, with so many joules in its unit.
    Cumulative { name: &'static str, joules: f64 },
    /// Mean power since the row before.
    MeanPower,
}

impl MeterColumn {
    /// What a cell of the column says.
    pub(super) fn figure(&self, cell: &str) -> Figure {
        let largest = match self.shows {
            Shows::Cumulative { .. } => LARGEST_ENERGY_JOULES,
            Shows::MeanPower => LARGEST_POWER_WATTS,
        };
        Figure { value: number(cell, "", largest), rounding_error: rounding_error(cell) }
    }

    /// A figure of a column of energy.
    pub(super) fn in_microjoules(&self, figure: f64) -> i64 {
        let joules = match self.shows {
            Shows::Cumulative { joules, .. } => joules,
            Shows::MeanPower => 0.0,
        };
        let energy = Joules::new(figure * joules).to_microjoules();
        i64::try_from(energy.get()).unwrap_or(i64::MAX)
    }
}

/// The best column of each domain and package.
pub(super) fn meters(columns: &Columns) -> Vec<MeterColumn> {
    let mut found: Vec<MeterColumn> = Vec::new();
    for (name, domain) in DOMAINS {
        for socket in 0..64_u16 {
            let place = |column: String| columns.place(&column);
            let joules = place(format!("Cumulative {name} Energy_{socket}(Joules)"));
            let milliwatt_hours = place(format!("Cumulative {name} Energy_{socket}(mWh)"));
            let watts = place(format!("{name} Power_{socket}(Watt)"));
            let cumulative = |joules| Shows::Cumulative { name, joules };
            let best = joules
                .map(|place| (place, cumulative(1.0)))
                .or_else(|| milliwatt_hours.map(|place| (place, cumulative(JOULES_PER_MWH))))
                .or_else(|| watts.map(|place| (place, Shows::MeanPower)));
            let domain = DomainId::of_socket(domain, socket);
            if found.iter().any(|meter| meter.domain == domain) {
                continue;
            }
            found.extend(best.map(|(place, shows)| MeterColumn { domain, place, shows }));
        }
    }
    found
}

/// What a row tells of one domain.
pub(super) struct Figure {
    pub value: Result<f64, NoNumber>,
    /// The standard error of its digits, in its own unit.
    pub rounding_error: f64,
}

/// Where one domain has got to.
pub(super) struct Meter {
    pub column: MeterColumn,
    /// The energy since the log's start in microjoules; `None` after it was unknown.
    pub reached_uj: Option<i64>,
    power: ExactSum,
}

impl Meter {
    /// A counter that has counted nothing yet.
    pub(super) fn new(column: MeterColumn) -> Self {
        Self { column, reached_uj: Some(0), power: ExactSum::default() }
    }

    /// What came to it in `lasted`, and the standard error of that by its digits.
    pub(super) fn advance(
        &mut self,
        figure: &Figure,
        lasted: Nanoseconds,
    ) -> (Result<i64, NoNumber>, f64) {
        let Figure { value, rounding_error } = *figure;
        match self.column.shows {
            Shows::Cumulative { joules, .. } => {
                let reached = value.map(|value| self.column.in_microjoules(value));
                let before = std::mem::replace(&mut self.reached_uj, reached.ok());
                let advance = reached.and_then(|now| Ok(now - before.ok_or(NoNumber::Absent)?));
                (advance, rounding_error * joules * std::f64::consts::SQRT_2)
            }
            Shows::MeanPower => {
                let advance = value.map(|watts| self.power.add(Watts::new(watts), lasted));
                (advance, rounding_error * lasted.seconds())
            }
        }
    }
}
