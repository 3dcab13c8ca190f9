//! Table `counts`: what a CPU counted in a window while a thread was on it, where counters were asked for.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use super::encode::{int32, optional_int64, schema_of};
use super::{ColumnError, Columns, Table};
use crate::model::{Counted, HardwareCounter, ThreadId};

pub(in crate::trace) struct Counts;

/// The columns of [`HardwareCounter::ALL`].
const COUNTERS: [&str; HardwareCounter::ALL.len()] = ["cycles", "instructions", "llc_misses"];

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema_of(&[
        ("window", DataType::Int32, false),
        ("thread", DataType::Int32, false),
        ("cpu", DataType::Int32, false),
        (COUNTERS[0], DataType::Int64, true),
        (COUNTERS[1], DataType::Int64, true),
        (COUNTERS[2], DataType::Int64, true),
    ])
});

impl Table for Counts {
    type Row = Counted;

    const NAME: &'static str = "counts";
    const DELTA_COLUMNS: &'static [&'static str] =
        &["window", COUNTERS[0], COUNTERS[1], COUNTERS[2]];
    const OPTIONAL: bool = true;

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn encode(rows: &[Counted]) -> Result<RecordBatch, ColumnError> {
        let mut columns = vec![
            int32("window", rows.iter().map(|row| row.window))?,
            int32("thread", rows.iter().map(|row| row.thread.0))?,
            int32("cpu", rows.iter().map(|row| row.cpu))?,
        ];
        for (place, name) in COUNTERS.into_iter().enumerate() {
            columns.push(optional_int64(name, rows.iter().map(|row| row.counts[place]))?);
        }
        Ok(RecordBatch::try_new(Self::schema(), columns).expect("columns made for this schema"))
    }

    fn decode(columns: &Columns<'_>) -> Result<Vec<Counted>, ColumnError> {
        let window = columns.integers("window")?;
        let thread = columns.integers("thread")?;
        let cpu = columns.integers("cpu")?;
        let counts = [
            columns.optional_integers(COUNTERS[0])?,
            columns.optional_integers(COUNTERS[1])?,
            columns.optional_integers(COUNTERS[2])?,
        ];
        Ok((0..columns.rows())
            .map(|row| Counted {
                window: window[row],
                thread: ThreadId(thread[row]),
                cpu: cpu[row],
                counts: counts.each_ref().map(|counts| counts[row]),
            })
            .collect())
    }

    fn window(row: &Counted) -> Option<u32> {
        Some(row.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_their_columns_and_unknown_is_not_zero() {
        let counted = Counted {
            window: 3,
            thread: ThreadId::FIRST,
            cpu: 7,
            counts: [Some(4_000_000_000), None, Some(0)],
        };
        let rows = vec![counted, Counted { window: 4, counts: [None; 3], ..counted }];
        let batch = Counts::encode(&rows).unwrap();
        assert_eq!(Counts::decode(&Columns::of(&batch)), Ok(rows));
    }

    #[test]
    fn columns_are_called_as_the_counters_are() {
        let names = HardwareCounter::ALL.map(|counter| counter.name().replace('-', "_"));
        assert_eq!(names, COUNTERS);
    }
}
