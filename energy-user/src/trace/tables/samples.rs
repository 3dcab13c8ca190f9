//! Table `samples`: one row per window, thread and stack it was sampled at.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use super::encode::{int32, int64, schema_of};
use super::{ColumnError, Columns, Table};
use crate::model::{StackId, StackSample, ThreadId};
use crate::units::Nanoseconds;

pub(in crate::trace) struct Samples;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema_of(&[
        ("window", DataType::Int32, false),
        ("thread", DataType::Int32, false),
        ("stack", DataType::Int32, false),
        ("oncpu_ns", DataType::Int64, false),
        ("samples", DataType::Int32, false),
    ])
});

impl Table for Samples {
    type Row = StackSample;

    const NAME: &'static str = "samples";
    const DELTA_COLUMNS: &'static [&'static str] = &["window", "oncpu_ns"];
    const OPTIONAL: bool = true;

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn encode(rows: &[StackSample]) -> Result<RecordBatch, ColumnError> {
        let columns = vec![
            int32("window", rows.iter().map(|row| row.window))?,
            int32("thread", rows.iter().map(|row| row.thread.0))?,
            int32("stack", rows.iter().map(|row| row.stack.0))?,
            int64("oncpu_ns", rows.iter().map(|row| row.oncpu.get()))?,
            int32("samples", rows.iter().map(|row| row.samples))?,
        ];
        Ok(RecordBatch::try_new(Self::schema(), columns).expect("columns made for this schema"))
    }

    fn decode(columns: &Columns<'_>) -> Result<Vec<StackSample>, ColumnError> {
        let window = columns.integers("window")?;
        let thread = columns.integers("thread")?;
        let stack = columns.integers("stack")?;
        let oncpu = columns.integers("oncpu_ns")?;
        let samples = columns.integers("samples")?;
        Ok((0..columns.rows())
            .map(|row| StackSample {
                window: window[row],
                thread: ThreadId(thread[row]),
                stack: StackId(stack[row]),
                oncpu: Nanoseconds::new(oncpu[row]),
                samples: samples[row],
            })
            .collect())
    }

    fn window(row: &StackSample) -> Option<u32> {
        Some(row.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_survives_its_columns() {
        let sample = StackSample {
            window: 3,
            thread: ThreadId::FIRST,
            stack: StackId(17),
            oncpu: Nanoseconds::new(10_101_010),
            samples: 1,
        };
        let rows = vec![sample, StackSample { stack: StackId(0), samples: 4, ..sample }];
        let batch = Samples::encode(&rows).unwrap();
        assert_eq!(Samples::decode(&Columns::of(&batch)), Ok(rows));
    }
}
