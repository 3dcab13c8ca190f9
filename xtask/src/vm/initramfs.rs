//! Writes the archive that a kernel unpacks into its first root folder.
//! Writing it here needs neither root nor a copy of the files in a staging folder.
//! Reference: Linux v6.12, Documentation/driver-api/early-userspace/buffer-format.rst

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;

/// An archive in the "new ASCII" cpio format, in memory.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    /// The paths that are in already, without the leading slash.
    names: BTreeSet<String>,
}

impl Archive {
    /// Adds a folder and those above it.
    pub(super) fn folder(&mut self, path: &Path) {
        for folder in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            let name = name_of(folder);
            if !name.is_empty() && self.names.insert(name.clone()) {
                self.entry(&name, FOLDER | 0o755, &[]);
            }
        }
    }

    /// Adds a file with this content; a path that is in already stays as it is.
    pub(super) fn file(&mut self, path: &Path, permissions: u32, content: &[u8]) {
        if let Some(folder) = path.parent() {
            self.folder(folder);
        }
        let name = name_of(path);
        if self.names.insert(name.clone()) {
            self.entry(&name, FILE | (permissions & 0o777), content);
        }
    }

    /// Adds a file of this machine at the path that it has here.
    pub(super) fn copy(&mut self, path: &Path) -> anyhow::Result<()> {
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let metadata =
            fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?;
        self.file(path, metadata.permissions().mode(), &content);
        Ok(())
    }

    /// Adds a folder of this machine with everything in it.
    pub(super) fn copy_tree(&mut self, path: &Path) -> anyhow::Result<()> {
        self.folder(path);
        let entries =
            fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", path.display()))?.path();
            if entry.is_dir() {
                self.copy_tree(&entry)?;
            } else {
                self.copy(&entry)?;
            }
        }
        Ok(())
    }

    /// The finished archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        let inode = self.names.len();
        let links = if mode & FOLDER == 0 { 1 } else { 2 };
        let (size, name_size) = (content.len(), name.len() + 1);
        let header = format!(
            // magic, inode, mode, uid, gid, links, time, size, device ×2, special device ×2,
            // length of the name, checksum
            "070701{inode:08x}{mode:08x}{0:08x}{0:08x}{links:08x}{0:08x}{size:08x}{0:08x}{0:08x}\
             {0:08x}{0:08x}{name_size:08x}{0:08x}",
            0
        );
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.write_all(content).expect("a vector takes every byte");
        self.align();
    }

    /// Headers and contents start at multiples of four.
    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn name_of(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_brings_its_folders_once() {
        let mut archive = Archive::default();
        archive.file(Path::new("/a/b/c"), 0o644, b"text");
        archive.file(Path::new("/a/b/d"), 0o755, b"");
        assert_eq!(archive.names.into_iter().collect::<Vec<_>>(), ["a", "a/b", "a/b/c", "a/b/d"]);
    }

    #[test]
    fn an_entry_is_a_header_a_name_and_its_content() {
        let mut archive = Archive::default();
        archive.file(Path::new("/x"), 0o644, b"hello");
        let bytes = archive.finish();
        // 110 bytes of header, "x\0" up to 112, "hello" up to 117 and filled up to 120.
        assert_eq!(&bytes[..6], b"070701");
        assert_eq!(&bytes[14..22], b"000081a4");
        assert_eq!(&bytes[54..62], b"00000005");
        assert_eq!(&bytes[110..120], b"x\0hello\0\0\0");
        assert_eq!(&bytes[120..126], b"070701");
        assert_eq!(bytes.len() % 4, 0);
    }
}
