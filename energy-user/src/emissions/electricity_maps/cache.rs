//! Answers kept on disk: `electricity-maps/HOST/ZONE/FROM_TO.json`, as they were sent.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::units::{WallTime, scale};

/// Where the answers of one service are.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Below `root`; services of different addresses do not mix.
    pub(super) fn new(root: &Path, address: &str) -> Self {
        let host = address.split_once("://").map_or(address, |(_, rest)| rest);
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let host: String = host.trim_end_matches('/').chars().map(plain).collect();
        Self { folder: root.join("electricity-maps").join(host) }
    }

    /// Where the answers for a zone are.
    pub(super) fn folder(&self, zone: &str) -> PathBuf {
        self.folder.join(zone)
    }

    /// An answer, if it is there.
    pub(super) fn read(&self, zone: &str, from: WallTime, to: WallTime) -> Option<String> {
        fs::read_to_string(self.folder(zone).join(name(from, to))).ok()
    }

    /// Keeps an answer: all of it is there, or nothing.
    pub(super) fn keep(
        &self,
        zone: &str,
        from: WallTime,
        to: WallTime,
        answer: &str,
    ) -> io::Result<()> {
        let folder = self.folder(zone);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(answer.as_bytes())?;
        file.persist(folder.join(name(from, to))).map(drop).map_err(|why| why.error)
    }
}

fn name(from: WallTime, to: WallTime) -> String {
    let hour = |at: WallTime| {
        let text = scale::rfc3339(at).unwrap_or_default();
        text.split(':').next().unwrap_or_default().to_owned()
    };
    format!("{}_{}.json", hour(from), hour(to))
}
