//! Debug files from debuginfod servers, kept for the next time.
//!
//! A server is asked `GET URL/buildid/HEX/debuginfo` or `/executable`. What it sends is believed only
//! if it is an ELF file, all of it, with the build id that was asked for. A server that cannot be
//! reached is not asked again.
//! Reference: elfutils 0.188, debuginfod(8), debuginfod_find_debuginfo(3)

use std::fs::DirBuilder;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use ureq::Agent;
use ureq::http::Uri;

use super::debug_files::is_of;
use super::demangle::one_line;

/// How long a server may take to be reached.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may take to answer: it may unpack a package first.
const ANSWER: Duration = Duration::from_secs(90);
/// How long a file may take to arrive.
const ARRIVE: Duration = Duration::from_mins(20);
/// The most bytes of one file.
const MOST_BYTES: u64 = 8 << 30;

/// The address of a server makes no sense.
#[derive(Debug, Error)]
#[error("{url:?} is no address of a debuginfod server; write it as https://debuginfod.example.org")]
pub struct DebuginfodAddressError {
    /// The address.
    url: String,
}

/// What a server has of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// The debug file.
    DebugInformation,
    /// The program or library itself.
    Executable,
}

impl Artifact {
    const fn name(self) -> &'static str {
        match self {
            Self::DebugInformation => "debuginfo",
            Self::Executable => "executable",
        }
    }
}

/// Servers, and where what they send is kept.
#[derive(Debug)]
pub struct Debuginfod {
    /// Addresses without a slash at the end; those that failed are gone.
    servers: Vec<String>,
    cache: PathBuf,
    agent: Agent,
    warnings: Vec<String>,
}

/// Why a server gave no file.
enum NoFile {
    /// It has none.
    Unknown,
    /// What it sent is not to be used, or could not be kept.
    Unusable(String),
    /// It cannot be asked.
    Unreachable(String),
}

impl Debuginfod {
    /// The servers at `urls`, asked in this order; what they send is kept below `cache`.
    /// Nothing is asked or made before it is needed.
    pub fn new(urls: &[String], cache: PathBuf) -> Result<Self, DebuginfodAddressError> {
        for url in urls {
            let address = url.parse::<Uri>().ok().filter(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
            });
            address.ok_or_else(|| DebuginfodAddressError { url: url.clone() })?;
        }
        let agent = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_recv_body(Some(ARRIVE))
            .user_agent(concat!("energy-prof/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            servers: urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect(),
            cache,
            agent: agent.into(),
            warnings: Vec::new(),
        })
    }

    /// A file of a build, from the cache or a server; `None` where no server has it.
    pub(super) fn fetch(&mut self, build_id: &str, artifact: Artifact) -> Option<PathBuf> {
        let folder = self.cache.join(build_id);
        let path = folder.join(artifact.name());
        if is_of(&path, build_id) {
            return Some(path);
        }
        let mut found = None;
        let servers = std::mem::take(&mut self.servers);
        for server in servers {
            let asked = match found {
                None => self.download(&server, build_id, artifact, &folder),
                Some(_) => Err(NoFile::Unknown),
            };
            match asked {
                Ok(()) => found = Some(path.clone()),
                Err(NoFile::Unknown) => {}
                Err(NoFile::Unusable(why)) => self.warnings.push(why),
                Err(NoFile::Unreachable(why)) => {
                    self.warnings.push(why);
                    continue;
                }
            }
            self.servers.push(server);
        }
        found
    }

    /// What went wrong, in sentences.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.iter().map(|warning| one_line(warning)).collect()
    }

    fn download(
        &self,
        server: &str,
        build_id: &str,
        artifact: Artifact,
        folder: &Path,
    ) -> Result<(), NoFile> {
        let url = format!("{server}/buildid/{build_id}/{}", artifact.name());
        let answer = self.agent.get(&url).call().map_err(|why| match why {
            ureq::Error::StatusCode(404) => NoFile::Unknown,
            why => NoFile::Unreachable(format!("{url}: {why}; {server} is not asked any more")),
        })?;
        let mut body = answer.into_body().into_with_config().limit(MOST_BYTES).reader();
        let not_kept = |why: io::Error| {
            NoFile::Unusable(format!(
                "cannot keep what {server} sends in {}: {why}; XDG_CACHE_HOME names another place",
                folder.display()
            ))
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(not_kept)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(not_kept)?;
        let refused = |why: &str| NoFile::Unusable(format!("{url}: {why}; it is not used"));
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = body.read(&mut buffer);
            let length = read.map_err(|why| refused(&format!("the answer breaks off ({why})")))?;
            if length == 0 {
                break;
            }
            file.write_all(&buffer[..length]).map_err(not_kept)?;
        }
        if !is_of(file.path(), build_id) {
            return Err(refused("the answer is no whole ELF file with this build id"));
        }
        let kept = file.persist(folder.join(artifact.name()));
        kept.map(drop).map_err(|why| not_kept(why.error))
    }
}
