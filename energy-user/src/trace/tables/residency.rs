//! Table `residency`: one row per window, thread and CPU it ran on.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_schema::{DataType, SchemaRef};

use super::encode::{int32, int64, schema_of};
use super::{ColumnError, Columns, Table};
use crate::model::{Residency, ThreadId};
use crate::units::Nanoseconds;

pub(in crate::trace) struct ResidencyTable;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema_of(&[
        ("window", DataType::Int32, false),
        ("thread", DataType::Int32, false),
        ("cpu", DataType::Int32, false),
        ("oncpu_ns", DataType::Int64, false),
        ("switches", DataType::Int32, false),
    ])
});

impl Table for ResidencyTable {
    type Row = Residency;

    const NAME: &'static str = "residency";
    const DELTA_COLUMNS: &'static [&'static str] = &["window", "oncpu_ns"];

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn encode(rows: &[Residency]) -> Result<RecordBatch, ColumnError> {
        let columns = vec![
            int32("window", rows.iter().map(|row| row.window))?,
            int32("thread", rows.iter().map(|row| row.thread.0))?,
            int32("cpu", rows.iter().map(|row| row.cpu))?,
            int64("oncpu_ns", rows.iter().map(|row| row.oncpu.get()))?,
            int32("switches", rows.iter().map(|row| row.switches))?,
        ];
        Ok(RecordBatch::try_new(Self::schema(), columns).expect("columns made for this schema"))
    }

    fn decode(columns: &Columns<'_>) -> Result<Vec<Residency>, ColumnError> {
        if let Some(rows) = decode_as_written(columns) {
            return Ok(rows);
        }
        let window = columns.integers("window")?;
        let thread = columns.integers("thread")?;
        let cpu = columns.integers("cpu")?;
        let oncpu = columns.integers("oncpu_ns")?;
        let switches = columns.integers("switches")?;
        Ok((0..columns.rows())
            .map(|row| Residency {
                window: window[row],
                thread: ThreadId(thread[row]),
                cpu: cpu[row],
                oncpu: Nanoseconds::new(oncpu[row]),
                switches: switches[row],
            })
            .collect())
    }

    fn window(row: &Residency) -> Option<u32> {
        Some(row.window)
    }
}

/// The rows in one go, where all columns are of the types that we write and no number is impossible: this is the
/// table that is long.
#[expect(clippy::cast_possible_truncation, reason = "no bit is set above the 16th")]
fn decode_as_written(columns: &Columns<'_>) -> Option<Vec<Residency>> {
    let window = columns.plain::<Int32Type>("window")?;
    let thread = columns.plain::<Int32Type>("thread")?;
    let cpu = columns.plain::<Int32Type>("cpu")?;
    let oncpu = columns.plain::<Int64Type>("oncpu_ns")?;
    let switches = columns.plain::<Int32Type>("switches")?;
    let all_bits = |numbers: &[i32]| numbers.iter().fold(0, |bits, number| bits | number);
    let are_possible = [window, thread, switches].iter().all(|column| all_bits(column) >= 0)
        && u16::try_from(all_bits(cpu)).is_ok()
        && oncpu.iter().fold(0, |bits, number| bits | number) >= 0;
    if !are_possible {
        return None;
    }
    let places = window.iter().zip(thread).zip(cpu);
    let rows = places.zip(oncpu.iter().zip(switches));
    let rows = rows.map(|(((window, thread), cpu), (oncpu, switches))| Residency {
        window: window.cast_unsigned(),
        thread: ThreadId(thread.cast_unsigned()),
        cpu: cpu.cast_unsigned() as u16,
        oncpu: Nanoseconds::new(oncpu.cast_unsigned()),
        switches: switches.cast_unsigned(),
    });
    Some(rows.collect())
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, Int64Array};

    use super::*;

    #[test]
    fn impossible_numbers_are_errors_that_name_the_column() {
        let row = Residency {
            window: 3,
            thread: ThreadId::FIRST,
            cpu: 15,
            oncpu: Nanoseconds::new(1),
            switches: 2,
        };
        let batch = ResidencyTable::encode(&[row, row]).unwrap();
        let with = |column: &str, second: i64| {
            let (index, field) = batch.schema_ref().column_with_name(column).unwrap();
            let mut columns = batch.columns().to_vec();
            columns[index] = if field.data_type() == &DataType::Int32 {
                Arc::new(Int32Array::from(vec![1, i32::try_from(second).unwrap()]))
            } else {
                Arc::new(Int64Array::from(vec![1, second]))
            };
            let changed = RecordBatch::try_new(batch.schema(), columns).unwrap();
            ResidencyTable::decode(&Columns::of(&changed)).map_err(|error| error.to_string())
        };
        for column in ["window", "thread", "cpu", "oncpu_ns", "switches"] {
            let error = with(column, -7).unwrap_err();
            assert_eq!(error, format!("its column {column} has the impossible value -7"));
        }
        let error = with("cpu", 65_536).unwrap_err();
        assert_eq!(error, "its column cpu has the impossible value 65536");
        assert_eq!(with("cpu", 65_535).unwrap()[1].cpu, 65_535);
    }

    #[test]
    fn a_residency_survives_its_columns() {
        let rows = vec![
            Residency {
                window: 3,
                thread: ThreadId::FIRST,
                cpu: 15,
                oncpu: Nanoseconds::new(99_999_999),
                switches: 0,
            },
            Residency {
                window: 3,
                thread: ThreadId::IDLE,
                cpu: 0,
                oncpu: Nanoseconds::new(1),
                switches: 12,
            },
        ];
        let batch = ResidencyTable::encode(&rows).unwrap();
        assert_eq!(ResidencyTable::decode(&Columns::of(&batch)), Ok(rows));
    }
}
