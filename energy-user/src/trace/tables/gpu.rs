//! Table `gpu`: for each window one row per graphics card and one per process that uses it.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use super::encode::{int32, optional_int32, optional_int64, schema_of};
use super::{ColumnError, Columns, Table};
use crate::model::GpuSample;

pub(in crate::trace) struct Gpu;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema_of(&[
        ("window", DataType::Int32, false),
        ("gpu", DataType::Int32, false),
        ("pid", DataType::Int32, true),
        ("sm_percent", DataType::Int32, true),
        ("memory_percent", DataType::Int32, true),
        ("memory_bytes", DataType::Int64, true),
        ("temperature_celsius", DataType::Int32, true),
        ("sm_clock_mhz", DataType::Int32, true),
        ("memory_clock_mhz", DataType::Int32, true),
    ])
});

impl Table for Gpu {
    type Row = GpuSample;

    const NAME: &'static str = "gpu";
    const DELTA_COLUMNS: &'static [&'static str] = &["window"];
    const OPTIONAL: bool = true;

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn encode(rows: &[GpuSample]) -> Result<RecordBatch, ColumnError> {
        let temperatures = rows.iter().map(|row| row.temperature_celsius);
        let columns = vec![
            int32("window", rows.iter().map(|row| row.window))?,
            int32("gpu", rows.iter().map(|row| row.gpu))?,
            optional_int32("pid", rows.iter().map(|row| row.pid))?,
            optional_int32("sm_percent", rows.iter().map(|row| row.sm_percent))?,
            optional_int32("memory_percent", rows.iter().map(|row| row.memory_percent))?,
            optional_int64("memory_bytes", rows.iter().map(|row| row.memory_bytes))?,
            optional_int32("temperature_celsius", temperatures)?,
            optional_int32("sm_clock_mhz", rows.iter().map(|row| row.sm_clock_mhz))?,
            optional_int32("memory_clock_mhz", rows.iter().map(|row| row.memory_clock_mhz))?,
        ];
        Ok(RecordBatch::try_new(Self::schema(), columns).expect("columns made for this schema"))
    }

    fn decode(columns: &Columns<'_>) -> Result<Vec<GpuSample>, ColumnError> {
        let window = columns.integers("window")?;
        let gpu = columns.integers("gpu")?;
        let pid = columns.optional_integers("pid")?;
        let sm_percent = columns.optional_integers("sm_percent")?;
        let memory_percent = columns.optional_integers("memory_percent")?;
        let memory_bytes = columns.optional_integers("memory_bytes")?;
        let temperature_celsius = columns.optional_integers("temperature_celsius")?;
        let sm_clock_mhz = columns.optional_integers("sm_clock_mhz")?;
        let memory_clock_mhz = columns.optional_integers("memory_clock_mhz")?;
        Ok((0..columns.rows())
            .map(|row| GpuSample {
                window: window[row],
                gpu: gpu[row],
                pid: pid[row],
                sm_percent: sm_percent[row],
                memory_percent: memory_percent[row],
                memory_bytes: memory_bytes[row],
                temperature_celsius: temperature_celsius[row],
                sm_clock_mhz: sm_clock_mhz[row],
                memory_clock_mhz: memory_clock_mhz[row],
            })
            .collect())
    }

    fn window(row: &GpuSample) -> Option<u32> {
        Some(row.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_and_its_process_survive_their_columns_and_unknown_is_not_zero() {
        let card = GpuSample {
            window: 7,
            gpu: 1,
            sm_percent: Some(0),
            temperature_celsius: Some(45),
            sm_clock_mhz: Some(1410),
            ..GpuSample::default()
        };
        let process = GpuSample {
            window: 7,
            gpu: 1,
            pid: Some(4711),
            memory_bytes: Some(80 << 30),
            ..GpuSample::default()
        };
        let rows = vec![card, process];
        let batch = Gpu::encode(&rows).unwrap();
        assert_eq!(Gpu::decode(&Columns::of(&batch)), Ok(rows));
    }
}
