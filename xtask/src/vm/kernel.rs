//! A kernel to boot: found among Debian's packages, or given as a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::command;

/// What the tests need built in, since no modules are loaded: BPF with its type information, the
/// events that it attaches to, and what the guest itself boots with.
const NEEDED: [&str; 10] = [
    "CONFIG_BPF_SYSCALL",
    "CONFIG_BPF_EVENTS",
    "CONFIG_DEBUG_INFO_BTF",
    "CONFIG_PERF_EVENTS",
    "CONFIG_TRACEPOINTS",
    "CONFIG_CGROUPS",
    "CONFIG_BLK_DEV_INITRD",
    "CONFIG_DEVTMPFS",
    "CONFIG_TMPFS",
    "CONFIG_SERIAL_8250_CONSOLE",
];

/// A kernel image that can be booted.
pub(super) struct Kernel {
    /// As in `6.12.117+deb12-rt-amd64`.
    pub(super) name: String,
    pub(super) image: PathBuf,
}

impl Kernel {
    /// The kernel for `wanted`: a series such as `6.12` or `6.12-rt`, a kernel package, or an image.
    /// What is downloaded and unpacked stays in `cache`.
    pub(super) fn get(wanted: &str, cache: &Path) -> anyhow::Result<Self> {
        let path = Path::new(wanted);
        if path.extension().is_some_and(|extension| extension == "deb") {
            return Self::from_package(path, cache);
        }
        if path.is_file() {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            return Ok(Self { name, image: path.to_owned() });
        }
        let series = Series::parse(wanted)?;
        let listed = command::read(Command::new("apt-cache").args([
            "search",
            "--names-only",
            &format!("^{}.*{}$", series.prefix(), series.suffix()),
        ]))?;
        let package = series.newest(&listed).with_context(|| {
            format!(
                "apt knows no package {}…{}; run `apt-get update` (Debian 12 has 6.1 and, in its \
                 security archive, 6.12), or give the path of a .deb or a vmlinuz",
                series.prefix(),
                series.suffix()
            )
        })?;
        match Self::unpacked(&cache.join(package)) {
            Some(kernel) => Ok(kernel),
            None => Self::from_package(&download(package, cache)?, cache),
        }
    }

    fn from_package(package: &Path, cache: &Path) -> anyhow::Result<Self> {
        let name =
            command::read(Command::new("dpkg-deb").args(["--field"]).arg(package).arg("Package"))?;
        let folder = cache.join(name.trim());
        // What an interrupted run left behind must not be taken for an unpacked kernel.
        let fresh = cache.join("unpacking");
        remove(&fresh)?;
        command::run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&fresh))?;
        // Modules are most of a package, and the guest loads none.
        remove(&fresh.join("lib"))?;
        remove(&fresh.join("usr"))?;
        remove(&folder)?;
        fs::rename(&fresh, &folder).with_context(|| {
            format!("cannot rename {} to {}", fresh.display(), folder.display())
        })?;
        let kernel = Self::unpacked(&folder)
            .with_context(|| format!("{} holds no boot/vmlinuz-*", package.display()))?;
        kernel.check_configuration()?;
        Ok(kernel)
    }

    /// The kernel in an unpacked package, if it was unpacked before.
    fn unpacked(folder: &Path) -> Option<Self> {
        fs::read_dir(folder.join("boot")).ok()?.flatten().find_map(|entry| {
            let name = entry.file_name().to_str()?.strip_prefix("vmlinuz-")?.to_owned();
            Some(Self { name, image: entry.path() })
        })
    }

    fn check_configuration(&self) -> anyhow::Result<()> {
        let path = self.image.with_file_name(format!("config-{}", self.name));
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let missing = missing_options(&text);
        if !missing.is_empty() {
            bail!("kernel {} lacks {}; choose another flavour", self.name, missing.join(", "));
        }
        Ok(())
    }
}

/// A line of kernels, as in `6.12-rt`.
#[derive(Debug, PartialEq, Eq)]
struct Series {
    version: String,
    real_time: bool,
}

impl Series {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let (version, real_time) = match text.strip_suffix("-rt") {
            Some(version) => (version, true),
            None => (text, false),
        };
        if version.is_empty() || !version.chars().all(|c| c.is_ascii_digit() || c == '.') {
            bail!("it is neither a file nor a series such as 6.1, 6.12 or 6.12-rt");
        }
        Ok(Self { version: version.to_owned(), real_time })
    }

    fn prefix(&self) -> String {
        format!("linux-image-{}.", self.version)
    }

    /// The cloud flavour has everything that a virtual machine needs built in, and is the smallest.
    fn suffix(&self) -> &'static str {
        if self.real_time { "-rt-amd64" } else { "-cloud-amd64" }
    }

    /// The package with the highest version among the lines of `apt-cache search`.
    fn newest<'a>(&self, listed: &'a str) -> Option<&'a str> {
        listed
            .lines()
            .filter_map(|line| line.split(' ').next())
            .filter(|name| name.starts_with(&self.prefix()) && name.ends_with(self.suffix()))
            .max_by_key(|name| numbers(name))
    }
}

/// Downloads a package and returns its file, whose name only apt knows.
fn download(package: &str, cache: &Path) -> anyhow::Result<PathBuf> {
    let folder = cache.join("download");
    remove(&folder)?;
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    command::run(
        Command::new("apt-get").args(["--quiet", "download", package]).current_dir(&folder),
    )?;
    let mut files = fs::read_dir(&folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path());
    files.next().with_context(|| format!("apt-get downloaded no file for {package}"))
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

fn missing_options(configuration: &str) -> Vec<&'static str> {
    NEEDED
        .into_iter()
        .filter(|option| !configuration.lines().any(|line| line == format!("{option}=y")))
        .collect()
}

/// The numbers in a name, so that version 6.12.117 comes after 6.12.99.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "\
linux-image-6.12.99+deb12-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
linux-image-6.12.117+deb12-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
linux-image-6.12.117+deb12-cloud-amd64-unsigned - Linux 6.12 for x86-64 cloud
linux-image-6.12.117+deb12-rt-amd64 - Linux 6.12 for 64-bit PCs (signed), PREEMPT_RT
linux-image-6.12-cloud-amd64 - Linux for x86-64 cloud (meta-package)
linux-image-6.1.0-9-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.1.0-56-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
";

    fn newest(series: &str) -> Option<&'static str> {
        Series::parse(series).unwrap().newest(LISTED)
    }

    #[test]
    fn the_newest_kernel_of_a_series_is_taken() {
        assert_eq!(newest("6.1"), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(newest("6.12"), Some("linux-image-6.12.117+deb12-cloud-amd64"));
        assert_eq!(newest("6.12-rt"), Some("linux-image-6.12.117+deb12-rt-amd64"));
        assert_eq!(newest("5.10"), None);
    }

    #[test]
    fn a_series_is_a_version() {
        assert!(Series::parse("latest").is_err());
        assert!(Series::parse("-rt").is_err());
    }

    #[test]
    fn a_module_is_not_built_in() {
        let text = NEEDED.map(|option| format!("{option}=y")).join("\n");
        assert_eq!(missing_options(&text), [""; 0]);
        let text = text.replace("CONFIG_TMPFS=y", "CONFIG_TMPFS=m");
        assert_eq!(missing_options(&text), ["CONFIG_TMPFS"]);
    }
}
