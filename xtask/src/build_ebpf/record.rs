//! The record beside the committed object: which sources and which tools gave it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

const HEADING: &str =
    "# Written by `cargo xtask build-ebpf`: what the object beside it was built from.";

/// What is known about a built object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The hash of the BPF crate's sources, from [`hash_sources`].
    pub(super) sources: String,
    /// The hash of the object, from [`hash`].
    pub(super) object: String,
    /// The compiler and linker, with their versions, in one line.
    pub(super) toolchain: String,
}

impl Record {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!("cannot read {}; run `cargo xtask build-ebpf`", path.display())
        })?;
        Self::parse(&text)
            .with_context(|| format!("{} is damaged; run `cargo xtask build-ebpf`", path.display()))
    }

    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, self.render()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let value = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once(" = "))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
                .with_context(|| format!("it has no line `{name} = …`"))
        };
        Ok(Self {
            sources: value("sources")?,
            object: value("object")?,
            toolchain: value("toolchain")?,
        })
    }

    fn render(&self) -> String {
        format!(
            "{HEADING}\nsources = {}\nobject = {}\ntoolchain = {}\n",
            self.sources, self.object, self.toolchain
        )
    }
}

/// A hash over the manifest and all sources of the crate in `package`, their names included.
pub(super) fn hash_sources(package: &Path) -> anyhow::Result<String> {
    let mut files = vec![package.join("Cargo.toml")];
    collect(&package.join("src"), &mut files)?;
    let mut named = Vec::with_capacity(files.len());
    for path in files {
        let name = path.strip_prefix(package).unwrap_or(&path).to_string_lossy().into_owned();
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        named.push((name, content));
    }
    named.sort();
    Ok(hash(&join(&named)))
}

/// Fowler, Noll and Vo's 64-bit hash (FNV-1a). It is to notice an honest change, not a forged one:
/// `build-ebpf --check` compares the bytes.
/// Reference: RFC 9923, section 2.
pub(super) fn hash(bytes: &[u8]) -> String {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in bytes {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    format!("fnv1a64:{state:016x}")
}

/// Names and lengths go in as well, so that text moved from one file to another is a change.
fn join(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut joined = Vec::new();
    for (name, content) in files {
        let mut heading = String::new();
        let _ = writeln!(heading, "{name} {}", content.len());
        joined.extend_from_slice(heading.as_bytes());
        joined.extend_from_slice(content);
    }
    joined
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        } else {
            bail!("{} is no Rust source; the record would not cover it", path.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(hash(b""), "fnv1a64:cbf29ce484222325");
        assert_eq!(hash(b"foobar"), "fnv1a64:85944171f73967e8");
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let record = Record {
            sources: hash(b"sources"),
            object: hash(b"object"),
            toolchain: "rustc 1.96.0, bpf-linker 0.13.0".to_owned(),
        };
        assert_eq!(Record::parse(&record.render()).unwrap(), record);
    }

    #[test]
    fn a_record_without_its_object_is_damaged() {
        let error = Record::parse("sources = x\ntoolchain = y\n").unwrap_err();
        assert_eq!(error.to_string(), "it has no line `object = …`");
    }

    #[test]
    fn text_moved_between_files_is_a_change() {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let before = join(&[file("a.rs", "one two"), file("b.rs", "")]);
        let after = join(&[file("a.rs", "one "), file("b.rs", "two")]);
        assert_ne!(hash(&before), hash(&after));
    }
}
