//! Table `attributed`: energy charged to threads, derived from the other tables.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use super::encode::{domains, int32, int64, optional_int32, schema_of, text};
use super::{ColumnError, Columns, Table};
use crate::model::{AttributedSample, Component, ThreadId};
use crate::units::Microjoules;

pub(in crate::trace) struct Attributed;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema_of(&[
        ("window", DataType::Int32, false),
        ("thread", DataType::Int32, false),
        ("stack", DataType::Int32, true),
        ("domain", DataType::Utf8, false),
        ("socket", DataType::Int32, true),
        ("die", DataType::Int32, true),
        ("core", DataType::Int32, true),
        ("component", DataType::Utf8, false),
        ("energy_uj", DataType::Int64, false),
        ("error_uj", DataType::Int64, false),
    ])
});

impl Table for Attributed {
    type Row = AttributedSample;

    const NAME: &'static str = "attributed";
    const DELTA_COLUMNS: &'static [&'static str] = &["window", "energy_uj"];

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn encode(rows: &[AttributedSample]) -> Result<RecordBatch, ColumnError> {
        let [domain, socket, die, core] = domains(rows.iter().map(|row| &row.domain))?;
        let columns = vec![
            int32("window", rows.iter().map(|row| row.window))?,
            int32("thread", rows.iter().map(|row| row.thread.0))?,
            // Energy is not divided among stacks yet; the column keeps their place.
            optional_int32("stack", rows.iter().map(|_| None::<i32>))?,
            domain,
            socket,
            die,
            core,
            text(rows.iter().map(|row| row.component.name())),
            int64("energy_uj", rows.iter().map(|row| row.energy.get()))?,
            int64("error_uj", rows.iter().map(|row| row.error.get()))?,
        ];
        Ok(RecordBatch::try_new(Self::schema(), columns).expect("columns made for this schema"))
    }

    fn decode(columns: &Columns<'_>) -> Result<Vec<AttributedSample>, ColumnError> {
        let window = columns.integers("window")?;
        let thread = columns.integers("thread")?;
        let domain = columns.domains()?;
        let component = columns.texts("component")?;
        let energy = columns.integers("energy_uj")?;
        let error = columns.integers("error_uj")?;
        (0..columns.rows())
            .map(|row| {
                Ok(AttributedSample {
                    window: window[row],
                    thread: ThreadId(thread[row]),
                    domain: domain[row],
                    component: parse_component(component[row])?,
                    energy: Microjoules::new(energy[row]),
                    error: Microjoules::new(error[row]),
                })
            })
            .collect()
    }

    fn window(row: &AttributedSample) -> Option<u32> {
        Some(row.window)
    }
}

fn parse_component(name: &str) -> Result<Component, ColumnError> {
    [Component::Active, Component::Idle]
        .into_iter()
        .find(|component| component.name() == name)
        .ok_or_else(|| ColumnError::Impossible { column: "component", value: format!("{name:?}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Domain, DomainId};

    #[test]
    fn a_charge_survives_its_columns() {
        let active = AttributedSample {
            window: 9,
            thread: ThreadId(4),
            domain: DomainId::of_machine(Domain::Psys),
            component: Component::Active,
            energy: Microjoules::new(61),
            error: Microjoules::new(30),
        };
        let rows = vec![active, AttributedSample { component: Component::Idle, ..active }];
        let batch = Attributed::encode(&rows).unwrap();
        assert_eq!(Attributed::decode(&Columns::of(&batch)), Ok(rows));
        assert!(parse_component("heat").is_err());
    }
}
