//! Table `windows`: one row per window.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use super::encode::{int32, int64, schema_of, utc, utc_type};
use super::{ColumnError, Columns, Table};
use crate::model::Window;
use crate::units::MonotonicTime;

pub(in crate::trace) struct Windows;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema_of(&[
        ("window", DataType::Int32, false),
        ("start_ns", DataType::Int64, false),
        ("end_ns", DataType::Int64, false),
        ("start_utc", utc_type(), false),
        ("lost_switches", DataType::Int64, false),
        ("lost_events", DataType::Int64, false),
    ])
});

impl Table for Windows {
    type Row = Window;

    const NAME: &'static str = "windows";
    const DELTA_COLUMNS: &'static [&'static str] = &["window", "start_ns", "end_ns", "start_utc"];

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn encode(rows: &[Window]) -> Result<RecordBatch, ColumnError> {
        let columns = vec![
            int32("window", rows.iter().map(|row| row.index))?,
            int64("start_ns", rows.iter().map(|row| row.start.nanos()))?,
            int64("end_ns", rows.iter().map(|row| row.end.nanos()))?,
            utc(rows.iter().map(|row| row.start_utc)),
            int64("lost_switches", rows.iter().map(|row| row.lost_switches))?,
            int64("lost_events", rows.iter().map(|row| row.lost_events))?,
        ];
        Ok(RecordBatch::try_new(Self::schema(), columns).expect("columns made for this schema"))
    }

    fn decode(columns: &Columns<'_>) -> Result<Vec<Window>, ColumnError> {
        let window = columns.integers("window")?;
        let start = columns.integers("start_ns")?;
        let end = columns.integers::<u64>("end_ns")?;
        let start_utc = columns.times("start_utc")?;
        let lost_switches = columns.integers("lost_switches")?;
        let lost_events = columns.integers("lost_events")?;
        (0..columns.rows())
            .map(|row| {
                if end[row] < start[row] {
                    let value = format!("{}, before start_ns", end[row]);
                    return Err(ColumnError::Impossible { column: "end_ns", value });
                }
                Ok(Window {
                    index: window[row],
                    start: MonotonicTime::from_nanos(start[row]),
                    end: MonotonicTime::from_nanos(end[row]),
                    start_utc: start_utc[row],
                    lost_switches: lost_switches[row],
                    lost_events: lost_events[row],
                })
            })
            .collect()
    }

    fn window(row: &Window) -> Option<u32> {
        Some(row.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::WallTime;

    #[test]
    fn a_window_survives_its_columns() {
        let window = Window {
            index: 7,
            start: MonotonicTime::from_nanos(1_000_000_000),
            end: MonotonicTime::from_nanos(1_100_000_000),
            start_utc: WallTime::from_epoch_nanos(1_763_881_234_567_891_000),
            lost_switches: 1,
            lost_events: 2,
        };
        let batch = Windows::encode(&[window]).unwrap();
        assert_eq!(Windows::decode(&Columns::of(&batch)), Ok(vec![window]));
    }

    #[test]
    fn a_window_that_ends_before_it_starts_is_refused() {
        let window = Window {
            index: 0,
            start: MonotonicTime::from_nanos(5),
            end: MonotonicTime::from_nanos(4),
            start_utc: WallTime::default(),
            lost_switches: 0,
            lost_events: 0,
        };
        let batch = Windows::encode(&[window]).unwrap();
        assert!(Windows::decode(&Columns::of(&batch)).is_err());
    }
}
