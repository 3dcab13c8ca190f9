//! `DuckDB` beside energy-prof: time share of every thread in every window as one query, in floating point, so that
//! nothing closes, and without idle power, errors or names; and the CPU time of each thread.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::command;

/// Prints the seconds of the query, once the library is loaded. `"window"` is a keyword there.
const DIVIDE: &str = r#"
import sys, time, duckdb
trace = sys.argv[1]
connection = duckdb.connect()
connection.execute("set enable_progress_bar = false")
started = time.monotonic()
connection.execute(f"""
create temp table charges as
with ran as (select "window", thread, sum(oncpu_ns) as ns from '{trace}/residency.parquet' where thread > 0 group by all),
     busy as (select "window", sum(ns) as ns from ran group by all),
     drawn as (select "window", sum(energy_uj) as uj from '{trace}/energy.parquet' group by all)
select "window", thread, drawn.uj * ran.ns / busy.ns as uj from ran join busy using ("window") join drawn using ("window")
""")
connection.execute("select thread, sum(uj) from charges group by all").fetchall()
print(time.monotonic() - started)
"#;

/// The same of a plain sum.
const GROUP: &str = r#"
import sys, time, duckdb
trace = sys.argv[1]
connection = duckdb.connect()
connection.execute("set enable_progress_bar = false")
started = time.monotonic()
connection.execute(f"select thread, sum(oncpu_ns) from '{trace}/residency.parquet' group by all").fetchall()
print(time.monotonic() - started)
"#;

/// Whether Python and its package are installed.
pub(super) fn is_there() -> bool {
    let mut import = Command::new("python3");
    import.args(["-c", "import duckdb"]).output().is_ok_and(|output| output.status.success())
}

/// How long time shares take.
pub(super) fn divide(trace: &Path) -> anyhow::Result<Duration> {
    seconds(DIVIDE, trace)
}

/// How long the CPU time of each thread takes.
pub(super) fn group(trace: &Path) -> anyhow::Result<Duration> {
    seconds(GROUP, trace)
}

fn seconds(script: &str, trace: &Path) -> anyhow::Result<Duration> {
    let said = command::read(Command::new("python3").args(["-c", script]).arg(trace))?;
    let seconds = said.trim().parse().with_context(|| format!("{said:?} is no time"))?;
    Ok(Duration::from_secs_f64(seconds))
}
