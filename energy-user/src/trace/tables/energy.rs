//! Table `energy`: one row per window, domain and source.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use super::encode::{domains, int32, optional_int64, schema_of, text};
use super::{ColumnError, Columns, Table};
use crate::model::{CounterFlags, EnergySample, Provenance};
use crate::units::{Microjoules, Nanoseconds};

pub(in crate::trace) struct Energy;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema_of(&[
        ("window", DataType::Int32, false),
        ("domain", DataType::Utf8, false),
        ("socket", DataType::Int32, true),
        ("die", DataType::Int32, true),
        ("core", DataType::Int32, true),
        ("source", DataType::Utf8, false),
        ("provenance", DataType::Utf8, false),
        ("energy_uj", DataType::Int64, true),
        ("error_uj", DataType::Int64, true),
        ("flags", DataType::Utf8, false),
        ("busy_ns", DataType::Int64, true),
    ])
});

impl Table for Energy {
    type Row = EnergySample;

    const NAME: &'static str = "energy";
    const DELTA_COLUMNS: &'static [&'static str] = &["window", "energy_uj", "busy_ns"];
    const FEW_TEXTS: &'static [&'static str] = &["domain", "source", "provenance", "flags"];

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn encode(rows: &[EnergySample]) -> Result<RecordBatch, ColumnError> {
        let [domain, socket, die, core] = domains(rows.iter().map(|row| &row.domain))?;
        let energies = rows.iter().map(|row| row.energy.map(Microjoules::get));
        let errors = rows.iter().map(|row| row.error.map(Microjoules::get));
        let columns = vec![
            int32("window", rows.iter().map(|row| row.window))?,
            domain,
            socket,
            die,
            core,
            text(rows.iter().map(|row| &row.source)),
            text(rows.iter().map(|row| row.provenance.name())),
            optional_int64("energy_uj", energies)?,
            optional_int64("error_uj", errors)?,
            text(rows.iter().map(|row| row.flags.to_string())),
            optional_int64("busy_ns", rows.iter().map(|row| row.busy.map(Nanoseconds::get)))?,
        ];
        Ok(RecordBatch::try_new(Self::schema(), columns).expect("columns made for this schema"))
    }

    fn decode(columns: &Columns<'_>) -> Result<Vec<EnergySample>, ColumnError> {
        let window = columns.integers("window")?;
        let domain = columns.domains()?;
        let source = columns.shared_texts("source")?;
        let provenance = columns.parsed::<Provenance>("provenance")?;
        let energy = columns.optional_integers("energy_uj")?;
        let error = columns.optional_integers("error_uj")?;
        let flags = columns.made_of_few("flags", |names| Ok(CounterFlags::from_names(names)))?;
        let busy = columns.optional_integers("busy_ns")?;
        let mut rows = Vec::with_capacity(columns.rows());
        for (row, source) in source.into_iter().enumerate() {
            rows.push(EnergySample {
                window: window[row],
                domain: domain[row],
                source,
                provenance: provenance[row],
                energy: energy[row].map(Microjoules::new),
                error: error[row].map(Microjoules::new),
                flags: flags[row],
                busy: busy[row].map(Nanoseconds::new),
            });
        }
        Ok(rows)
    }

    fn window(row: &EnergySample) -> Option<u32> {
        Some(row.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_energy_stays_missing_and_is_not_zero() {
        let zero = EnergySample {
            window: 0,
            domain: "core-1-die-0-core-3".parse().unwrap(),
            source: "rapl-powercap".into(),
            provenance: Provenance::Measured,
            energy: Some(Microjoules::ZERO),
            error: None,
            flags: CounterFlags::NONE,
            busy: Some(Nanoseconds::ZERO),
        };
        let flags = CounterFlags::GAP.with(CounterFlags::UNREADABLE);
        let unknown = EnergySample { window: 1, energy: None, flags, busy: None, ..zero.clone() };
        let rows = vec![zero, unknown];
        let batch = Energy::encode(&rows).unwrap();
        assert_eq!(Energy::decode(&Columns::of(&batch)), Ok(rows));
    }
}
