//! The vDSO as a file: the object without one, which the kernel maps into every process.
//!
//! All 64-bit processes have the same image, so the own one is read, from `/proc/self/mem`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::object::VDSO;

/// The most bytes that are believed to be the vDSO: it is two pages today.
const MOST_BYTES: u64 = 1 << 20;

/// A copy of the vDSO in a file without a name, for as long as this lives.
#[derive(Debug)]
pub(super) struct Vdso {
    file: File,
}

impl Vdso {
    /// Copies this process's vDSO. `None` where the kernel maps none.
    pub(super) fn copy() -> io::Result<Option<Self>> {
        let Some(range) = find(&fs::read_to_string("/proc/self/maps")?) else { return Ok(None) };
        let bytes = (range.end - range.start).min(MOST_BYTES);
        let mut image = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        File::open("/proc/self/mem")?.read_exact_at(&mut image, range.start)?;
        let mut file = tempfile::tempfile()?;
        file.write_all(&image)?;
        Ok(Some(Self { file }))
    }

    /// Where the copy can be opened.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

/// Where it is, from a process's `/proc/PID/maps`.
fn find(maps: &str) -> Option<Range<u64>> {
    let line = maps.lines().find(|line| line.ends_with(VDSO))?;
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_among_mappings() {
        let maps = "\
00400000-00401000 r-xp 00000000 08:01 1 /usr/bin/x
07ffd000-07ffe000 r--p 00000000 00:00 0 [vvar]
07ffe000-08000000 r-xp 00000000 00:00 0 [vdso]
";
        assert_eq!(find(maps), Some(0x07ff_e000..0x0800_0000));
        assert_eq!(find("00400000-00401000 r-xp 00000000 08:01 1 /usr/bin/x\n"), None);
    }
}
