//! Table `stacks`: the frames of each stack, the outermost first. A stack may be written again once
//! better names are known, and its last row holds.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Fields, SchemaRef};

use super::encode::{int32, list, optional_int32, optional_int64, optional_text, schema_of, text};
use super::{ColumnError, Columns, Table};
use crate::model::{Frame, FrameKind, Stack, StackId};

pub(in crate::trace) struct Stacks;

static FRAME: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("function", DataType::Utf8, true),
        Field::new("file", DataType::Utf8, true),
        Field::new("line", DataType::Int32, true),
        Field::new("module", DataType::Utf8, true),
        Field::new("build_id", DataType::Utf8, true),
        Field::new("file_offset", DataType::Int64, true),
        Field::new("kind", DataType::Utf8, false),
        Field::new("function_offset", DataType::Int64, true),
    ])
});

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let frame = Field::new("element", DataType::Struct(FRAME.clone()), false);
    schema_of(&[
        ("stack", DataType::Int32, false),
        ("frames", DataType::List(Arc::new(frame)), false),
    ])
});

impl Table for Stacks {
    type Row = (StackId, Stack);

    const NAME: &'static str = "stacks";
    const DELTA_COLUMNS: &'static [&'static str] = &["stack"];
    const KEYED: bool = true;
    const OPTIONAL: bool = true;
    // A stack in memory is a thousand times as large as a row of the other tables.
    const BATCH_ROWS: usize = 1 << 10;

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn encode(rows: &[Self::Row]) -> Result<RecordBatch, ColumnError> {
        let frames = || rows.iter().flat_map(|(_, stack)| stack);
        // The kernel's addresses are in the upper half of 64 bits: the column has them negative.
        let offsets = frames().map(|frame| frame.file_offset.map(u64::cast_signed));
        let starts = frames().map(|frame| frame.function_offset.map(u64::cast_signed));
        let of_frames = vec![
            optional_text(frames().map(|frame| frame.function.as_deref())),
            optional_text(frames().map(|frame| frame.file.as_deref())),
            optional_int32("line", frames().map(|frame| frame.line))?,
            optional_text(frames().map(|frame| frame.module.as_deref())),
            optional_text(frames().map(|frame| frame.build_id.as_deref())),
            optional_int64("file_offset", offsets)?,
            text(frames().map(|frame| frame.kind.name())),
            optional_int64("function_offset", starts)?,
        ];
        let lengths = rows.iter().map(|(_, stack)| stack.len());
        let columns = vec![
            int32("stack", rows.iter().map(|(stack, _)| stack.0))?,
            list("frames", FRAME.clone(), of_frames, lengths)?,
        ];
        Ok(RecordBatch::try_new(Self::schema(), columns).expect("columns made for this schema"))
    }

    fn decode(columns: &Columns<'_>) -> Result<Vec<Self::Row>, ColumnError> {
        let stack = columns.integers("stack")?;
        let (of_frames, lengths) = columns.lists("frames")?;
        let mut frames = decode_frames(&Columns::of(&of_frames))?.into_iter();
        let rows = stack.into_iter().zip(lengths);
        Ok(rows.map(|(id, length)| (StackId(id), frames.by_ref().take(length).collect())).collect())
    }

    fn key(row: &Self::Row) -> Option<u32> {
        Some(row.0.0)
    }
}

fn decode_frames(columns: &Columns<'_>) -> Result<Vec<Frame>, ColumnError> {
    let function = columns.optional_texts("function")?;
    let file = columns.optional_texts("file")?;
    let line = columns.optional_integers("line")?;
    let module = columns.optional_texts("module")?;
    let build_id = columns.optional_texts("build_id")?;
    let file_offset = columns.optional_integers::<i64>("file_offset")?;
    let function_offset = columns.optional_integers::<i64>("function_offset")?;
    let kind = columns.parsed::<FrameKind>("kind")?;
    Ok((0..columns.rows())
        .map(|row| Frame {
            function: function[row].map(str::to_owned),
            file: file[row].map(str::to_owned),
            line: line[row],
            module: module[row].map(str::to_owned),
            build_id: build_id[row].map(str::to_owned),
            file_offset: file_offset[row].map(i64::cast_unsigned),
            function_offset: function_offset[row].map(i64::cast_unsigned),
            kind: kind[row],
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_survives_its_columns() {
        let known = Frame {
            function: Some("qsort_r".to_owned()),
            file: Some("/src/stdlib/msort.c".to_owned()),
            line: Some(237),
            module: Some("/usr/lib/libc.so.6".to_owned()),
            build_id: Some("1e240a".to_owned()),
            file_offset: Some(0x1234),
            function_offset: None,
            kind: FrameKind::User,
        };
        let unknown = Frame {
            function: None,
            file: None,
            line: None,
            module: None,
            build_id: None,
            file_offset: Some(0xffff_ffff_8100_0000),
            function_offset: None,
            kind: FrameKind::Kernel,
        };
        let rows = vec![
            (StackId(4), vec![known.clone(), unknown]),
            (StackId(0), Vec::new()),
            (StackId(7), vec![Frame { kind: FrameKind::Inlined, ..known }]),
        ];
        let batch = Stacks::encode(&rows).unwrap();
        assert_eq!(Stacks::decode(&Columns::of(&batch)), Ok(rows));
        assert_eq!(Stacks::decode(&Columns::of(&Stacks::encode(&[]).unwrap())), Ok(Vec::new()));
    }
}
