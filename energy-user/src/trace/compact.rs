//! Merging a table's parts into one file, with memory for one row group at a time.

use std::collections::HashMap;

use super::TraceError;
use super::directory::Directory;
use super::file::part_name;
use super::input::TableInput;
use super::output::TableOutput;
use super::tables::Table;

/// Merges the parts numbered `sequences` into table `T` of `trace`, then removes them.
/// Returns how many rows the table has. Where it fails, the parts are still there.
/// A table that a trace may be without is not made of nothing.
pub(super) fn compact<T: Table>(
    trace: &Directory,
    parts: &Directory,
    sequences: &[u32],
) -> Result<u64, TraceError> {
    if T::OPTIONAL && sequences.is_empty() {
        return Ok(0);
    }
    let last_rows = last_rows::<T>(parts, sequences)?;
    let mut output = TableOutput::<T>::create(trace, Some(sequences.last().copied().unwrap_or(0)))?;
    let mut position = 0_u64;
    for_each_batch::<T>(parts, sequences, |mut rows| {
        let first = position;
        position += rows.len() as u64;
        if let Some(last_rows) = &last_rows {
            let mut here = first;
            rows.retain(|row| {
                let position = here;
                here += 1;
                T::key(row).is_none_or(|key| last_rows.get(&key) == Some(&position))
            });
        }
        output.write(&rows)
    })?;
    let rows = output.commit()?;
    for &sequence in sequences {
        parts.remove_file(&part_name(T::NAME, sequence))?;
    }
    Ok(rows)
}

/// Where the last row about each key stands, for a table whose later rows replace earlier ones.
fn last_rows<T: Table>(
    parts: &Directory,
    sequences: &[u32],
) -> Result<Option<HashMap<u32, u64>>, TraceError> {
    if !T::KEYED {
        return Ok(None);
    }
    let mut last = HashMap::new();
    let mut position = 0;
    for_each_batch::<T>(parts, sequences, |rows| {
        for row in &rows {
            if let Some(key) = T::key(row) {
                last.insert(key, position);
            }
            position += 1;
        }
        Ok(())
    })?;
    Ok(Some(last))
}

fn for_each_batch<T: Table>(
    parts: &Directory,
    sequences: &[u32],
    mut take: impl FnMut(Vec<T::Row>) -> Result<(), TraceError>,
) -> Result<(), TraceError> {
    for &sequence in sequences {
        let name = part_name(T::NAME, sequence);
        let file = parts.open_file(&name)?;
        for rows in TableInput::<T>::open(file, &parts.path().join(&name))? {
            take(rows?)?;
        }
    }
    Ok(())
}
