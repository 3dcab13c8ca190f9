//! Where a document goes: stdout, or a file that is whole or not there at all.

use std::fs::Permissions;
use std::io::{BufWriter, Write, stdout};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

/// Calls `write` with where the document at `path` goes. `-` is stdout; a file that is there already
/// is replaced when all is written, and stays as it is if that fails.
pub(super) fn write_to(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        let mut out = BufWriter::new(stdout().lock());
        write(&mut out)?;
        return Ok(out.flush()?);
    }
    // What is there and is no file, a pipe or /dev/null, is written to and not replaced.
    let cannot_write = || format!("cannot write {}", path.display());
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        let file = std::fs::File::options().write(true).open(path).with_context(cannot_write)?;
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        return out.flush().with_context(cannot_write);
    }
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))
        .with_context(cannot_write)?;
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error);
    file.with_context(cannot_write)?.persist(path).with_context(cannot_write)?;
    Ok(())
}
