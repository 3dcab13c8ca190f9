//! Table `threads`: who each thread was. While recording, a thread gets another row whenever more is
//! known about it, and its last row holds.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use super::encode::{
    flag, int32, int64, optional_int32, optional_int64, optional_text, schema_of, text,
};
use super::{ColumnError, Columns, Table};
use crate::model::{ThreadId, ThreadInfo};
use crate::units::MonotonicTime;

pub(in crate::trace) struct Threads;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema_of(&[
        ("thread", DataType::Int32, false),
        ("tgid", DataType::Int32, false),
        ("tid", DataType::Int32, false),
        ("start_ns", DataType::Int64, false),
        ("exit_ns", DataType::Int64, true),
        ("exec", DataType::Int32, false),
        ("parent_tgid", DataType::Int32, true),
        ("comm", DataType::Utf8, false),
        ("exe", DataType::Utf8, true),
        ("cmdline", DataType::Utf8, true),
        ("uid", DataType::Int64, true),
        ("cgroup", DataType::Utf8, true),
        ("container", DataType::Utf8, true),
        ("unit", DataType::Utf8, true),
        ("job", DataType::Utf8, true),
        ("target", DataType::Boolean, false),
    ])
});

impl Table for Threads {
    type Row = (ThreadId, ThreadInfo);

    const NAME: &'static str = "threads";
    const DELTA_COLUMNS: &'static [&'static str] =
        &["thread", "tgid", "tid", "start_ns", "exit_ns"];
    const KEYED: bool = true;

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn encode(rows: &[Self::Row]) -> Result<RecordBatch, ColumnError> {
        let threads = || rows.iter().map(|(_, info)| info);
        let exits = threads().map(|info| info.exit.map(MonotonicTime::nanos));
        let columns = vec![
            int32("thread", rows.iter().map(|(thread, _)| thread.0))?,
            int32("tgid", threads().map(|info| info.tgid))?,
            int32("tid", threads().map(|info| info.tid))?,
            int64("start_ns", threads().map(|info| info.start.nanos()))?,
            optional_int64("exit_ns", exits)?,
            int32("exec", threads().map(|info| info.exec))?,
            optional_int32("parent_tgid", threads().map(|info| info.parent_tgid))?,
            text(threads().map(|info| &info.comm)),
            optional_text(threads().map(|info| info.exe.as_deref())),
            optional_text(threads().map(|info| info.cmdline.as_deref())),
            optional_int64("uid", threads().map(|info| info.uid))?,
            optional_text(threads().map(|info| info.cgroup.as_deref())),
            optional_text(threads().map(ThreadInfo::container)),
            optional_text(threads().map(ThreadInfo::unit)),
            // No batch scheduler is asked for its jobs yet; the column keeps their place.
            optional_text(threads().map(|_| None::<&str>)),
            flag(threads().map(|info| info.target)),
        ];
        Ok(RecordBatch::try_new(Self::schema(), columns).expect("columns made for this schema"))
    }

    /// `container` and `unit` follow from `cgroup` and are not read back.
    fn decode(columns: &Columns<'_>) -> Result<Vec<Self::Row>, ColumnError> {
        let thread = columns.integers("thread")?;
        let tgid = columns.integers("tgid")?;
        let tid = columns.integers("tid")?;
        let start = columns.integers("start_ns")?;
        let exit = columns.optional_integers("exit_ns")?;
        let exec = columns.integers("exec")?;
        let parent_tgid = columns.optional_integers("parent_tgid")?;
        let comm = columns.texts("comm")?;
        let exe = columns.optional_texts("exe")?;
        let cmdline = columns.optional_texts("cmdline")?;
        let uid = columns.optional_integers("uid")?;
        let cgroup = columns.optional_texts("cgroup")?;
        let target = columns.flags("target")?;
        Ok((0..columns.rows())
            .map(|row| {
                let info = ThreadInfo {
                    tgid: tgid[row],
                    tid: tid[row],
                    start: MonotonicTime::from_nanos(start[row]),
                    exit: exit[row].map(MonotonicTime::from_nanos),
                    exec: exec[row],
                    parent_tgid: parent_tgid[row],
                    comm: comm[row].to_owned(),
                    exe: exe[row].map(str::to_owned),
                    cmdline: cmdline[row].map(str::to_owned),
                    uid: uid[row],
                    cgroup: cgroup[row].map(str::to_owned),
                    target: target[row],
                };
                (ThreadId(thread[row]), info)
            })
            .collect())
    }

    fn key(row: &Self::Row) -> Option<u32> {
        Some(row.0.0)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, StringArray};

    use super::*;

    #[test]
    fn a_thread_survives_its_columns() {
        let known = ThreadInfo {
            tgid: 1234,
            tid: 1235,
            start: MonotonicTime::from_nanos(5),
            exit: Some(MonotonicTime::from_nanos(9)),
            exec: 1,
            parent_tgid: Some(1),
            comm: "nginx".to_owned(),
            exe: Some("/usr/sbin/nginx".to_owned()),
            cmdline: Some("nginx -g daemon off;".to_owned()),
            uid: Some(u32::MAX),
            cgroup: Some("/system.slice/nginx.service".to_owned()),
            target: true,
        };
        let unknown = ThreadInfo { comm: "é\u{fffd}".to_owned(), ..ThreadInfo::default() };
        let rows = vec![(ThreadId(2), known), (ThreadId(3), unknown)];
        let batch = Threads::encode(&rows).unwrap();
        let units = batch.column_by_name("unit").unwrap();
        let units = units.as_any().downcast_ref::<StringArray>().unwrap();
        assert_eq!((units.value(0), units.is_null(1)), ("nginx.service", true));
        assert_eq!(Threads::decode(&Columns::of(&batch)), Ok(rows));
    }
}
